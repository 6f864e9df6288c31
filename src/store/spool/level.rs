//! How far the spool is filled and drained, shared by its writer and its readers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The level of a spool. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SpoolLevel(Arc<(Mutex<State>, Condvar)>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    written: u64,
    ended: bool,
    removed: u64,
    /// How many wait for more bytes.
    waiting: u32,
}

impl SpoolLevel {
    /// A level at which `written` bytes are there, and no more will come if `ended`.
    #[must_use]
    pub fn at(written: u64, ended: bool) -> Self {
        Self::spanning(0, written, ended)
    }

    /// A level at which the bytes from `removed` to `written` are there, and no more will come if `ended`.
    #[must_use]
    pub fn spanning(removed: u64, written: u64, ended: bool) -> Self {
        let level = Self::default();
        *level.lock() = State { written, ended, removed, waiting: 0 };
        level
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.lock().written
    }

    /// Says that everything before `position` can be read.
    pub(super) fn fill(&self, position: u64) {
        self.lock().written = position;
        self.0.1.notify_all();
    }

    /// Says that nothing more will come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.0.1.notify_all();
    }

    /// Says that everything before `position` was removed from the disk.
    pub fn drain(&self, position: u64) {
        let mut state = self.lock();
        state.removed = state.removed.max(position);
        drop(state);
        self.0.1.notify_all();
    }

    /// Blocks until there are bytes behind `position`; `false` when none will come.
    #[must_use]
    pub fn wait_beyond(&self, position: u64) -> bool {
        let mut state = self.lock();
        state.waiting += 1;
        let waiting = self.0.1.wait_while(state, |state| state.written <= position && !state.ended);
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.written > position
    }

    /// Whether a reader waits for more bytes. What is on disk may then be a value or a transaction that is not whole, so
    /// nothing of it can be removed before more comes.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Bytes on disk.
    #[must_use]
    pub fn held(&self) -> u64 {
        let state = self.lock();
        state.written.saturating_sub(state.removed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
