//! What can stop a lane, and whether waiting helps.

/// Why a lane gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneFault {
    /// Another process took the run over, or the run was sealed.
    #[error("another process has taken this run over at the destination")]
    LostLease,
    /// The run record is gone.
    #[error(
        "the run record at the destination is gone: somebody flushed or deleted it while this run was writing, so what the \
         destination holds is not known; apply again to start a new full copy"
    )]
    RecordGone,
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
    /// What was read back from the spool cannot be used.
    #[error("{0}")]
    Spool(String),
    /// The destination sent something that is no reply.
    #[error("the destination sent something that is not a reply")]
    Protocol,
}

/// What an error reply to a whole batch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It passes: wait and try again.
    Passing(&'static str),
    /// A human must do something.
    Lasting(&'static str),
}

/// One row an error code: the code, whether it passes, what to do.
const REFUSALS: [(&str, bool, &str); 12] = [
    ("LOADING", true, "It is loading its dataset."),
    ("BUSY", true, "A script is running there; `SCRIPT KILL` ends it."),
    ("TRYAGAIN", true, "It asks to try again."),
    ("CLUSTERDOWN", true, "Its cluster is down."),
    ("MASTERDOWN", true, "Its link to its master is down."),
    ("OOM", true, "Raise `maxmemory` there, or free memory, and apply again: the run continues where it stopped."),
    ("READONLY", true, "Point the plan at the master; the server is a read-only replica."),
    ("MISCONF", true, "It cannot save to its disk; fix that, or set `stop-writes-on-bgsave-error no`, and apply again."),
    ("NOREPLICAS", true, "It wants more replicas; see `min-replicas-to-write`."),
    ("NOPERM", false, "Grant the user what the refused command needs and apply again."),
    ("NOAUTH", false, "Give the plan's destination a password."),
    ("WRONGPASS", false, "Check the destination's user and password."),
];

/// What an error reply that concerns a whole batch, not one key, means; `None` when it concerns one command.
pub fn refusal(error: &str) -> Option<Refusal> {
    let code = error.split([' ', '\r']).next().unwrap_or_default();
    let row = REFUSALS.iter().find(|(name, _, _)| *name == code)?;
    Some(if row.1 { Refusal::Passing(row.2) } else { Refusal::Lasting(row.2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_whole_words() {
        assert!(matches!(refusal("OOM command not allowed"), Some(Refusal::Passing(_))));
        assert!(matches!(refusal("NOPERM no"), Some(Refusal::Lasting(_))));
        assert_eq!(refusal("BUSYKEY Target key name already exists."), None);
        assert_eq!(refusal("ERR Bad data format"), None);
    }
}
