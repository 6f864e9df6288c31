//! Folding of the rarer events: cutovers, settings, hooks, waits, links.

use super::facts::{
    AccountRemoved, Cutover, CutoverBegan, CutoverEnd, HookRun, SettingChange, SettingRestored, StepFacts, Wait,
};
use super::samples::Sample;
use super::summary::{Attempt, RunSummary, StepRun, StepState};
use crate::step::{Event, ServerFacts, StepId, Traffic};
use crate::unit::UnixMillis;

/// What is told of waiting within this time of each other is one wait; milliseconds. The log of a long run is thinned:
/// a fiftieth of the process's time is added.
const ONE_WAIT: i64 = 30_000;

/// Waits that are held: a run that waits for every window of a year has not more.
const WAITS: usize = 500;

impl RunSummary {
    /// Adds an event of those that become facts of their own.
    pub(super) fn collect(&mut self, at: UnixMillis, event: &Event) {
        match event.clone() {
            Event::Server { server } => self.server(server),
            Event::SettingChanged { setting, was, set_to } => {
                self.settings.push(SettingChange { at, setting, was, set_to, restored: None });
            }
            Event::SettingRestored { setting, now, .. } => {
                let mut changes = self.settings.iter_mut().rev();
                if let Some(change) = changes.find(|change| change.setting == setting && change.restored.is_none()) {
                    change.restored = Some(SettingRestored { at, now });
                }
            }
            Event::CutoverPart { part, offset } => {
                // A part that comes again is of another cutover: the process of the one before died in it.
                let is_new = |last: &Cutover| last.end.is_some() || last.parts.iter().any(|began| began.part == part);
                if self.cutovers.last().is_none_or(is_new) {
                    self.cutovers.push(Cutover { parts: vec![], end: None });
                }
                if let Some(cutover) = self.cutovers.last_mut() {
                    cutover.parts.push(CutoverBegan { part, at, offset });
                }
            }
            Event::CutoverUndone { part, reason, blocked } => {
                self.cutover_ended(CutoverEnd::Undone { at, part, reason, blocked });
            }
            Event::Sealed { result } => self.cutover_ended(CutoverEnd::Sealed { at, result }),
            Event::HookRan { moment, program, seconds, failure } => {
                self.hooks.push(HookRun { at, moment, program, seconds, failure });
            }
            Event::AccountRemoved { side, proof } => self.accounts.push(AccountRemoved { at, side, proof }),
            Event::Waiting { step, reason } => self.waited(Wait { step, at, until: at, reason }),
            Event::Traffic { traffic } => self.metered(traffic),
            _ => {}
        }
    }

    fn server(&mut self, server: ServerFacts) {
        match self.servers.iter_mut().find(|known| known.side == server.side) {
            Some(known) => *known = server,
            None => self.servers.push(server),
        }
    }

    fn cutover_ended(&mut self, end: CutoverEnd) {
        match self.cutovers.last_mut() {
            // A process that goes on learns that the one before had sealed it.
            Some(cutover) if cutover.end.is_none() => cutover.end = Some(end),
            _ => self.cutovers.push(Cutover { parts: vec![], end: Some(end) }),
        }
    }

    fn waited(&mut self, wait: Wait) {
        let began = self.attempts.last().map_or(wait.at, |attempt| attempt.at);
        let apart = ONE_WAIT.saturating_add(wait.at.0.saturating_sub(began.0) / 50);
        let goes_on = |last: &&mut Wait| {
            last.step == wait.step && last.at.0 >= began.0 && wait.at.0.saturating_sub(last.until.0) <= apart
        };
        if let Some(last) = self.waits.last_mut().filter(goes_on) {
            (last.until, last.reason) = (wait.at, wait.reason);
        } else if self.waits.len() < WAITS {
            self.waits.push(wait);
        }
    }

    fn metered(&mut self, traffic: Traffic) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.metered(traffic);
        }
    }

    /// The same when samples of its figures are known too: they may be newer than the last event of a process that was
    /// killed.
    #[must_use]
    pub fn heard_until(mut self, samples: &[Sample]) -> Self {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.ending.is_none()) {
            let last =
                samples.iter().filter(|sample| sample.attempt == attempt.number).map(|sample| sample.until).max();
            attempt.until = last.map_or(attempt.until, |last| attempt.until.max(UnixMillis(last)));
            let newest = samples.iter().rev().find(|sample| sample.attempt == attempt.number);
            if let Some(traffic) = newest.and_then(|sample| sample.traffic) {
                attempt.metered(traffic);
            }
        }
        self
    }

    /// What went over both links in all attempts, as far as told.
    pub fn traffic(&self) -> Traffic {
        self.attempts.iter().fold(Traffic::default(), |sum, attempt| sum.plus(attempt.traffic))
    }

    /// The kinds of steps that were begun, over all attempts, in the order in which they first were.
    pub fn phases(&self) -> Vec<StepFacts> {
        let mut phases: Vec<StepFacts> = vec![];
        for attempt in &self.attempts {
            for run in attempt.steps.iter().filter(|run| !run.was_done_before()) {
                let at = phases.iter().position(|phase| phase.step == run.step).unwrap_or_else(|| {
                    phases.push(StepFacts { step: run.step, runs: 0, seconds: 0.0, traffic: Traffic::default() });
                    phases.len() - 1
                });
                if let Some(phase) = phases.get_mut(at) {
                    phase.runs += 1;
                    phase.seconds += run.seconds(attempt.until);
                    phase.traffic = phase.traffic.plus(run.traffic);
                }
            }
        }
        phases
    }

    /// How the destination was sealed, if it was.
    pub fn sealed(&self) -> Option<(UnixMillis, &crate::step::CutoverResult)> {
        self.cutovers.iter().rev().find_map(|cutover| match &cutover.end {
            Some(CutoverEnd::Sealed { at, result }) => Some((*at, result)),
            _ => None,
        })
    }

    /// Whether a step is done, in any attempt.
    pub fn is_done(&self, step: StepId) -> bool {
        let mut runs = self.attempts.iter().flat_map(|attempt| &attempt.steps);
        runs.any(|run| run.step == step && matches!(run.state, StepState::Done { .. }))
    }
}

impl Attempt {
    /// Takes in what went over both links since the process began; what came on is the step's under way.
    fn metered(&mut self, traffic: Traffic) {
        let step = self.steps.last_mut().filter(|step| step.state == StepState::Interrupted);
        if let Some(step) = step {
            step.traffic = step.traffic.plus(traffic.since(self.traffic));
        }
        self.traffic = traffic;
    }
}

impl StepRun {
    /// Seconds it took; of one that was cut off, up to when its process was last heard of.
    pub fn seconds(&self, last_heard: UnixMillis) -> f64 {
        match self.state {
            StepState::Done { seconds } => seconds,
            _ => between(self.at, self.until.unwrap_or(last_heard)),
        }
    }

    /// Whether an earlier process had done it, so that it never began here.
    pub fn was_done_before(&self) -> bool {
        matches!(&self.state, StepState::Skipped { .. }) && self.until.is_none()
    }
}

/// Seconds from one moment to another; 0 when the clock went back.
pub(in crate::report) fn between(from: UnixMillis, to: UnixMillis) -> f64 {
    let millis = u32::try_from(to.0.saturating_sub(from.0).max(0)).unwrap_or(u32::MAX);
    f64::from(millis) / 1000.0
}
