//! What a source says of itself.

use std::collections::BTreeMap;

use crate::command::{Info, Keyspace, Mode, ServerRole};
use crate::net::{Control, ControlError};
use crate::unit::{ByteSize, Db, Offset, ReplId, ServerVersion};

/// What a source said of itself at one moment. A field is `None` when the source does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Whose server and which version.
    pub version: Option<ServerVersion>,
    /// Master or replica.
    pub role: Option<ServerRole>,
    /// Standalone, cluster node or Sentinel.
    pub mode: Option<Mode>,
    /// Whether it is loading its dataset.
    pub loading: Option<bool>,
    /// A replica's link to its master; `None` on a master.
    pub master_link_up: Option<bool>,
    /// Identifies the process.
    pub run_id: Option<String>,
    /// Identifies the replication history (the run id before Redis 4.0).
    pub replid: Option<ReplId>,
    /// The end of the replication stream.
    pub repl_offset: Option<Offset>,
    /// Memory in use.
    pub used_memory: Option<ByteSize>,
    /// Memory in use for data alone.
    pub used_memory_dataset: Option<ByteSize>,
    /// What each database holds.
    pub keyspace: BTreeMap<Db, Keyspace>,
    /// Everything it said.
    pub info: Info,
}

impl SourceFacts {
    /// The facts in an answer to `INFO`.
    pub fn of(info: Info) -> Self {
        Self {
            version: info.server_version(),
            role: info.role(),
            mode: info.mode(),
            loading: info.loading(),
            master_link_up: info.master_link_up(),
            run_id: info.run_id().map(str::to_owned),
            replid: info.replid(),
            repl_offset: info.repl_offset(),
            used_memory: info.used_memory(),
            used_memory_dataset: info.used_memory_dataset(),
            keyspace: info.keyspace(),
            info,
        }
    }

    /// Keys in all databases, those counted that are expired and not yet removed.
    pub fn keys(&self) -> u64 {
        self.info.keys()
    }
}

/// Asks a source what it is. One `INFO`; works while it is loading.
pub async fn survey(control: &mut Control) -> Result<SourceFacts, ControlError> {
    Ok(SourceFacts::of(Info::parse(&control.info(None).await?)))
}
