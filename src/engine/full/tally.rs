//! Counting a full copy, and estimating its end. Pure.

use std::{collections::VecDeque, time::Duration};

use crate::{
    engine::{ending::Ending, intake::IntakeEvent, steering::PendingOrder},
    rdb::SafePoint,
    sink::{DealCounts, LaneFault, LaneReport, LeaseFault, Mark},
    step::{FullProgress, KeyFailure},
    unit::Db,
};

/// What the parts of a full copy tell its loop.
#[derive(Debug)]
pub(super) enum CopySignal {
    /// Something worth knowing.
    Notice(String),
    /// Something happened while taking in.
    Intake(IntakeEvent),
    /// The dump says which database is selected where the stream behind it begins.
    StreamDb(Db),
    /// Decoding passed a point at which it could begin again.
    SafePoint(Box<SafePoint>),
    /// What was dealt so far.
    Dealt(DealCounts),
    /// A key was left out.
    Unwritable(KeyFailure),
    /// The dump or its spool is damaged.
    Lost,
    /// Decoding came to the end of what was received before the end of the dump.
    CutShort(Ending),
    /// Decoding ended: the whole dump was dealt.
    Decoded(Result<(), Ending>),
    /// A lane tells.
    Lane(LaneReport),
    /// A lane ended.
    LaneEnded(Result<(), LaneFault>),
    /// The heartbeat could not be renewed.
    Heartbeat(LeaseFault),
    /// An operator asks for something.
    Asked(PendingOrder),
    /// Time passed.
    Tick,
    /// Somebody asked for a stop.
    Stop,
}

/// How far a full copy is.
#[derive(Debug)]
pub(super) struct CopyStats {
    marks: Vec<Mark>,
    total: Option<u64>,
    dealt: DealCounts,
    confirmed: u64,
    /// Keys before the point at which decoding began.
    before: u64,
    skipped: u64,
    failed: u64,
    /// The key that was reported last: it may be for several reasons.
    last_failed: Option<(Db, String)>,
    samples: VecDeque<(Duration, u64, u64)>,
}

/// How far back the rate looks.
const RATE_OVER: Duration = Duration::from_secs(5);

impl CopyStats {
    pub(super) fn new(marks: Vec<Mark>, total: Option<u64>, before: u64) -> Self {
        let samples = VecDeque::new();
        let dealt = DealCounts::default();
        Self { marks, total, dealt, confirmed: 0, before, skipped: 0, failed: 0, last_failed: None, samples }
    }

    pub(super) fn know_total(&mut self, total: Option<u64>) {
        self.total = total.or(self.total);
    }

    pub(super) fn dealt(&mut self, counts: DealCounts) {
        self.dealt = counts;
    }

    pub(super) fn confirm(&mut self, lane: usize, mark: Mark, keys: u32) {
        if let Some(slot) = self.marks.get_mut(lane) {
            *slot = mark.max(*slot);
        }
        self.confirmed += u64::from(keys);
    }

    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Counts a key that is reported, once for all the reasons in a row.
    pub(super) fn fail(&mut self, failure: &KeyFailure) {
        let key = Some((failure.db, failure.key.clone()));
        if self.last_failed != key {
            self.failed += 1;
            self.last_failed = key;
        }
    }

    /// Everything before this byte of the dump is confirmed.
    pub(super) fn applied(&self) -> u64 {
        self.marks.iter().map(|mark| mark.at).min().unwrap_or(0)
    }

    /// How far each lane has confirmed.
    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Keys confirmed, those of earlier processes included.
    pub(super) fn keys(&self) -> u64 {
        self.before + self.dealt.already + self.confirmed
    }

    pub(super) fn progress(&mut self, now: Duration, received: u64) -> FullProgress {
        let (applied, keys) = (self.applied(), self.keys());
        self.samples.push_back((now, applied, keys));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|sample| now.saturating_sub(sample.0) >= RATE_OVER)
        {
            self.samples.pop_front();
        }
        let (then, applied_then, keys_then) = self.samples.front().copied().unwrap_or((now, applied, keys));
        let seconds = now.saturating_sub(then).as_secs_f64();
        let rate = |new: u64, old: u64| if seconds > 0.0 { as_f64(new.saturating_sub(old)) / seconds } else { 0.0 };
        let bytes_per_second = rate(applied, applied_then);
        FullProgress {
            received,
            total: self.total,
            applied,
            keys,
            filtered: self.dealt.filtered,
            own: self.dealt.own,
            expired: self.dealt.expired,
            skipped: self.skipped,
            failed: self.failed,
            keys_per_second: rate(keys, keys_then),
            eta: self.total.and_then(|total| eta(applied, total, bytes_per_second)),
        }
    }
}

/// Seconds to the end; `None` before 1 % or while nothing moves.
fn eta(applied: u64, total: u64, bytes_per_second: f64) -> Option<f64> {
    let begun = applied.saturating_mul(100) >= total && bytes_per_second > 0.0;
    begun.then(|| as_f64(total.saturating_sub(applied)) / bytes_per_second)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_applied_is_what_every_lane_has_confirmed() {
        let mut tally = CopyStats::new(vec![Mark::default(); 2], Some(1000), 5);
        tally.confirm(0, Mark { at: 500, elements: 0 }, 7);
        assert_eq!((tally.applied(), tally.keys()), (0, 12));
        tally.confirm(1, Mark { at: 300, elements: 2 }, 1);
        assert_eq!((tally.applied(), tally.keys()), (300, 13));
    }

    #[test]
    fn the_end_is_estimated_from_the_last_seconds_and_not_before_one_percent() {
        let mut tally = CopyStats::new(vec![Mark::default()], Some(1000), 0);
        assert_eq!(tally.progress(Duration::ZERO, 0).eta, None);
        tally.confirm(0, Mark { at: 9, elements: 0 }, 1);
        assert_eq!(tally.progress(Duration::from_secs(1), 50).eta, None);
        tally.confirm(0, Mark { at: 200, elements: 0 }, 19);
        let progress = tally.progress(Duration::from_secs(2), 300);
        assert_eq!(progress.eta, Some(8.0));
        assert!((progress.keys_per_second - 10.0).abs() < 1e-9);
    }
}
