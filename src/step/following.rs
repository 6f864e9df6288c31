//! Following the source: what the step does, when it may end, and how far it is.

use serde::{Deserialize, Serialize};

use super::{Limits, OnUnsupported, Selection, VerifyMode};
use crate::unit::{ByteRate, ByteSize, CountRate, Offset, Period, ReplId, UnixMillis};

/// What `incremental` does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncrementalWork {
    /// What moves where.
    pub selection: Selection,
    /// What a command that the destination cannot carry out as it is means.
    pub on_unsupported: OnUnsupported,
    /// Bounds.
    pub limits: Limits,
    /// When following may end.
    pub stop: Condition,
    /// When waiting for that ends.
    pub deadline: Option<Deadline>,
    /// What a met condition leads to.
    pub then: WhenMet,
}

/// When following may end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// One of these.
    Any(Vec<Condition>),
    /// All of these at one moment.
    All(Vec<Condition>),
    /// The oldest unapplied byte is younger than `below`, without a break for `held_for`.
    Lag {
        /// The bound.
        below: Period,
        /// How long it must be kept.
        held_for: Period,
    },
    /// The source wrote nothing for so long.
    SourceIdle {
        /// How long.
        held_for: Period,
    },
    /// The source was followed for so long, over all processes of the run.
    Duration(Period),
    /// A moment has come.
    At(UnixMillis),
    /// An operator said `plan cutover`.
    Cutover,
    /// Both sides were compared and are equal.
    Verify {
        /// How thoroughly.
        mode: VerifyMode,
        /// Keys a second that are read; `None` is as fast as both servers answer.
        rate: Option<CountRate>,
    },
}

/// When waiting for the stop condition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// After the source was first followed.
    pub after: Period,
    /// What then. A deadline never counts as success.
    pub then: DeadlineEnd,
}

/// What happens when the deadline comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineEnd {
    /// Continue to follow; only an operator ends it.
    Hold,
    /// The run fails.
    Fail,
}

/// What a met stop condition leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenMet {
    /// Everything the source has written at that moment is applied, and the step is done.
    Drain,
    /// The source is followed on until an operator cuts over.
    Hold,
}

/// How far following is behind. Absent as a whole while the source cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// The source's `master_repl_offset` minus the applied offset.
    pub bytes: u64,
    /// Seconds since the oldest unapplied byte was received; 0 when there is none.
    pub seconds: f64,
}

/// How following the source goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FollowProgress {
    /// The history that is followed.
    pub replid: Option<ReplId>,
    /// Everything up to here is at the destination.
    pub applied: Offset,
    /// Everything up to here is in the spool.
    pub received: Offset,
    /// The source's own offset: as it said when it was last asked, or what was received since.
    pub source: Option<Offset>,
    /// How far behind.
    pub lag: Option<Lag>,
    /// Commands sent to the destination by this process.
    pub commands: u64,
    /// Commands a second over the last seconds.
    pub commands_per_second: f64,
    /// Bytes of the stream a second that the source sends.
    pub bytes_per_second: f64,
    /// Commands of the source left out by the plan's rules.
    pub filtered: u64,
    /// Commands and scripts that were reported.
    pub failed: u64,
    /// Bytes in the spool.
    pub spooled: ByteSize,
    /// Deadlines at the destination; `None` where they are not deferred, or it has not said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlines: Option<DeadlineFigures>,
}

/// How the deadlines of keys at the destination stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineFigures {
    /// Those that lie far in the future, so that only the source's own deletions end a key.
    pub deferred: u64,
    /// Keys that the last cutover remembered: their deadlines are made exact under the fence.
    pub remembered: u64,
    /// Those that a cutover has made exact.
    pub settled: u64,
    /// Scripts of the source that set or read expiries and were run again at the destination by this process.
    #[serde(default)]
    pub scripts: u64,
}

/// How long a cutover will take to make deadlines exact, as far as it is known before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettlingForecast {
    /// Deadlines at the destination.
    pub deadlines: u64,
    /// Keys that are worked off a second.
    pub rate: f64,
    /// Whether this run has measured that; else it is a cautious guess.
    pub measured: bool,
    /// Seconds before the fence, while writers work.
    pub before_fence: f64,
    /// Keys that the last pass remembered for the fence; `None` before the first.
    pub remembered: Option<u64>,
    /// Seconds under the fence; before the first pass as many as it would take if all were near.
    pub under_fence: f64,
    /// `cutover.timeout` in seconds; `None` without a cutover.
    pub timeout: Option<f64>,
}

/// One stop condition and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionState {
    /// As in the plan, in one line.
    pub text: String,
    /// How deep it is nested, from 0.
    pub depth: u32,
    /// Whether it is met now.
    pub met: bool,
    /// How it stands, such as `12 s of 5 min`; empty when there is nothing to say.
    pub stands: String,
}

/// What a running `apply` says of itself when it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Format of this structure, 1.
    pub format: u32,
    /// The plan's name.
    pub plan: String,
    /// The run's id.
    pub run: String,
    /// The graph's digest.
    pub digest: String,
    /// The process.
    pub pid: u32,
    /// When this was said.
    pub at: UnixMillis,
    /// The step under way.
    pub step: Option<super::StepId>,
    /// What it does.
    pub activity: Activity,
    /// Why nothing moves, or moves slowly; empty when it moves freely.
    pub reasons: Vec<String>,
    /// The full copy, while it is under way.
    pub full: Option<super::FullProgress>,
    /// Following, once the dump is whole.
    pub following: Option<FollowProgress>,
    /// Seconds until what the source keeps (`repl-backlog-size`) no longer reaches back to what was received, at the
    /// current rate, if the connection broke now; `None` when it is not known or nothing is written.
    pub backlog_lasts: Option<f64>,
    /// Seconds until the spool reaches `limits.spool` at the current rates; `None` when it does not grow.
    pub spool_lasts: Option<f64>,
    /// How long a cutover will take to make deadlines exact; `None` where they are not deferred, or that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<SettlingForecast>,
    /// The bound of the spool.
    pub spool_limit: ByteSize,
    /// Bytes a second read from the source at most.
    pub bandwidth: Option<ByteRate>,
    /// Commands a second written to the destination at most.
    pub writes: Option<CountRate>,
    /// The stop conditions, outermost first.
    pub conditions: Vec<ConditionState>,
    /// Whether `plan cutover` would be taken up now.
    pub can_cutover: bool,
    /// Why not.
    pub blockers: Vec<String>,
}

/// What a step is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Getting ready.
    Preparing,
    /// Copying the dump.
    Copying,
    /// Following the source.
    Following,
    /// An operator paused it: it receives and does not write.
    Paused,
    /// The stop condition is met; what the source had written until then is being applied.
    Draining,
    /// Writers are kept off the source and moved over.
    CuttingOver,
    /// The stop condition is met or the deadline passed; it follows on and waits for an operator.
    Holding,
    /// Comparing both sides.
    Verifying,
    /// Making deadlines at the destination exact.
    Settling,
    /// Putting back and removing.
    CleaningUp,
}

/// What an operator asks of a running `apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Say how it stands.
    Status,
    /// Stop writing; go on receiving.
    Pause,
    /// Write again.
    Resume,
    /// The stop condition `command: cutover`, and in a plan with a `cutover` the cutover itself.
    Cutover {
        /// Say what stands against it, and do nothing.
        dry_run: bool,
        /// The operator knows that writers are kept off.
        confirmed: bool,
        /// In place of the plan's `cutover.timeout`.
        timeout: Option<Period>,
    },
    /// Undo a cutover that is under way.
    Cancel,
    /// End the run for good: settings back, sealed as aborted.
    Abort {
        /// Delete what the run has written first, where it is known what that is.
        delete: bool,
    },
    /// Change a limit.
    Set {
        /// `limits.writes` or `limits.bandwidth`.
        key: Setting,
        /// As in a plan, such as `5000/s`; `unlimited` lifts it.
        value: String,
    },
}

/// What can be changed while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// Commands a second.
    #[serde(rename = "limits.writes")]
    Writes,
    /// Bytes a second.
    #[serde(rename = "limits.bandwidth")]
    Bandwidth,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Writes => "limits.writes",
            Self::Bandwidth => "limits.bandwidth",
        })
    }
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Writes, Self::Bandwidth];
        all.into_iter().find(|setting| setting.to_string() == text).ok_or_else(|| {
            format!("`{text}` cannot be changed while running: only `limits.writes` and `limits.bandwidth` can")
        })
    }
}

/// The answer to an order, given when the thing has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// In a sentence: what was done, or why not and what to do.
    pub text: String,
    /// How the run stands now; always there in the answer to `status`.
    pub status: Option<Box<Status>>,
}

impl std::fmt::Display for Condition {
    /// In one line, as in the plan.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any(_) => f.write_str("any of"),
            Self::All(_) => f.write_str("all of"),
            Self::Lag { below, held_for } => write!(f, "lag below {below} for {held_for}"),
            Self::SourceIdle { held_for } => write!(f, "source idle for {held_for}"),
            Self::Duration(period) => write!(f, "duration {period}"),
            Self::At(at) => write!(f, "at {at}"),
            Self::Cutover => f.write_str("command: cutover"),
            Self::Verify { .. } => f.write_str("verify: equal"),
        }
    }
}
