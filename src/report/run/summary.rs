//! A run's events folded into what a reader asks: what was checked, what ran when, what moved, what failed, how it ended.

use std::collections::HashSet;

use serde::Serialize;

use super::facts::{AccountRemoved, Cutover, HookRun, SettingChange, Wait};
use crate::report::progress::change;
use crate::step::{
    Check, Difference, Event, FollowProgress, FullProgress, Graph, KeyDifference, KeyFailure, LinkBytes, Outcome,
    ServerFacts, Stamped, StepId, Traffic, VerifyResult,
};
use crate::unit::{Offset, ReplId, UnixMillis};

/// Version of the JSON report's structure.
const FORMAT: u32 = 1;

/// Differences that are held.
const DIFFERENCES: usize = 1000;

/// What the events of a run say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run's id; `None` before it started.
    pub run: Option<String>,
    /// The digest of the graph it runs.
    pub digest: Option<String>,
    /// One for each process that worked on it.
    pub attempts: Vec<Attempt>,
    /// What both servers were when the run took them for fit.
    pub servers: Vec<ServerFacts>,
    /// The items of the precheck, each as it was judged last.
    pub checks: Vec<Check>,
    /// The newest dump.
    pub dump: Option<DumpFacts>,
    /// The newest figures of the full copy.
    pub progress: Option<FullProgress>,
    /// The newest figures of following the source.
    pub following: Option<FollowProgress>,
    /// What happened to the stream and what operators ordered, in order.
    pub stream: Vec<Notice>,
    /// Cutovers that were tried, in order.
    pub cutovers: Vec<Cutover>,
    /// Settings of the source that were changed.
    pub settings: Vec<SettingChange>,
    /// Hooks that ran.
    pub hooks: Vec<HookRun>,
    /// Accounts that were removed.
    pub accounts: Vec<AccountRemoved>,
    /// When nothing moved, and why.
    pub waits: Vec<Wait>,
    /// Keys that could not be written as they are, each once.
    pub failures: Vec<KeyFailure>,
    /// What the last comparison of both sides came to.
    pub verified: Option<VerifyResult>,
    /// Keys that it found to differ, the first thousand; the event log holds all of them.
    pub differences: Vec<KeyDifference>,
    /// What else was worth saying.
    pub notices: Vec<Notice>,
}

/// One process's work on the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// 1 for the first; 0 for one that ended before it started to work on the run.
    pub number: u32,
    /// When it began.
    pub at: UnixMillis,
    /// When it was last heard of.
    pub until: UnixMillis,
    /// What went over both links, as far as told.
    pub traffic: Traffic,
    /// What it did, in order.
    pub steps: Vec<StepRun>,
    /// How it ended; `None` when it was killed or still runs.
    pub ending: Option<AttemptEnd>,
}

/// One step in one attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRun {
    /// Which.
    pub step: StepId,
    /// When it began.
    pub at: UnixMillis,
    /// When it ended; `None` when that was not told, or it never began.
    pub until: Option<UnixMillis>,
    /// What went over both links meanwhile, as far as told.
    pub traffic: Traffic,
    /// What came of it.
    pub state: StepState,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Nothing was heard of it after it started.
    Interrupted,
    /// It had nothing to do.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It is done.
    Done {
        /// How long it took.
        seconds: f64,
    },
    /// It failed.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptEnd {
    /// When.
    pub at: UnixMillis,
    /// How.
    pub outcome: Outcome,
    /// The code of the page that says more; empty when a version before there were any noted it.
    pub code: String,
    /// Why and what next.
    pub summary: String,
    /// Seconds the process took.
    pub seconds: f64,
}

/// A dump as the source sent it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DumpFacts {
    /// When it began.
    pub at: UnixMillis,
    /// Its replication history; `None` after SYNC.
    pub replid: Option<ReplId>,
    /// The offset it stands for.
    pub offset: Option<Offset>,
    /// Its length in bytes, once known.
    pub bytes: Option<u64>,
    /// Seconds it took to receive the whole of it; `None` while it has not come in.
    pub seconds: Option<f64>,
}

/// A sentence and when it was said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub text: String,
}

/// The summary with its graph as one JSON object; ends with a newline.
pub fn run_json(events: &[Stamped], graph: &Graph) -> String {
    let summary = RunSummary::of(events);
    let report = serde_json::json!({
        "format": FORMAT,
        "outcome": summary.outcome(),
        "graph": graph,
        "run": summary,
    });
    format!("{report:#}\n")
}

impl RunSummary {
    /// Folds the events of one run, oldest first.
    pub fn of(events: &[Stamped]) -> Self {
        let mut summary = Self::default();
        for event in events {
            summary.take(event);
        }
        summary.failures = newest_of_each_key(summary.failures);
        summary
    }

    /// How the run ended; `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.attempts.last().and_then(|attempt| attempt.ending.as_ref()).map(|ending| ending.outcome)
    }

    /// How long the newest attempt took for a step that is done.
    pub fn seconds_of(&self, step: StepId) -> Option<f64> {
        let runs = self.attempts.iter().flat_map(|attempt| &attempt.steps).filter(|run| run.step == step);
        runs.rev().find_map(|run| match run.state {
            StepState::Done { seconds } => Some(seconds),
            _ => None,
        })
    }

    /// Adds one event. A key that fails twice is in `failures` twice; [`RunSummary::of`] lists it once.
    pub fn take(&mut self, Stamped { at, event }: &Stamped) {
        self.take_main(*at, event);
        self.collect(*at, event);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.until = *at;
        }
    }

    fn take_main(&mut self, at: UnixMillis, event: &Event) {
        match event {
            Event::RunStarted { run, digest, attempt, .. } => {
                (self.run, self.digest) = (Some(run.clone()), Some(digest.clone()));
                self.attempts.push(Attempt::new(*attempt, at));
            }
            Event::StepStarted { step } => self.step_started(*step, at),
            Event::StepSkipped { step, reason } => {
                self.step_ended(*step, at, StepState::Skipped { reason: reason.clone() });
            }
            Event::StepDone { step, seconds } => self.step_ended(*step, at, StepState::Done { seconds: *seconds }),
            Event::StepFailed { step, reason } => {
                self.step_ended(*step, at, StepState::Failed { reason: reason.clone() });
            }
            Event::Checked { check } => self.checked(check),
            // Facts of their own.
            Event::Waiting { .. } | Event::Server { .. } | Event::VerifyProgress { .. } | Event::Traffic { .. } => {}
            Event::Differs { difference } => {
                if self.verified.take().is_some() {
                    self.differences.clear(); // Of an earlier comparison.
                }
                // A comparison that came to no end may have told it before.
                let is_same = |known: &KeyDifference| known.db == difference.db && known.hex == difference.hex;
                self.differences.retain(|known| !is_same(known));
                if self.differences.len() < DIFFERENCES {
                    self.differences.push(difference.clone());
                }
            }
            Event::Verified { result } => {
                if result.different + result.repaired == 0 {
                    self.differences.clear();
                }
                self.verified = Some(result.clone());
            }
            Event::FollowStarted { .. }
            | Event::LinkLost { .. }
            | Event::LinkRestored { .. }
            | Event::StopMet { .. }
            | Event::CutoverPart { .. }
            | Event::CutoverUndone { .. }
            | Event::DeadlinesSettled { .. }
            | Event::Sealed { .. }
            | Event::HookRan { .. }
            | Event::AccountRemoved { .. }
            | Event::SettingChanged { .. }
            | Event::SettingRestored { .. }
            | Event::Ordered { .. } => {
                self.stream.extend(change(event).map(|text| Notice { at, text }));
            }
            Event::Following { progress } => self.following = Some(progress.clone()),
            Event::DumpStarted { replid, offset, length } => {
                self.dump = Some(DumpFacts { at, replid: *replid, offset: *offset, bytes: *length, seconds: None });
            }
            Event::DumpReceived { bytes, seconds } => self.dump_received(at, *bytes, *seconds),
            Event::Progress { progress } => self.progress = Some(progress.clone()),
            Event::KeyFailed { failure } => self.failures.push(failure.clone()),
            Event::Drifted { differences } => {
                let notice = |difference: &Difference| Notice { at, text: difference.to_string() };
                self.notices.extend(differences.iter().map(notice));
            }
            Event::Notice { text } => self.notices.push(Notice { at, text: text.clone() }),
            Event::RunFinished { outcome, code, summary, seconds } => {
                if self.attempts.is_empty() {
                    self.attempts.push(Attempt::new(0, at));
                }
                if let Some(attempt) = self.attempts.last_mut() {
                    let (code, summary) = (code.clone(), summary.clone());
                    attempt.ending = Some(AttemptEnd { at, outcome: *outcome, code, summary, seconds: *seconds });
                }
            }
        }
    }

    /// A process that goes on judges only what it still needs.
    fn checked(&mut self, check: &Check) {
        match self.checks.iter_mut().find(|known| known.item == check.item) {
            Some(known) => known.clone_from(check),
            None => self.checks.push(check.clone()),
        }
    }

    fn step_started(&mut self, step: StepId, at: UnixMillis) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.steps.push(StepRun::new(step, at));
        }
    }

    fn step_ended(&mut self, step: StepId, at: UnixMillis, state: StepState) {
        let Some(attempt) = self.attempts.last_mut() else { return };
        match attempt.steps.last_mut() {
            Some(last) if last.step == step && last.state == StepState::Interrupted => {
                (last.state, last.until) = (state, Some(at));
            }
            _ => attempt.steps.push(StepRun { state, ..StepRun::new(step, at) }),
        }
    }

    fn dump_received(&mut self, at: UnixMillis, bytes: u64, seconds: f64) {
        let unseen = DumpFacts { at, replid: None, offset: None, bytes: None, seconds: None };
        let dump = self.dump.get_or_insert(unseen);
        (dump.bytes, dump.seconds) = (Some(bytes), Some(seconds));
    }
}

impl Attempt {
    const fn new(number: u32, at: UnixMillis) -> Self {
        let traffic = Traffic { source: NOTHING, destination: NOTHING };
        Self { number, at, until: at, traffic, steps: vec![], ending: None }
    }
}

impl StepRun {
    const fn new(step: StepId, at: UnixMillis) -> Self {
        let traffic = Traffic { source: NOTHING, destination: NOTHING };
        Self { step, at, until: None, traffic, state: StepState::Interrupted }
    }
}

const NOTHING: LinkBytes = LinkBytes { sent: 0, received: 0 };

/// A key that failed in several attempts is told once, as it was last.
fn newest_of_each_key(failures: Vec<KeyFailure>) -> Vec<KeyFailure> {
    let mut seen = HashSet::new();
    let mut newest: Vec<KeyFailure> =
        failures.into_iter().rev().filter(|failure| seen.insert((failure.db, failure.key.clone()))).collect();
    newest.reverse();
    newest
}
