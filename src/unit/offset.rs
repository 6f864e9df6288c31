//! A position in a replication stream.

use serde::{Deserialize, Serialize};

/// The number of the last byte consumed of a replication history; the first byte after a full resynchronisation to
/// offset `O` is `O + 1` (replication.c, `masterTryPartialResynchronization`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset after `bytes` more bytes of the stream.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// How many bytes this offset is ahead of `earlier`; zero when it is behind.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
