//! Moving the writers over: what the step does, and how far it is.

use serde::{Deserialize, Serialize};

use crate::unit::{Offset, Period};

/// What `cutover` does: fences the source, applies what it had written by then, compares what the plan asks for, and seals
/// the run. Until the seal everything can be undone, and is when anything fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutoverWork {
    /// Who starts it.
    pub mode: CutoverMode,
    /// What blocks writes at the source.
    pub fence: Fence,
    /// The largest lag it may start with.
    pub max_lag: Period,
    /// How long the source may be fenced before everything is undone.
    pub timeout: Period,
}

/// Who starts a cutover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutoverMode {
    /// An operator, with `plan cutover`.
    Manual,
    /// The run, when the stop condition holds.
    Auto,
}

/// What blocks writes at the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// `CLIENT PAUSE` (Redis 3.0 and later).
    ClientPause,
    /// `min-replicas-to-write`; before Redis 7 it lets writes of scripts through.
    MinReplicas,
    /// Nothing: you have stopped the writers yourself.
    None,
    /// A program of yours that stops the writers.
    Hook(FenceHook),
}

/// A program that stops the writers, and one that lets them write again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceHook {
    /// Stops the writers; when it ends with 0, no write reaches the source any more.
    #[schemars(length(min = 1), example = ["./ops/stop-writers.sh"])]
    pub run: Vec<String>,
    /// Lets clients write again, when the cutover is undone.
    #[schemars(length(min = 1), example = ["./ops/start-writers.sh"])]
    pub undo: Vec<String>,
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ClientPause => "client_pause",
            Self::MinReplicas => "min_replicas",
            Self::None => "none",
            Self::Hook(_) => "hook",
        })
    }
}

/// A part of a cutover, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoverPart {
    /// Deadlines at the destination are being made exact.
    Settle,
    /// The source is being fenced.
    Fence,
    /// What it had written by then is being applied.
    Drain,
    /// Both sides are being compared.
    Verify,
    /// The run is being sealed.
    Seal,
}

impl CutoverPart {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Verify => "verify",
            Self::Seal => "seal",
        }
    }
}

/// How a cutover went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutoverResult {
    /// Everything up to here is at the destination: the source's last write before the fence, or behind it.
    pub offset: Offset,
    /// Seconds from the fence to the seal.
    pub blocked: f64,
    /// How the source was fenced.
    pub fence: String,
    /// Whether the fence proves that nothing was written behind `offset`.
    pub proven: bool,
    /// Commands that wrote at the source behind `offset` and are lost to the destination, as far as the source had sent
    /// them right behind the seal.
    #[serde(default, skip_serializing_if = "is_none")]
    pub late: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_none(commands: &u64) -> bool {
    *commands == 0
}
