//! `hooks`: programs that run at moments of the run.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::{Moment, OnError};
use crate::unit::Period;

/// A program of yours and the moment it runs at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hook")]
pub struct HookEntry {
    /// The moment.
    pub at: Moment,
    /// The program and its arguments, run without a shell; relative paths are relative to the plan file.
    #[schemars(length(min = 1), example = ["./ops/switch-dns.sh"])]
    pub run: Vec<String>,
    /// How long it may take; `60s` by default.
    pub timeout: Option<Period>,
    /// What its failure means; `fail` by default.
    pub on_error: Option<OnError>,
}
