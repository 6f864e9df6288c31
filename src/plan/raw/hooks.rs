//! `hooks`: programs that run at moments of the run.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unit::Period;

/// A program of yours and the moment it runs at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hook {
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

/// A moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Moment {
    /// The precheck has passed, nothing is written yet.
    #[serde(rename = "precheck.passed")]
    PrecheckPassed,
    /// The copy begins.
    #[serde(rename = "full.started")]
    FullStarted,
    /// The copy is complete.
    #[serde(rename = "full.done")]
    FullDone,
    /// The destination has caught up for the first time.
    #[serde(rename = "incremental.caught_up")]
    IncrementalCaughtUp,
    /// The comparison has found both sides equal.
    #[serde(rename = "verify.passed")]
    VerifyPassed,
    /// The source is fenced.
    #[serde(rename = "cutover.fenced")]
    CutoverFenced,
    /// The destination is sealed: move the writers now.
    #[serde(rename = "cutover.sealed")]
    CutoverSealed,
    /// The cutover was undone.
    #[serde(rename = "cutover.undone")]
    CutoverUndone,
    /// The cleanup is done.
    #[serde(rename = "cleanup.done")]
    CleanupDone,
    /// The run has failed.
    #[serde(rename = "run.failed")]
    RunFailed,
}

/// What the failure of a hook means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run waits for a human.
    Hold,
    /// The run fails.
    Fail,
    /// It is reported and the run goes on.
    Report,
}
