//! The pending entries of one consumer group.
//!
//! A dump holds them twice: the group's list has times and counts, each consumer's has only ids. They are joined
//! here, so one group's list is held in memory (about 32 bytes an entry).

use super::StreamId;
use super::item::Element;
use crate::unit::UnixMillis;

#[derive(Clone, Copy, Debug)]
struct Delivery {
    id: StreamId,
    at: UnixMillis,
    count: u64,
    owned: bool,
}

/// A group's pending entries, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingList {
    deliveries: Vec<Delivery>,
    owned: usize,
}

impl PendingList {
    pub(super) fn clear(&mut self) {
        self.deliveries.clear();
        self.deliveries.shrink_to(4096);
        self.owned = 0;
    }

    /// Adds the next entry; `None` when its id does not come after the last one's.
    pub(super) fn add(&mut self, id: StreamId, at: UnixMillis, count: u64) -> Option<()> {
        if self.deliveries.last().is_some_and(|last| last.id >= id) {
            return None;
        }
        self.deliveries.push(Delivery { id, at, count, owned: false });
        Some(())
    }

    /// Gives the entry to a consumer; `None` when there is no such entry or it has a consumer already.
    pub(super) fn own(&mut self, id: StreamId) -> Option<Element<'static>> {
        let place = self.deliveries.binary_search_by_key(&id, |delivery| delivery.id).ok()?;
        let delivery = self.deliveries.get_mut(place).filter(|delivery| !delivery.owned)?;
        delivery.owned = true;
        self.owned = self.owned.saturating_add(1);
        Some(Element::Pending { id, delivered_at: delivery.at, deliveries: delivery.count })
    }

    /// Whether each entry has a consumer.
    pub(super) fn all_owned(&self) -> bool {
        self.owned == self.deliveries.len()
    }
}
