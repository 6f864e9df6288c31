//! What a plan expects of its servers; compared at every start of a run.

use serde::{Deserialize, Serialize};

use crate::unit::{Percent, ServerVersion};

/// What the source must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceExpect {
    /// Its version lies in this range; otherwise every version that can be read is fine.
    pub version: Option<VersionRange>,
    /// Its role in replication; otherwise both are fine.
    pub role: Option<Role>,
    /// Its very process: `run_id` of `INFO server`, which changes with every start. Otherwise a restart and a failover
    /// are accepted where the source's history continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

/// What the destination must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DestinationExpect {
    /// Its version lies in this range; otherwise every version that can be written is fine.
    pub version: Option<VersionRange>,
    /// Its `maxmemory-policy`; otherwise each is fine.
    pub eviction: Option<Eviction>,
    /// `true`: the databases that keys go to hold no keys. `false`: they hold some.
    pub empty: Option<bool>,
    /// At least this much memory is free (`maxmemory` minus `used_memory`), as a share of the source's `used_memory`.
    pub free_memory: Option<Percent>,
}

/// A server's role in replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes writes from clients.
    Master,
    /// It follows another server.
    Replica,
}

/// What a server does when its memory is full (`maxmemory-policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// Writes are refused; nothing is lost.
    #[serde(rename = "noeviction")]
    NoEviction,
    /// The least recently used of all keys goes.
    AllkeysLru,
    /// The least often used of all keys goes.
    AllkeysLfu,
    /// Any key goes.
    AllkeysRandom,
    /// The least recently used of the keys with an expiry goes.
    VolatileLru,
    /// The least often used of the keys with an expiry goes.
    VolatileLfu,
    /// Any key with an expiry goes.
    VolatileRandom,
    /// The key nearest to its expiry goes.
    VolatileTtl,
}

impl Role {
    /// The role's name, as in plans.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
        }
    }
}

impl Eviction {
    /// The policy's name, as in plans and servers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }
}

/// Identifies a server's process: 40 hexadecimal digits, other ones after every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| Self(text.to_ascii_lowercase())).ok_or_else(|| format!("`{text}` is not 40 hexadecimal digits"))
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for RunId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RunId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "run-id",
            "description": "A server's `run_id`: 40 hexadecimal digits, other ones after every start.",
            "examples": ["5a8b1e0f7c6d4e3b2a19f8e7d6c5b4a392817060"],
        })
    }
}

/// A range of server versions, as `>=2.8, <6`: comparisons that must all hold. A comparison looks at no more parts
/// than it names, so `<=7.2` takes 7.2.4, and `7.2` alone takes every 7.2.x. A server counts with its own number:
/// `valkey_version` for Valkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange(Vec<Comparison>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    /// One to three parts.
    parts: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
}

/// Longer words first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Equal),
];

impl VersionRange {
    /// Whether the range takes `version`.
    #[must_use]
    pub fn takes(&self, version: ServerVersion) -> bool {
        let (major, minor, patch) = version.number;
        self.takes_number([major, minor, patch])
    }

    /// Whether any version at all is in the range.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.ends().any(|number| self.takes_number(number))
    }

    /// Whether the range takes no version from `bound` on.
    #[must_use]
    pub fn is_before(&self, bound: [u16; 3]) -> bool {
        !self.ends().chain([bound]).any(|number| number >= bound && self.takes_number(number))
    }

    /// Numbers of which the range takes one if it takes any: it is a union of intervals, so a version inside it exists
    /// next to a bound or at an end.
    fn ends(&self) -> impl Iterator<Item = [u16; 3]> {
        let bounds = self.0.iter().flat_map(|comparison| {
            let parts = |fill: u16| std::array::from_fn(|part| comparison.parts.get(part).copied().unwrap_or(fill));
            let (first, last) = (parts(0), parts(u16::MAX));
            [first, last, stepped(first, u16::checked_sub, u16::MAX), stepped(last, u16::checked_add, 0)]
        });
        bounds.chain([[0; 3], [u16::MAX; 3]])
    }

    fn takes_number(&self, number: [u16; 3]) -> bool {
        self.0.iter().all(|comparison| {
            let named = number.get(..comparison.parts.len()).unwrap_or(&number);
            let order = named.cmp(&comparison.parts);
            match comparison.operator {
                Operator::Above => order.is_gt(),
                Operator::AtLeast => order.is_ge(),
                Operator::Below => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Equal => order.is_eq(),
            }
        })
    }
}

/// The next or previous version: the last part that can move moves, those after it become `fill`.
fn stepped(mut number: [u16; 3], step: fn(u16, u16) -> Option<u16>, fill: u16) -> [u16; 3] {
    for part in number.iter_mut().rev() {
        if let Some(moved) = step(*part, 1) {
            *part = moved;
            break;
        }
        *part = fill;
    }
    number
}

impl std::str::FromStr for VersionRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let comparisons: Option<Vec<Comparison>> = text.split(',').map(|part| comparison(part.trim())).collect();
        comparisons
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a range of versions: write for example `>=2.8, <6` or `7.2`"))
    }
}

fn comparison(text: &str) -> Option<Comparison> {
    let (operator, version) = OPERATORS
        .iter()
        .find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?)))
        .unwrap_or((Operator::Equal, text));
    let parts: Vec<u16> = version.trim().split('.').map(part).collect::<Option<_>>()?;
    (parts.len() <= 3).then_some(Comparison { operator, parts })
}

fn part(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl std::fmt::Display for VersionRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, comparison) in self.0.iter().enumerate() {
            let operator = OPERATORS.iter().find(|(_, operator)| *operator == comparison.operator);
            let parts: Vec<String> = comparison.parts.iter().map(u16::to_string).collect();
            let gap = if position == 0 { "" } else { ", " };
            write!(f, "{gap}{}{}", operator.map_or("", |(word, _)| word), parts.join("."))?;
        }
        Ok(())
    }
}

impl Serialize for VersionRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for VersionRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "version-range",
            "description": "Comparisons that must all hold, such as `>=2.8, <6`; `7.2` takes every 7.2.x.",
            "examples": [">=2.8, <6", "7.2"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> VersionRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_comparison_looks_at_the_parts_it_names() {
        for (text, version, taken) in [
            (">=2.8, <6", (2, 8, 17), true),
            (">=2.8, <6", (5, 0, 10), true),
            (">=2.8, <6", (6, 0, 0), false),
            (">=2.8, <6", (2, 6, 9), false),
            ("<=7.2", (7, 2, 4), true),
            (">7.2", (7, 2, 4), false),
            (">7.2", (7, 4, 0), true),
            ("7.2", (7, 2, 9), true),
            ("= 7.2.4", (7, 2, 9), false),
        ] {
            let (major, minor, patch) = version;
            assert_eq!(range(text).takes(ServerVersion::redis(major, minor, patch)), taken, "{text} {version:?}");
        }
    }

    #[test]
    fn reads_what_it_shows() {
        assert_eq!(range(">=2.8,<6").to_string(), ">=2.8, <6");
        assert_eq!(range("7.2").to_string(), "=7.2");
        for text in ["", ">=", "2.8 - 6", ">=2.8 <6", "1.2.3.4", "+6", "6.x", "^6", "99999"] {
            assert!(text.parse::<VersionRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_that_takes_nothing_is_found() {
        for text in [">=6, <5", ">7.2, <7.3", "6, 7", ">65535"] {
            assert!(!range(text).is_possible(), "{text}");
        }
        for text in [">=6", "<1", ">=7.2, <=7.2", ">7.2, <7.4", ">=2.8, <6"] {
            assert!(range(text).is_possible(), "{text}");
        }
    }
}
