//! How a process comes to its end, and in which words. The one place that maps faults to outcomes.

use crate::{
    compare::CompareFault,
    journal::JournalError,
    net::ControlError,
    sink::{Claim, DealFault, LaneFault, LeaseFault},
    source::SourceError,
    step::Outcome,
    store::spool::SpoolError,
};

/// The end of a process: how, and why in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) summary: String,
    next: Next,
}

/// What this process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It ends.
    End,
    /// It follows on from the checkpoint.
    Again,
    /// It begins a new full copy.
    Anew,
}

impl Ending {
    pub(super) fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self { outcome, summary: summary.into(), next: Next::End }
    }

    pub(super) fn done(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Done, summary)
    }

    pub(super) fn failed(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, summary)
    }

    pub(super) fn stopped(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Stopped, summary)
    }

    /// The stream cannot go on, for this reason.
    pub(super) fn anew(reason: impl Into<String>) -> Self {
        Self { next: Next::Anew, ..Self::stopped(reason) }
    }

    /// The stream goes on from the checkpoint.
    pub(super) fn again(reason: impl Into<String>) -> Self {
        Self { next: Next::Again, ..Self::stopped(reason) }
    }

    /// Whether a new full copy is needed.
    pub(super) fn is_anew(&self) -> bool {
        self.next == Next::Anew
    }

    /// Whether the stream goes on from the checkpoint.
    pub(super) fn is_again(&self) -> bool {
        self.next == Next::Again
    }

    /// What a claim that was not granted means.
    pub(super) fn of_claim(claim: &Claim, record: &str) -> Option<Self> {
        match claim {
            Claim::Taken { .. } => None,
            Claim::Done => Some(Self::done("This run is finished already; nothing was done.")),
            Claim::Sealed => Some(Self::new(
                Outcome::Sealed,
                "This run is sealed: nothing writes to the destination through it again.",
            )),
            Claim::Held { owner, left } => Some(Self::new(
                Outcome::Locked,
                format!(
                    "Another process works on this run: {owner}. If it is dead, its lease ends in {} s; then run the same \
                     command again.",
                    left.as_secs() + 1
                ),
            )),
            Claim::Changed { digest, done } => Some(Self::new(
                Outcome::Stale,
                format!(
                    "The destination holds the record of {} run of this name with the graph {digest}, which is not this \
                     plan's. Apply the plan that began it, give this plan another name, or, if that run is to be \
                     forgotten, delete the hash `{record}` at the destination and this run's state directory.",
                    if *done { "a finished" } else { "an unfinished" },
                ),
            )),
        }
    }
}

impl From<JournalError> for Ending {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Foreign { .. } => {
                Self::new(Outcome::Stale, format!("{error}. Point --state to this plan's own directory."))
            }
            JournalError::Changed { .. } => Self::new(
                Outcome::Stale,
                format!(
                    "{error}. A run goes on only with the plan it began with: apply that one, or give the changed plan a \
                     name of its own."
                ),
            ),
            JournalError::Damaged { .. } => Self::failed(format!(
                "{error}. Move the state directory away and apply again: a new full copy begins, and the run record at \
                 the destination says what has to be taken back."
            )),
            JournalError::Io { .. } => Self::failed(format!(
                "The state directory cannot be used: {error}. Mend that, then run the same command again."
            )),
        }
    }
}

impl From<SpoolError> for Ending {
    fn from(error: SpoolError) -> Self {
        let summary = format!("The spool cannot be used: {error}.");
        match error {
            SpoolError::Full { .. } => Self::failed(format!("{summary} Then run the same command again.")),
            SpoolError::Io { .. } => Self::failed(format!("{summary} Mend that, then run the same command again.")),
            SpoolError::Damaged { .. } | SpoolError::Missing { .. } | SpoolError::Ended { .. } => {
                Self::failed(format!("{summary} Run the same command again: a new full copy begins."))
            }
        }
    }
}

impl From<LeaseFault> for Ending {
    fn from(fault: LeaseFault) -> Self {
        match fault {
            LeaseFault::Lost => {
                Self::new(Outcome::Locked, "Another process has taken this run over; this one stopped.")
            }
            LeaseFault::Gone => Self::from(LaneFault::RecordGone),
            LeaseFault::Forgot => Self::from(LaneFault::Forgot),
            LeaseFault::Unreadable { .. } => Self::failed(fault.to_string()),
            LeaseFault::Control(error) => Self::from(error),
        }
    }
}

impl From<ControlError> for Ending {
    fn from(error: ControlError) -> Self {
        if error.retryable() {
            Self::stopped(format!("{error}. What is confirmed is kept: run the same command again."))
        } else {
            Self::failed(error.to_string())
        }
    }
}

impl From<LaneFault> for Ending {
    fn from(fault: LaneFault) -> Self {
        match fault {
            LaneFault::LostLease => Self::new(Outcome::Locked, format!("{fault}; this one stopped.")),
            LaneFault::Unreachable(_) => {
                Self::stopped(format!("{fault}. What is confirmed is kept: run the same command again."))
            }
            LaneFault::Spool(_) => Self::failed(format!(
                "The spool cannot be used: {fault}. Run the same command again: a new full copy begins."
            )),
            LaneFault::RecordGone | LaneFault::Forgot | LaneFault::Refused { .. } | LaneFault::Protocol => {
                Self::failed(fault.to_string())
            }
        }
    }
}

impl From<CompareFault> for Ending {
    fn from(fault: CompareFault) -> Self {
        if fault.retryable() {
            Self::stopped(format!("{fault}. Run the same command again: it goes on where it was."))
        } else {
            Self::failed(fault.to_string())
        }
    }
}

impl From<DealFault> for Ending {
    fn from(fault: DealFault) -> Self {
        Self::failed(format!(
            "{fault}. The plan says `on_unsupported: fail`; with `report` such keys are listed and left out."
        ))
    }
}

impl From<SourceError> for Ending {
    fn from(error: SourceError) -> Self {
        if error.retryable() {
            Self::stopped(format!("{error}. Run the same command again: a new full copy begins."))
        } else {
            Self::failed(error.to_string())
        }
    }
}
