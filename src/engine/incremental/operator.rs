//! What an operator asks while the source is followed, and what they are shown.

use std::time::{Duration, Instant};

use super::follow::{Follow, FollowPhase};
use crate::{
    engine::{
        ending::Ending,
        intake::LinkState,
        orders::{done, ordered, refused},
        run::Run,
        steering::PendingOrder,
        teller::Teller,
        windows::closed,
    },
    step::{Activity, CutoverPart, Order, StepId, WindowState},
    unit::{Offset, Period, UnixMillis},
};

impl Follow {
    pub(super) async fn asked(
        &mut self,
        asked: PendingOrder,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        // All that a step has left to answer concerns a cutover.
        if let Some(asked) = run.order(asked, teller)? {
            match asked.order {
                Order::Cutover { dry_run, confirmed, timeout } => {
                    self.cutover_asked(asked, (dry_run, confirmed, timeout), run, teller).await?;
                }
                _ if !matches!(self.phase, FollowPhase::Cutting(_)) => {
                    asked.answer(refused("No cutover is under way."));
                }
                _ if self.may_be_sealed() => {
                    asked.answer(refused("The destination is being sealed: it is too late to undo the cutover."));
                }
                _ => {
                    teller.tell(ordered("cutover cancelled"));
                    self.undo("an operator cancelled it", run, teller).await?;
                    asked.answer(done("The cutover was undone; the run follows the source again."));
                }
            }
        }
        self.post(run);
        Ok(())
    }

    async fn cutover_asked(
        &mut self,
        asked: PendingOrder,
        (dry_run, confirmed, timeout): (bool, bool, Option<Period>),
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let blockers = self.blockers(run);
        let fences = self.cutover_work.is_some();
        if let Some(blocker) = blockers.first() {
            asked.answer(refused(format!("Nothing was changed: {blocker}.")));
        } else if dry_run {
            asked.answer(done("Ready for cutover. Nothing was changed (dry run)."));
        } else if fences && !confirmed {
            asked.answer(refused(format!(
                "Nothing was changed: writes at the source are blocked during a cutover. Pass `--confirm {}`.",
                run.request.graph.name
            )));
        } else {
            teller.tell(ordered("cutover"));
            if fences {
                self.begin_cutover(timeout.map(|timeout| timeout.0), Some(asked), run, teller).await?;
            } else {
                self.cutover.push(asked);
            }
        }
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
    pub(super) fn blockers(&mut self, run: &Run) -> Vec<String> {
        if matches!(self.phase, FollowPhase::Cutting(_)) {
            return vec!["a cutover is under way".to_owned()];
        }
        let mut blockers = self.obstacles(run);
        let holds = matches!(self.phase, FollowPhase::Holding);
        if !holds && !self.watch.would_be_met() {
            blockers.push("the stop condition would not be met by `command: cutover` now".to_owned());
        }
        blockers
    }

    /// What stands against keeping the writers off now.
    pub(super) fn obstacles(&mut self, run: &Run) -> Vec<String> {
        let mut blockers = vec![];
        if !run.gate.is_open() {
            blockers.push("the run is paused; `plan resume` first".to_owned());
        }
        blockers.extend(self.unended());
        let lag = self.figures.lag(UnixMillis::now());
        match (lag, &self.cutover_work) {
            (None, _) => blockers.push("the source is not connected or does not answer".to_owned()),
            (Some(lag), Some(work)) if lag.seconds > work.max_lag.0.as_secs_f64() => {
                blockers
                    .push(format!("the lag is {:.1} s, more than `cutover.max_lag`, {}", lag.seconds, work.max_lag));
            }
            _ => {}
        }
        if self.deferring.is_some() {
            blockers.push("deadlines at the destination are being deferred again".to_owned());
        }
        let left = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if left > Duration::ZERO {
            blockers.push(format!(
                "the source is paused for {:.0} more seconds by the last cutover, which no command can end before 6.2",
                left.as_secs_f64().ceil()
            ));
        }
        if self.cutover_work.is_some()
            && let WindowState::Closed { opens } = run.window(|windows| &windows.cutover)
        {
            blockers.push(closed("cutover", opens));
        }
        if self.cutover_work.is_some() && (!self.caught_up || self.catching_up > 0) {
            blockers.push("the destination has not caught up yet, or a hook of that moment runs".to_owned());
        }
        blockers
    }

    fn why_it_waits(&self) -> Vec<String> {
        let silent = self.silence.reasons(Instant::now());
        self.waiting.iter().map(|(_, reason)| reason.clone()).chain(silent).chain(self.unended()).collect()
    }

    /// Posts how following stands, and tells those who wait for a pause.
    pub(super) fn post(&mut self, run: &mut Run) {
        let quiet = self.is_quiet();
        run.answer_pause(quiet, Some(self.figures.gauge.applied()));
        let activity = match &self.phase {
            FollowPhase::Cutting(cutting) if cutting.part == CutoverPart::Settle && cutting.waits() => {
                Activity::Settling
            }
            FollowPhase::Cutting(cutting) if cutting.waits() => Activity::Verifying,
            FollowPhase::Following => Activity::Following,
            FollowPhase::Met(_) | FollowPhase::Draining { .. } => Activity::Draining,
            FollowPhase::Settling(..) => Activity::Settling,
            FollowPhase::Cutting(_) => Activity::CuttingOver,
            FollowPhase::Holding => Activity::Holding,
        };
        let mut status = run.status(Some(StepId::Incremental), activity);
        if self.intake.state.link() == LinkState::Holding {
            let reason = format!("the spool is at its bound, {}: the source is not read", run.spool_bound());
            status.reasons.insert(0, reason);
        }
        status.reasons.splice(..0, self.why_it_waits());
        if self.deadlines.defers() {
            let timeout = self.cutover_work.as_ref().map(|work| work.timeout.0.as_secs_f64());
            status.settling = self.forecast.settling(timeout);
        }
        self.figures.deadlines = self.forecast.figures(self.scripts.calls).filter(|_| self.deadlines.defers());
        status.following = Some(self.figures.progress());
        status.backlog_lasts = self.figures.backlog_lasts();
        status.spool_lasts = self.figures.spool_lasts(run.spool_bound());
        status.conditions = self.watch.states();
        status.blockers = self.blockers(run);
        status.can_cutover = status.blockers.is_empty();
        run.board.post(status);
    }
}
