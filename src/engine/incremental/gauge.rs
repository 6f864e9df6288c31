//! How far behind the destination is. Pure: whoever asks brings the time.
//!
//! The lag in bytes is the source's offset minus the applied one. The lag in seconds is the age of the oldest byte that is
//! received and not applied, by its time of receipt, which the spool keeps; while the source says that it has written
//! more than was received, that is counted from when it first said so. Both are 0 when there is nothing to apply, however
//! long the source has been idle.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::unit::{Offset, UnixMillis};

/// What the thread that feeds and the loop that hears confirmations know together. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Gauge(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Everything up to here is at the destination.
    applied: Offset,
    /// Everything up to here is translated.
    read: Offset,
    /// Receipt of the first byte that is read and not handed to the lane.
    building: Option<UnixMillis>,
    /// What the lane has and has not confirmed: its end, and the receipt of its first byte.
    under_way: VecDeque<(Offset, UnixMillis)>,
    /// Receipt of the last command that writes.
    last_write: Option<UnixMillis>,
    counts: Counts,
    /// Commands that write and came behind the seal; `None` before it.
    left_behind: Option<u64>,
}

/// What was counted in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Commands sent to the destination.
    pub(super) commands: u64,
    /// Commands of the source left out by the plan's rules.
    pub(super) filtered: u64,
}

impl Gauge {
    /// Everything up to `applied` is at the destination, and nothing behind it is read.
    pub(super) fn at(applied: Offset) -> Self {
        Self(Arc::new(Mutex::new(State {
            applied,
            read: applied,
            building: None,
            under_way: VecDeque::new(),
            last_write: None,
            counts: Counts::default(),
            left_behind: None,
        })))
    }

    /// Bytes received `at` are being translated.
    pub(super) fn building(&self, at: UnixMillis) {
        self.lock().building.get_or_insert(at);
    }

    /// Everything up to `end` is translated; `wrote` is the receipt of the last command in it that writes.
    pub(super) fn read(&self, end: Offset, wrote: Option<UnixMillis>) {
        let mut state = self.lock();
        state.read = state.read.max(end);
        state.last_write = state.last_write.max(wrote);
    }

    /// A batch up to `end` goes to the lane. `more` is the receipt of what is read behind it, if there is something.
    pub(super) fn sent(&self, end: Offset, more: Option<UnixMillis>, counts: Counts) {
        let mut state = self.lock();
        if let Some(first) = state.building {
            state.under_way.push_back((end, first));
        }
        state.building = more;
        state.counts.commands += counts.commands;
        state.counts.filtered += counts.filtered;
    }

    /// The destination confirmed everything up to `end`.
    pub(super) fn confirmed(&self, end: Offset) {
        let mut state = self.lock();
        state.applied = state.applied.max(end);
        while state.under_way.front().is_some_and(|(of, _)| *of <= end) {
            state.under_way.pop_front();
        }
    }

    /// The destination is sealed: what comes now is counted and left.
    pub(super) fn seal(&self) {
        self.lock().left_behind.get_or_insert(0);
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.lock().left_behind.is_some()
    }

    /// So many commands that write came behind the seal.
    pub(super) fn left_behind(&self, commands: u64) {
        if let Some(all) = &mut self.lock().left_behind {
            *all += commands;
        }
    }

    /// How many commands that write came behind the seal, once everything up to `offset` is translated.
    pub(super) fn came_behind(&self, offset: Offset) -> Option<u64> {
        let state = self.lock();
        state.left_behind.filter(|_| state.read >= offset)
    }

    /// Everything up to here is at the destination.
    pub(super) fn applied(&self) -> Offset {
        self.lock().applied
    }

    /// Whether the lane has nothing that it has not confirmed.
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().under_way.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The age of the oldest byte that is received and not applied.
    pub(super) fn behind(&self, received: Offset, now: UnixMillis) -> Duration {
        let state = self.lock();
        if state.applied >= received {
            return Duration::ZERO;
        }
        let oldest = state.under_way.front().map(|(_, first)| *first).or(state.building);
        oldest.map_or(Duration::ZERO, |oldest| since(oldest, now))
    }

    /// How long ago the last write was received, or this process `began`, where there was none since; `None` while
    /// something that is received might be a write that was not read yet.
    pub(super) fn idle(&self, received: Offset, began: UnixMillis, now: UnixMillis) -> Option<Duration> {
        let state = self.lock();
        (state.read >= received).then(|| since(state.last_write.unwrap_or(began), now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(then: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}

/// What the source says of its own offset, against what was received of it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    said: Option<Offset>,
    /// The first time that it said it had written something that is still not received.
    missing: Option<(Offset, UnixMillis)>,
    heard: Option<UnixMillis>,
}

/// A source that has not answered for so long is not known to be anywhere.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);

impl Ahead {
    /// The source said at `now` that it stands at `offset`.
    pub(super) fn say(&mut self, offset: Offset, received: Offset, now: UnixMillis) {
        (self.said, self.heard) = (Some(offset), Some(now));
        self.forget(received);
        if offset > received {
            self.missing.get_or_insert((offset, now));
        }
    }

    /// The offset that the source said last.
    pub(super) fn said(&self) -> Option<Offset> {
        self.said
    }

    /// Whether its last answer is recent enough to be believed.
    pub(super) fn is_known(&self, now: UnixMillis) -> bool {
        self.heard.is_some_and(|heard| since(heard, now) <= ANSWER_HOLDS)
    }

    /// How long something that the source has written has not been received.
    pub(super) fn unreceived(&mut self, received: Offset, now: UnixMillis) -> Duration {
        self.forget(received);
        self.missing.map_or(Duration::ZERO, |(_, then)| since(then, now))
    }

    fn forget(&mut self, received: Offset) {
        if self.missing.is_some_and(|(offset, _)| offset <= received) {
            self.missing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Counts = Counts { commands: 0, filtered: 0 };

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_unapplied_byte() {
        let gauge = Gauge::at(Offset(100));
        assert_eq!(gauge.behind(Offset(100), at(9000)), seconds(0), "an idle source is not behind");
        gauge.building(at(10));
        gauge.building(at(11));
        assert_eq!(gauge.behind(Offset(160), at(13)), seconds(3));
        gauge.read(Offset(150), Some(at(10)));
        gauge.sent(Offset(150), Some(at(11)), NONE);
        assert_eq!(gauge.behind(Offset(160), at(13)), seconds(3), "sent is not applied");
        assert!(!gauge.is_quiet());
        gauge.confirmed(Offset(150));
        assert_eq!((gauge.behind(Offset(160), at(13)), gauge.applied()), (seconds(2), Offset(150)));
        gauge.read(Offset(160), None);
        gauge.sent(Offset(160), None, NONE);
        gauge.confirmed(Offset(160));
        assert_eq!(gauge.behind(Offset(160), at(9000)), seconds(0));
    }

    #[test]
    fn a_source_is_idle_since_its_last_write_and_only_when_all_was_read() {
        let gauge = Gauge::at(Offset(100));
        assert_eq!(gauge.idle(Offset(100), at(50), at(60)), Some(seconds(10)));
        assert_eq!(gauge.idle(Offset(114), at(50), at(60)), None, "what came may be a write");
        gauge.read(Offset(114), None);
        assert_eq!(gauge.idle(Offset(114), at(50), at(60)), Some(seconds(10)), "a PING is no write");
        gauge.read(Offset(150), Some(at(58)));
        assert_eq!(gauge.idle(Offset(150), at(50), at(60)), Some(seconds(2)));
    }

    #[test]
    fn what_the_source_wrote_and_nobody_received_is_behind_too() {
        let mut ahead = Ahead::default();
        assert!(!ahead.is_known(at(0)));
        ahead.say(Offset(200), Offset(200), at(10));
        assert_eq!(ahead.unreceived(Offset(200), at(12)), seconds(0));
        ahead.say(Offset(300), Offset(200), at(11));
        ahead.say(Offset(400), Offset(250), at(12));
        assert_eq!(ahead.unreceived(Offset(250), at(14)), seconds(3), "since it was first said");
        assert_eq!(ahead.unreceived(Offset(300), at(15)), seconds(0));
        assert!(ahead.is_known(at(17)) && !ahead.is_known(at(18)));
    }
}
