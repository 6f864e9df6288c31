//! Which server, of which age.

use serde::{Deserialize, Serialize};

/// Whose server: the numbers of RDB types, opcodes and versions above Redis 7.2 mean different things to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Redis, and services that speak as it does.
    Redis,
    /// Valkey, which reports `redis_version:7.2.4` and its own number in `valkey_version`.
    Valkey,
}

/// A server's own version: `valkey_version` for Valkey, `redis_version` for Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerVersion {
    /// Whose number it is.
    pub dialect: Dialect,
    /// Major, minor, patch.
    pub number: (u16, u16, u16),
}

impl ServerVersion {
    /// A Redis version.
    #[must_use]
    pub const fn redis(major: u16, minor: u16, patch: u16) -> Self {
        Self { dialect: Dialect::Redis, number: (major, minor, patch) }
    }

    /// A Valkey version.
    #[must_use]
    pub const fn valkey(major: u16, minor: u16, patch: u16) -> Self {
        Self { dialect: Dialect::Valkey, number: (major, minor, patch) }
    }

    /// Reads `7.2.4`, `3.9.102`, `8.2` or `255.255.255`; `None` when a part is missing or no number.
    #[must_use]
    pub fn parse(dialect: Dialect, text: &str) -> Option<Self> {
        let text = text.split(['-', ' ']).next()?;
        let mut parts = text.split('.').map(|part| part.parse::<u16>().ok());
        let major = parts.next()??;
        let minor = parts.next().unwrap_or(Some(0))?;
        let patch = parts.next().unwrap_or(Some(0))?;
        Some(Self { dialect, number: (major, minor, patch) })
    }

    /// Whether the server has what Redis got in `redis` and Valkey in `valkey` (major, minor). Valkey forked from
    /// Redis 7.2, so what came to Redis up to 7.2 is in every Valkey: pass `(0, 0)` for it.
    #[must_use]
    pub fn has(self, redis: (u16, u16), valkey: (u16, u16)) -> bool {
        let (major, minor, patch) = self.number;
        match self.dialect {
            // Pre-releases of 4.0 call themselves 3.9.x and behave as 4.0 does.
            Dialect::Redis if (major, minor) == (3, 9) => (4, 0) >= redis && patch > 0,
            Dialect::Redis => (major, minor) >= redis,
            Dialect::Valkey => (major, minor) >= valkey,
        }
    }

    /// Whether the server has what came to Redis in `redis`, before Valkey forked at 7.2.
    #[must_use]
    pub fn has_redis(self, redis: (u16, u16)) -> bool {
        self.has(redis, (0, 0))
    }
}

impl std::fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.dialect {
            Dialect::Redis => "Redis",
            Dialect::Valkey => "Valkey",
        };
        let (major, minor, patch) = self.number;
        write!(f, "{name} {major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_candidate_of_4_0_counts_as_4_0() {
        let rc = ServerVersion::parse(Dialect::Redis, "3.9.102").unwrap();
        assert!(rc.has_redis((4, 0)) && !rc.has_redis((5, 0)));
    }

    #[test]
    fn valkey_has_all_of_redis_7_2_and_nothing_later_by_default() {
        let valkey = ServerVersion::valkey(8, 1, 8);
        assert!(valkey.has_redis((7, 2)));
        assert!(!valkey.has((7, 4), (9, 0)));
    }
}
