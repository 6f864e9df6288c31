//! What a run found and used, for the record: servers and links.

use serde::{Deserialize, Serialize};

use super::Side;

/// What a server was when the run took it for fit, as far as it told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Which server.
    pub side: Side,
    /// Its kind and version.
    pub version: Option<String>,
    /// What it is to its peers.
    pub role: Option<String>,
    /// Identifies its process.
    pub run_id: Option<String>,
    /// The history that its stream belongs to.
    pub replid: Option<String>,
    /// Its `maxmemory-policy`; of the destination.
    pub eviction: Option<String>,
}

/// Bytes over all connections of a process to one server since it began, encryption included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkBytes {
    /// To the server.
    pub sent: u64,
    /// From the server.
    pub received: u64,
}

/// Both links of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// The link to the source.
    pub source: LinkBytes,
    /// The link to the destination.
    pub destination: LinkBytes,
}

impl Traffic {
    /// What came on since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self { source: self.source.since(earlier.source), destination: self.destination.since(earlier.destination) }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { source: self.source.plus(other.source), destination: self.destination.plus(other.destination) }
    }
}

impl LinkBytes {
    const fn since(self, earlier: Self) -> Self {
        Self { sent: self.sent.saturating_sub(earlier.sent), received: self.received.saturating_sub(earlier.received) }
    }

    const fn plus(self, other: Self) -> Self {
        Self { sent: self.sent.saturating_add(other.sent), received: self.received.saturating_add(other.received) }
    }
}
