//! `cutover`: how the writers move over.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unit::Period;

/// How the writers move over.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutover {
    /// Who starts it.
    pub mode: CutoverMode,
    /// What keeps writers off the source meanwhile; `client_pause` by default.
    pub fence: Option<Fence>,
    /// The largest lag it may start with; `1s` by default.
    pub max_lag: Option<Period>,
    /// How long the source may be fenced before everything is undone; `30s` by default.
    pub timeout: Option<Period>,
}

/// Who starts a cutover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutoverMode {
    /// An operator, with `plan cutover`.
    Manual,
    /// The run, when the stop condition holds.
    Auto,
}

/// What keeps writers off the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// `CLIENT PAUSE` (Redis 3.0 and later).
    ClientPause,
    /// `min-replicas-to-write`; before Redis 6 it lets writes of scripts through.
    MinReplicas,
    /// Nothing: you have stopped the writers yourself.
    None,
}
