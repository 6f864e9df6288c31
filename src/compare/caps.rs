//! What a server can be asked.

use crate::unit::ServerVersion;

/// The questions that not every version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadFeatures {
    /// `PEXPIRETIME`: when a key ends, to the millisecond.
    pub(super) end_of_key: bool,
    /// `HPEXPIRETIME`: when a field ends.
    pub(super) end_of_field: bool,
    /// Deadlines are deferred there: what has ended by the clock is still to be seen.
    pub(super) deferred: bool,
}

impl ReadFeatures {
    pub(super) fn of(version: ServerVersion) -> Self {
        Self { end_of_key: version.has_redis((7, 0)), end_of_field: version.has((7, 4), (9, 0)), deferred: false }
    }
}
