//! What a server was when a run took it for fit.

use serde::{Deserialize, Serialize};

use crate::{
    step::Role,
    unit::{Db, ReplId, ServerVersion},
};

/// What a server was when the run began, as far as it told; compared with what it is at every start after that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fingerprint {
    /// Identifies its process.
    pub run_id: Option<String>,
    /// The history that its stream belongs to.
    pub replid: Option<ReplId>,
    /// The history that it went on from, as a replica that became a master does.
    pub former: Option<ReplId>,
    /// What it is to its peers.
    pub role: Option<Role>,
    /// Its version.
    pub version: Option<ServerVersion>,
    /// Its `maxmemory-policy`; of the destination.
    pub eviction: Option<String>,
    /// The databases that keys go to in which others had keys; of the destination.
    pub occupied: Option<Vec<Db>>,
}
