//! What native commands leave behind.

use crate::unit::ServerVersion;

/// Why a value cannot be written at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Only the module knows what the value is made of.
    #[error("a module's value can be restored where the module is, but not written by commands")]
    Module,
    /// Streams came with Redis 5.0.
    #[error("{0} has no streams")]
    Streams(ServerVersion),
}

/// Something of a value that the destination does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Hash fields that expire at the source will not at the destination (until the whole hash does).
    #[error("{fields} hash fields lose their own expiry: {version} has none for fields")]
    FieldExpiry {
        /// How many.
        fields: u64,
        /// The destination.
        version: ServerVersion,
    },
    /// Pending entries of consumer groups whose stream entry is deleted: XCLAIM does not create those.
    #[error("{entries} pending entries are left out: their stream entries are deleted")]
    DeadPending {
        /// How many.
        entries: u64,
    },
    /// The stream is too long to know for each pending entry whether its stream entry lives.
    #[error("of {entries} pending entries those whose stream entries are deleted, if any, are left out")]
    UncheckedPending {
        /// How many were not checked.
        entries: u64,
    },
    /// Counters that tell how far groups lag behind, kept since Redis 7.0. No entry is lost.
    #[error(
        "the stream's counters (entries added, entries read, greatest deleted id) are left out: {version} has none"
    )]
    StreamCounters {
        /// The destination.
        version: ServerVersion,
    },
    /// What Redis 8.6 remembers of producers, to drop messages that are sent twice. No entry is lost.
    #[error("{messages} remembered messages of {producers} producers are left out: no command sets them")]
    Producers {
        /// Producers.
        producers: u64,
        /// Their remembered messages.
        messages: u64,
    },
}

impl Loss {
    /// Whether data is lost or lives longer than at the source; `false` for what only serves statistics.
    #[must_use]
    pub const fn touches_data(&self) -> bool {
        !matches!(self, Self::StreamCounters { .. })
    }
}
