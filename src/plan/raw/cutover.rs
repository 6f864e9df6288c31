//! `cutover`: how the writers move over.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::{CutoverMode, Fence};
use crate::unit::Period;

/// How the writers move over.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cutover")]
pub struct CutoverBlock {
    /// Who starts it.
    pub mode: CutoverMode,
    /// What blocks writes at the source meanwhile; `client_pause` by default.
    pub fence: Option<Fence>,
    /// The largest lag it may start with; `1s` by default.
    pub max_lag: Option<Period>,
    /// How long the source may be fenced before everything is undone; `30s` by default.
    pub timeout: Option<Period>,
}
