//! `stop`: when the incremental phase may end.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::DeadlineEnd;
use crate::unit::{Period, UnixMillis};

/// When the incremental phase may end: `any` or `all` of some conditions, and a deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Stop")]
pub struct StopBlock {
    /// One of these must hold.
    #[schemars(length(min = 1))]
    pub any: Option<Vec<ConditionEntry>>,
    /// All of these must hold.
    #[schemars(length(min = 1))]
    pub all: Option<Vec<ConditionEntry>>,
    /// What happens when none of it comes true.
    pub deadline: Option<DeadlineBlock>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "StopCondition")]
pub enum ConditionEntry {
    /// One of these must hold.
    Any(#[schemars(length(min = 1))] Vec<ConditionEntry>),
    /// All of these must hold.
    All(#[schemars(length(min = 1))] Vec<ConditionEntry>),
    /// The destination is near enough behind the source.
    Lag(LagBound),
    /// Nothing was written to the source.
    SourceIdle(SourceIdle),
    /// The source was followed for so long.
    Duration(Period),
    /// A moment has come.
    At(At),
    /// An operator says so.
    Command(OperatorCommand),
    /// Both sides were compared while the source was followed, and are equal.
    Verify(ComparisonResult),
}

/// The destination is near enough behind the source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Lag")]
pub struct LagBound {
    /// The lag stays below this.
    pub below: Period,
    /// It has stayed there for this long.
    #[serde(rename = "for")]
    pub held_for: Period,
}

/// Nothing was written to the source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceIdle {
    /// Nothing has been written for this long.
    #[serde(rename = "for")]
    pub held_for: Period,
}

/// A moment: date, time and offset from UTC as in RFC 3339, such as `2026-12-01T02:00:00+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub UnixMillis);

impl std::str::FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A zone's name would need its rules, which may change between review and run: the offset says it all.
        let moment: Option<jiff::Timestamp> = text.parse().ok().filter(|_| !text.contains('['));
        moment.map(|moment| Self(UnixMillis(moment.as_millisecond()))).ok_or_else(|| {
            format!("`{text}` is not a date and time with a UTC offset: write for example `2026-12-01T02:00:00+01:00` or `2026-12-01T01:00:00Z`")
        })
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for At {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "moment",
            "description": "A moment with its offset from UTC (RFC 3339), such as `2026-12-01T02:00:00+01:00`.",
            "examples": ["2026-12-01T02:00:00+01:00", "2026-12-01T01:00:00Z"],
        })
    }
}

/// What the result of a comparison must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Comparison")]
pub enum ComparisonResult {
    /// No difference.
    Equal,
}

/// A command of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// `plan cutover`.
    Cutover,
}

/// What happens when the conditions do not come true.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Deadline")]
pub struct DeadlineBlock {
    /// Counted from the start of the incremental phase.
    pub after: Period,
    /// What happens then. A deadline never counts as success.
    pub then: DeadlineEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_needs_its_offset() {
        assert_eq!("1970-01-01T01:00:01+01:00".parse(), Ok(At(UnixMillis(1000))));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(At(UnixMillis(1000))));
        for text in ["", "2026-12-01", "2026-12-01T02:00:00", "02:00", "2026-12-01T02:00:00+01:00[Europe/Berlin]"] {
            assert!(text.parse::<At>().is_err(), "{text}");
        }
    }
}
