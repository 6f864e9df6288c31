//! A bound on how long something may take that moves: a peer that sends a byte a second is never silent.

use std::time::Duration;

/// Bytes a second below which a peer counts as stopped.
const LEAST: u64 = 1 << 10;

/// How long bytes of an answer or of a dump were waited for, and how many came. Time in which nobody waits does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadPace {
    waited: Duration,
    came: u64,
}

impl ReadPace {
    /// Counts a wait; whether all the waiting takes longer than what came allows, with `patience` on top.
    pub(super) fn is_too_slow_after(&mut self, waited: Duration, came: usize, patience: Duration) -> bool {
        self.waited = self.waited.saturating_add(waited);
        self.came = self.came.saturating_add(came as u64);
        self.waited > patience.saturating_add(Duration::from_secs(self.came / LEAST))
    }

    /// How long was waited.
    pub(super) const fn waited(self) -> Duration {
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_too_slow_and_a_slow_line_is_not() {
        const PATIENCE: Duration = Duration::from_mins(1);
        let second = Duration::from_secs(1);
        let mut drip = ReadPace::default();
        assert_eq!((1..100).find(|_| drip.is_too_slow_after(second, 1, PATIENCE)), Some(61));
        let mut slow = ReadPace::default();
        assert!((0..10_000).all(|_| !slow.is_too_slow_after(second, 1 << 10, PATIENCE)));
    }
}
