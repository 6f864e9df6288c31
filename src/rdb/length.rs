//! Lengths, the format's own variable-size integers (rdb.h and `rdbLoadLenByRef` of rdb.c).

use super::Cursor;
use super::RdbError;
use super::RdbFault;

/// What stands where a length is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A length, a count, or any unsigned number: 6, 14, 32 or 64 bits on the wire, the full range of `u64`.
    Plain(u64),
    /// Not a length: a string follows in this encoding. Legal only where a string begins.
    Encoded(Encoding),
}

/// How a string that is not raw is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One byte: a signed number, meaning its decimal text.
    Int8,
    /// Two bytes, little-endian, signed.
    Int16,
    /// Four bytes, little-endian, signed.
    Int32,
    /// The compressed length, the original length, then LZF data.
    Lzf,
}

impl Length {
    /// Reads what stands at the cursor; `None` when it is not all there, and then the cursor has not moved.
    #[inline]
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, RdbError> {
        let mut ahead = *cursor;
        let Some(first) = ahead.u8() else { return Ok(None) };
        let low = u64::from(first & 0x3f);
        let length = match first >> 6 {
            0 => Some(Self::Plain(low)),
            1 => ahead.u8().map(|second| Self::Plain(low << 8 | u64::from(second))),
            2 => match first {
                0x80 => ahead.u32_be().map(|length| Self::Plain(u64::from(length))),
                0x81 => ahead.u64_be().map(Self::Plain),
                _ => return Err(cursor.fault("a length", RdbFault::Invalid("a length has an unknown form"))),
            },
            _ => match first & 0x3f {
                0 => Some(Self::Encoded(Encoding::Int8)),
                1 => Some(Self::Encoded(Encoding::Int16)),
                2 => Some(Self::Encoded(Encoding::Int32)),
                3 => Some(Self::Encoded(Encoding::Lzf)),
                _ => return Err(cursor.fault("a string", RdbFault::Invalid("a string has an unknown encoding"))),
            },
        };
        if length.is_some() {
            *cursor = ahead;
        }
        Ok(length)
    }

    /// Reads a number that may not be a string's encoding; `reading` names it in the error. `None` as [`Length::read`].
    #[inline]
    pub fn plain(cursor: &mut Cursor<'_>, reading: &'static str) -> Result<Option<u64>, RdbError> {
        let before = *cursor;
        match Self::read(cursor)? {
            None => Ok(None),
            Some(Self::Plain(length)) => Ok(Some(length)),
            Some(Self::Encoded(_)) => {
                Err(before.fault(reading, RdbFault::Invalid("a string's encoding stands where a number must be")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [(&[u8], Length); 12] = [
        (&[0x00], Length::Plain(0)),
        (&[0x3f], Length::Plain(63)),
        (&[0x40, 0x40], Length::Plain(64)),
        (&[0x7f, 0xff], Length::Plain(16383)),
        (&[0x80, 0, 0, 0x40, 0], Length::Plain(16384)),
        (&[0x80, 0xff, 0xff, 0xff, 0xff], Length::Plain(0xffff_ffff)),
        (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], Length::Plain(0x1_0000_0000)),
        (&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Length::Plain(u64::MAX)),
        (&[0xc0], Length::Encoded(Encoding::Int8)),
        (&[0xc1], Length::Encoded(Encoding::Int16)),
        (&[0xc2], Length::Encoded(Encoding::Int32)),
        (&[0xc3], Length::Encoded(Encoding::Lzf)),
    ];

    #[test]
    fn every_form_reads_and_leaves_what_follows() {
        for (bytes, length) in FORMS {
            let mut followed = bytes.to_vec();
            followed.push(7);
            let mut cursor = Cursor::new(&followed, 100);
            assert_eq!(Length::read(&mut cursor), Ok(Some(length)));
            assert_eq!((cursor.rest(), cursor.at()), (&[7][..], 100 + bytes.len() as u64));
        }
    }

    #[test]
    fn a_cut_length_needs_more_bytes_and_moves_nothing() {
        for (bytes, _) in FORMS {
            for cut in 0..bytes.len() {
                let mut cursor = Cursor::new(&bytes[..cut], 5);
                assert_eq!(Length::read(&mut cursor), Ok(None));
                assert_eq!(cursor.at(), 5);
            }
        }
    }

    #[test]
    fn unknown_forms_are_errors_that_name_their_offset() {
        for first in (0x82..=0xbf).chain(0xc4..=0xff) {
            let bytes = [first, 0, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(Length::read(&mut Cursor::new(&bytes, 9)).unwrap_err().at, 9, "{first:#x}");
        }
    }

    #[test]
    fn an_encoding_is_no_number() {
        let error = Length::plain(&mut Cursor::new(&[0xc0, 1], 3), "a count").unwrap_err();
        assert_eq!((error.at, error.reading), (3, "a count"));
        assert_eq!(Length::plain(&mut Cursor::new(&[5], 3), "a count"), Ok(Some(5)));
    }
}
