//! A gate that holds writing up: closed by `plan pause`, opened by `plan resume`.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::sink::InFlight;

/// How long to wait before looking whether anybody is still to pass.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Open or closed. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// An open gate.
    pub(super) fn open() -> Self {
        Self(Arc::new((Mutex::new(true), Condvar::new())))
    }

    /// Opens or closes it.
    pub(super) fn set_open(&self, open: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = open;
        self.0.1.notify_all();
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open, then takes `bytes` of `window`; `false` when the window was closed. Whoever closes the
    /// gate and then finds the window whole knows that nothing is under way.
    pub(super) fn take(&self, window: &InFlight, bytes: u64) -> bool {
        loop {
            if !self.pass(window) || !window.take(bytes) {
                return false;
            }
            if self.is_open() {
                return true;
            }
            window.give(bytes);
        }
    }

    fn pass(&self, window: &InFlight) -> bool {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            if window.is_closed() {
                return false;
            }
            open = self.0.1.wait_timeout(open, LOOK_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_lets_nothing_pass_until_it_opens_or_the_window_closes() {
        let (gate, window) = (Gate::open(), InFlight::new(10));
        gate.set_open(false);
        let taking = |gate: Gate, window: InFlight| std::thread::spawn(move || gate.take(&window, 4));
        let waiting = taking(gate.clone(), window.clone());
        std::thread::sleep(LOOK_AGAIN * 2);
        assert!(!waiting.is_finished() && window.is_whole());
        gate.set_open(true);
        assert!(waiting.join().unwrap() && !window.is_whole());
        gate.set_open(false);
        let waiting = taking(gate, window.clone());
        window.close();
        assert!(!waiting.join().unwrap());
    }
}
