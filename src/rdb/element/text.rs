//! A string of the dump that is in memory whole.

use super::atom::decimal;
use super::blob::Blob;
use super::input::Steps;
use super::input::Stop;
use crate::rdb::Cursor;
use crate::rdb::Encoding;
use crate::rdb::Length;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::rdb::decompress;
use std::borrow::Cow;

/// A string as it was written, not decoded yet: a step that needs more bytes is done again, so it must cost little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    at: u64,
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Raw { bytes: &'a [u8], at: u64 },
    Int(i64),
    Lzf { packed: &'a [u8], original: u64 },
}

impl<'a> Text<'a> {
    /// Reads the string at the cursor.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Stop> {
        let at = cursor.at();
        let form = match Length::read(cursor)?.ok_or(Stop::More)? {
            Length::Plain(length) => {
                let start = cursor.at();
                Form::Raw { bytes: counted(cursor, length)?, at: start }
            }
            Length::Encoded(Encoding::Lzf) => {
                let packed = cursor.length("a compressed string's length")?;
                let original = cursor.length("a compressed string's length")?;
                Form::Lzf { packed: counted(cursor, packed)?, original }
            }
            Length::Encoded(encoding) => Form::Int(int(cursor, encoding)?),
        };
        Ok(Self { at, form })
    }

    /// The bytes that a client would see.
    pub(super) fn decode(self) -> Result<Cow<'a, [u8]>, RdbError> {
        match self.form {
            Form::Raw { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Form::Int(number) => Ok(Cow::Owned(decimal(number))),
            Form::Lzf { packed, original } => {
                let mut bytes = vec![];
                self.expand(packed, original, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// The same, into a blob that may have held another.
    pub(super) fn decode_into(self, blob: &mut Blob) -> Result<(), RdbError> {
        blob.bytes.clear();
        blob.at = self.at;
        blob.compressed = true;
        match self.form {
            Form::Raw { bytes, at } => {
                blob.bytes.extend_from_slice(bytes);
                blob.at = at;
                blob.compressed = false;
            }
            Form::Int(number) => blob.bytes = decimal(number),
            Form::Lzf { packed, original } => self.expand(packed, original, &mut blob.bytes)?,
        }
        Ok(())
    }

    fn expand(&self, packed: &[u8], original: u64, out: &mut Vec<u8>) -> Result<(), RdbError> {
        let fault = |fault| RdbError { at: self.at, reading: "a compressed string", fault };
        let length = usize::try_from(original).map_err(|_| fault(RdbFault::Length(original)))?;
        decompress(packed, length, out).map_err(fault)
    }
}

/// The integer of a string written as one.
pub(super) fn int(cursor: &mut Cursor<'_>, encoding: Encoding) -> Result<i64, Stop> {
    match encoding {
        Encoding::Int8 => Ok(i64::from(i8::from_le_bytes(array(cursor)?))),
        Encoding::Int16 => Ok(i64::from(i16::from_le_bytes(array(cursor)?))),
        Encoding::Int32 => Ok(i64::from(i32::from_le_bytes(array(cursor)?))),
        Encoding::Lzf => {
            Err(cursor.fault("a string", RdbFault::Invalid("compressed text stands for an integer")).into())
        }
    }
}

fn array<const N: usize>(cursor: &mut Cursor<'_>) -> Result<[u8; N], Stop> {
    cursor.array().ok_or(Stop::More)
}

fn counted<'a>(cursor: &mut Cursor<'a>, length: u64) -> Result<&'a [u8], Stop> {
    let length = usize::try_from(length).map_err(|_| cursor.fault("a string", RdbFault::Length(length)))?;
    cursor.bytes(length)
}
