//! The command that makes a key, in the cheapest form that this destination takes without giving anything up.
//!
//! A string that the dump holds as text or as a number goes as `SET`: of the server's CPU that takes 0.7 to 0.9 of a RESTORE
//! at 64 bytes and 0.4 to 0.6 at 1 KiB, since it copies once and checks no payload. All else goes as RESTORE, which keeps
//! compressed text and packed collections as they are (`cargo bench --bench compare -- --only forms`). Where keys may be
//! replaced, strings go many to an MSET, which takes 0.6 to 0.8 of that. MSETNX would as well, but writes none of its keys
//! when one of them exists; and commands that add to a collection would add to that of somebody else.

use super::Destination;
use crate::{
    rdb::{Cursor, Entry, Kind, StringHead, Usage, append_payload, payload_len},
    resp,
    step::OnConflict,
    unit::UnixMillis,
};

/// What SET is to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetText<'a> {
    /// These bytes.
    Raw(&'a [u8]),
    /// The decimal text of this number.
    Number(i32),
}

impl<'a> SetText<'a> {
    /// The text of an entry that SET brings as well as RESTORE does: nothing is compressed, SET knows its expiry, and nothing
    /// is told of how much it was used, which only RESTORE can say.
    pub(super) fn of(entry: &Entry<'_>, body: &'a [u8], destination: &Destination) -> Option<Self> {
        let timeless = entry.expires_at.is_none() || destination.knows_expiry_in_set();
        if entry.value.kind != Kind::String || entry.access.is_some() || !timeless {
            return None;
        }
        let mut cursor = Cursor::new(body, entry.value.at);
        match StringHead::read(&mut cursor, u64::MAX).ok()?? {
            StringHead::Raw(_) => Some(Self::Raw(cursor.rest())),
            StringHead::Int(number) => Some(Self::Number(number)),
            StringHead::Lzf { .. } => None,
        }
    }

    /// Appends it as a bulk string.
    pub(super) fn append(self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(bytes) => resp::bulk(out, bytes),
            Self::Number(number) => resp::bulk_i64(out, number.into()),
        }
    }
}

/// Appends the SET of an entry; answers how many commands that took. Without `replace` a key that exists stays as it is and
/// the answer is nil. The expiry is absolute, as in [`restore`].
pub(super) fn set(out: &mut Vec<u8>, (entry, text): (&Entry<'_>, SetText<'_>), on_conflict: OnConflict) -> u32 {
    let replace = on_conflict == OnConflict::Replace;
    out.extend_from_slice(match (replace, entry.expires_at) {
        (false, None) => b"*4\r\n$3\r\nSET\r\n",
        (true, None) => b"*3\r\n$3\r\nSET\r\n",
        (false, Some(_)) => b"*6\r\n$3\r\nSET\r\n",
        (true, Some(_)) => b"*5\r\n$3\r\nSET\r\n",
    });
    resp::bulk(out, &entry.key);
    text.append(out);
    if !replace {
        out.extend_from_slice(b"$2\r\nNX\r\n");
    }
    if let Some(at) = entry.expires_at {
        out.extend_from_slice(b"$4\r\nPXAT\r\n");
        resp::bulk_i64(out, at.0);
    }
    1
}

/// Appends the RESTORE of an entry; answers how many commands that took.
///
/// The expiry stays absolute: with ABSTTL where it is known, before 5.0 with a PEXPIREAT behind the RESTORE, whose own
/// expiry would count from the moment the destination gets to it. `now` is the destination's clock.
/// The caller has left out entries whose time has passed.
pub(super) fn restore(
    out: &mut Vec<u8>,
    (entry, body, version): (&Entry<'_>, &[u8], u16),
    destination: &Destination,
    on_conflict: OnConflict,
    now: UnixMillis,
) -> u32 {
    let replace = on_conflict == OnConflict::Replace;
    let absolute = destination.knows_absolute_expiry();
    let access = entry.access.as_ref().filter(|_| absolute);
    let delete_first = replace && !destination.knows_replace();
    if delete_first {
        resp::command(out, &[b"DEL", &entry.key]);
    }
    let expires = entry.expires_at.is_some();
    let words = 4 + usize::from(replace && !delete_first) + usize::from(absolute && expires);
    resp::array_header(out, words + 2 * usize::from(access.is_some()));
    resp::bulk(out, b"RESTORE");
    resp::bulk(out, &entry.key);
    resp::bulk_i64(out, ttl(entry.expires_at, absolute, now));
    resp::bulk_header(out, payload_len(body.len()));
    append_payload(out, entry.value.kind, body, version);
    out.extend_from_slice(b"\r\n");
    if replace && !delete_first {
        resp::bulk(out, b"REPLACE");
    }
    if absolute && expires {
        resp::bulk(out, b"ABSTTL");
    }
    match access {
        Some(Usage::Idle(seconds)) => {
            resp::bulk(out, b"IDLETIME");
            resp::bulk_u64(out, *seconds);
        }
        Some(Usage::Freq(frequency)) => {
            resp::bulk(out, b"FREQ");
            resp::bulk_u64(out, u64::from(*frequency));
        }
        None => {}
    }
    let mut commands = 1 + u32::from(delete_first);
    if let Some(at) = entry.expires_at.filter(|_| !absolute) {
        resp::array_header(out, 3);
        resp::bulk(out, b"PEXPIREAT");
        resp::bulk(out, &entry.key);
        resp::bulk_i64(out, at.0);
        commands += 1;
    }
    commands
}

/// RESTORE's second argument: 0 is no expiry, so a relative expiry is never less than 1.
fn ttl(expires_at: Option<UnixMillis>, absolute: bool, now: UnixMillis) -> i64 {
    match expires_at {
        None => 0,
        Some(at) if absolute => at.0,
        Some(at) => at.0.saturating_sub(now.0).max(1),
    }
}
