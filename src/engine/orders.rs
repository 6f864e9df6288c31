//! What an operator asks of a running process, as far as every step answers it alike.

use std::{fmt::Display, str::FromStr};

use super::{ending::Ending, run::Run, steering::PendingOrder, teller::Teller};
use crate::{
    plan::fault::catalogue::runs,
    step::{Activity, Answer, Event, Order, Setting, Status, StepId},
    unit::{ByteRate, CountRate, Offset, UnixMillis},
};

impl Run {
    /// How the run stands, without what only its step knows.
    pub(super) fn status(&self, step: Option<StepId>, activity: Activity) -> Status {
        let paused = !self.gate.is_open();
        let mut reasons = vec![];
        if let Some(rate) = self.writes.binding() {
            reasons.push(format!("limits.writes: at most {} to the destination", CountRate(rate)));
        }
        if let Some(rate) = self.bandwidth.binding() {
            reasons.push(format!("limits.bandwidth: at most {} from the source", ByteRate(rate)));
        }
        Status {
            step,
            activity: if paused && activity != Activity::CuttingOver { Activity::Paused } else { activity },
            reasons,
            at: UnixMillis::now(),
            bandwidth: self.bandwidth.rate().map(ByteRate),
            writes: self.writes.rate().map(CountRate),
            ..self.blank.clone()
        }
    }

    /// Changes a limit from now on.
    fn set(&self, key: Setting, value: &str) -> Answer {
        let set = match key {
            Setting::Writes => rate::<CountRate>(value).map(|rate| self.writes.set(rate.map(|rate| rate.0))),
            Setting::Bandwidth => rate::<ByteRate>(value).map(|rate| self.bandwidth.set(rate.map(|rate| rate.0))),
        };
        match set {
            Ok(()) => done(format!("`{key}` is {value} for as long as this process runs; the plan is unchanged.")),
            Err(reason) => refused(format!("{reason}, or `unlimited`")),
        }
    }

    /// Carries out what every step carries out alike; gives back what its step has to answer: a pause, once nothing is
    /// under way, and what concerns a cutover. An order to end the run ends its step.
    pub(super) fn order(
        &mut self,
        asked: PendingOrder,
        teller: &mut Teller<'_>,
    ) -> Result<Option<PendingOrder>, Ending> {
        match asked.order.clone() {
            Order::Status => {
                let status = Some(Box::new(self.board.read()));
                asked.answer(Answer { done: true, text: String::new(), status });
            }
            Order::Set { key, value } => {
                let answer = self.set(key, &value);
                if answer.done {
                    teller.tell(ordered(format!("`{key}` is {value}")));
                }
                asked.answer(answer);
            }
            Order::Pause => {
                self.gate.set_open(false);
                teller.tell(ordered("pause"));
                self.pausing.push(asked);
            }
            Order::Resume => {
                let text = if self.gate.is_open() { "It was not paused." } else { "It writes again." };
                self.gate.set_open(true);
                teller.tell(ordered("resume"));
                asked.answer(done(text));
                for waiting in self.pausing.drain(..) {
                    waiting.answer(refused("It was resumed before everything under way was confirmed."));
                }
            }
            Order::Cutover { .. } | Order::Cancel => return Ok(Some(asked)),
            Order::Abort { .. } => {
                teller.tell(ordered("abort"));
                self.abort = Some(asked);
                return Err(Ending::stopped("An operator aborted the run."));
            }
        }
        Ok(None)
    }

    /// Says that writing has stopped, once it has.
    pub(super) fn answer_pause(&mut self, quiet: bool, applied: Option<Offset>) {
        if !quiet || self.gate.is_open() {
            return;
        }
        let applied = applied.map(|applied| format!("; applied is offset {applied}")).unwrap_or_default();
        for asked in self.pausing.drain(..) {
            asked.answer(done(format!(
                "Nothing is written any more{applied}. What the source sends is still received."
            )));
        }
    }

    /// Looks about while `step` waits, and why: posts it, carries out orders, and ends when a stop is asked for, which
    /// `stopped` tells.
    pub(super) fn attend(
        &mut self,
        step: StepId,
        reason: Option<&str>,
        stopped: &str,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let mut status = self.status(Some(step), Activity::Preparing);
        status.reasons.splice(..0, reason.map(str::to_owned));
        self.board.post(status);
        if self.stopping() {
            return Err(Ending::of(&runs::STOPPED_BY_SIGNAL, stopped));
        }
        self.orders_between_steps(teller)
    }

    /// Carries out orders that came while no step took them.
    pub(super) fn orders_between_steps(&mut self, teller: &mut Teller<'_>) -> Result<(), Ending> {
        while let Ok(asked) = self.asked.try_recv() {
            if let Some(asked) = self.order(asked, teller)? {
                asked.answer(not_following());
            }
        }
        self.answer_pause(true, None);
        Ok(())
    }
}

/// A rate as in a plan; `None` is no limit.
fn rate<R: FromStr<Err: Display>>(value: &str) -> Result<Option<R>, String> {
    if value == "unlimited" {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|error: R::Err| error.to_string())
}

/// What happened on an order.
pub(super) fn ordered(text: impl Into<String>) -> Event {
    Event::Ordered { text: text.into() }
}

/// The answer to what concerns a cutover before the source is followed.
pub(super) fn not_following() -> Answer {
    refused("Nothing was changed: the run does not follow the source yet; `plan status` shows what it does.")
}

/// The answer to an order that was carried out.
pub(super) fn done(text: impl Into<String>) -> Answer {
    Answer { done: true, text: text.into(), status: None }
}

/// The answer to an order that was not carried out.
pub(super) fn refused(text: impl Into<String>) -> Answer {
    Answer { done: false, text: text.into(), status: None }
}
