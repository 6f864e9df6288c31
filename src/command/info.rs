//! The answer to `INFO`.

use std::collections::BTreeMap;

use crate::unit::{ByteSize, Db, Dialect, Offset, ReplId, ServerVersion};

/// What a server says of itself. Every field is optional: Redis 2.8 lacks many, and managed services hide some. Nothing
/// is invented for a field that is missing or unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    fields: BTreeMap<String, String>,
}

/// What a server is to its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// It takes writes.
    Master,
    /// It follows a master.
    Replica,
}

/// How a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Alone or with replicas.
    Standalone,
    /// A node of a cluster.
    Cluster,
    /// A Sentinel: it holds no data.
    Sentinel,
}

/// What a database holds. Keys that are expired and not yet removed are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyspace {
    /// Keys.
    pub keys: u64,
    /// Keys with a time to live.
    pub expires: u64,
    /// Hashes with fields that have one; `None` where the server does not count them (before 7.4, Valkey before 9.0).
    pub field_expires: Option<u64>,
}

impl Info {
    /// Reads the answer: `name:value` lines; headings and empty lines are passed over.
    pub fn parse(text: &str) -> Self {
        let fields = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.trim_end().split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { fields }
    }

    /// The field of this name as it was sent.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// The version: `valkey_version` of a Valkey, whose `redis_version` is that of the fork; else `redis_version`.
    pub fn server_version(&self) -> Option<ServerVersion> {
        match self.get("valkey_version") {
            Some(version) => ServerVersion::parse(Dialect::Valkey, version),
            None => ServerVersion::parse(Dialect::Redis, self.get("redis_version")?),
        }
    }

    /// Master or replica.
    pub fn role(&self) -> Option<ServerRole> {
        match self.get("role")? {
            "master" => Some(ServerRole::Master),
            "slave" | "replica" => Some(ServerRole::Replica),
            _ => None,
        }
    }

    /// `redis_mode` (`server_mode` where a service calls it so).
    pub fn mode(&self) -> Option<Mode> {
        match self.get("redis_mode").or_else(|| self.get("server_mode"))? {
            "standalone" => Some(Mode::Standalone),
            "cluster" => Some(Mode::Cluster),
            "sentinel" => Some(Mode::Sentinel),
            _ => None,
        }
    }

    /// Whether a dump is being loaded.
    pub fn loading(&self) -> Option<bool> {
        self.flag("loading")
    }

    /// A replica's link to its master; `None` on a master.
    pub fn master_link_up(&self) -> Option<bool> {
        self.get("master_link_status").map(|status| status == "up")
    }

    /// Whether a replica is receiving or loading its master's dump.
    pub fn master_sync_in_progress(&self) -> Option<bool> {
        self.flag("master_sync_in_progress")
    }

    /// Memory in use.
    pub fn used_memory(&self) -> Option<ByteSize> {
        self.size("used_memory")
    }

    /// Memory in use for data, without buffers and fixed costs (Redis 4.0).
    pub fn used_memory_dataset(&self) -> Option<ByteSize> {
        self.size("used_memory_dataset")
    }

    /// The memory limit, 0 for none (Redis 3.2; ask `CONFIG GET` before).
    pub fn maxmemory(&self) -> Option<ByteSize> {
        self.size("maxmemory")
    }

    /// What happens at the limit, such as `noeviction` (Redis 3.2; ask `CONFIG GET` before).
    pub fn maxmemory_policy(&self) -> Option<&str> {
        self.get("maxmemory_policy")
    }

    /// Memory of the machine (Redis 3.2).
    pub fn total_system_memory(&self) -> Option<ByteSize> {
        self.size("total_system_memory")
    }

    /// The databases that hold keys. Empty also when the server does not tell.
    pub fn keyspace(&self) -> BTreeMap<Db, Keyspace> {
        self.fields.iter().filter_map(|(name, value)| keyspace(name, value)).collect()
    }

    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.keyspace().values().fold(0, |sum, db| sum.saturating_add(db.keys))
    }

    /// Identifies the process: changes with each start.
    pub fn run_id(&self) -> Option<&str> {
        self.get("run_id")
    }

    /// The replication id: `master_replid` (Redis 4.0), the run id before.
    pub fn replid(&self) -> Option<ReplId> {
        ReplId::parse(self.get("master_replid").or_else(|| self.run_id())?.as_bytes())
    }

    /// The end of the replication stream as this server counts it.
    pub fn repl_offset(&self) -> Option<Offset> {
        self.number("master_repl_offset").map(Offset)
    }

    /// Size of the replication backlog.
    pub fn repl_backlog_size(&self) -> Option<ByteSize> {
        self.size("repl_backlog_size")
    }

    /// Replicas attached.
    pub fn connected_replicas(&self) -> Option<u64> {
        self.number("connected_slaves").or_else(|| self.number("connected_replicas"))
    }

    /// Whether a dump is being written.
    pub fn saving(&self) -> Option<bool> {
        self.flag("rdb_bgsave_in_progress")
    }

    /// Changes since the last dump was written.
    pub fn changes_since_save(&self) -> Option<u64> {
        self.number("rdb_changes_since_last_save")
    }

    /// Whether the last dump could be written.
    pub fn last_save_ok(&self) -> Option<bool> {
        self.get("rdb_last_bgsave_status").map(|status| status == "ok")
    }

    /// Seconds the last dump took; `None` before the first one.
    pub fn last_save_seconds(&self) -> Option<u64> {
        self.number("rdb_last_bgsave_time_sec")
    }

    /// Whether writes go to an append-only file.
    pub fn aof_enabled(&self) -> Option<bool> {
        self.flag("aof_enabled")
    }

    /// Whether this is a node of a cluster.
    pub fn cluster_enabled(&self) -> Option<bool> {
        self.flag("cluster_enabled")
    }

    /// Commands processed per second, as the server averages it.
    pub fn ops_per_second(&self) -> Option<u64> {
        self.number("instantaneous_ops_per_sec")
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.get(field)?.parse().ok()
    }

    fn size(&self, field: &str) -> Option<ByteSize> {
        self.number(field).map(ByteSize)
    }

    fn flag(&self, field: &str) -> Option<bool> {
        match self.get(field)? {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }
}

/// `db3:keys=10,expires=2,avg_ttl=0`.
fn keyspace(name: &str, value: &str) -> Option<(Db, Keyspace)> {
    let db = Db(name.strip_prefix("db")?.parse().ok()?);
    let count = |wanted: &str| {
        value.split(',').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == wanted)?.1.parse().ok()
    };
    // Redis calls it the first, Valkey the second.
    let field_expires = count("subexpiry").or_else(|| count("keys_with_volatile_items"));
    Some((db, Keyspace { keys: count("keys")?, expires: count("expires").unwrap_or(0), field_expires }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIS_2_8: &str = "# Server\r\nredis_version:2.8.17\r\nredis_mode:standalone\r\n\
        run_id:1f1a0dd2c1a36dd47cd4d1d6dd7f09a1a1a3f24c\r\n\r\n# Memory\r\nused_memory:502184\r\n\r\n# Persistence\r\n\
        loading:0\r\nrdb_last_bgsave_time_sec:-1\r\naof_enabled:0\r\n\r\n# Replication\r\nrole:slave\r\n\
        master_link_status:down\r\nmaster_repl_offset:0\r\n\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=9\r\n\
        db15:keys=2,expires=0\r\n";

    #[test]
    fn an_old_replica_says_little() {
        let info = Info::parse(REDIS_2_8);
        assert_eq!(info.server_version(), Some(ServerVersion::redis(2, 8, 17)));
        assert_eq!((info.role(), info.mode()), (Some(ServerRole::Replica), Some(Mode::Standalone)));
        assert_eq!((info.loading(), info.aof_enabled(), info.cluster_enabled()), (Some(false), Some(false), None));
        assert_eq!(info.master_link_up(), Some(false));
        assert_eq!((info.used_memory(), info.maxmemory()), (Some(ByteSize(502_184)), None));
        assert_eq!(info.last_save_seconds(), None);
        assert_eq!(info.replid(), ReplId::parse(b"1f1a0dd2c1a36dd47cd4d1d6dd7f09a1a1a3f24c"));
        let space = |keys, expires| Keyspace { keys, expires, field_expires: None };
        let expected = [(Db(0), space(3, 1)), (Db(15), space(2, 0))].into();
        assert_eq!((info.keyspace(), info.keys()), (expected, 5));
    }

    #[test]
    fn valkey_is_known_by_its_own_version() {
        let info = Info::parse("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n");
        assert_eq!(info.server_version(), Some(ServerVersion::valkey(9, 1, 2)));
    }

    #[test]
    fn nothing_is_invented() {
        let info =
            Info::parse("loading:maybe\r\nrole:king\r\ndbx:keys=1\r\ndb1:expires=2\r\nused_memory:-3\r\nnoise\r\n");
        assert_eq!((info.loading(), info.role(), info.used_memory(), info.server_version()), (None, None, None, None));
        assert!(info.keyspace().is_empty());
        assert_eq!(Info::parse(""), Info::default());
    }

    #[test]
    fn values_keep_their_colons() {
        assert_eq!(Info::parse("executable:/a:b\r\n").get("executable"), Some("/a:b"));
    }
}
