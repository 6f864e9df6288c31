//! RESTORE as this destination knows it.

use super::Destination;
use crate::{
    rdb::{Access, Entry, append_payload, payload_len},
    resp,
    step::OnConflict,
    unit::UnixMillis,
};

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
        Some(Access::Idle(seconds)) => {
            resp::bulk(out, b"IDLETIME");
            resp::bulk_u64(out, *seconds);
        }
        Some(Access::Freq(frequency)) => {
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
