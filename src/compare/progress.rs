//! How far a comparison is, and how fast. Pure: whoever asks brings the time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::step::{VerifyPhase, VerifyProgress, VerifyResult};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How far back rates look.
const RATE_OVER: Duration = Duration::from_secs(5);

/// Counts names looked at.
#[derive(Debug, Default)]
pub(super) struct NameCounter {
    pub(super) looked_at: u64,
    /// How many there were when it began; 0 when that says nothing.
    pub(super) total: u64,
    told_at: Option<Instant>,
    samples: VecDeque<(Instant, u64)>,
}

impl NameCounter {
    /// The next progress is told at once.
    pub(super) const fn hurry(&mut self) {
        self.told_at = None;
    }

    /// What is to be told; `None` when something was told a moment ago.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        phase: VerifyPhase,
        result: &VerifyResult,
        suspects: usize,
    ) -> Option<VerifyProgress> {
        if self.told_at.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        self.samples.push_back((now, self.looked_at));
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= RATE_OVER)
        {
            self.samples.pop_front();
        }
        let (since, then) = self.samples.front().copied().unwrap_or((now, self.looked_at));
        let seconds = now.duration_since(since).as_secs_f64();
        let per_second = if seconds > 0.0 { as_f64(self.looked_at.saturating_sub(then)) / seconds } else { 0.0 };
        let left = as_f64(self.total.saturating_sub(self.looked_at));
        Some(VerifyProgress {
            phase,
            looked_at: self.looked_at,
            total: self.total,
            keys: result.keys(),
            suspects: suspects as u64,
            different: result.different,
            per_second,
            eta: (per_second > 0.0 && self.total > 0).then(|| left / per_second),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
