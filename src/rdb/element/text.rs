//! A string of the dump that is in memory whole.

use super::blob::Blob;
use super::input::InputStop;
use super::input::KEEP;
use super::input::Steps;
use crate::rdb::Cursor;
use crate::rdb::DumpLimits;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::rdb::StringHead;
use std::borrow::Cow;

/// A string as it was written, not decoded yet: a step that needs more bytes is done again, so it must cost little.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawText<'a> {
    at: u64,
    bytes_at: u64,
    head: StringHead,
    bytes: &'a [u8],
}

impl<'a> RawText<'a> {
    /// Reads the string at the cursor.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, InputStop> {
        let at = cursor.at();
        let head = head(cursor)?;
        if let StringHead::Lzf { original, .. } = head
            && original > cursor.most()
        {
            return Err(InputStop::Large);
        }
        let length = head.follows();
        let length = usize::try_from(length).map_err(|_| cursor.fault("a string", RdbFault::Length(length)))?;
        let bytes_at = cursor.at();
        Ok(Self { at, bytes_at, head, bytes: cursor.bytes(length)? })
    }

    /// The bytes that a client would see.
    pub(super) fn decode(self) -> Result<Cow<'a, [u8]>, RdbError> {
        self.head.decode(self.bytes).map_err(|fault| self.fault(fault))
    }

    /// The same, into a blob that may have held another.
    pub(super) fn decode_into(self, blob: &mut Blob) -> Result<(), RdbError> {
        let raw = matches!(self.head, StringHead::Raw(_));
        blob.bytes.clear();
        blob.bytes.shrink_to(KEEP);
        blob.at = if raw { self.bytes_at } else { self.at };
        blob.compressed = !raw;
        self.head.decode_onto(self.bytes, &mut blob.bytes).map_err(|fault| self.fault(fault))
    }

    const fn fault(&self, fault: RdbFault) -> RdbError {
        RdbError { at: self.at, reading: "a string", fault }
    }
}

/// What stands before a string's bytes.
pub(super) fn head(cursor: &mut Cursor<'_>) -> Result<StringHead, InputStop> {
    StringHead::read(cursor, DumpLimits::default().string)?.ok_or(InputStop::More)
}
