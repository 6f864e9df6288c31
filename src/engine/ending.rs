//! How a process comes to its end, and in which words. The one place that maps faults to outcomes.

use crate::{
    compare::CompareFault,
    journal::JournalError,
    net::{ControlError, NetError, NetFault},
    plan::fault::{
        Fault,
        catalogue::{About, runs},
    },
    sink::{Claim, DealFault, LaneFault, LeaseFault},
    source::SourceError,
    step::Outcome,
    store::spool::SpoolError,
    unit::Address,
};

/// The end of a process: how, and why in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) summary: String,
    /// The row of the catalogue whose page says more.
    cause: &'static Fault,
    /// Whose connection was lost, where that alone does not say the side.
    lost: Option<Box<Address>>,
    /// What is missing at the destination, where `summary` says more than that.
    fact: Option<String>,
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
        Self {
            outcome,
            summary: summary.into(),
            cause: runs::of_outcome(outcome),
            lost: None,
            fact: None,
            next: Next::End,
        }
    }

    /// An ending with a cause of its own, which says the outcome too.
    pub(super) fn of(cause: &'static Fault, summary: impl Into<String>) -> Self {
        let outcome = match cause.about {
            About::Ending(outcome) => outcome,
            About::Plan(_) | About::Item(_) => Outcome::Failed,
        };
        Self { cause, ..Self::new(outcome, summary) }
    }

    /// The ending of a copy that lacks something, which is this fact: it is noted without the advice.
    pub(super) fn lacking(cause: &'static Fault, fact: impl Into<String>, advice: &str) -> Self {
        let fact = fact.into();
        Self { fact: Some(fact.clone()), ..Self::of(cause, format!("{fact}. {advice}")) }
    }

    /// What is missing at the destination, without advice.
    pub(super) fn fact(&self) -> &str {
        self.fact.as_deref().unwrap_or(&self.summary)
    }

    /// The same ending, which has this other cause too.
    pub(super) fn also(self, other: &Self) -> Self {
        Self { summary: format!("{} {}", self.summary, other.summary), ..self }
    }

    /// The code of its page.
    pub(super) const fn code(&self) -> &'static str {
        self.cause.code
    }

    /// Names the side whose connection was lost.
    pub(super) fn between(self, source: &Address, destination: &Address) -> Self {
        let cause = match self.lost.as_deref() {
            Some(lost) if lost == destination => &runs::DESTINATION_UNREACHABLE,
            Some(lost) if lost == source => &runs::SOURCE_UNREACHABLE,
            _ => self.cause,
        };
        Self { cause, ..self }
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
    pub(super) fn anew(cause: &'static Fault, reason: impl Into<String>) -> Self {
        Self { next: Next::Anew, cause, ..Self::stopped(reason) }
    }

    /// The stream goes on from the checkpoint.
    pub(super) fn again(cause: &'static Fault, reason: impl Into<String>) -> Self {
        Self { next: Next::Again, cause, ..Self::stopped(reason) }
    }

    /// Of a fault of the lease while the run can continue from what the destination still has.
    pub(super) fn of_lost(fault: LeaseFault) -> Self {
        match fault {
            LeaseFault::Forgot | LeaseFault::Behind { .. } => {
                Self::again(&runs::DESTINATION_FORGOT, LaneFault::Forgot.to_string())
            }
            LeaseFault::Emptied { .. } => Self::again(&runs::EMPTIED, format!("{}.", capital(&fault.to_string()))),
            fault => fault.into(),
        }
    }

    /// Going on from the checkpoint came to the same.
    pub(super) fn twice(self) -> Self {
        Self::of(self.cause, format!("{} It happened twice at the same place.", self.summary))
    }

    /// Says how many keys a copy that failed leaves at the destination.
    pub(super) fn leaving(self, keys: u64) -> Self {
        let stays = [&runs::DUMP_DAMAGED, &runs::UNSUPPORTED, &runs::FOREIGN_KEY];
        if keys == 0 || !stays.iter().any(|cause| cause.code == self.cause.code) {
            return self;
        }
        let summary = format!(
            "{} {keys} keys of this copy are at the destination; the next `plan apply` takes them back \
             before it copies again.",
            self.summary
        );
        Self { summary, ..self }
    }

    /// Whether something that the destination had confirmed, or should hold, is not there: only a new copy settles that.
    pub(super) fn is_loss(&self) -> bool {
        let needs_copy = [&runs::EVICTED, &runs::DIVERGED, &runs::EMPTIED];
        self.next == Next::End && needs_copy.iter().any(|cause| cause.code == self.cause.code)
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
            Claim::Done => Some(Self::of(&runs::FINISHED_BEFORE, FINISHED)),
            Claim::Sealed => Some(Self::new(
                Outcome::Sealed,
                "This run is sealed: nothing writes to the destination through it again.",
            )),
            Claim::Held { owner, left } => Some(Self::of(
                &runs::LEASE_HELD,
                format!(
                    "Another process works on this run: {owner}. If it is dead, its lease ends in {} s; then run the same \
                     command again.",
                    left.as_secs() + 1
                ),
            )),
            Claim::Changed { digest, done } => Some(Self::of(
                &runs::OTHER_GRAPH,
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

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What stands against a new full copy.
pub(super) const HELD: &str =
    "; it is held (exit 4, R309) unless `on_stream_lost: recopy` or `plan apply --recopy N` agrees.";

/// Of a run that has nothing left to do.
pub(super) const FINISHED: &str = "This run is finished already; nothing was done.";

impl From<JournalError> for Ending {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Foreign { .. } => {
                Self::of(&runs::OTHER_PLANS_STATE, format!("{error}. Point --state to this plan's own directory."))
            }
            JournalError::Changed { .. } => Self::of(
                &runs::PLAN_CHANGED,
                format!(
                    "{error}. A run continues only with the plan it began with: apply that one, or give the changed plan a \
                     name of its own."
                ),
            ),
            JournalError::Damaged { .. } => Self::of(
                &runs::JOURNAL_DAMAGED,
                format!(
                    "{error}. Move the state directory away and apply again: a run that follows the source continues from its \
                     record at the destination. Any other needs a new full copy{HELD}"
                ),
            ),
            JournalError::Io { .. } => Self::of(
                &runs::STATE_UNUSABLE,
                format!("The state directory cannot be used: {error}. Fix that and rerun the command."),
            ),
        }
    }
}

impl From<SpoolError> for Ending {
    fn from(error: SpoolError) -> Self {
        let summary = format!("The spool cannot be used: {error}.");
        match error {
            SpoolError::Full { .. } => {
                Self::of(&runs::DISK_FULL, format!("{summary} Then run the same command again."))
            }
            SpoolError::Io { .. } => {
                Self::of(&runs::STATE_UNUSABLE, format!("{summary} Fix that and rerun the command."))
            }
            SpoolError::Damaged { .. } | SpoolError::Missing { .. } | SpoolError::Ended { .. } => {
                Self::of(&runs::SPOOL_DAMAGED, format!("{summary} Check the disk. The run needs a new full copy{HELD}"))
            }
        }
    }
}

impl From<LeaseFault> for Ending {
    fn from(fault: LeaseFault) -> Self {
        match fault {
            LeaseFault::Lost => {
                Self::of(&runs::TAKEN_OVER, "Another process has taken this run over; this one stopped.")
            }
            LeaseFault::Gone => Self::from(LaneFault::RecordGone),
            LeaseFault::Forgot | LeaseFault::Behind { .. } => Self::from(LaneFault::Forgot),
            LeaseFault::Evicted { .. } => Self::lacking(
                &runs::EVICTED,
                fault.to_string(),
                &format!(
                    "Give the destination more memory (`maxmemory`) or the policy `noeviction`. The run needs a new full copy{HELD}"
                ),
            ),
            LeaseFault::Emptied { .. } => Self::lacking(
                &runs::EMPTIED,
                fault.to_string(),
                &format!("Find out who did, and keep them away. The run needs a new full copy{HELD}"),
            ),
            LeaseFault::Left(left) => Self::of(&runs::DIVERGED, left),
            LeaseFault::Unreadable { .. } | LeaseFault::Shared { .. } => Self::failed(fault.to_string()),
            LeaseFault::Control(error) => Self::from(error),
        }
    }
}

impl From<ControlError> for Ending {
    fn from(error: ControlError) -> Self {
        if let ControlError::Net(NetError { fault: NetFault::Excess(_), .. }) = &error {
            return Self::of(&runs::EXCESS, format!("{error}. What is confirmed is kept."));
        }
        if !error.retryable() {
            return Self::failed(error.to_string());
        }
        let lost = match &error {
            ControlError::Net(error) => Some(&error.address),
            ControlError::Refused { address, .. } | ControlError::Unexpected { address, .. } => Some(address),
        };
        let lost = lost.cloned().map(Box::new);
        Self { lost, ..Self::stopped(format!("{error}. What is confirmed is kept: run the same command again.")) }
    }
}

impl From<LaneFault> for Ending {
    fn from(fault: LaneFault) -> Self {
        match fault {
            LaneFault::LostLease => Self::of(&runs::TAKEN_OVER, format!("{fault}; this one stopped.")),
            LaneFault::Unreachable(_) => Self::of(
                &runs::DESTINATION_UNREACHABLE,
                format!("{fault}. What is confirmed is kept: run the same command again."),
            ),
            LaneFault::Spool(_) => Self::of(
                &runs::SPOOL_DAMAGED,
                format!("The spool cannot be used: {fault}. Check the disk. The run needs a new full copy{HELD}"),
            ),
            LaneFault::Disk(_) => {
                Self::of(&runs::STATE_UNUSABLE, format!("{fault}. Make room, then run the same command again."))
            }
            LaneFault::RecordGone => Self::of(&runs::RECORD_GONE, fault.to_string()),
            LaneFault::Forgot => Self::of(&runs::DESTINATION_FORGOT, fault.to_string()),
            LaneFault::Refused { .. } | LaneFault::TooLarge(_) => {
                Self::of(&runs::DESTINATION_REFUSES, fault.to_string())
            }
            LaneFault::Protocol | LaneFault::NoPass => Self::failed(fault.to_string()),
        }
    }
}

impl From<CompareFault> for Ending {
    fn from(fault: CompareFault) -> Self {
        if fault.retryable() {
            Self::stopped(format!("{fault}. Run the same command again to resume."))
        } else {
            Self::failed(fault.to_string())
        }
    }
}

impl From<DealFault> for Ending {
    fn from(fault: DealFault) -> Self {
        let cause = match fault {
            DealFault::Unsupported(_) => &runs::UNSUPPORTED,
            DealFault::Damaged(_) => &runs::DUMP_DAMAGED,
        };
        let summary =
            format!("{fault}. The plan says `on_unsupported: fail`; with `report` such keys are listed and left out.");
        Self::of(cause, summary)
    }
}

impl From<SourceError> for Ending {
    fn from(error: SourceError) -> Self {
        let again = || format!("{error}. Run the same command again: a new full copy begins.");
        match &error {
            // It is there and says when to come back.
            SourceError::NotNow { .. } | SourceError::Handshake { .. } if error.retryable() => Self::stopped(again()),
            _ if error.retryable() => Self::of(&runs::SOURCE_UNREACHABLE, again()),
            SourceError::Refused { .. } | SourceError::Handshake { .. } => {
                Self::of(&runs::SOURCE_REFUSED, error.to_string())
            }
            _ => Self::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, io, time::Duration};

    use super::*;
    use crate::{
        net::Excess,
        rdb::{RdbError, RdbFault},
        repl::HandshakeError,
        resp::Refusal,
        step::{KeyFailure, VerifyResult},
        unit::Db,
    };

    fn address(host: &str) -> Address {
        Address::Tcp { host: host.to_owned(), port: 6379 }
    }

    fn refusal() -> Refusal {
        Refusal::of("NOPERM this user has no permissions to run the 'psync' command")
    }

    /// An ending for every kind of error that ends a run.
    fn endings() -> Vec<Ending> {
        let path = || "/var/lib/plan/cart".into();
        let disk = || io::Error::from_raw_os_error(5);
        let key = KeyFailure {
            key: "cart:1".to_owned(),
            db: Db(0),
            kind: "module".to_owned(),
            size: 12,
            reason: "the destination has no module for the type".to_owned(),
        };
        let (one, other) = ("a".to_owned(), "b".to_owned());
        let net = |host| NetError { address: address(host), fault: NetFault::Closed("waiting for a reply") };
        let (source, owner) = (address("source"), "host:12".to_owned());
        let claims = [
            Claim::Done,
            Claim::Sealed,
            Claim::Held { owner, left: Duration::from_secs(9) },
            Claim::Changed { digest: "ab12".to_owned(), done: false },
        ];
        let mut endings: Vec<Ending> =
            claims.iter().filter_map(|claim| Ending::of_claim(claim, "redis-plan:{cart}:run")).collect();
        endings.extend([
            JournalError::Foreign { found: one.clone(), wanted: other.clone() }.into(),
            JournalError::Changed { found: one, wanted: other }.into(),
            JournalError::Damaged { path: path(), at: 7, line: 2, what: "no checksum".to_owned() }.into(),
            JournalError::Io { path: path(), error: disk() }.into(),
            SpoolError::Full { path: path() }.into(),
            SpoolError::Io { path: path(), error: disk() }.into(),
            SpoolError::Damaged { path: path(), at: 7, what: "checksum" }.into(),
            SpoolError::Missing { path: path(), position: 9 }.into(),
            LeaseFault::Lost.into(),
            LeaseFault::Gone.into(),
            LeaseFault::Forgot.into(),
            LeaseFault::Behind { confirmed: "1 dump 9+0".to_owned(), there: "1 dump 4+0".to_owned() }.into(),
            LeaseFault::Evicted { keys: 12 }.into(),
            LeaseFault::Emptied { times: 2 }.into(),
            LeaseFault::Unreadable { key: "redis-plan:{cart}:run".to_owned() }.into(),
            LeaseFault::Shared { plan: "orders".to_owned() }.into(),
            LaneFault::LostLease.into(),
            LaneFault::Unreachable(net("destination").to_string()).into(),
            LaneFault::Spool("the segment is damaged".to_owned()).into(),
            LaneFault::Refused { reason: "OOM command not allowed".to_owned(), remedy: "Raise `maxmemory` there." }
                .into(),
            LaneFault::Protocol.into(),
            DealFault::Unsupported(key).into(),
            DealFault::Damaged(RdbError { at: 9, reading: "a key", fault: RdbFault::Type(111) }).into(),
            ControlError::Net(net("source")).into(),
            ControlError::Net(net("destination")).into(),
            ControlError::Net(NetError { address: source.clone(), fault: Excess::Reply.into() }).into(),
            ControlError::Refused { address: source.clone(), command: "INFO".to_owned(), refusal: refusal() }.into(),
            SourceError::Net(net("source")).into(),
            SourceError::Handshake {
                address: source.clone(),
                error: HandshakeError::NoPermission { request: "PSYNC", refusal: refusal() },
            }
            .into(),
            SourceError::NotNow { address: source.clone(), refusal: Refusal::of("LOADING dataset") }.into(),
            SourceError::Refused { address: source.clone(), refusal: refusal() }.into(),
            SourceError::ClosedBeforeDump { address: source }.into(),
            Ending::again(&runs::STREAM_UNREADABLE, "The source's stream is damaged at offset 12.").twice(),
        ]);
        let compared = |different, unsettled| {
            let result = VerifyResult { different, unsettled, ..VerifyResult::default() };
            crate::engine::verify::verdict(&result, "`--repair` copies them again").err()
        };
        endings.extend([compared(2, 1), compared(0, 3)].into_iter().flatten());
        endings
    }

    /// Nobody has to guess what became of a run: each ending has its page, and the page is of this exit code.
    #[test]
    fn every_kind_of_error_has_its_page() {
        let mut shown = String::new();
        for ending in endings().into_iter().map(|ending| ending.between(&address("source"), &address("destination"))) {
            assert_eq!(ending.cause.about, About::Ending(ending.outcome), "{}", ending.summary);
            writeln!(shown, "{} exit {}: {}", ending.code(), ending.outcome.exit_code(), ending.summary).unwrap();
        }
        insta::assert_snapshot!(shown);
    }
}
