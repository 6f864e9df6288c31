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

use crate::{
    sink::Checkpoint,
    unit::{Offset, UnixMillis},
};

/// What the thread that feeds and the loop that hears confirmations know together. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct StreamProgress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Everything up to here is at the destination.
    applied: Checkpoint,
    /// Everything up to here is translated.
    read: Offset,
    /// Receipt of the first byte that is read and not handed to the lane.
    building: Option<UnixMillis>,
    /// What the lane has and has not confirmed: its end, and the receipt of its first byte.
    under_way: VecDeque<(Checkpoint, Option<UnixMillis>)>,
    /// The last command that writes: its end and its receipt.
    last_write: Option<(Offset, UnixMillis)>,
    counts: Counts,
    /// Commands that write and came behind the seal; `None` before it.
    left_behind: Option<u64>,
    /// The source's transaction whose end is not received.
    transaction: Option<Begun>,
    /// Everything behind the seal up to here is counted.
    counted: Offset,
}

/// A transaction of the source whose `EXEC` is not received: nothing of it can be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// The offset behind which it begins.
    pub(super) after: Offset,
    /// When its beginning was received.
    pub(super) received: UnixMillis,
}

/// What was counted in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Commands sent to the destination.
    pub(super) commands: u64,
    /// Commands of the source left out by the plan's rules.
    pub(super) filtered: u64,
}

impl StreamProgress {
    /// Everything up to `applied` is at the destination, and nothing behind it is read.
    pub(super) fn at(applied: Checkpoint) -> Self {
        Self(Arc::new(Mutex::new(State {
            applied,
            read: applied.offset,
            building: None,
            under_way: VecDeque::new(),
            last_write: None,
            counts: Counts::default(),
            left_behind: None,
            transaction: None,
            counted: applied.offset,
        })))
    }

    /// Bytes received `at` are being translated.
    pub(super) fn building(&self, at: UnixMillis) {
        self.lock().building.get_or_insert(at);
    }

    /// Everything up to `end` is translated; `wrote` is the end and the receipt of the last command in it that writes.
    pub(super) fn read(&self, end: Offset, wrote: Option<(Offset, UnixMillis)>) {
        let mut state = self.lock();
        state.read = state.read.max(end);
        state.last_write = state.last_write.max(wrote);
    }

    /// The last transaction that was read has not ended, or there is none.
    pub(super) fn in_transaction(&self, begun: Option<Begun>) {
        self.lock().transaction = begun;
    }

    /// The transaction whose end is not received, if there is one.
    pub(super) fn transaction(&self) -> Option<Begun> {
        self.lock().transaction
    }

    /// A batch up to `end` goes to the lane. `more` is the receipt of what is read behind it, if there is something.
    pub(super) fn sent(&self, end: Checkpoint, more: Option<UnixMillis>, counts: Counts) {
        let mut state = self.lock();
        let first = std::mem::replace(&mut state.building, more);
        state.under_way.push_back((end, first));
        state.counts.commands += counts.commands;
        state.counts.filtered += counts.filtered;
    }

    /// The destination confirmed everything up to `end`.
    pub(super) fn confirmed(&self, end: Offset) {
        let mut state = self.lock();
        while let Some((of, _)) = state.under_way.front().filter(|(of, _)| of.offset <= end) {
            state.applied = *of;
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

    /// So many commands that write came behind the seal, of those up to `end`.
    pub(super) fn left_behind(&self, end: Offset, commands: u64) {
        let mut state = self.lock();
        state.counted = state.counted.max(end);
        if let Some(all) = &mut state.left_behind {
            *all += commands;
        }
    }

    /// How many commands that write came behind the seal, once everything up to `offset` is counted: what is only translated
    /// is not.
    pub(super) fn came_behind(&self, offset: Offset) -> Option<u64> {
        let state = self.lock();
        state.left_behind.filter(|_| state.counted.max(state.applied.offset) >= offset)
    }

    /// Everything up to here is at the destination.
    pub(super) fn applied(&self) -> Offset {
        self.lock().applied.offset
    }

    /// The same as the run record has it.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        self.lock().applied
    }

    /// Whether a command that writes ends behind `offset`, of those that are translated.
    pub(super) fn wrote_behind(&self, offset: Offset) -> bool {
        self.lock().last_write.is_some_and(|(end, _)| end > offset)
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
        if state.applied.offset >= received {
            return Duration::ZERO;
        }
        let oldest = state.under_way.front().and_then(|(_, first)| *first).or(state.building);
        oldest.map_or(Duration::ZERO, |oldest| since(oldest, now))
    }

    /// How long before `level`, when the source had written nothing that was not received, the last write was received, or
    /// this process `began`, where there was none since; `None` while something that is received might be a write that was
    /// not read yet.
    pub(super) fn idle(&self, received: Offset, began: UnixMillis, level: UnixMillis) -> Option<Duration> {
        let state = self.lock();
        (state.read >= received).then(|| since(state.last_write.map_or(began, |(_, receipt)| receipt), level))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(then: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or(0))
}

/// What the source says of its own offset, against what was received of it. An offset counts within one history alone: a
/// source that goes by another one is not known to be anywhere.
#[derive(Debug, Default)]
pub(super) struct SourceOffset {
    /// Where it stood, and when it was asked: what it says holds for that moment, however late it arrives.
    said: Option<(Offset, UnixMillis)>,
    /// The first time that it said it had written something that is still not received.
    missing: Option<(Offset, UnixMillis)>,
    /// The last moment at which it had written nothing that was not received.
    level: Option<UnixMillis>,
}

/// A source that has not answered for so long is not known to be anywhere.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);

impl SourceOffset {
    /// The source, asked at `asked`, stood at `offset` of the history that is received.
    pub(super) fn say(&mut self, offset: Offset, received: Offset, asked: UnixMillis) {
        self.take_in(received);
        self.said = Some((offset, asked));
        self.take_in(received);
        if offset > received {
            self.missing.get_or_insert((offset, asked));
        }
    }

    /// The source goes by another history than the one that is received.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// The offset that the source said last.
    pub(super) fn said(&self) -> Option<Offset> {
        self.said.map(|(offset, _)| offset)
    }

    /// Whether its last answer is recent enough to be believed.
    pub(super) fn is_known(&self, now: UnixMillis) -> bool {
        self.said.is_some_and(|(_, asked)| since(asked, now) <= ANSWER_HOLDS)
    }

    /// How long something that the source has written has not been received.
    pub(super) fn unreceived(&mut self, received: Offset, now: UnixMillis) -> Duration {
        self.take_in(received);
        self.missing.map_or(Duration::ZERO, |(_, then)| since(then, now))
    }

    /// The last moment at which the source had written nothing that was not received.
    pub(super) fn level(&mut self, received: Offset) -> Option<UnixMillis> {
        self.take_in(received);
        self.level
    }

    fn take_in(&mut self, received: Offset) {
        self.missing.take_if(|(offset, _)| *offset <= received);
        if let Some((_, asked)) = self.said.filter(|(offset, _)| *offset <= received) {
            self.level = self.level.max(Some(asked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Counts = Counts { commands: 0, filtered: 0 };

    fn checkpoint(offset: u64) -> Checkpoint {
        format!("{offset} 8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e 0").parse().unwrap()
    }

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_unapplied_byte() {
        let gauge = StreamProgress::at(checkpoint(100));
        assert_eq!(gauge.behind(Offset(100), at(9000)), seconds(0), "an idle source is not behind");
        gauge.building(at(10));
        gauge.building(at(11));
        assert_eq!(gauge.behind(Offset(160), at(13)), seconds(3));
        gauge.read(Offset(150), Some((Offset(120), at(10))));
        gauge.sent(checkpoint(150), Some(at(11)), NONE);
        assert_eq!(gauge.behind(Offset(160), at(13)), seconds(3), "sent is not applied");
        assert!(!gauge.is_quiet());
        gauge.confirmed(Offset(150));
        assert_eq!((gauge.behind(Offset(160), at(13)), gauge.applied()), (seconds(2), Offset(150)));
        gauge.read(Offset(160), None);
        gauge.sent(checkpoint(160), None, NONE);
        gauge.confirmed(Offset(160));
        assert_eq!(gauge.behind(Offset(160), at(9000)), seconds(0));
    }

    #[test]
    fn a_source_is_idle_since_its_last_write_and_only_when_all_was_read() {
        let gauge = StreamProgress::at(checkpoint(100));
        assert_eq!(gauge.idle(Offset(100), at(50), at(60)), Some(seconds(10)));
        assert_eq!(gauge.idle(Offset(114), at(50), at(60)), None, "what came may be a write");
        gauge.read(Offset(114), None);
        assert_eq!(gauge.idle(Offset(114), at(50), at(60)), Some(seconds(10)), "a PING is no write");
        gauge.read(Offset(150), Some((Offset(140), at(58))));
        assert_eq!(gauge.idle(Offset(150), at(50), at(60)), Some(seconds(2)));
        assert!(gauge.wrote_behind(Offset(139)) && !gauge.wrote_behind(Offset(140)));
    }

    #[test]
    fn what_the_source_wrote_and_nobody_received_is_behind_too() {
        let mut ahead = SourceOffset::default();
        assert!(!ahead.is_known(at(0)));
        ahead.say(Offset(200), Offset(200), at(10));
        assert_eq!(ahead.unreceived(Offset(200), at(12)), seconds(0));
        ahead.say(Offset(300), Offset(200), at(11));
        ahead.say(Offset(400), Offset(250), at(12));
        assert_eq!(ahead.unreceived(Offset(250), at(14)), seconds(3), "since it was first said");
        assert_eq!(ahead.unreceived(Offset(300), at(15)), seconds(0));
        assert!(ahead.is_known(at(17)) && !ahead.is_known(at(18)));
        ahead.lose();
        assert!(!ahead.is_known(at(13)) && ahead.said().is_none());
    }

    /// What arrives late says what was so when it was asked.
    #[test]
    fn a_source_was_level_when_it_was_asked_and_not_when_its_answer_came() {
        let mut ahead = SourceOffset::default();
        assert_eq!(ahead.level(Offset(200)), None);
        ahead.say(Offset(200), Offset(200), at(10));
        assert_eq!(ahead.level(Offset(200)), Some(at(10)));
        ahead.say(Offset(300), Offset(200), at(11));
        assert_eq!(ahead.level(Offset(200)), Some(at(10)), "something is on its way");
        assert_eq!(ahead.level(Offset(300)), Some(at(11)));
        ahead.lose();
        assert_eq!(ahead.level(Offset(300)), None);
    }
}
