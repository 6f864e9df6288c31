//! What goes over both links.

use std::time::{Duration, Instant};

use super::{run::Run, teller::Teller};
use crate::{
    net::{Metered, metered},
    step::{Event, LinkBytes, Traffic},
};

/// How often it is told while a step works.
const EVERY: Duration = Duration::from_secs(1);

impl Run {
    /// Tells what went over both links so far.
    pub(super) fn tell_traffic(&mut self, teller: &mut Teller<'_>) {
        self.metered_at = Some(Instant::now());
        let of = |address| {
            let Metered { sent, received } = metered(address);
            LinkBytes { sent, received }
        };
        let graph = &self.request.graph;
        let (source, destination) = (of(&graph.source.address), of(&graph.destination.address));
        teller.tell(Event::Traffic { traffic: Traffic { source, destination } });
    }

    /// The same, when it was not told for a while.
    pub(super) fn tell_traffic_if_due(&mut self, teller: &mut Teller<'_>) {
        if self.metered_at.is_none_or(|last| last.elapsed() >= EVERY) {
            self.tell_traffic(teller);
        }
    }
}
