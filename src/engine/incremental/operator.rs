//! What an operator asks while the source is followed.

use super::follow::{Follow, Phase};
use crate::{
    engine::{
        ending::Ending,
        intake::LinkState,
        orders::{done, refused},
        run::Run,
        steering::Asked,
        teller::Teller,
    },
    step::{Activity, Event, Order, Status, StepId, WhenMet},
    unit::{Offset, UnixMillis},
};

impl Follow {
    pub(super) fn asked(&mut self, asked: Asked, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let order = |text: &str| Event::Ordered { text: text.to_owned() };
        match &asked.order {
            Order::Pause => {
                self.beside.gate.set_open(false);
                self.paused = true;
                teller.tell(order("pause"));
                self.pausing.push(asked);
                self.answer_pause();
            }
            Order::Resume => {
                let text = if self.paused { "It writes again." } else { "It was not paused." };
                self.beside.gate.set_open(true);
                self.paused = false;
                teller.tell(order("resume"));
                asked.answer(done(text));
            }
            Order::Cutover => {
                if let Some(blocker) = self.blockers().first() {
                    asked.answer(refused(format!("Nothing was changed: {blocker}.")));
                } else {
                    teller.tell(order("cutover"));
                    self.cutover.push(asked);
                }
            }
            Order::Status | Order::Set { .. } | Order::Abort => {
                if let Order::Set { key, value } = &asked.order {
                    teller.tell(Event::Ordered { text: format!("set {key:?} to {value}") });
                }
                if let Some(abort) = run.answer(asked, || self.status(run)) {
                    teller.tell(order("abort"));
                    run.abort = Some(abort);
                    return Err(Ending::stopped("An operator aborted the run."));
                }
            }
        }
        Ok(())
    }

    /// Says that writing has stopped, once nothing is under way.
    pub(super) fn answer_pause(&mut self) {
        if self.paused && self.figures.gauge.is_quiet() {
            let applied = self.figures.gauge.applied();
            for asked in self.pausing.drain(..) {
                asked.answer(done(format!(
                    "Nothing is written any more; applied is offset {applied}. The source's stream is still received."
                )));
            }
        }
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
    fn blockers(&mut self) -> Vec<String> {
        let mut blockers = vec![];
        if self.paused {
            blockers.push("the run is paused; `plan resume` first".to_owned());
        }
        if self.work.then == WhenMet::Hold {
            blockers.push(
                "the plan's `cutover` is not executed by this version: fence the source yourself and end the run with a \
                 plan without it"
                    .to_owned(),
            );
        }
        let lag = self.figures.lag(UnixMillis::now());
        if lag.is_none() {
            blockers.push("the source is not connected or does not answer".to_owned());
        }
        let holds_by_deadline = self.phase == Phase::Holding;
        if !holds_by_deadline && !self.watch.would_be_met() {
            blockers.push("the stop condition would not be met by `command: cutover` now".to_owned());
        }
        blockers
    }

    fn status(&mut self, run: &Run) -> Status {
        let activity = match self.phase {
            _ if self.paused => Activity::Paused,
            Phase::Following => Activity::Following,
            Phase::Met(_) | Phase::Draining(_) => Activity::Draining,
            Phase::Holding => Activity::Holding,
        };
        let mut reasons: Vec<String> = self.waiting.iter().cloned().collect();
        if self.intake.state.link() == LinkState::Holding {
            reasons.push(format!("the spool is at its bound, {}: the source is not read", run.spool_bound()));
        }
        if let Some(rate) = run.writes.rate() {
            reasons.push(format!("limits.writes: at most {rate} commands a second"));
        }
        if let Some(rate) = run.bandwidth.rate() {
            reasons.push(format!("limits.bandwidth: at most {rate} bytes a second"));
        }
        let blockers = self.blockers();
        Status {
            reasons,
            following: Some(self.figures.progress()),
            backlog_lasts: self.figures.backlog_lasts(),
            spool_lasts: self.figures.spool_lasts(run.spool_bound()),
            conditions: self.watch.states(),
            can_cutover: blockers.is_empty(),
            blockers,
            ..run.status(StepId::Incremental, activity)
        }
    }
}
