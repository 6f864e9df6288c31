//! A packed structure in memory.

use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;

/// The bytes of one ziplist, listpack, intset or zipmap, and where they stand in the dump.
#[derive(Clone, Debug, Default)]
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    /// Absolute offset of the first byte; of the string that holds the blob when it is `compressed`.
    pub(super) at: u64,
    /// Bytes inside compressed data have no offset of their own in the dump.
    pub(super) compressed: bool,
}

impl Blob {
    /// A cursor over the entries from `position` on, without the end byte, which every packed list has.
    pub(super) fn entries(&self, position: usize) -> Cursor<'_> {
        let end = self.bytes.len().saturating_sub(1);
        Cursor::new(self.bytes.get(position..end).unwrap_or_default(), position as u64)
    }

    /// A cursor over all bytes; its offsets are positions in the blob.
    pub(super) fn all(&self) -> Cursor<'_> {
        Cursor::new(&self.bytes, 0)
    }

    /// Whether the end byte `0xff` stands at the end, as in every packed list.
    pub(super) fn has_end_byte(&self) -> bool {
        self.bytes.last() == Some(&0xff)
    }

    /// A fault at `position` of the blob.
    pub(super) fn damaged(&self, position: usize, what: &'static str, reading: &'static str) -> RdbError {
        let inside = if self.compressed { 0 } else { position as u64 };
        RdbError { at: self.at.saturating_add(inside), reading, fault: RdbFault::Blob(what) }
    }

    /// An entry of this blob that is sound as a packed entry and makes no sense where it stands.
    pub(super) const fn invalid(&self, reading: &'static str, why: &'static str) -> RdbError {
        RdbError { at: self.at, reading, fault: RdbFault::Invalid(why) }
    }
}

/// A position that a cursor over a blob reached.
pub(super) fn position(cursor: &Cursor<'_>) -> usize {
    usize::try_from(cursor.at()).unwrap_or(usize::MAX)
}
