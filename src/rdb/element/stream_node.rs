//! One node of a stream: a listpack of entries (the head of `t_stream.c`).
//!
//! It begins with `live, deleted, names, name*, 0`: two counts of entries, and the field names most of them share. An
//! entry is `flags, ms, seq` (relative to the node's id), then `fields, (name, value)*`, or only values under the
//! shared names, then how many of these entries of the listpack there were, for walking backwards.

use super::StreamId;
use super::blob::Blob;
use super::input::InputStop;
use super::item::Element;
use super::item::FieldPair;
use super::listpack::Listpack;
use super::text::RawText;
use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;

const WHAT: &str = "stream node";
/// The flag of a deleted entry.
const DELETED: i64 = 1;
/// The flag of an entry under the shared names.
const SAME_NAMES: i64 = 2;

/// A node in memory.
#[derive(Clone, Debug)]
pub(super) struct StreamNode {
    blob: Blob,
    shared: Shared,
    walk: NodeWalk,
}

/// What all entries of a node share.
#[derive(Clone, Debug)]
struct Shared {
    id: StreamId,
    /// A walk that stands before the names.
    names: Listpack,
    count: i64,
}

#[derive(Clone, Debug)]
struct NodeWalk {
    list: Listpack,
    live_left: i64,
    deleted_left: i64,
    last_id: StreamId,
}

impl StreamNode {
    /// Reads a node, up to its first entry. Its entries must come after `last_id`.
    pub(super) fn read(cursor: &mut Cursor<'_>, last_id: StreamId) -> Result<Self, InputStop> {
        let before = *cursor;
        let id = RawText::read(cursor)?;
        let text = RawText::read(cursor)?;
        let id = node_id(&id.decode()?).ok_or_else(|| before.fault("a stream node's id", RdbFault::Blob(WHAT)))?;
        let mut blob = Blob::default();
        text.decode_into(&mut blob)?;
        Ok(Self::open(id, blob, last_id)?)
    }

    fn open(id: StreamId, blob: Blob, last_id: StreamId) -> Result<Self, RdbError> {
        const READING: &str = "a stream node's header";
        let mut list = Listpack::open(&blob)?;
        let live_left = list.int(&blob, READING)?;
        let deleted_left = list.int(&blob, READING)?;
        let count = list.int(&blob, READING)?;
        let names = list.clone();
        for _ in 0..count {
            list.next(&blob)?;
        }
        if list.int(&blob, READING)? != 0 {
            return Err(blob.damaged(list.position(), WHAT, READING));
        }
        let walk = NodeWalk { list, live_left, deleted_left, last_id };
        Ok(Self { blob, shared: Shared { id, names, count }, walk })
    }

    /// Skips deleted entries; whether one that lives follows.
    pub(super) fn advance(&mut self) -> Result<bool, RdbError> {
        while !self.walk.list.is_at_end(&self.blob) {
            if self.walk.list.clone().int(&self.blob, "a stream entry's flags")? & DELETED == 0 {
                return Ok(true);
            }
            self.walk.entry(&self.blob, &self.shared)?;
            self.walk.deleted_left = self.walk.deleted_left.saturating_sub(1);
        }
        self.walk.list.close(&self.blob)?;
        if self.walk.live_left == 0 && self.walk.deleted_left == 0 {
            return Ok(false);
        }
        Err(self.blob.damaged(0, WHAT, "a stream node's count of entries"))
    }

    /// The entry that [`StreamNode::advance`] found.
    pub(super) fn element(&mut self) -> Result<Element<'_>, RdbError> {
        self.walk.live_left = self.walk.live_left.saturating_sub(1);
        let fields = self.walk.entry(&self.blob, &self.shared)?;
        Ok(Element::Entry { id: self.walk.last_id, fields })
    }

    /// The last id read, deleted ones included.
    pub(super) const fn last_id(&self) -> StreamId {
        self.walk.last_id
    }
}

impl NodeWalk {
    fn entry<'b>(&mut self, blob: &'b Blob, shared: &Shared) -> Result<Vec<FieldPair<'b>>, RdbError> {
        const READING: &str = "a stream entry";
        let start = self.list.position();
        let damaged = || blob.damaged(start, WHAT, READING);
        let flags = self.list.int(blob, READING)?;
        let ms = self.list.int(blob, READING)?;
        let seq = self.list.int(blob, READING)?;
        self.follow(shared.id, ms, seq).ok_or_else(damaged)?;
        let same = flags & SAME_NAMES != 0;
        let mut names = shared.names.clone();
        let count = if same { shared.count } else { self.list.int(blob, READING)? };
        if count < 1 {
            return Err(damaged());
        }
        let mut pairs = vec![];
        for _ in 0..count {
            let name = if same { names.next(blob)? } else { self.list.next(blob)? };
            pairs.push((name.into_text(), self.list.next(blob)?.into_text()));
        }
        // Flags, ms, seq and the values; with names of its own also their count and the names.
        let entries = if same { count.checked_add(3) } else { count.checked_mul(2).and_then(|n| n.checked_add(4)) };
        let stated = self.list.int(blob, READING)?;
        if entries == Some(stated) { Ok(pairs) } else { Err(damaged()) }
    }

    /// Takes over the id so far from the node's; `None` when it does not come after the last one.
    fn follow(&mut self, node: StreamId, ms: i64, seq: i64) -> Option<()> {
        // Differences are stored as `i64`, those beyond its range wrapped (streamIteratorGetID).
        let id = StreamId { ms: node.ms.wrapping_add_signed(ms), seq: node.seq.wrapping_add_signed(seq) };
        if id <= self.last_id {
            return None;
        }
        self.last_id = id;
        Some(())
    }
}

/// The id that a node's key is.
fn node_id(raw: &[u8]) -> Option<StreamId> {
    let mut cursor = Cursor::new(raw, 0);
    StreamId::raw(&mut cursor).filter(|_| cursor.rest().is_empty())
}
