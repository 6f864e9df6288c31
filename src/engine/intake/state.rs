//! How the stream stands, for whoever asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    store::spool::SpoolLevel,
    unit::{Offset, ReplId},
};

/// How the stream stands. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::engine) struct StreamState(Arc<Mutex<State>>);

/// The connection that brings the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum LinkState {
    /// Not yet, or not any more.
    Down,
    /// It brings what the source sends.
    Up,
    /// It is there, and not read: the spool is at its bound.
    Holding,
}

#[derive(Debug)]
struct State {
    history: Option<(ReplId, Offset)>,
    link: LinkState,
    /// How often it was opened.
    connections: u64,
    level: SpoolLevel,
}

impl StreamState {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            history: None,
            link: LinkState::Down,
            connections: 0,
            level: SpoolLevel::default(),
        })))
    }

    /// The history and the last byte received; `None` before the stream begins.
    pub(in crate::engine) fn received(&self) -> Option<(ReplId, Offset)> {
        self.lock().history
    }

    /// Whether the stream is of this history. A source that hides how it goes by is believed.
    pub(in crate::engine) fn is_of(&self, history: Option<ReplId>) -> bool {
        let followed = self.lock().history.map(|(replid, _)| replid);
        history.is_none_or(|history| followed.is_none_or(|followed| followed == history))
    }

    /// Counts the connections that have brought the stream; `None` while there is none.
    pub(in crate::engine) fn connection(&self) -> Option<u64> {
        let state = self.lock();
        (state.link != LinkState::Down).then_some(state.connections)
    }

    /// The connection.
    pub(in crate::engine) fn link(&self) -> LinkState {
        self.lock().link
    }

    /// How far the stream's spool is filled.
    pub(in crate::engine) fn spool(&self) -> SpoolLevel {
        self.lock().level.clone()
    }

    pub(super) fn begin(&self, replid: ReplId, offset: Offset) {
        self.lock().history = Some((replid, offset));
    }

    /// The level of a spool that begins at `offset`.
    pub(super) fn level(&self, offset: Offset) -> SpoolLevel {
        self.level_between(offset, offset)
    }

    /// The level of a spool that holds what lies between two offsets.
    pub(super) fn level_between(&self, begin: Offset, end: Offset) -> SpoolLevel {
        let level = SpoolLevel::spanning(begin.0, end.0, false);
        self.lock().level = level.clone();
        level
    }

    /// Takes `count` more bytes in.
    pub(super) fn advance(&self, count: u64) {
        if let Some((_, offset)) = &mut self.lock().history {
            *offset = offset.plus(count);
        }
    }

    pub(super) fn rename(&self, replid: ReplId) {
        if let Some((known, _)) = &mut self.lock().history {
            *known = replid;
        }
    }

    pub(super) fn set_link(&self, link: LinkState) {
        let mut state = self.lock();
        state.connections += u64::from(state.link == LinkState::Down && link != LinkState::Down);
        state.link = link;
    }

    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.link = LinkState::Down;
        state.level.end();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
