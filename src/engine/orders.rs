//! What an operator asks of a running process, as far as every step answers it alike.

use super::{run::Run, steering::Asked};
use crate::{
    step::{Activity, Answer, Order, Setting, Status, StepId},
    unit::{ByteRate, CountRate, UnixMillis},
};

impl Run {
    /// How the run stands, without what only its step knows.
    pub(super) fn status(&self, step: StepId, activity: Activity) -> Status {
        let state = self.journal.state();
        Status {
            format: 1,
            plan: self.request.graph.name.clone(),
            run: state.run.clone(),
            digest: self.request.digest.clone(),
            pid: std::process::id(),
            at: UnixMillis::now(),
            step: Some(step),
            activity,
            reasons: vec![],
            full: None,
            following: None,
            backlog_lasts: None,
            spool_lasts: None,
            spool_limit: self.spool_bound(),
            bandwidth: self.bandwidth.rate().map(ByteRate),
            writes: self.writes.rate().map(CountRate),
            conditions: vec![],
            can_cutover: false,
            blockers: vec![],
        }
    }

    /// Changes a limit from now on.
    fn set(&self, key: Setting, value: &str) -> Answer {
        let changed = match key {
            Setting::Writes => super::steering::parse_rate::<CountRate>(value).map(|rate| {
                self.writes.set(rate.map(|rate| rate.0));
                rate.map(|rate| rate.to_string())
            }),
            Setting::Bandwidth => super::steering::parse_rate::<ByteRate>(value).map(|rate| {
                self.bandwidth.set(rate.map(|rate| rate.0));
                rate.map(|rate| rate.to_string())
            }),
        };
        let name = match key {
            Setting::Writes => "limits.writes",
            Setting::Bandwidth => "limits.bandwidth",
        };
        match changed {
            Ok(rate) => done(format!(
                "`{name}` is {} for as long as this process runs; the plan is unchanged.",
                rate.unwrap_or_else(|| "unlimited".to_owned())
            )),
            Err(reason) => refused(reason),
        }
    }

    /// Answers an order that a step has nothing of its own to say to; gives back an order to end the run.
    pub(super) fn answer(&self, asked: Asked, status: impl FnOnce() -> Status) -> Option<Asked> {
        match asked.order.clone() {
            Order::Status => {
                let status = Some(Box::new(status()));
                asked.answer(Answer { done: true, text: String::new(), status });
            }
            Order::Set { key, value } => {
                let answer = self.set(key, &value);
                asked.answer(answer);
            }
            Order::Abort => return Some(asked),
            Order::Pause | Order::Resume | Order::Cutover => asked.answer(refused(
                "The run does not follow the source yet; `plan status` shows what it does. Say it again once it follows."
                    .to_owned(),
            )),
        }
        None
    }
}

/// The answer to an order that was carried out.
pub(super) fn done(text: impl Into<String>) -> Answer {
    Answer { done: true, text: text.into(), status: None }
}

/// The answer to an order that was not carried out.
pub(super) fn refused(text: impl Into<String>) -> Answer {
    Answer { done: false, text: text.into(), status: None }
}
