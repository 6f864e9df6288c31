//! Not faster than so much a second.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long to wait before looking whether the rate still holds.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Into how many parts a second's amount is divided at least.
const TAKES_A_SECOND: u64 = 10;

/// A token bucket of one second's depth: what was not used within the last second is lost.
#[derive(Debug)]
struct Pace {
    per_second: f64,
    /// When all that was taken so far is paid for.
    paid_at: Instant,
    /// Until when somebody had to wait; `None` as long as nobody had to.
    waits_until: Option<Instant>,
}

impl Pace {
    fn new(per_second: u64, now: Instant) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        Self { per_second: per_second.max(1) as f64, paid_at: now, waits_until: None }
    }

    /// Takes `amount` and answers how long to wait before going on.
    fn take(&mut self, amount: u64, now: Instant) -> Duration {
        let earliest = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        #[expect(clippy::cast_precision_loss, reason = "an amount needs no more than 52 bits")]
        let cost = Duration::from_secs_f64((amount as f64 / self.per_second).min(3600.0));
        self.paid_at = self.paid_at.max(earliest) + cost;
        let wait = self.paid_at.saturating_duration_since(now);
        if !wait.is_zero() {
            self.waits_until = Some(self.paid_at);
        }
        wait
    }

    /// Whether somebody waits, or had to within the last second: what comes in bursts does not hide it.
    fn binds(&self, now: Instant) -> bool {
        self.waits_until.is_some_and(|until| now.saturating_duration_since(until) < Duration::from_secs(1))
    }
}

/// A rate that may be changed while it is kept. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rate: Option<u64>,
    pace: Option<Pace>,
}

impl Throttle {
    /// So much a second; `None` is unlimited.
    pub(super) fn new(rate: Option<u64>) -> Self {
        let throttle = Self::default();
        throttle.set(rate);
        throttle
    }

    /// Changes the rate from now on.
    pub(super) fn set(&self, rate: Option<u64>) {
        let pace = rate.map(|rate| Pace::new(rate, Instant::now()));
        *self.lock() = State { rate, pace };
    }

    /// The rate.
    pub(super) fn rate(&self) -> Option<u64> {
        self.lock().rate
    }

    /// The rate, while it makes somebody wait: measured, not taken from the plan. `None` while nothing is slower for it.
    pub(super) fn binding(&self) -> Option<u64> {
        let state = self.lock();
        state.rate.filter(|_| state.pace.as_ref().is_some_and(|pace| pace.binds(Instant::now())))
    }

    /// The most of what is limited that is to be taken at once: a rate should not come in bursts.
    pub(super) fn at_once(&self) -> u32 {
        let tenth = |rate: u64| u32::try_from((rate / TAKES_A_SECOND).max(1)).unwrap_or(u32::MAX);
        self.rate().map_or(u32::MAX, tenth)
    }

    /// Takes `amount` and answers how long to wait before going on.
    pub(super) fn take(&self, amount: u64) -> Duration {
        self.lock().pace.as_mut().map_or(Duration::ZERO, |pace| pace.take(amount, Instant::now()))
    }

    /// Takes `amount` and blocks until it is paid for; `false` when `gone` said so meanwhile. A rate that is changed
    /// meanwhile holds from then on.
    pub(super) fn wait(&self, amount: u64, gone: impl Fn() -> bool) -> bool {
        let rate = self.rate();
        let mut wait = self.take(amount);
        while !wait.is_zero() && self.rate() == rate && !gone() {
            let step = wait.min(LOOK_AGAIN);
            std::thread::sleep(step);
            wait = wait.saturating_sub(step);
        }
        !gone()
    }

    /// Takes `amount` and waits as long as that needs. Without a rate it does not even yield: a timer of no length costs
    /// more than reading from a socket.
    pub(super) async fn pass(&self, amount: u64) {
        let wait = self.take(amount);
        if !wait.is_zero() {
            async_std::task::sleep(wait).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_tenth_of_a_second_is_taken_at_once() {
        let throttle = Throttle::new(Some(1000));
        assert_eq!(throttle.at_once(), 100);
        throttle.set(Some(3));
        assert_eq!(throttle.at_once(), 1);
        throttle.set(None);
        assert_eq!(throttle.at_once(), u32::MAX);
    }

    #[test]
    fn waiting_ends_when_the_rate_is_lifted_or_nobody_waits_any_more() {
        let throttle = Throttle::new(Some(1));
        let other = throttle.clone();
        let waiting = std::thread::spawn(move || other.wait(3600, || false));
        std::thread::sleep(LOOK_AGAIN);
        assert!(!waiting.is_finished());
        throttle.set(None);
        assert!(waiting.join().unwrap());
        throttle.set(Some(1));
        assert!(!throttle.wait(3600, || true));
    }

    #[test]
    fn a_rate_binds_only_while_somebody_waits_for_it() {
        let start = Instant::now();
        let mut pace = Pace::new(100, start);
        assert!(!pace.binds(start), "nothing was taken yet");
        assert_eq!(pace.take(50, start + Duration::from_secs(5)), Duration::ZERO);
        assert!(!pace.binds(start + Duration::from_secs(5)), "less than the rate");
        assert_eq!(pace.take(100, start + Duration::from_secs(5)), Duration::from_millis(500));
        assert!(pace.binds(start + Duration::from_secs(5)) && pace.binds(start + Duration::from_secs(6)));
        assert!(!pace.binds(start + Duration::from_secs(7)), "idle since");
        let throttle = Throttle::new(Some(1));
        assert_eq!((throttle.rate(), throttle.binding()), (Some(1), None));
        assert!(!throttle.take(3600).is_zero());
        assert_eq!(throttle.binding(), Some(1));
        throttle.set(None);
        assert_eq!(throttle.binding(), None);
    }

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
