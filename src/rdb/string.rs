//! Strings: raw, as a number, or LZF (`rdbGenericLoadStringObject` of rdb.c).

use super::Cursor;
use super::Encoding;
use super::Length;
use super::RdbError;
use super::RdbFault;
use super::decompress;
use crate::unit::make_room;
use std::borrow::Cow;

/// The longest string of a server that is not told otherwise.
const SERVERS_MOST: u64 = 512 << 20;

/// What stands before a string's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringHead {
    /// This many bytes follow.
    Raw(u64),
    /// Nothing follows: the string is this number's decimal text.
    Int(i32),
    /// LZF data follows.
    Lzf {
        /// Its bytes.
        compressed: u64,
        /// The bytes it expands to.
        original: u64,
    },
}

impl StringHead {
    /// Reads a head; `None` when it is not all there, and then the cursor has not moved. A string (packed or expanded)
    /// of more than `limit` bytes is an error, and so is LZF data that cannot expand to what it states.
    #[inline]
    pub fn read(cursor: &mut Cursor<'_>, limit: u64) -> Result<Option<Self>, RdbError> {
        let mut ahead = *cursor;
        let Some(length) = Length::read(&mut ahead)? else { return Ok(None) };
        let head = match length {
            Length::Plain(length) => Some(Self::Raw(length)),
            Length::Encoded(encoding) => Self::read_encoded(&mut ahead, encoding)?,
        };
        let Some(head) = head else { return Ok(None) };
        if let Err(fault) = head.check(limit) {
            return Err(cursor.fault("a string", fault));
        }
        *cursor = ahead;
        Ok(Some(head))
    }

    fn read_encoded(cursor: &mut Cursor<'_>, encoding: Encoding) -> Result<Option<Self>, RdbError> {
        Ok(match encoding {
            Encoding::Int8 => cursor.array().map(i8::from_le_bytes).map(i32::from).map(Self::Int),
            Encoding::Int16 => cursor.array().map(i16::from_le_bytes).map(i32::from).map(Self::Int),
            Encoding::Int32 => cursor.array().map(i32::from_le_bytes).map(Self::Int),
            Encoding::Lzf => {
                let Some(compressed) = Length::plain(cursor, "a compressed length")? else { return Ok(None) };
                let Some(original) = Length::plain(cursor, "an original length")? else { return Ok(None) };
                Some(Self::Lzf { compressed, original })
            }
        })
    }

    #[inline]
    fn check(self, limit: u64) -> Result<(), RdbFault> {
        let longest = match self {
            Self::Raw(length) => length,
            Self::Int(_) => 0,
            Self::Lzf { compressed, original } => {
                super::lzf::bounded(compressed, original)?;
                compressed.max(original)
            }
        };
        match longest {
            _ if longest <= limit => Ok(()),
            // A server may have it; what is longer is no length at all.
            ..=SERVERS_MOST => Err(RdbFault::Long { length: longest, most: limit }),
            _ => Err(RdbFault::Length(longest)),
        }
    }

    /// How many bytes follow the head.
    #[inline]
    #[must_use]
    pub const fn follows(self) -> u64 {
        match self {
            Self::Raw(length) => length,
            Self::Int(_) => 0,
            Self::Lzf { compressed, .. } => compressed,
        }
    }

    /// The string, from the bytes that follow the head. Damaged LZF data is an error.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, RdbFault> {
        match self {
            Self::Raw(_) => Ok(Cow::Borrowed(bytes)),
            Self::Int(_) | Self::Lzf { .. } => {
                let mut out = vec![];
                self.decode_onto(bytes, &mut out)?;
                Ok(Cow::Owned(out))
            }
        }
    }

    /// As [`StringHead::decode`], appending to `out`.
    pub fn decode_onto(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RdbFault> {
        match self {
            Self::Raw(_) => {
                make_room(out, bytes.len());
                out.extend_from_slice(bytes);
            }
            Self::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Self::Lzf { original, .. } => {
                let original = usize::try_from(original).map_err(|_| RdbFault::Length(original))?;
                decompress(bytes, original, out)?;
            }
        }
        Ok(())
    }
}

/// A whole string of at most `limit` bytes, borrowed where it is raw. `None` when it is not all there, and then the
/// cursor has not moved.
pub fn read_string<'a>(cursor: &mut Cursor<'a>, limit: u64) -> Result<Option<Cow<'a, [u8]>>, RdbError> {
    let mut ahead = *cursor;
    let Some(head) = StringHead::read(&mut ahead, limit)? else { return Ok(None) };
    let Some(bytes) = usize::try_from(head.follows()).ok().and_then(|length| ahead.take(length)) else {
        return Ok(None);
    };
    let string = head.decode(bytes).map_err(|fault| cursor.fault("a string", fault))?;
    *cursor = ahead;
    Ok(Some(string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], limit: u64) -> Result<Option<Vec<u8>>, RdbError> {
        let mut cursor = Cursor::new(bytes, 40);
        let string = read_string(&mut cursor, limit)?;
        assert_eq!(cursor.at() == 40, string.is_none());
        Ok(string.map(Cow::into_owned))
    }

    #[test]
    fn each_form_reads_and_every_cut_needs_more() {
        for (bytes, text) in [
            (&[3, b'a', 0, b'c'][..], &b"a\0c"[..]),
            (&[0xc0, 0x80], b"-128"),
            (&[0xc1, 0xff, 0x7f], b"32767"),
            (&[0xc2, 0, 0, 0, 0x80], b"-2147483648"),
            (&[0xc3, 5, 8, 1, b'a', b'b', 4 << 5, 1], b"abababab"),
        ] {
            assert_eq!(read(bytes, 8 + 3), Ok(Some(text.to_vec())));
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut], 11), Ok(None));
            }
        }
        assert!(matches!(read_string(&mut Cursor::new(&[0], 0), 0), Ok(Some(Cow::Borrowed(b"")))));
    }

    #[test]
    fn a_string_beyond_the_limit_is_refused_at_its_head() {
        let error = read(&[0x80, 0, 1, 0, 1], 65536).unwrap_err();
        assert_eq!((error.at, error.fault), (40, RdbFault::Long { length: 65537, most: 65536 }));
        // Nine compressed bytes that claim 88 each, and one more.
        assert_eq!(read(&[0xc3, 9, 0x43, 0x18], 1000), Ok(None));
        assert_eq!(read(&[0xc3, 9, 0x43, 0x19], 1000).unwrap_err().fault, RdbFault::Length(0x319));
        let long = RdbFault::Long { length: 0x318, most: 700 };
        assert_eq!(read(&[0xc3, 9, 0x43, 0x18], 700).unwrap_err().fault, long);
    }

    #[test]
    fn damaged_lzf_names_the_strings_offset() {
        let error = read(&[0xc3, 2, 8, 0, b'a'], 100).unwrap_err();
        assert_eq!((error.at, error.fault), (40, RdbFault::Lzf));
    }
}
