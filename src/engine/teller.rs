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
        let event = without_secrets(event);
        log(&event);
        (self.on_event)(&Stamped { at: UnixMillis::now(), event });
    }

    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.tell(Event::Notice { text: text.into() });
    }
}

/// What happens is shown from `-v` on, how far it is from `-vv` on.
fn log(event: &Event) {
    match event {
        Event::Progress { .. }
        | Event::Following { .. }
        | Event::VerifyProgress { .. }
        | Event::Traffic { .. }
        | Event::Checked { .. }
        | Event::Differs { .. }
        | Event::KeyFailed { .. } => tracing::debug!("{}", shown(event)),
        _ => tracing::info!("{}", shown(event)),
    }
}

/// An event as one line.
fn shown(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}
