//! How large a batch is: as large as the destination carries out within a few milliseconds, and no larger, since a
//! transaction holds up its other clients. Large ones cost both sides fewer round trips and wake-ups.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// Bytes of the smallest batch, the first, and the largest.
const LEAST: usize = 16 << 10;
const FIRST: usize = 128 << 10;
const MOST: usize = 512 << 10;

/// A small command costs a destination as much as so many bytes.
const COMMAND: usize = 256;

/// A transaction that takes less of the destination's time is small, one that takes twice as much is large.
const SMALL: Duration = Duration::from_millis(2);

/// The size of the next batch, found by what the last ones took. Clones share it.
#[derive(Clone, Debug)]
pub struct BatchSize {
    bytes: Arc<AtomicUsize>,
    /// Lanes that write at the same time: each waits for the transactions of all.
    lanes: u32,
}

impl BatchSize {
    /// For so many lanes.
    #[must_use]
    pub fn new(lanes: usize) -> Self {
        Self { bytes: Arc::new(AtomicUsize::new(FIRST)), lanes: u32::try_from(lanes).unwrap_or(u32::MAX).max(1) }
    }

    /// Bytes at which a batch is full.
    fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Commands at which a batch is full.
    fn commands(&self) -> u32 {
        u32::try_from(self.bytes() / COMMAND).unwrap_or(u32::MAX)
    }

    /// Whether a batch is full.
    #[must_use]
    pub fn is_full(&self, bytes: usize, commands: u32) -> bool {
        bytes >= self.bytes() || commands >= self.commands()
    }

    /// Learns from a batch of so many bytes and commands, whose replies came `took` after its end was sent, by a connection
    /// with this `round_trip`.
    pub(super) fn learn(&self, (bytes, commands): (usize, u32), took: Duration, round_trip: Duration) {
        let size = self.bytes();
        let weight = bytes.max((commands as usize).saturating_mul(COMMAND));
        let next = next(size, weight, took.saturating_sub(round_trip) / self.lanes);
        if next != size {
            // Two lanes at once may undo each other's step; the next batches take it again.
            self.bytes.store(next, Relaxed);
        }
    }
}

/// The size after a batch of this weight that took `share` of the destination's time. A batch that was not full says nothing
/// of larger ones.
fn next(size: usize, weight: usize, share: Duration) -> usize {
    if share > SMALL * 2 {
        (size - size / 4).max(LEAST)
    } else if share < SMALL && weight >= size {
        (size + size / 4).min(MOST)
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_grows_while_transactions_are_short_and_shrinks_when_they_are_long() {
        let size = BatchSize::new(4);
        assert_eq!((size.bytes(), size.commands()), (FIRST, 512));
        for _ in 0..100 {
            size.learn((1000, 4096), Duration::from_millis(54), Duration::from_millis(50));
        }
        assert_eq!((size.bytes(), size.commands()), (MOST, 2048));
        size.learn((100, 1), Duration::from_millis(1), Duration::ZERO);
        size.learn((MOST, 1), Duration::from_millis(12), Duration::ZERO);
        assert_eq!(size.bytes(), MOST);
        for _ in 0..100 {
            size.learn((100, 1), Duration::from_secs(1), Duration::from_millis(50));
        }
        assert_eq!((size.bytes(), size.commands()), (LEAST, 64));
        assert!(size.is_full(LEAST, 1) && size.is_full(1, 64) && !size.is_full(LEAST - 1, 63));
    }

    #[test]
    fn a_batch_that_was_not_full_does_not_make_the_next_one_larger() {
        let size = BatchSize::new(1);
        size.learn((FIRST - 1, 511), Duration::ZERO, Duration::ZERO);
        assert_eq!(size.bytes(), FIRST);
        size.learn((10, 512), Duration::ZERO, Duration::ZERO);
        assert_eq!(size.bytes(), FIRST + FIRST / 4);
    }
}
