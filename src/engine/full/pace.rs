//! Not faster than so much a second.

use std::time::{Duration, Instant};

/// A token bucket of one second's depth: what was not used within the last second is lost.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    /// When all that was taken so far is paid for.
    paid_at: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u64, now: Instant) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        Self { per_second: per_second.max(1) as f64, paid_at: now }
    }

    /// Takes `amount` and answers how long to wait before going on.
    pub(super) fn take(&mut self, amount: u64, now: Instant) -> Duration {
        let earliest = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        #[expect(clippy::cast_precision_loss, reason = "an amount needs no more than 52 bits")]
        let cost = Duration::from_secs_f64((amount as f64 / self.per_second).min(3600.0));
        self.paid_at = self.paid_at.max(earliest) + cost;
        self.paid_at.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_over_time_and_pauses_are_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(100, start);
        assert_eq!(pace.take(50, start), Duration::from_millis(500));
        assert_eq!(pace.take(50, start + Duration::from_millis(500)), Duration::from_millis(500));
        let later = start + Duration::from_hours(1);
        assert_eq!(pace.take(100, later), Duration::ZERO);
        assert_eq!(pace.take(100, later), Duration::from_secs(1));
    }
}
