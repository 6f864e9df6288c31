//! `stop`: when the incremental phase may end.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unit::Period;

/// When the incremental phase may end: `any` or `all` of some conditions, and a deadline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// One of these must hold.
    #[schemars(length(min = 1))]
    pub any: Option<Vec<Condition>>,
    /// All of these must hold.
    #[schemars(length(min = 1))]
    pub all: Option<Vec<Condition>>,
    /// What happens when none of it comes true.
    pub deadline: Option<Deadline>,
}

/// A condition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "StopCondition")]
pub enum Condition {
    /// One of these must hold.
    Any(#[schemars(length(min = 1))] Vec<Condition>),
    /// All of these must hold.
    All(#[schemars(length(min = 1))] Vec<Condition>),
    /// The destination is near enough behind the source.
    Lag(Lag),
    /// Nothing was written to the source.
    SourceIdle(SourceIdle),
    /// An operator says so.
    Command(OperatorCommand),
}

/// The destination is near enough behind the source.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// The lag stays below this.
    pub below: Period,
    /// It has stayed there for this long.
    #[serde(rename = "for")]
    pub held_for: Period,
}

/// Nothing was written to the source.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceIdle {
    /// Nothing has been written for this long.
    #[serde(rename = "for")]
    pub held_for: Period,
}

/// A command of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// `plan cutover`.
    Cutover,
}

/// What happens when the conditions do not come true.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Counted from the start of the incremental phase.
    pub after: Period,
    /// How the run goes on. A deadline never counts as success.
    pub then: DeadlineEnd,
}

/// How a run goes on after its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineEnd {
    /// It keeps following and waits for a human.
    Hold,
    /// It fails.
    Fail,
}
