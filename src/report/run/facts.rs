//! What a run's summary holds of its cutovers, settings, accounts, hooks, waits and links.

use serde::Serialize;

use crate::step::{CutoverPart, CutoverResult, Moment, Side, StepId, Traffic};
use crate::unit::{Offset, UnixMillis};

/// A cutover that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cutover {
    /// Its parts, as they began.
    pub parts: Vec<CutoverBegan>,
    /// How it ended; `None` when the process died in it.
    pub end: Option<CutoverEnd>,
}

/// A part of a cutover that began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CutoverBegan {
    /// Which.
    pub part: CutoverPart,
    /// When.
    pub at: UnixMillis,
    /// What has to be applied, once that is known.
    pub offset: Option<Offset>,
}

/// How a cutover ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoverEnd {
    /// It was undone.
    Undone {
        /// When.
        at: UnixMillis,
        /// Which part failed.
        part: CutoverPart,
        /// Why.
        reason: String,
        /// Seconds for which writers were kept off.
        blocked: f64,
    },
    /// The destination is sealed.
    Sealed {
        /// When that was told.
        at: UnixMillis,
        /// How it went.
        result: CutoverResult,
    },
}

/// A setting of the source that the run changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingChange {
    /// When.
    pub at: UnixMillis,
    /// Its name for `CONFIG`.
    pub setting: String,
    /// What it was.
    pub was: String,
    /// What it was set to.
    pub set_to: String,
    /// What became of it; `None` while it is changed.
    pub restored: Option<SettingRestored>,
}

/// A setting that the run is done with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingRestored {
    /// When.
    pub at: UnixMillis,
    /// What it is.
    pub now: String,
}

/// An account that was removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountRemoved {
    /// When.
    pub at: UnixMillis,
    /// Where.
    pub side: Side,
    /// What was proved.
    pub proof: String,
}

/// A hook that ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HookRun {
    /// When it ended.
    pub at: UnixMillis,
    /// The moment it belongs to.
    pub moment: Moment,
    /// The program.
    pub program: String,
    /// How long it took.
    pub seconds: f64,
    /// How it failed; `None` when it did not.
    pub failure: Option<String>,
}

/// A stretch of time in which nothing moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wait {
    /// Which step waited.
    pub step: StepId,
    /// Since when, as far as told.
    pub at: UnixMillis,
    /// Until when it was told.
    pub until: UnixMillis,
    /// For what, as told last.
    pub reason: String,
}

/// One kind of step over all attempts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepFacts {
    /// Which.
    pub step: StepId,
    /// How often it was begun.
    pub runs: u32,
    /// Seconds it took in all, as far as told.
    pub seconds: f64,
    /// What went over both links meanwhile.
    pub traffic: Traffic,
}
