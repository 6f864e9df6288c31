//! What can stop a lane, and whether waiting helps.

use super::TooLarge;
use crate::resp::{Refusal, RefusalKind};

/// Why a lane gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneFault {
    /// Another process took the run over, or the run was sealed.
    #[error("another process has taken this run over at the destination")]
    LostLease,
    /// The run record is gone.
    #[error(
        "the run record at the destination is gone: somebody flushed or deleted it while this run was writing, or the \
         destination evicted it (see its `evicted_keys`), so what the destination holds is not known; apply again to start a \
         new full copy"
    )]
    RecordGone,
    /// The destination lost what it had confirmed.
    #[error(
        "the destination has lost writes that it had confirmed: it was restarted without its newest data, or a replica \
         that lacked them took over; apply again: the run continues from what the destination still has"
    )]
    Forgot,
    /// The destination cannot be reached or does not answer.
    #[error("the destination cannot be reached: {0}")]
    Unreachable(String),
    /// The destination refuses to write.
    #[error("the destination refuses writes: {reason}. {remedy}")]
    Refused {
        /// What it said.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It closes the connection at something that is too large for it.
    #[error(
        "the destination closes the connection at what is too large for it: {0}. Raise it there (`CONFIG SET {setting} ...`, \
         and in its configuration), then run the same command again",
        setting = .0.setting
    )]
    TooLarge(TooLarge),
    /// What was read back from the spool cannot be used.
    #[error("{0}")]
    Spool(String),
    /// A file of the state directory cannot be written.
    #[error("{0}")]
    Disk(String),
    /// Deadlines were to be made exact, and nobody had said which.
    #[error(
        "deadlines at the destination were to be made exact by a pass that was never begun, or is over: a fault of this program. \
         Nothing was sealed; deadlines stay as they are, and the same command continues the run"
    )]
    NoPass,
    /// The destination sent something that is no reply.
    #[error(
        "the destination sent something that is not a reply: look at what stands between it and this host; what is confirmed \
         is kept, and the same command resumes"
    )]
    Protocol,
}

/// What an error reply to a whole batch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorVerdict {
    /// It passes, or somebody may mend it soon: wait and try again.
    Passing(&'static str),
    /// It does not pass by itself.
    Lasting(&'static str),
}

/// One row a refusal: whether waiting helps, what to do.
const VERDICTS: [(RefusalKind, ErrorVerdict); 12] = [
    (RefusalKind::Loading, ErrorVerdict::Passing("It is loading its dataset.")),
    (RefusalKind::Busy, ErrorVerdict::Passing("A script is running there; `SCRIPT KILL` ends it.")),
    (RefusalKind::Cluster, ErrorVerdict::Passing("Its cluster is being changed or is not whole.")),
    (RefusalKind::MasterDown, ErrorVerdict::Passing("Its link to its master is down.")),
    (
        RefusalKind::OutOfMemory,
        ErrorVerdict::Passing(
            "Raise `maxmemory` there or free memory; apply again and the run continues where it stopped.",
        ),
    ),
    (RefusalKind::ReadOnly, ErrorVerdict::Passing("It is a read-only replica: point the plan at its master.")),
    (
        RefusalKind::Misconf,
        ErrorVerdict::Passing(
            "It cannot save to its disk: fix that, or set `stop-writes-on-bgsave-error no`, and apply again.",
        ),
    ),
    (RefusalKind::NoReplicas, ErrorVerdict::Passing("It wants more replicas; see `min-replicas-to-write`.")),
    (RefusalKind::MaxClients, ErrorVerdict::Passing("All its client connections are taken; see `maxclients`.")),
    (RefusalKind::NoPermission, ErrorVerdict::Lasting("Grant the user what was refused and apply again.")),
    (RefusalKind::NoAuth, ErrorVerdict::Lasting("Give the plan's destination a password.")),
    (RefusalKind::WrongPassword, ErrorVerdict::Lasting("Check the destination's user and password.")),
];

/// What an error reply that concerns a whole batch means.
pub(super) fn verdict(error: &str) -> ErrorVerdict {
    let kind = Refusal::of(error).kind;
    let row = VERDICTS.iter().find(|(known, _)| *known == kind);
    row.map_or(
        ErrorVerdict::Lasting(
            "The server does not take a command that this run needs; nothing of that batch was written.",
        ),
        |row| row.1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_is_not() {
        assert!(matches!(verdict("OOM command not allowed when used memory > 'maxmemory'."), ErrorVerdict::Passing(_)));
        assert!(matches!(verdict("NOPERM this user has no permissions"), ErrorVerdict::Lasting(_)));
        assert!(matches!(verdict("ERR unknown command 'RESTORE'"), ErrorVerdict::Lasting(_)));
    }
}
