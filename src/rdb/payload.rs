//! The payloads of DUMP and RESTORE: a type byte, the body as in a dump, the RDB version in two bytes and the CRC-64 of
//! all that in eight, both little-endian (cluster.c, `createDumpPayload`).

use std::borrow::Cow;

use super::Crc64;
use super::Cursor;
use super::Kind;
use super::read_string;
use crate::unit::Dialect;

/// Bytes of the footer.
const FOOTER: usize = 10;

/// Valkey's own versions begin here; below, the numbers are those of Redis.
const VALKEY: u16 = 80;

/// What a library of functions begins with (rdb.h, `RDB_OPCODE_FUNCTION2`).
const FUNCTION: u8 = 245;

/// The longest code of a library that is read.
const LONGEST: u64 = 512 << 20;

/// What stands at both ends of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The type; `None` when it is not known, or when key metadata stands before it (Redis 8.6).
    pub kind: Option<Kind>,
    /// The RDB version of the server that made it.
    pub version: u16,
}

/// Bytes of the payload for a body of `body_len` bytes.
#[must_use]
pub const fn payload_len(body_len: usize) -> usize {
    body_len.saturating_add(1).saturating_add(FOOTER)
}

/// Appends the payload of `body` to `out`. The destination refuses a `version` above its own; up to 3.0 it accepts 6
/// alone. The version says nothing about the body.
pub fn append_payload(out: &mut Vec<u8>, kind: Kind, body: &[u8], version: u16) {
    out.reserve(payload_len(body.len()));
    let number = kind.number();
    out.push(number);
    out.extend_from_slice(body);
    let crc = Crc64::new().with(&[number]).with(body);
    out.extend_from_slice(&footer(version, crc));
}

/// The footer of a payload whose type byte and body have the checksum `crc`.
#[must_use]
pub fn footer(version: u16, crc: Crc64) -> [u8; FOOTER] {
    let version = version.to_le_bytes();
    let crc = crc.with(&version).value().to_le_bytes();
    let mut footer = [0; FOOTER];
    for (place, byte) in footer.iter_mut().zip(version.into_iter().chain(crc)) {
        *place = byte;
    }
    footer
}

/// Reads a DUMP reply; `None` when it is too short or its checksum is wrong.
#[must_use]
pub fn verify(payload: &[u8]) -> Option<Payload> {
    let (content, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let mut cursor = Cursor::new(footer, 0);
    let version = cursor.u16_le()?;
    let crc = Crc64::new().with(content).with(&version.to_le_bytes());
    if cursor.u64_le()? != crc.value() {
        return None;
    }
    let dialect = if version < VALKEY { Dialect::Redis } else { Dialect::Valkey };
    Some(Payload { kind: Kind::of(*content.first()?, dialect), version })
}

/// The code of each library in the payload of `FUNCTION DUMP` and `FUNCTION RESTORE`; `None` where it is damaged, or in the
/// form of the release candidates of 7.0.
#[must_use]
pub fn libraries(payload: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    verify(payload)?;
    let mut cursor = Cursor::new(payload.get(..payload.len().checked_sub(FOOTER)?)?, 0);
    let mut found = vec![];
    while let Some(opcode) = cursor.u8() {
        if opcode != FUNCTION {
            return None;
        }
        found.push(read_string(&mut cursor, LONGEST).ok()??);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_a_payload_are_read() {
        let content = [&[FUNCTION, 3][..], b"one", &[FUNCTION, 2], b"zz"].concat();
        let footer = footer(10, Crc64::new().with(&content));
        let payload = [&content[..], &footer].concat();
        let found = libraries(&payload).unwrap();
        assert_eq!(found.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), [&b"one"[..], b"zz"]);
        for cut in 0..payload.len() {
            assert_eq!(libraries(&payload[..cut]), None);
        }
        for content in [&[246u8, 1, b'x'][..], &[FUNCTION, 9, b'x'], &[FUNCTION]] {
            let footer = self::footer(10, Crc64::new().with(content));
            assert_eq!(libraries(&[content, &footer].concat()), None, "{content:?}");
        }
    }

    /// `SET k 10` and `DUMP k` of the manual page of DUMP, made by Redis with version 6.
    const TEN: &[u8] = b"\x00\xc0\n\x06\x00\xf8r?\xc5\xfb\xfb_(";

    #[test]
    fn a_servers_payload_is_verified_and_made_alike() {
        assert_eq!(verify(TEN), Some(Payload { kind: Some(Kind::String), version: 6 }));
        let mut out = b"before".to_vec();
        append_payload(&mut out, Kind::String, b"\xc0\n", 6);
        assert_eq!(&out[6..], TEN);
        assert_eq!(TEN.len(), payload_len(2));
    }

    #[test]
    fn any_flipped_bit_or_cut_is_seen() {
        for bit in 0..TEN.len() * 8 {
            let mut damaged = TEN.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&damaged), None);
        }
        for cut in 0..TEN.len() {
            assert_eq!(verify(&TEN[..cut]), None);
        }
    }

    #[test]
    fn number_22_means_what_its_version_says() {
        for (kind, version) in [(Kind::HashMetadataPreGa, 12), (Kind::ValkeyHash2, 80)] {
            let mut out = vec![];
            append_payload(&mut out, kind, b"\0", version);
            assert_eq!(verify(&out), Some(Payload { kind: Some(kind), version }));
        }
    }
}
