//! How following stands, in figures.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    emptied::Emptied,
    gauge::{SourceOffset, StreamProgress},
    stop::{LastComparison, StopReading},
};
use crate::{
    compare::{Applied, Recheck},
    engine::{
        intake::{LinkState, StreamState},
        teller::Teller,
    },
    source::SourceFacts,
    step::{DeadlineFigures, Event, FollowProgress, Lag},
    unit::{ByteSize, Offset, UnixMillis},
};

/// How far back the rates look.
const RATE_OVER: Duration = Duration::from_secs(5);

/// The figures of following.
pub(super) struct FollowStats {
    pub(super) gauge: StreamProgress,
    state: StreamState,
    ahead: SourceOffset,
    facts: Option<SourceFacts>,
    pub(super) failed: u64,
    /// Keys that went with databases of the source.
    pub(super) emptied: Emptied,
    /// How deadlines at the destination stand.
    pub(super) deadlines: Option<DeadlineFigures>,
    /// When this process began to follow.
    begun: Instant,
    /// The same by the wall clock: when the source last wrote before that is not known.
    since: UnixMillis,
    /// When the run did.
    began: UnixMillis,
    samples: VecDeque<OffsetSample>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OffsetSample {
    at: Duration,
    commands: u64,
    received: u64,
    applied: u64,
}

impl FollowStats {
    /// How a comparison learns how far the destination is: in the history that the stream goes by now.
    pub(super) fn recheck(&self) -> Recheck {
        let (gauge, state) = (self.gauge.clone(), self.state.clone());
        Recheck::Applied(Arc::new(move || {
            let history = state.received().map(|(replid, _)| replid);
            Some(Applied { history, offset: gauge.applied() })
        }))
    }

    pub(super) fn new(gauge: StreamProgress, state: StreamState, began: UnixMillis) -> Self {
        let (ahead, samples) = (SourceOffset::default(), VecDeque::new());
        let since = UnixMillis::now();
        Self {
            gauge,
            state,
            ahead,
            facts: None,
            failed: 0,
            emptied: Emptied::default(),
            deadlines: None,
            begun: Instant::now(),
            since,
            began,
            samples,
        }
    }

    /// Tells how following stands; answers what is applied, and by how many commands.
    pub(super) fn tell(&mut self, teller: &mut Teller<'_>) -> (Offset, u64) {
        self.emptied.tell(teller);
        let progress = self.progress();
        let stands = (progress.applied, progress.commands);
        teller.tell(Event::Following { progress });
        stands
    }

    /// Takes in what the source, asked at `asked`, says of itself.
    pub(super) fn hear(&mut self, facts: SourceFacts, asked: UnixMillis) {
        if !self.state.is_of(facts.replid) {
            self.ahead.lose();
        } else if let Some(offset) = facts.repl_offset {
            self.ahead.say(offset, self.received(), asked);
        }
        self.facts = Some(facts);
    }

    /// Everything up to here is in the spool.
    pub(super) fn received(&self) -> Offset {
        self.state.received().map(|(_, offset)| offset).unwrap_or_default()
    }

    /// How far behind; `None` while the source does not answer or is not connected.
    pub(super) fn lag(&mut self, now: UnixMillis) -> Option<Lag> {
        let received = self.received();
        let up = self.state.link() != LinkState::Down;
        let source = self.ahead.said().filter(|_| up && self.ahead.is_known(now))?;
        let bytes = source.max(received).since(self.gauge.applied());
        let waiting = self.gauge.behind(received, now).max(self.ahead.unreceived(received, now));
        Some(Lag { bytes, seconds: waiting.as_secs_f64() })
    }

    /// What the stop conditions are judged by.
    pub(super) fn reading(&mut self, cutover: bool, compared: LastComparison) -> StopReading {
        let wall = UnixMillis::now();
        let lag = self.lag(wall);
        let received = self.received();
        let level = self.ahead.level(received);
        let idle = level.and_then(|level| self.gauge.idle(received, self.since, level));
        StopReading {
            now: self.begun.elapsed(),
            wall,
            followed: Duration::from_millis(u64::try_from(wall.0.saturating_sub(self.began.0)).unwrap_or(0)),
            idle: idle.filter(|_| lag.is_some_and(|lag| lag.bytes == 0)),
            lag: lag.map(|lag| Duration::from_secs_f64(lag.seconds)),
            cutover,
            compared,
        }
    }

    /// The figures that are told and shown.
    pub(super) fn progress(&mut self) -> FollowProgress {
        let counts = self.gauge.counts();
        let applied = self.gauge.applied();
        let now = OffsetSample {
            at: self.begun.elapsed(),
            commands: counts.commands,
            received: self.received().0,
            applied: applied.0,
        };
        self.sample(now);
        let rate = |of: fn(&OffsetSample) -> u64| self.rate(now, of);
        FollowProgress {
            replid: self.state.received().map(|(replid, _)| replid),
            applied,
            received: self.received(),
            source: self.ahead.said().map(|said| said.max(self.received())),
            commands: counts.commands,
            commands_per_second: rate(|sample| sample.commands),
            bytes_per_second: rate(|sample| sample.received),
            filtered: counts.filtered,
            failed: self.failed,
            spooled: ByteSize(self.state.spool().held()),
            lag: self.lag(UnixMillis::now()),
            deadlines: self.deadlines,
        }
    }

    /// Seconds until the source's backlog no longer reaches back to what was received, if the connection broke now or is
    /// broken; `None` when nothing is written or the source does not tell.
    pub(super) fn backlog_lasts(&self) -> Option<f64> {
        let last = self.samples.back()?;
        let size = self.facts.as_ref()?.info.repl_backlog_size()?.0;
        let missing = self.ahead.said()?.since(self.received());
        let rate = self.rate(*last, |sample| sample.received);
        (rate > 0.0).then(|| as_f64(size.saturating_sub(missing)) / rate)
    }

    /// Seconds until the spool reaches `bound`; `None` when it does not grow.
    pub(super) fn spool_lasts(&self, bound: ByteSize) -> Option<f64> {
        let last = self.samples.back()?;
        let growth = self.rate(*last, |sample| sample.received) - self.rate(*last, |sample| sample.applied);
        let left = bound.0.saturating_sub(self.state.spool().held());
        (growth > 0.0).then(|| as_f64(left) / growth)
    }

    fn sample(&mut self, now: OffsetSample) {
        self.samples.push_back(now);
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|sample| now.at.saturating_sub(sample.at) >= RATE_OVER)
        {
            self.samples.pop_front();
        }
    }

    fn rate(&self, now: OffsetSample, of: fn(&OffsetSample) -> u64) -> f64 {
        let then = self.samples.front().copied().unwrap_or(now);
        let seconds = now.at.saturating_sub(then.at).as_secs_f64();
        if seconds > 0.0 { as_f64(of(&now).saturating_sub(of(&then))) / seconds } else { 0.0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
