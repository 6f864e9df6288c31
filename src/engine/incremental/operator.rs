//! What an operator asks while the source is followed, and what they are shown.

use super::follow::{Follow, Phase};
use crate::{
    engine::{
        ending::Ending,
        intake::LinkState,
        orders::{done, ordered, refused},
        run::Run,
        steering::Asked,
        teller::Teller,
    },
    step::{Activity, StepId, WhenMet},
    unit::{Offset, UnixMillis},
};

impl Follow {
    pub(super) fn asked(&mut self, asked: Asked, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        // All that a step has left to answer is a cutover.
        if let Some(asked) = run.order(asked, teller)? {
            if let Some(blocker) = self.blockers(run).first() {
                asked.answer(refused(format!("Nothing was changed: {blocker}.")));
            } else {
                teller.tell(ordered("cutover"));
                self.cutover.push(asked);
            }
        }
        self.post(run);
        Ok(())
    }

    /// Says that everything is applied.
    pub(super) fn answer_cutover(&mut self, offset: Offset) {
        for asked in self.cutover.drain(..) {
            asked.answer(done(format!(
                "Everything that the source had written up to offset {offset} is applied. The run cleans up and ends; \
                 what the source writes from now on is not followed."
            )));
        }
    }

    /// Why an order to cut over would not be taken up.
    fn blockers(&mut self, run: &Run) -> Vec<String> {
        let mut blockers = vec![];
        if !run.gate.is_open() {
            blockers.push("the run is paused; `plan resume` first".to_owned());
        }
        if self.work.then == WhenMet::Hold {
            blockers.push(
                "the plan's `cutover` is not executed by this version: fence the source yourself and end the run with a \
                 plan without it"
                    .to_owned(),
            );
        }
        if self.figures.lag(UnixMillis::now()).is_none() {
            blockers.push("the source is not connected or does not answer".to_owned());
        }
        let holds_by_deadline = self.phase == Phase::Holding;
        if !holds_by_deadline && !self.watch.would_be_met() {
            blockers.push("the stop condition would not be met by `command: cutover` now".to_owned());
        }
        blockers
    }

    /// Posts how following stands, and tells those who wait for a pause.
    pub(super) fn post(&mut self, run: &mut Run) {
        let quiet = self.beside.window.is_whole() && self.figures.gauge.is_quiet();
        run.answer_pause(quiet, Some(self.figures.gauge.applied()));
        let activity = match self.phase {
            Phase::Following => Activity::Following,
            Phase::Met(_) | Phase::Draining(_) => Activity::Draining,
            Phase::Holding => Activity::Holding,
        };
        let mut status = run.status(Some(StepId::Incremental), activity);
        if self.intake.state.link() == LinkState::Holding {
            let reason = format!("the spool is at its bound, {}: the source is not read", run.spool_bound());
            status.reasons.insert(0, reason);
        }
        status.reasons.splice(..0, self.waiting.iter().cloned());
        status.following = Some(self.figures.progress());
        status.backlog_lasts = self.figures.backlog_lasts();
        status.spool_lasts = self.figures.spool_lasts(run.spool_bound());
        status.conditions = self.watch.states();
        status.blockers = self.blockers(run);
        status.can_cutover = status.blockers.is_empty();
        run.board.post(status);
    }
}
