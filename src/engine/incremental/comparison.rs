//! Comparing both sides while the source is followed: for the condition `verify: equal`, and in a cutover.
//!
//! A comparison begins when it is all that the stop condition lacks, and again a while after it found a difference. What
//! it finds equal counts for ten minutes: a condition that is met later is met by what was seen then.

use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, bounded};
use async_std::task::JoinHandle;

use super::{figures::FollowStats, stop::LastComparison};
use crate::{
    compare::CompareEvent,
    engine::{run::Run, teller::Teller, verify},
    step::{Condition, Event, IncrementalWork, VerifyMode, VerifyVerdict, VerifyWork},
};

/// How long at least until both sides are compared again; as long as the last comparison took, if that was longer.
const AGAIN: Duration = Duration::from_secs(10);
/// How long equal counts.
const HOLDS: Duration = Duration::from_mins(10);

/// Comparisons of one process that follows.
pub(super) struct FollowComparisons {
    /// What is compared; `None` where no condition asks for it.
    work: Option<VerifyWork>,
    pub(super) compared: LastComparison,
    /// Why the last one came to nothing.
    pub(super) fault: Option<String>,
    pub(super) told: Receiver<CompareEvent>,
    tell: Sender<CompareEvent>,
    task: Option<JoinHandle<()>>,
    begun: Instant,
    /// Whether the last one that was begun compares every value.
    is_whole: bool,
    /// When the last one ended, and how long it took.
    ended: Option<(Instant, Duration)>,
}

impl FollowComparisons {
    pub(super) fn new(work: &IncrementalWork) -> Self {
        let (tell, told) = bounded(64);
        let work = asked(&work.stop).map(|(mode, rate)| VerifyWork { selection: work.selection.clone(), mode, rate });
        Self {
            work,
            compared: LastComparison::Never,
            fault: None,
            told,
            tell,
            task: None,
            begun: Instant::now(),
            is_whole: false,
            ended: None,
        }
    }

    /// Begins a comparison if it is time for one. `waits`: the stop condition lacks nothing else.
    pub(super) fn look(&mut self, waits: bool, run: &Run, figures: &FollowStats) {
        let Some(work) = &self.work else { return };
        if self.compared == LastComparison::Equal && !self.holds() {
            self.compared = LastComparison::Never;
        }
        let rests = self.ended.is_some_and(|(at, took)| at.elapsed() < AGAIN.max(took));
        if !waits || rests || self.task.is_some() || !run.gate.is_open() {
            return;
        }
        (self.begun, self.is_whole) = (Instant::now(), work.mode == VerifyMode::Full);
        self.task = Some(verify::beside(run, work, figures.recheck(), self.tell.clone()));
    }

    /// Compares now, in place of whatever is under way.
    pub(super) async fn begin_now(&mut self, work: &VerifyWork, run: &Run, figures: &FollowStats) {
        self.cancel().await;
        (self.begun, self.is_whole) = (Instant::now(), work.mode == VerifyMode::Full);
        self.task = Some(verify::beside(run, work, figures.recheck(), self.tell.clone()));
    }

    /// Ends the one under way; what it has found so far says nothing.
    pub(super) async fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            task.cancel().await;
        }
        while self.told.try_recv().is_ok() {} // What it still had to tell.
        (self.compared, self.fault) = (LastComparison::Never, None);
    }

    /// Whether what the last one found is recent.
    pub(super) fn holds(&self) -> bool {
        self.ended.is_some_and(|(at, _)| at.elapsed() <= HOLDS)
    }

    /// Whether both sides were found equal, by every value, since a doubt came up.
    pub(super) fn proves(&self, since: Instant) -> bool {
        self.compared.is_equal() && self.is_whole && self.begun >= since
    }

    /// Whether one that began since then has ended.
    pub(super) fn has_ended_since(&self, since: Instant) -> bool {
        self.begun >= since && self.ended.is_some_and(|(at, _)| at >= self.begun)
    }

    /// Whether one is under way.
    pub(super) const fn is_under_way(&self) -> bool {
        self.task.is_some()
    }

    /// Takes in what a comparison tells.
    pub(super) fn take(&mut self, told: CompareEvent, teller: &mut Teller<'_>) {
        match told {
            CompareEvent::Progress(progress) => teller.tell(Event::VerifyProgress { progress }),
            CompareEvent::Difference(found) => teller.tell(Event::Differs { difference: found.1 }),
            CompareEvent::Done(result) => {
                self.task = None;
                self.ended = Some((Instant::now(), self.begun.elapsed()));
                match *result {
                    Ok(result) => {
                        let (different, unsettled) = (result.different, result.unsettled);
                        self.compared = match result.verdict() {
                            VerifyVerdict::Equal => LastComparison::Equal,
                            _ => LastComparison::Not { different, unsettled },
                        };
                        teller.tell(Event::Verified { result });
                    }
                    Err(fault) => {
                        teller.notice(format!("Both sides could not be compared: {fault}."));
                        self.fault = Some(fault.to_string());
                    }
                }
            }
        }
    }

    /// Ends the one under way.
    pub(super) async fn end(self) {
        self.told.close();
        if let Some(task) = self.task {
            task.cancel().await;
        }
    }
}

/// How the stop condition wants both sides compared, if it does.
fn asked(condition: &Condition) -> Option<(crate::step::VerifyMode, Option<crate::unit::CountRate>)> {
    match condition {
        Condition::Any(inner) | Condition::All(inner) => inner.iter().find_map(asked),
        Condition::Verify { mode, rate } => Some((*mode, *rate)),
        _ => None,
    }
}
