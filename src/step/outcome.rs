//! How a run ended.

use serde::{Deserialize, Serialize};

/// How a run ended; each has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything the plan asks for is done.
    Done,
    /// A check said no; nothing was written.
    Refused,
    /// Both sides were compared and differ.
    Different,
    /// A human must look.
    Failed,
    /// It waits for something outside: a window, or a human.
    Held,
    /// Another runner holds the lease.
    Locked,
    /// Plan, graph or server are not what this run started with.
    Stale,
    /// The run was sealed.
    Sealed,
    /// Stopped with a durable checkpoint: the same command continues.
    Stopped,
}

impl Outcome {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused | Self::Different => 1,
            Self::Failed => 3,
            Self::Held => 4,
            Self::Locked => 5,
            Self::Stale => 6,
            Self::Sealed => 7,
            Self::Stopped => 75,
        }
    }
}
