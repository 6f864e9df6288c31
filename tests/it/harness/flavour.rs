//! The servers the tests know, by the name they are installed under.

use std::{env, path::PathBuf};

use redis_plan::unit::{Dialect, ServerVersion};

/// Every server that `tests/servers/install` fetches.
pub const ALL: [&str; 12] = [
    "redis-2.8.17",
    "redis-3.0.5",
    "redis-3.2.9",
    "redis-4.0-rc2",
    "redis-5.0.10",
    "redis-6.2.14",
    "redis-7.0.15",
    "redis-7.2.4",
    "redis-7.4.1",
    "redis-8.2.3",
    "valkey-8.1.8",
    "valkey-9.1.2",
];

/// One of them, and what it can.
#[derive(Clone, Copy, Debug)]
pub struct Flavour {
    pub name: &'static str,
    pub version: ServerVersion,
}

impl Flavour {
    /// By name; an unknown name ends the test.
    pub fn of(name: &str) -> Self {
        let name = ALL.into_iter().find(|known| *known == name).unwrap_or_else(|| panic!("no server is called {name}"));
        let (family, number) = name.split_once('-').unwrap();
        let dialect = if family == "valkey" { Dialect::Valkey } else { Dialect::Redis };
        Self { name, version: ServerVersion::parse(dialect, number).unwrap() }
    }

    /// Where its program is; a missing one ends the test with the command that installs it.
    pub fn program(&self) -> PathBuf {
        let path = folder().join(self.name).join("redis-server");
        assert!(path.exists(), "{} is not installed, run: tests/servers/install {}", path.display(), self.name);
        path
    }

    /// Came with this Redis version, before Valkey forked.
    fn since(&self, major: u16, minor: u16) -> bool {
        self.version.has((major, minor), (0, 0))
    }

    pub fn has_diskless_delay(&self) -> bool {
        self.since(3, 0)
    }

    pub fn has_geo(&self) -> bool {
        self.since(3, 2)
    }

    pub fn has_streams(&self) -> bool {
        self.since(5, 0)
    }

    /// `XGROUP CREATECONSUMER`.
    pub fn has_idle_consumers(&self) -> bool {
        self.since(6, 2)
    }

    /// `COPY`, `GETEX`, `GETDEL`.
    pub fn has_copy(&self) -> bool {
        self.since(6, 2)
    }

    /// Sends the deadlines of relative expiries to its replicas.
    pub fn sends_deadlines(&self) -> bool {
        self.since(7, 0)
    }

    pub fn has_functions(&self) -> bool {
        self.since(7, 0)
    }

    /// `XINFO` tells what was added and read in all.
    pub fn has_stream_counters(&self) -> bool {
        self.since(7, 0)
    }

    /// `DEBUG` must be allowed at start.
    pub fn guards_debug(&self) -> bool {
        self.since(7, 0)
    }

    /// Fields of a hash that expire.
    pub fn has_field_expiry(&self) -> bool {
        self.version.has((7, 4), (9, 0))
    }

    /// Writes keys that have expired into a dump; earlier ones leave them out.
    pub fn dumps_expired_keys(&self) -> bool {
        self.since(5, 0)
    }
}

fn folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("REDIS_PLAN_SERVERS").unwrap_or_else(|| {
        let cache = set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap().join(".cache"));
        cache.join("redis-plan/servers")
    })
}
