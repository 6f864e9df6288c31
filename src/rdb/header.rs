//! The first bytes of a dump.

use super::Cursor;
use super::Kind;
use super::RdbError;
use super::RdbFault;
use crate::unit::Dialect;
use serde::Deserialize;
use serde::Serialize;

/// The highest version of each dialect that is known: Redis 8.6 writes 13, Valkey 9 writes 80 (rdb.h of both).
const NEWEST_REDIS: u16 = 13;
const NEWEST_VALKEY: u16 = 80;

/// From this number on types are a dialect's own, so one that is ahead of the version is not what it seems.
const OWN_TYPES: u8 = 22;

/// Whose dump it is and of which version: `REDIS` and four digits, or `VALKEY` and three. Valkey up to 8.1 writes
/// `REDIS0011`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Decides what the higher opcodes and types mean.
    pub dialect: Dialect,
    /// 1 to 13, or 80; higher only when the limits allow it.
    pub version: u16,
}

impl Header {
    /// How many bytes a header has.
    pub const LENGTH: u64 = 9;

    /// Reads the header; `None` when it is not all there.
    pub(super) fn read(cursor: &mut Cursor<'_>, allow_newer: bool) -> Result<Option<Self>, RdbError> {
        let start = *cursor;
        let fault = |fault| start.fault("the header", fault);
        let Some(magic) = cursor.array::<9>() else { return Ok(None) };
        let (dialect, digits, known) = if let Some(digits) = magic.strip_prefix(b"REDIS") {
            (Dialect::Redis, digits, 1..=NEWEST_REDIS)
        } else if let Some(digits) = magic.strip_prefix(b"VALKEY") {
            (Dialect::Valkey, digits, NEWEST_VALKEY..=NEWEST_VALKEY)
        } else {
            return Err(fault(RdbFault::Magic));
        };
        let version = number(digits).ok_or_else(|| fault(RdbFault::Magic))?;
        if known.contains(&version) || allow_newer && version > *known.end() {
            Ok(Some(Self { dialect, version }))
        } else {
            Err(fault(RdbFault::Version(version.into())))
        }
    }

    /// The type that `number` means in this dump; `None` when it is not known, or not to this version.
    #[inline]
    pub(super) fn kind(self, number: u8) -> Option<Kind> {
        let kind = Kind::of(number, self.dialect)?;
        (number < OWN_TYPES || kind.since() <= self.version).then_some(kind)
    }

    /// Whether the dump ends with a checksum (rdb.c: since version 5).
    pub(super) const fn has_checksum(self) -> bool {
        self.version >= 5
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(magic: &[u8; 9], allow_newer: bool) -> Result<(Dialect, u16), RdbFault> {
        let header = Header::read(&mut Cursor::new(magic, 0), allow_newer).map_err(|error| error.fault)?.unwrap();
        Ok((header.dialect, header.version))
    }

    #[test]
    fn known_versions_are_those_of_servers() {
        for version in 1..=13 {
            let magic = format!("REDIS{version:04}");
            assert_eq!(read(magic.as_bytes().try_into().unwrap(), false), Ok((Dialect::Redis, version)));
        }
        assert_eq!(read(b"VALKEY080", false), Ok((Dialect::Valkey, 80)));
    }

    #[test]
    fn other_versions_are_errors_unless_newer_ones_are_allowed() {
        for (magic, version, newer) in [
            (b"REDIS0000", 0, false),
            (b"REDIS0014", 14, true),
            (b"REDIS0080", 80, true),
            (b"VALKEY011", 11, false),
            (b"VALKEY079", 79, false),
            (b"VALKEY081", 81, true),
        ] {
            assert_eq!(read(magic, false), Err(RdbFault::Version(version)));
            assert_eq!(read(magic, true).is_ok(), newer, "{version}");
        }
    }

    #[test]
    fn types_from_22_on_need_their_dialect_and_version() {
        let kind = |dialect, version, number| Header { dialect, version }.kind(number);
        assert_eq!(kind(Dialect::Redis, 11, 22), None);
        assert_eq!(kind(Dialect::Redis, 11, 24), None);
        assert_eq!(kind(Dialect::Redis, 12, 24), Some(Kind::HashMetadata));
        assert_eq!(kind(Dialect::Redis, 12, 26), None);
        assert_eq!(kind(Dialect::Redis, 13, 26), Some(Kind::StreamListpacks4));
        assert_eq!(kind(Dialect::Valkey, 80, 22), Some(Kind::ValkeyHash2));
        assert_eq!(kind(Dialect::Valkey, 80, 24), None);
    }

    #[test]
    fn anything_else_is_no_header() {
        for magic in [b"redis0009", b"REDIS+009", b"REDIS 009", b"VALKEY-80", b"\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(read(magic, true), Err(RdbFault::Magic));
        }
    }
}
