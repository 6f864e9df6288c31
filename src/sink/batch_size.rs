//! How large a batch is: as large as the destination carries out within a few milliseconds, and no larger, since a
//! transaction holds up its other clients. Large ones cost both sides fewer round trips and wake-ups.
//!
//! What a transaction takes the destination is what its answer took longer than a round trip. Every network makes one
//! answer late now and then, so only several that were late in a row make batches smaller.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
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

/// Far away a single lane is idle for a round trip behind each batch. There a batch is small up to a part of that time, which
/// has a longest, and may be larger.
const FAR_PART: u32 = 8;
const FAR_SMALL: Duration = Duration::from_millis(8);
const FAR_MOST: usize = 8 << 20;

/// So many large ones in a row make the next smaller.
const IN_A_ROW: u32 = 8;

/// The size of the next batch, found by what the last ones took. Clones share it.
#[derive(Clone, Debug)]
pub struct BatchSize {
    bytes: Arc<AtomicUsize>,
    late: Arc<Mutex<Late>>,
    /// Lanes that write at the same time: each waits for the transactions of all.
    lanes: u32,
}

/// Large transactions in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    count: u32,
    /// What the shortest of them took beyond a round trip.
    least: Duration,
    /// How much longer round trips are by now than they were when the lanes connected.
    further: Duration,
}

impl BatchSize {
    /// For so many lanes.
    #[must_use]
    pub fn new(lanes: usize) -> Self {
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX).max(1);
        Self { bytes: Arc::new(AtomicUsize::new(FIRST)), late: Arc::default(), lanes }
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
        let weight = bytes.max((commands as usize).saturating_mul(COMMAND));
        let alone = if self.lanes == 1 { round_trip / FAR_PART } else { Duration::ZERO };
        let bounds = if alone > SMALL { (alone.min(FAR_SMALL), FAR_MOST) } else { (SMALL, MOST) };
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let next = late.next((self.bytes(), weight), took.saturating_sub(round_trip), self.lanes, bounds);
        self.bytes.store(next, Relaxed);
    }
}

impl Late {
    /// The size after a batch of this weight that took `beyond` more than a round trip used to. A batch that was not full
    /// says nothing of larger ones.
    fn next(
        &mut self,
        (size, weight): (usize, usize),
        beyond: Duration,
        lanes: u32,
        (small, most): (Duration, usize),
    ) -> usize {
        self.further = self.further.min(beyond);
        let beyond = beyond.saturating_sub(self.further);
        let share = beyond / lanes;
        if share <= small * 2 {
            self.count = 0;
            // Twice as much takes twice as long, which is not large yet.
            return if share < small && weight >= size { (size * 2).min(most) } else { size };
        }
        self.least = if self.count == 0 { beyond } else { self.least.min(beyond) };
        self.count += 1;
        if self.count < IN_A_ROW {
            return size;
        }
        self.count = 0;
        if size <= LEAST {
            // It is not the batches that take so long.
            self.further += self.least;
            return size;
        }
        // By as much as the shortest was too large, and not below a quarter at once.
        let fits = (small + small / 2).div_duration_f64(self.least / lanes);
        scaled(size, fits.max(0.25)).max(LEAST)
    }
}

/// A part of a size, in whole commands: no number of small ones comes to another.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a size"
)]
fn scaled(size: usize, part: f64) -> usize {
    (size as f64 * part) as usize / COMMAND * COMMAND
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
        for _ in 0..IN_A_ROW {
            size.learn((MOST, 1), Duration::from_millis(24), Duration::ZERO);
        }
        assert_eq!(size.bytes(), MOST / 2, "it takes 6 ms, and 3 are well");
        for _ in 0..100 {
            size.learn((100, 1), Duration::from_secs(1), Duration::from_millis(50));
        }
        assert_eq!((size.bytes(), size.commands()), (LEAST, 64));
        assert!(size.is_full(LEAST, 1) && size.is_full(1, 64) && !size.is_full(LEAST - 1, 63));
    }

    #[test]
    fn a_size_that_is_reached_by_counting_commands_grows_too() {
        let size = BatchSize::new(1);
        let (late, soon) = (Duration::from_millis(7), Duration::from_millis(1));
        for took in [late; IN_A_ROW as usize].into_iter().chain([soon; 10]) {
            size.learn((1000, size.commands()), took, Duration::ZERO);
        }
        assert_eq!(size.bytes(), MOST);
    }

    #[test]
    fn answers_that_are_late_now_and_then_change_nothing() {
        let size = BatchSize::new(1);
        for number in 0..1000 {
            let took = if number % IN_A_ROW == 0 { 41 } else { 60 };
            size.learn((usize::MAX, 1), Duration::from_millis(took), Duration::from_millis(40));
        }
        assert_eq!(size.bytes(), FAR_MOST);
    }

    #[test]
    fn a_way_that_became_longer_is_no_transaction_that_takes_long() {
        let size = BatchSize::new(1);
        let learn = |took, times: u32| {
            for _ in 0..times {
                size.learn((MOST, 1), Duration::from_millis(took), Duration::from_millis(1));
            }
            size.bytes()
        };
        assert_eq!(learn(2, 100), MOST);
        assert_eq!(learn(30, 25 * IN_A_ROW), MOST, "it shrank to the least, and grew again");
        assert_eq!(learn(2, 1), MOST);
        assert!(learn(30, IN_A_ROW) < MOST, "and back: the shorter way counts at once");
    }

    #[test]
    fn only_a_single_lane_far_away_has_batches_that_take_long() {
        let after = |lanes: usize, round_trip: u64, share: u64| {
            let (size, round_trip) = (BatchSize::new(lanes), Duration::from_millis(round_trip));
            for _ in 0..3 * IN_A_ROW {
                let took = round_trip + Duration::from_millis(share) * u32::try_from(lanes).unwrap();
                size.learn((usize::MAX, 1), took, round_trip);
            }
            size.bytes()
        };
        assert_eq!([after(1, 10, 1), after(16, 80, 1)], [MOST, MOST]);
        assert_eq!([after(1, 80, 6), after(1, 80, 12), after(1, 80, 40)], [FAR_MOST, FIRST, LEAST]);
        assert_eq!([after(1, 32, 3), after(1, 32, 6), after(1, 32, 20)], [FAR_MOST, FIRST, LEAST]);
    }

    #[test]
    fn a_batch_that_was_not_full_does_not_make_the_next_one_larger() {
        let size = BatchSize::new(1);
        size.learn((FIRST - 1, 511), Duration::ZERO, Duration::ZERO);
        assert_eq!(size.bytes(), FIRST);
        size.learn((10, 512), Duration::ZERO, Duration::ZERO);
        assert_eq!(size.bytes(), FIRST * 2);
    }
}
