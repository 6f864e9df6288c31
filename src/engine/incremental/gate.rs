//! A gate that holds writing up.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Open or closed. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    /// Nobody passes any more, and nobody waits.
    Gone,
}

impl Gate {
    pub(super) fn open() -> Self {
        Self(Arc::new((Mutex::new(State::Open), Condvar::new())))
    }

    /// Waits until the gate is open; `false` when it is gone.
    pub(super) fn pass(&self) -> bool {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.0.1.wait_while(state, |state| *state == State::Closed);
        *state.unwrap_or_else(PoisonError::into_inner) == State::Open
    }

    pub(super) fn set_open(&self, open: bool) {
        self.set(if open { State::Open } else { State::Closed });
    }

    /// Lets nobody pass any more.
    pub(super) fn remove(&self) {
        self.set(State::Gone);
    }

    fn set(&self, to: State) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Gone {
            *state = to;
        }
        drop(state);
        self.0.1.notify_all();
    }
}
