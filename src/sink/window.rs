//! The bound on what is under way to the destination.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes that may be queued or unconfirmed, over all lanes. Clones share the bound.
#[derive(Clone, Debug)]
pub struct InFlight(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug)]
struct State {
    free: u64,
    size: u64,
    closed: bool,
}

impl InFlight {
    /// A window of `size` bytes.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self(Arc::new((Mutex::new(State { free: size, size, closed: false }), Condvar::new())))
    }

    /// Blocks until `bytes` are free and takes them; an amount beyond the whole window waits for all of it. `false`
    /// when the window was closed.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |state: &mut State| !state.closed && state.free < bytes.min(state.size);
        let mut state = self.0.1.wait_while(state, wanted).unwrap_or_else(PoisonError::into_inner);
        state.free = state.free.saturating_sub(bytes);
        !state.closed
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: u64) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.free = state.free.saturating_add(bytes).min(state.size);
        drop(state);
        self.0.1.notify_all();
    }

    /// Whether it was closed: nothing more is to be written.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Whether nothing of it is taken.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.free == state.size
    }

    /// Blocks until nothing of it is taken; `false` when it was closed.
    #[must_use]
    pub fn wait_until_whole(&self) -> bool {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut State| !state.closed && state.free < state.size;
        !self.0.1.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Ends all waiting.
    pub fn close(&self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_waits_for_room_and_ends_when_closed() {
        let window = InFlight::new(10);
        assert!(window.take(25));
        let other = window.clone();
        let waiting = std::thread::spawn(move || (other.take(4), other.take(9)));
        window.give(5);
        while window.0.0.lock().unwrap().free != 1 {
            std::thread::yield_now();
        }
        window.close();
        assert_eq!(waiting.join().unwrap(), (true, false));
    }
}
