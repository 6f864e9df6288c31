//! How deadlines are written at the destination.
//!
//! A replica never ends a key by itself: it waits for its master's DEL. The destination is a master and ends keys by its own
//! clock, so while a source is followed every deadline is written [`SHIFT`] later than it is: only the source's own deletions
//! end keys, however late they arrive. A deferred deadline is recognised by its size.

use super::UnixMillis;

/// 2^45 ms, about 1115 years: later than any real deadline, so that nothing is mistaken for the other. Deadlines of hash
/// fields must stay below 2^46 (Redis `t_hash.c`, `HFE_MAX_ABS_TIME_MSEC`).
const SHIFT: i64 = 1 << 45;

/// How deadlines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// As they are.
    #[default]
    Exact,
    /// Deferred: only the source's deletions end keys.
    Deferred,
    /// Deferred, but for those that lie after this moment on the destination's clock: they are being made exact.
    Settling(UnixMillis),
}

impl Expiry {
    /// What is written for the deadline `at`.
    #[must_use]
    pub fn written(self, at: UnixMillis) -> UnixMillis {
        match self {
            Self::Exact => at,
            Self::Settling(beyond) if at > beyond => at,
            Self::Deferred | Self::Settling(_) => at.deferred(),
        }
    }

    /// Whether deadlines are written later than they are, or some of them.
    #[must_use]
    pub fn defers(self) -> bool {
        self != Self::Exact
    }
}

impl UnixMillis {
    /// This deadline, deferred. One of the years 3085 to 4199 would be taken for a deferred one when it is read back, and
    /// counts as the last moment before; a later one stays as it is.
    #[must_use]
    pub fn deferred(self) -> Self {
        if self.0 >= 2 * SHIFT { self } else { Self(self.0.clamp(0, SHIFT - 1).saturating_add(SHIFT)) }
    }

    /// The deadline that a deferred one stands for; `None` when it is not deferred.
    #[must_use]
    pub fn if_deferred(self) -> Option<Self> {
        (SHIFT..2 * SHIFT).contains(&self.0).then(|| Self(self.0.saturating_sub(SHIFT)))
    }

    /// The deadline that this one is or stands for.
    #[must_use]
    pub fn exact(self) -> Self {
        self.if_deferred().unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deferred_deadline_is_recognised_and_leads_back() {
        for at in [0, 1_764_500_000_000, 1_800_000_000_123, 4_900_000_000_000, SHIFT - 1] {
            let at = UnixMillis(at);
            assert_eq!(at.deferred().if_deferred(), Some(at));
            assert_eq!(at.deferred().exact(), at);
            assert_eq!(at.if_deferred(), None, "a real deadline is not taken for a deferred one");
        }
        for real in [0, 1_764_500_000_000, 2 * SHIFT, i64::MAX] {
            assert_eq!(UnixMillis(real).if_deferred(), None);
            assert_eq!(UnixMillis(real).exact(), UnixMillis(real));
        }
    }

    #[test]
    fn what_cannot_be_deferred_stays_and_what_is_long_past_stays_past() {
        for far in [SHIFT, 2 * SHIFT - 1] {
            assert_eq!(UnixMillis(far).deferred().exact(), UnixMillis(SHIFT - 1), "never a deadline that is past");
        }
        assert_eq!(UnixMillis(2 * SHIFT).deferred(), UnixMillis(2 * SHIFT));
        assert_eq!(UnixMillis(i64::MAX).deferred(), UnixMillis(i64::MAX));
        assert_eq!(UnixMillis(-5).deferred().exact(), UnixMillis(0));
    }

    #[test]
    fn while_deadlines_are_settled_the_far_ones_are_written_exact() {
        let (soon, far) = (UnixMillis(1_800_000_000_000), UnixMillis(1_800_000_600_001));
        let settling = Expiry::Settling(UnixMillis(1_800_000_600_000));
        assert_eq!((settling.written(soon), settling.written(far)), (soon.deferred(), far));
        assert_eq!(Expiry::Exact.written(soon), soon);
        assert!(Expiry::Deferred.defers() && settling.defers() && !Expiry::Exact.defers());
    }
}
