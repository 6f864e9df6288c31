//! Telling what happens.

use crate::{
    step::{Event, Stamped, without_secrets},
    unit::UnixMillis,
};

/// Stamps events, masks secrets that a peer said back, and hands them on.
pub(super) struct Teller<'a> {
    on_event: &'a mut dyn FnMut(&Stamped),
}

impl<'a> Teller<'a> {
    pub(super) fn new(on_event: &'a mut dyn FnMut(&Stamped)) -> Self {
        Self { on_event }
    }

    pub(super) fn tell(&mut self, event: Event) {
        (self.on_event)(&Stamped { at: UnixMillis::now(), event: without_secrets(event) });
    }

    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.tell(Event::Notice { text: text.into() });
    }
}
