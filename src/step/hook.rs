//! Programs of the operator that run at moments of a run.

use serde::{Deserialize, Serialize};

use crate::unit::Period;

/// A program and the moment it runs at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The moment.
    pub at: Moment,
    /// The program and its arguments, run without a shell; relative paths are relative to the plan file.
    pub run: Vec<String>,
    /// How long it may take.
    pub timeout: Period,
    /// What its failure means.
    pub on_error: OnError,
}

/// A moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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

impl Moment {
    /// Its name, as in plans.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrecheckPassed => "precheck.passed",
            Self::FullStarted => "full.started",
            Self::FullDone => "full.done",
            Self::IncrementalCaughtUp => "incremental.caught_up",
            Self::VerifyPassed => "verify.passed",
            Self::CutoverFenced => "cutover.fenced",
            Self::CutoverSealed => "cutover.sealed",
            Self::CutoverUndone => "cutover.undone",
            Self::CleanupDone => "cleanup.done",
            Self::RunFailed => "run.failed",
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the failure of a hook means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run waits for an operator.
    Hold,
    /// The run fails.
    Fail,
    /// It is reported and the run continues.
    Report,
}
