//! Who does not answer while the source is followed, and since when.

use std::time::{Duration, Instant};

use super::follow::{Follow, FollowPhase};
use crate::{
    engine::{ending::Ending, intake::IntakeEvent, teller::Teller},
    plan::fault::catalogue::runs,
    step::{Event, Side, StepId},
    unit::{Period, UnixMillis},
};

/// A side that has not answered for so long is told.
const QUIET: Duration = Duration::from_secs(10);

/// When each side answered last.
#[derive(Debug)]
pub(super) struct Silence {
    source: LastContact,
    destination: LastContact,
    patience: Duration,
}

#[derive(Clone, Copy, Debug)]
struct LastContact {
    at: Instant,
    wall: UnixMillis,
    /// The silence after which it is told next; it grows, so that a long one is not told all the time.
    next: Duration,
}

impl LastContact {
    fn now() -> Self {
        Self { at: Instant::now(), wall: UnixMillis::now(), next: QUIET }
    }

    fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    fn text(&self, side: Side, now: Instant) -> String {
        let whole = Period(Duration::from_secs(self.silent(now).as_secs()));
        format!("the {side} has not answered since {} ({whole})", self.wall)
    }
}

impl Silence {
    pub(super) fn new(patience: Duration) -> Self {
        Self { source: LastContact::now(), destination: LastContact::now(), patience }
    }

    /// This side has answered.
    pub(super) fn heard(&mut self, side: Side) {
        *self.side(side) = LastContact::now();
    }

    fn side(&mut self, side: Side) -> &mut LastContact {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }

    fn sides(&self) -> [(Side, LastContact); 2] {
        [(Side::Source, self.source), (Side::Destination, self.destination)]
    }

    /// Who is silent, for whoever asks.
    pub(super) fn reasons(&self, now: Instant) -> Vec<String> {
        let silent = self.sides().into_iter().filter(|(_, heard)| heard.silent(now) >= QUIET);
        silent.map(|(side, heard)| heard.text(side, now)).collect()
    }

    /// Who is silent and was not told to be for as long as before.
    fn news(&mut self, now: Instant) -> Vec<String> {
        let mut news = vec![];
        for side in [Side::Source, Side::Destination] {
            let heard = self.side(side);
            if heard.silent(now) >= heard.next {
                heard.next = heard.silent(now).saturating_mul(2);
                news.push(heard.text(side, now));
            }
        }
        news
    }

    /// The end of a process that has waited long enough.
    fn ending(&self, now: Instant) -> Option<Ending> {
        let over: Vec<Side> = self
            .sides()
            .into_iter()
            .filter(|(_, heard)| heard.silent(now) >= self.patience)
            .map(|(side, _)| side)
            .collect();
        let cause = match over.first()? {
            Side::Source => &runs::SOURCE_UNREACHABLE,
            Side::Destination => &runs::DESTINATION_UNREACHABLE,
        };
        let who = self.reasons(now).join(", and ");
        let summary = format!(
            "Waited for {}, the plan's `limits.patience`: {who}. What is confirmed is kept: run the same command again.",
            Period(self.patience)
        );
        Some(Ending::of(cause, summary))
    }
}

impl Follow {
    /// Tells who does not answer and which transaction does not end, and ends the process that has waited long enough; a cutover has bounds of its own.
    pub(super) fn look_for_silence(&mut self, teller: &mut Teller<'_>) -> Result<(), Ending> {
        self.look_for_unended(teller);
        let now = Instant::now();
        for reason in self.silence.news(now) {
            teller.tell(Event::Waiting { step: StepId::Incremental, reason });
        }
        match self.silence.ending(now).filter(|_| !matches!(self.phase, FollowPhase::Cutting(_))) {
            Some(ending) => Err(ending),
            None => Ok(()),
        }
    }

    pub(super) fn note_wait(&mut self, told: &IntakeEvent) {
        match told {
            IntakeEvent::LinkLost(reason) => {
                self.waiting = Some((Side::Source, format!("the connection to the source is lost: {reason}")));
            }
            IntakeEvent::Waiting(reason) => self.waiting = Some((Side::Source, reason.clone())),
            IntakeEvent::Following { .. } | IntakeEvent::Holding(false) => {
                drop(self.waiting.take_if(|(side, _)| *side == Side::Source));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_told_less_and_less_often_until_patience_ends() {
        let mut silence = Silence::new(Duration::from_secs(100));
        let begun = silence.source.at.max(silence.destination.at);
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert!(silence.news(after(9)).is_empty() && silence.reasons(after(9)).is_empty());
        assert_eq!(silence.news(after(10)).len(), 2);
        silence.destination.at = after(20);
        assert_eq!([19, 25, 26].map(|seconds| silence.news(after(seconds)).len()), [0, 1, 0]);
        assert!(silence.reasons(after(26))[0].starts_with("the source has not answered since "));
        assert!(silence.reasons(after(26))[0].ends_with("(26s)"));
        assert!(silence.ending(after(99)).is_none());
        let ending = silence.ending(after(101)).unwrap();
        assert_eq!(ending.code(), "R201");
        assert!(ending.summary.contains("1m40s, the plan's `limits.patience`"), "{}", ending.summary);
        silence.source.at = after(60);
        assert_eq!(silence.ending(after(121)).unwrap().code(), "R301");
    }
}
