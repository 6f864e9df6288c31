//! What a destination knows.

use crate::unit::ServerVersion;

/// The commands and options a destination has, by its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    version: ServerVersion,
}

impl Features {
    /// Those of a server of this version.
    #[must_use]
    pub const fn of(version: ServerVersion) -> Self {
        Self { version }
    }

    /// The version they were derived from.
    #[must_use]
    pub const fn version(self) -> ServerVersion {
        self.version
    }

    /// HSET takes many fields; before, only HMSET does. (4.0 knows it already, but its release candidates do not.)
    pub(super) fn hset_many(self) -> bool {
        self.version.has_redis((5, 0))
    }

    /// HPEXPIREAT: fields of a hash expire by themselves.
    pub(super) fn field_expiry(self) -> bool {
        self.version.has((7, 4), (9, 0))
    }

    /// Streams.
    pub(super) fn streams(self) -> bool {
        self.version.has_redis((5, 0))
    }

    /// XSETID ENTRIESADDED and MAXDELETEDID, XGROUP CREATE ENTRIESREAD.
    pub(super) fn stream_counters(self) -> bool {
        self.version.has_redis((7, 0))
    }

    /// XGROUP CREATECONSUMER.
    pub(super) fn create_consumer(self) -> bool {
        self.version.has_redis((6, 2))
    }
}
