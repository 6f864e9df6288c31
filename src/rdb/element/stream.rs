//! Streams (`rdbSaveObject` and `rdbLoadObject` of rdb.c).
//!
//! The body is `nodes, node*, length, last id`, since 7.0 `first id, greatest deleted id, entries added`, then
//! `groups, group*`. A group is `name, last id`, since 7.0 `entries read`, then its pending entries and its consumers.
//! Redis 8.6 adds what it remembers of producers.

use super::StreamId;
use super::input::Input;
use super::input::InputStop;
use super::input::Steps;
use super::input::poll;
use super::item::Element;
use super::item::StreamCounters;
use super::item::StreamMeta;
use super::pending::PendingList;
use super::stream_node::StreamNode;
use super::text::RawText;
use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// Which fields the body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edition {
    /// Redis 5.0.
    First,
    /// 7.0: counters.
    Counters,
    /// 7.2: when consumers were last active.
    Activity,
    /// 8.6: producers.
    Producers,
}

/// Reads a stream.
#[derive(Clone, Debug)]
pub(super) struct StreamElements {
    edition: Edition,
    part: StreamPart,
    last_id: StreamId,
    /// The pending entries of the group being read.
    pending: PendingList,
    groups_left: u64,
    consumers_left: u64,
    producers: u64,
    messages: u64,
}

/// What comes next. A number is how many are still to come.
#[derive(Clone, Debug)]
enum StreamPart {
    NodeCount,
    Nodes(u64),
    Node { node: Box<StreamNode>, after: u64 },
    Meta,
    GroupCount,
    Group,
    PendingCount,
    Pending(u64),
    ConsumerCount,
    Consumer,
    OwnedCount,
    Owned(u64),
    ProducersHead,
    Producers(u64),
    Messages { left: u64, producers: u64 },
    ProducersTail,
    Done,
}

/// What a step came to.
enum StreamStep {
    Went,
    Entry,
    Found(Element<'static>),
    End,
}

impl StreamElements {
    pub(super) fn new(edition: Edition) -> Self {
        Self {
            edition,
            part: StreamPart::NodeCount,
            last_id: StreamId::ZERO,
            pending: PendingList::default(),
            groups_left: 0,
            consumers_left: 0,
            producers: 0,
            messages: 0,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.part, StreamPart::Done)
    }

    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Element<'_>>, RdbError> {
        loop {
            match poll(self.step(input))? {
                Some(StreamStep::Went) => {}
                Some(StreamStep::Entry) => break,
                Some(StreamStep::Found(element)) => return Ok(Some(element)),
                Some(StreamStep::End) | None => return Ok(None),
            }
        }
        match &mut self.part {
            StreamPart::Node { node, .. } => node.element().map(Some),
            _ => Ok(None),
        }
    }

    fn step(&mut self, input: &mut Input) -> Result<StreamStep, InputStop> {
        let at = input.at();
        match &mut self.part {
            StreamPart::NodeCount => {
                self.part = StreamPart::Nodes(input.read(|from| from.length("a stream's count of nodes"))?);
            }
            StreamPart::Nodes(0) => self.part = StreamPart::Meta,
            StreamPart::Nodes(left) => {
                let after = left.saturating_sub(1);
                let node = Box::new(input.read(|from| StreamNode::read(from, self.last_id))?);
                self.part = StreamPart::Node { node, after };
            }
            StreamPart::Node { node, after } => {
                if node.advance()? {
                    return Ok(StreamStep::Entry);
                }
                self.last_id = node.last_id();
                self.part = StreamPart::Nodes(*after);
            }
            StreamPart::Meta => return self.meta(input),
            StreamPart::GroupCount => {
                self.groups_left = input.read(|from| from.length("a stream's count of groups"))?;
                self.part = StreamPart::Group;
            }
            StreamPart::Group => return self.group(input),
            StreamPart::PendingCount => {
                self.pending.clear();
                self.part = StreamPart::Pending(input.read(|from| from.length("a group's count of pending entries"))?);
            }
            StreamPart::Pending(0) => self.part = StreamPart::ConsumerCount,
            StreamPart::Pending(left) => {
                let (id, delivered, count) = input.read(delivery)?;
                self.pending.add(id, delivered, count).ok_or_else(|| damaged(at, "a group's pending entry"))?;
                *left = left.saturating_sub(1);
            }
            StreamPart::ConsumerCount => {
                self.consumers_left = input.read(|from| from.length("a group's count of consumers"))?;
                self.part = StreamPart::Consumer;
            }
            StreamPart::Consumer => return self.consumer(input),
            StreamPart::OwnedCount => {
                self.part = StreamPart::Owned(input.read(|from| from.length("a consumer's count of pending entries"))?);
            }
            StreamPart::Owned(0) => self.part = StreamPart::Consumer,
            StreamPart::Owned(left) => {
                let id = input.read(|from| StreamId::raw(from).ok_or(InputStop::More))?;
                let element = self.pending.own(id).ok_or_else(|| damaged(at, "a consumer's pending entry"))?;
                *left = left.saturating_sub(1);
                return Ok(StreamStep::Found(element));
            }
            _ => return self.producers_step(input),
        }
        Ok(StreamStep::Went)
    }

    fn meta(&mut self, input: &mut Input) -> Result<StreamStep, InputStop> {
        let at = input.at();
        let meta = input.read(|from| {
            let length = from.length("a stream's length")?;
            let last_id = id(from)?;
            let counters = if self.edition >= Edition::Counters { Some(counters(from)?) } else { None };
            Ok(StreamMeta { length, last_id, counters })
        })?;
        if meta.last_id < self.last_id {
            return Err(damaged(at, "a stream's last id").into());
        }
        self.part = StreamPart::GroupCount;
        Ok(StreamStep::Found(Element::StreamMeta(meta)))
    }

    fn group(&mut self, input: &mut Input) -> Result<StreamStep, InputStop> {
        let Some(after) = self.groups_left.checked_sub(1) else {
            self.part = if self.edition >= Edition::Producers { StreamPart::ProducersHead } else { StreamPart::Done };
            return Ok(StreamStep::Went);
        };
        let counted = self.edition >= Edition::Counters;
        let (name, last_id, entries_read) = input.read(|from| {
            let name = RawText::read(from)?;
            let last_id = id(from)?;
            // All bits set stand for "not known".
            let entries_read = if counted { from.length("a group's entries read")? } else { u64::MAX };
            Ok((name.decode()?.into_owned(), last_id, entries_read))
        })?;
        self.groups_left = after;
        self.part = StreamPart::PendingCount;
        let entries_read = (entries_read != u64::MAX).then_some(entries_read);
        Ok(StreamStep::Found(Element::Group { name: Cow::Owned(name), last_id, entries_read }))
    }

    fn consumer(&mut self, input: &mut Input) -> Result<StreamStep, InputStop> {
        let Some(after) = self.consumers_left.checked_sub(1) else {
            if !self.pending.all_owned() {
                return Err(damaged(input.at(), "a group's pending entries").into());
            }
            self.part = StreamPart::Group;
            return Ok(StreamStep::Went);
        };
        let timed = self.edition >= Edition::Activity;
        let (name, seen, active) = input.read(|from| {
            let name = RawText::read(from)?;
            let seen = from.i64_le()?;
            let active = if timed { from.i64_le()? } else { -1 };
            Ok((name.decode()?.into_owned(), seen, active))
        })?;
        self.consumers_left = after;
        self.part = StreamPart::OwnedCount;
        let active = (active >= 0).then_some(UnixMillis(active));
        Ok(StreamStep::Found(Element::Consumer { name: Cow::Owned(name), seen: UnixMillis(seen), active }))
    }

    /// Producers are counted, not kept: no command sets them.
    fn producers_step(&mut self, input: &mut Input) -> Result<StreamStep, InputStop> {
        const READING: &str = "a stream's producers";
        match &mut self.part {
            StreamPart::ProducersHead => {
                // How long and how many messages are remembered come first.
                let count = input.read(|from| {
                    from.length(READING)?;
                    from.length(READING)?;
                    from.length(READING)
                })?;
                self.part = StreamPart::Producers(count);
            }
            StreamPart::Producers(0) => self.part = StreamPart::ProducersTail,
            StreamPart::Producers(left) => {
                let messages = input.read(|from| {
                    RawText::read(from)?;
                    from.length(READING)
                })?;
                self.producers = self.producers.saturating_add(1);
                self.part = StreamPart::Messages { left: messages, producers: left.saturating_sub(1) };
            }
            StreamPart::Messages { left: 0, producers } => self.part = StreamPart::Producers(*producers),
            StreamPart::Messages { left, .. } => {
                input.read(|from| {
                    RawText::read(from)?;
                    id(from)
                })?;
                *left = left.saturating_sub(1);
                self.messages = self.messages.saturating_add(1);
            }
            StreamPart::ProducersTail => {
                input.read(id)?;
                self.part = StreamPart::Done;
                let (producers, messages) = (self.producers, self.messages);
                return Ok(StreamStep::Found(Element::Producers { producers, messages }));
            }
            _ => return Ok(StreamStep::End),
        }
        Ok(StreamStep::Went)
    }
}

/// An id as two lengths.
fn id(from: &mut Cursor<'_>) -> Result<StreamId, InputStop> {
    Ok(StreamId { ms: from.length("a stream id")?, seq: from.length("a stream id")? })
}

fn counters(from: &mut Cursor<'_>) -> Result<StreamCounters, InputStop> {
    Ok(StreamCounters {
        first_id: id(from)?,
        max_deleted_id: id(from)?,
        entries_added: from.length("a stream's count of entries added")?,
    })
}

fn delivery(from: &mut Cursor<'_>) -> Result<(StreamId, UnixMillis, u64), InputStop> {
    let id = StreamId::raw(from).ok_or(InputStop::More)?;
    Ok((id, UnixMillis(from.i64_le()?), from.length("a pending entry's deliveries")?))
}

fn damaged(at: u64, reading: &'static str) -> RdbError {
    RdbError { at, reading, fault: RdbFault::Blob("stream") }
}
