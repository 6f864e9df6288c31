//! What happened at a point, in order and with its time.

use std::{fmt, time::Instant};

/// A list of events, printed when the point does not end as it must.
pub struct History {
    began: Instant,
    events: Vec<(u128, String)>,
}

impl History {
    pub fn new() -> Self {
        Self { began: Instant::now(), events: vec![] }
    }

    /// Notes an event; one that repeats itself is noted once.
    pub fn note(&mut self, event: impl Into<String>) {
        let event = event.into();
        if self.events.last().is_none_or(|(_, last)| *last != event) {
            self.events.push((self.began.elapsed().as_millis(), event));
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|(at, event)| writeln!(formatter, "{at:>7} ms  {event}"))
    }
}
