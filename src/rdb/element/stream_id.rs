//! Ids of stream entries.

use crate::rdb::Cursor;

/// The id of a stream entry: milliseconds and a sequence number, written `ms-seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch, as the source's clock or its client said.
    pub ms: u64,
    /// The number among the entries of one millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The id before all others, which no entry can have.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// The 16 bytes of a raw id, big-endian.
    pub(super) fn raw(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut ahead = *cursor;
        let id = Self { ms: ahead.u64_be()?, seq: ahead.u64_be()? };
        *cursor = ahead;
        Some(id)
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}
