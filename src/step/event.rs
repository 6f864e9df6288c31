//! What happens during a run, for people (progress, report) and machines (`--events`).

use serde::{Deserialize, Serialize};

use super::{
    CutoverPart, CutoverResult, FollowProgress, KeyDifference, Moment, Outcome, ServerFacts, StepId, Traffic,
    VerifyProgress, VerifyResult,
};
use crate::unit::{Db, Offset, ReplId, UnixMillis};

/// An event and when it happened. One JSON object a line in `--events` and in the journal's event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Wall clock, milliseconds since the epoch.
    pub at: UnixMillis,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run starts or is continued.
    RunStarted {
        /// The run's id.
        run: String,
        /// The plan's name.
        plan: String,
        /// The graph's digest.
        digest: String,
        /// 1 for the first process of the run.
        attempt: u32,
    },
    /// A step starts.
    StepStarted {
        /// Which.
        step: StepId,
    },
    /// A step has nothing to do.
    StepSkipped {
        /// Which.
        step: StepId,
        /// Why.
        reason: String,
    },
    /// A step is done.
    StepDone {
        /// Which.
        step: StepId,
        /// How long it took in this process.
        seconds: f64,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: StepId,
        /// Why, and what to do.
        reason: String,
    },
    /// One item of the precheck.
    Checked {
        /// The item.
        check: Check,
    },
    /// Nothing moves, for this reason.
    Waiting {
        /// Which step waits.
        step: StepId,
        /// For what.
        reason: String,
    },
    /// The source begins to send its dump.
    DumpStarted {
        /// Replication id of the dump; `None` after SYNC.
        replid: Option<ReplId>,
        /// Offset the dump stands for.
        offset: Option<Offset>,
        /// Its length in bytes; `None` when it is streamed without a disk.
        length: Option<u64>,
    },
    /// The whole dump is in the spool.
    DumpReceived {
        /// Its length in bytes.
        bytes: u64,
        /// How long receiving took.
        seconds: f64,
    },
    /// How far the full copy is.
    Progress {
        /// The figures.
        progress: FullProgress,
    },
    /// Following begins, here or after a break.
    FollowStarted {
        /// The history.
        replid: Option<ReplId>,
        /// The next byte asked for is behind this one.
        offset: Offset,
    },
    /// How following the source goes.
    Following {
        /// The figures.
        progress: FollowProgress,
    },
    /// The connection to the source is lost; what was received is kept.
    LinkLost {
        /// Why.
        reason: String,
    },
    /// The source goes on where it broke off.
    LinkRestored {
        /// The history, which a failover may have changed.
        replid: Option<ReplId>,
        /// The next byte asked for is behind this one.
        offset: Offset,
    },
    /// The stop condition is met.
    StopMet {
        /// Which, in one line.
        condition: String,
        /// What the source had written by then.
        offset: Offset,
    },
    /// A part of a cutover begins.
    CutoverPart {
        /// Which.
        part: CutoverPart,
        /// What has to be applied, once that is known.
        offset: Option<Offset>,
    },
    /// A cutover was undone: writers go on at the source, which is followed on.
    CutoverUndone {
        /// Which part failed.
        part: CutoverPart,
        /// Why.
        reason: String,
        /// Seconds for which writers were kept off.
        blocked: f64,
    },
    /// Deadlines at the destination, which were deferred while the source was followed, are exact.
    DeadlinesSettled {
        /// How many were made exact.
        deadlines: u64,
        /// Keys that were remembered, because their deadlines were near or written meanwhile.
        remembered: u64,
        /// Seconds that it took: before the fence, or under it.
        seconds: f64,
        /// Whether writers were blocked at its end: the remembered ones are exact too.
        fenced: bool,
    },
    /// The run is sealed.
    Sealed {
        /// How the cutover went.
        result: CutoverResult,
    },
    /// A hook has run.
    HookRan {
        /// When in the run.
        moment: Moment,
        /// The program.
        program: String,
        /// How long it took.
        seconds: f64,
        /// How it failed; `None` when it did not.
        failure: Option<String>,
    },
    /// An account was removed, and that was proved.
    AccountRemoved {
        /// Where.
        side: Side,
        /// What was proved.
        proof: String,
    },
    /// An operator's order was carried out.
    Ordered {
        /// Which, and what came of it.
        text: String,
    },
    /// A key could not be written as it is.
    KeyFailed {
        /// The key and why.
        failure: KeyFailure,
    },
    /// A server that the run takes for fit.
    Server {
        /// What it is.
        server: ServerFacts,
    },
    /// A setting of the source is about to be changed.
    SettingChanged {
        /// Its name for `CONFIG`.
        setting: String,
        /// What it is.
        was: String,
        /// What it is being set to.
        set_to: String,
    },
    /// The run is done with a setting of the source.
    SettingRestored {
        /// Its name for `CONFIG`.
        setting: String,
        /// What it was before the run changed it.
        was: String,
        /// What it is now: another value than `was` was set by somebody else and is left so.
        now: String,
    },
    /// Bytes over both links since this process began.
    Traffic {
        /// The figures.
        traffic: Traffic,
    },
    /// A server is not what it was when the run began.
    Drifted {
        /// What differs.
        differences: Vec<Difference>,
    },
    /// How far the comparison of both sides is.
    VerifyProgress {
        /// The figures.
        progress: VerifyProgress,
    },
    /// A key is not the same on both sides.
    Differs {
        /// The key and what differs.
        difference: KeyDifference,
    },
    /// Both sides were compared.
    Verified {
        /// What it came to.
        result: VerifyResult,
    },
    /// Something worth knowing that changes nothing.
    Notice {
        /// In a sentence.
        text: String,
    },
    /// The process ends.
    RunFinished {
        /// How.
        outcome: Outcome,
        /// The code of the page that says more, such as `R402`.
        #[serde(default)]
        code: String,
        /// Why and what to do next, in a sentence or two.
        summary: String,
        /// Seconds this process took.
        seconds: f64,
    },
}

/// How far the full copy is. All counts are of this dump, continued attempts included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FullProgress {
    /// Bytes of the dump in the spool.
    pub received: u64,
    /// Bytes of the dump; `None` while not known.
    pub total: Option<u64>,
    /// Every byte before this is confirmed by the destination.
    pub applied: u64,
    /// Keys confirmed by the destination.
    pub keys: u64,
    /// Keys left out by the plan's rules.
    pub filtered: u64,
    /// Keys of this tool's own (`redis-plan:*`), which are never copied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub own: u64,
    /// Keys left out because their time had passed.
    pub expired: u64,
    /// Keys left as they were by `on_conflict: skip`.
    pub skipped: u64,
    /// Keys reported as failed.
    pub failed: u64,
    /// Keys per second over the last seconds.
    pub keys_per_second: f64,
    /// Estimated seconds to the end; `None` before 1 % or while the length is not known.
    pub eta: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A key that could not be written as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyFailure {
    /// The key, escaped for people.
    pub key: String,
    /// Its database at the source.
    pub db: Db,
    /// Its type, as `TYPE` answers.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its serialized size in bytes.
    pub size: u64,
    /// Why, and what was done.
    pub reason: String,
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where the data is.
    Source,
    /// Where it goes.
    Destination,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// One item of the precheck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name, such as `destination-writable`.
    pub item: String,
    /// The code of its page, such as `C204`; `plan explain` shows it.
    #[serde(default)]
    pub code: String,
    /// The plan's key that it is about, such as `destination.url`.
    #[serde(default)]
    pub place: String,
    /// What came out.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// Why it matters and what to do; empty for a pass.
    pub remedy: String,
}

/// One thing about a server that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which server.
    pub side: Side,
    /// What about it, such as `version`.
    pub what: String,
    /// As it was when the run began, or as the plan expects it.
    pub was: String,
    /// As it is.
    pub now: String,
    /// Whether the run does not go on because of it.
    pub refused: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { side, what, was, now, .. } = self;
        write!(f, "the {side}'s {what} was {was} when the run began and is {now}")
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fit.
    Pass,
    /// Fit, with a risk.
    Warn,
    /// Not fit.
    Fail,
    /// Could not be found out.
    Unknown,
}
