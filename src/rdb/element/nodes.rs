//! Values packed into one blob, or into a list of them.

use super::blob::Blob;
use super::input::Input;
use super::input::InputStop;
use super::input::Steps;
use super::input::poll;
use super::item::Element;
use super::packed::Packed;
use super::packed::Packing;
use super::text::RawText;
use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// What the entries of a blob are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeShape {
    /// Each an item.
    Items,
    /// Fields and values in turn.
    Pairs,
    /// Members and scores in turn.
    Scores,
    /// Fields, values and absolute expiries in milliseconds (0 for none) in turn.
    Expiries,
}

/// What stands before the blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodesHead {
    /// Nothing: one blob.
    One,
    /// Eight bytes that repeat the least expiry, then one blob.
    LeastExpiry,
    /// How many blobs follow.
    Count,
    /// How many nodes follow, each a container (1: plain, 2: packed) and a string (Redis 7.0).
    CountWithContainers,
}

/// Reads a packed value.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    format: Packing,
    shape: NodeShape,
    head: NodesHead,
    /// Blobs still to come, once the head is read.
    left: Option<u64>,
    blob: Blob,
    open: Option<Packed>,
}

enum Ready {
    Entry,
    /// The blob is itself one item.
    Whole,
    Nothing,
}

enum Container {
    Plain,
    Packed,
}

impl Nodes {
    pub(super) fn new(format: Packing, shape: NodeShape, head: NodesHead) -> Self {
        Self { format, shape, head, left: None, blob: Blob::default(), open: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == Some(0) && self.open.is_none()
    }

    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Element<'_>>, RdbError> {
        match self.advance(input)? {
            Ready::Nothing => Ok(None),
            Ready::Whole => Ok(Some(Element::Item(Cow::Borrowed(&self.blob.bytes)))),
            Ready::Entry => self.element(),
        }
    }

    /// Goes to the next element, through the ends and beginnings of blobs.
    fn advance(&mut self, input: &mut Input) -> Result<Ready, RdbError> {
        loop {
            if let Some(packed) = &self.open {
                if !packed.is_at_end(&self.blob) {
                    return Ok(Ready::Entry);
                }
                packed.close(&self.blob)?;
                self.open = None;
            }
            let head = self.head;
            if self.left.is_none() {
                self.left = poll(input.read(|cursor| blobs(cursor, head)))?;
            }
            let Some(after) = self.left.and_then(|left| left.checked_sub(1)) else { return Ok(Ready::Nothing) };
            let Some((container, text)) = poll(input.read(|cursor| node(cursor, head)))? else {
                return Ok(Ready::Nothing);
            };
            text.decode_into(&mut self.blob)?;
            input.trim();
            self.left = Some(after);
            match container {
                Container::Plain => return Ok(Ready::Whole),
                Container::Packed => self.open = Some(Packed::open(self.format, &self.blob)?),
            }
        }
    }

    /// The element at the walk's position.
    fn element(&mut self) -> Result<Option<Element<'_>>, RdbError> {
        let Some(packed) = &mut self.open else { return Ok(None) };
        let blob = &self.blob;
        let first = packed.next(blob)?.into_text();
        Ok(Some(match self.shape {
            NodeShape::Items => Element::Item(first),
            NodeShape::Pairs => {
                Element::Field { field: first, value: packed.next(blob)?.into_text(), expires_at: None }
            }
            NodeShape::Scores => {
                let score = packed.next(blob)?.as_score();
                let score = score.ok_or_else(|| blob.invalid("a score", "a score is not a number"))?;
                Element::Member { member: first, score }
            }
            NodeShape::Expiries => {
                let value = packed.next(blob)?.into_text();
                let expiry = packed.next(blob)?.as_int().filter(|ms| *ms >= 0);
                let expiry = expiry.ok_or_else(|| blob.invalid("a field's expiry", "an expiry is not a moment"))?;
                Element::Field { field: first, value, expires_at: (expiry != 0).then_some(UnixMillis(expiry)) }
            }
        }))
    }
}

fn blobs(cursor: &mut Cursor<'_>, head: NodesHead) -> Result<u64, InputStop> {
    match head {
        NodesHead::One => Ok(1),
        NodesHead::LeastExpiry => cursor.i64_le().map(|_| 1),
        NodesHead::Count | NodesHead::CountWithContainers => cursor.length("a count of nodes"),
    }
}

fn node<'a>(cursor: &mut Cursor<'a>, head: NodesHead) -> Result<(Container, RawText<'a>), InputStop> {
    let mut container = Container::Packed;
    if head == NodesHead::CountWithContainers {
        let before = *cursor;
        container = match cursor.length("a node's container")? {
            1 => Container::Plain,
            2 => Container::Packed,
            _ => {
                let unknown = RdbFault::Invalid("a list's node has an unknown container");
                return Err(before.fault("a node's container", unknown).into());
            }
        };
    }
    Ok((container, RawText::read(cursor)?))
}
