//! The decoder: bytes in, items out.

use super::Body;
use super::Checksum;
use super::Cursor;
use super::DumpLimits;
use super::Entry;
use super::Header;
use super::Item;
use super::Kind;
use super::ModuleId;
use super::RdbError;
use super::RdbFault;
use super::SafePoint;
use super::StringHead;
use super::Usage;
use super::Value;
use super::buffer::DumpBuffer;
use super::layout;
use super::layout::BodyPart;
use super::opcode::Opcode;
use super::record;
use super::short::Short;
use super::unknown::unknown;
use super::walk::Walk;
use crate::unit::Db;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// Decodes a dump that comes in pieces of any size.
///
/// Values are found, not built: an [`Entry`] borrows its value from the decoder's buffer as the source wrote it. What
/// was handed out is gone with the next call. After an error every call gives the same error.
#[derive(Debug)]
pub struct Decoder {
    limits: DumpLimits,
    buffer: DumpBuffer,
    state: State,
    header: Option<Header>,
    db: Db,
    prefix: Prefix,
    walk: Walk,
    /// A key that is not in the buffer as it is.
    key: Vec<u8>,
    /// The safe point, where bytes after it had to be given up.
    frozen: Option<SafePoint>,
}

#[derive(Clone, Debug)]
enum State {
    Header,
    /// Before an opcode or a value's type.
    Record,
    /// Within something that is dropped; `at` is its first byte after the opcode.
    Dropping(Dropped, u64),
    Key(Kind),
    Value(Found),
    Checksum,
    Done,
    Failed(RdbError),
}

#[derive(Clone, Copy, Debug)]
enum Dropped {
    KeyMeta,
    ModuleAux,
    SlotImport,
}

/// What was read before a key.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    /// Offset of the record's first byte.
    at: u64,
    any: bool,
    expires_at: Option<UnixMillis>,
    access: Option<Usage>,
    key_meta: bool,
}

/// An entry in offsets; borrows nothing, so that the decoder may go on changing.
#[derive(Clone, Copy, Debug)]
struct Found {
    kind: Kind,
    key: KeyPlace,
    /// The body's first byte.
    at: u64,
    size: u64,
    module: Option<ModuleId>,
    spooled: bool,
}

#[derive(Clone, Copy, Debug)]
enum KeyPlace {
    Buffer { at: u64, length: usize },
    Decoded,
}

/// What one step came to.
enum DecodeStep {
    Again,
    Wait,
    Item(Item<'static>),
    Entry(Found),
}

impl Decoder {
    /// A decoder at the beginning of a dump.
    #[must_use]
    pub fn new(limits: DumpLimits) -> Self {
        Self::resume(&SafePoint::START, limits)
    }

    /// A decoder that goes on at `point`: the next byte fed is the dump's byte number `point.at`.
    #[must_use]
    pub fn resume(point: &SafePoint, limits: DumpLimits) -> Self {
        let state = match point.header {
            _ if point.ended => State::Done,
            None => State::Header,
            Some(_) => State::Record,
        };
        Self {
            limits,
            buffer: DumpBuffer::new(point.at, point.crc, limits.inline),
            state,
            header: point.header,
            db: point.db,
            prefix: Prefix { at: point.at, ..Prefix::default() },
            walk: Walk::default(),
            key: vec![],
            frozen: None,
        }
    }

    /// Takes the dump's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let room = self.space(bytes.len());
        if let Some((room, _)) = room.split_at_mut_checked(bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.commit(bytes.len());
    }

    /// Room for the dump's next bytes, at least `at_least`; write them to its beginning, then [`Decoder::commit`].
    pub fn space(&mut self, at_least: usize) -> &mut [u8] {
        self.buffer.space(at_least)
    }

    /// Takes the first `count` bytes of the last [`Decoder::space`] as fed.
    pub fn commit(&mut self, count: usize) {
        self.buffer.commit(count);
    }

    /// The next item; `None` when more bytes are needed, or after the end.
    #[expect(clippy::should_implement_trait, reason = "items borrow from the decoder, an Iterator's cannot")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, RdbError> {
        match self.advance() {
            Ok(DecodeStep::Entry(found)) => Ok(Some(Item::Entry(self.entry(found)))),
            Ok(DecodeStep::Item(item)) => Ok(Some(item)),
            Ok(DecodeStep::Wait | DecodeStep::Again) => Ok(None),
            Err(error) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// For when the source said that these were all bytes: an error unless the dump ended.
    pub fn finish(&self) -> Result<(), RdbError> {
        let reading = match &self.state {
            State::Done => return Ok(()),
            State::Failed(error) => return Err(error.clone()),
            State::Header => "the header",
            State::Record => "an opcode or a value's type",
            State::Dropping(..) => "a module's data or a slot import",
            State::Key(_) => "a key",
            State::Value(_) => "a value",
            State::Checksum => "the checksum",
        };
        let end = self.buffer.at().saturating_add(self.buffer.unread().len() as u64);
        Err(RdbError { at: end, reading, fault: RdbFault::Truncated })
    }

    /// Whether the dump ended and its checksum was right.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Offset in the dump of the first byte that was not decoded; within a value that came in part, of the first byte
    /// that was not walked.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.buffer.at()
    }

    /// Where decoding can be taken up again: after the last item that was handed out, before any prefix of the next.
    #[must_use]
    pub fn safe_point(&self) -> SafePoint {
        self.frozen.unwrap_or_else(|| {
            let at = self.prefix.at;
            let crc = self.buffer.crc_before(at);
            SafePoint { at, header: self.header, db: self.db, crc, ended: self.is_done() }
        })
    }

    /// Bytes that were fed beyond the end of the dump; empty before the end.
    #[must_use]
    pub fn leftover(&self) -> &[u8] {
        if self.is_done() { self.buffer.unread() } else { &[] }
    }

    #[inline]
    fn advance(&mut self) -> Result<DecodeStep, RdbError> {
        loop {
            let turn = match &self.state {
                State::Record => self.record()?,
                State::Key(kind) => self.key(*kind)?,
                State::Value(found) => self.value(*found)?,
                State::Dropping(dropped, at) => self.dropping(*dropped, *at)?,
                State::Header => self.header()?,
                State::Checksum => self.checksum()?,
                State::Done => DecodeStep::Wait,
                State::Failed(error) => return Err(error.clone()),
            };
            if !matches!(turn, DecodeStep::Again) {
                return Ok(turn);
            }
        }
    }

    /// All before the buffer's position is done with and will not be needed again.
    #[inline]
    fn boundary(&mut self) {
        self.buffer.give_up();
        self.prefix = Prefix { at: self.buffer.at(), ..Prefix::default() };
        self.frozen = None;
    }

    /// Bytes after the safe point are about to be given up.
    fn freeze(&mut self) {
        self.frozen = Some(self.safe_point());
    }

    fn header(&mut self) -> Result<DecodeStep, RdbError> {
        let mut cursor = self.buffer.cursor();
        let Some(header) = Header::read(&mut cursor, self.limits.allow_newer)? else { return Ok(DecodeStep::Wait) };
        let at = cursor.at();
        self.buffer.read_to(at);
        self.header = Some(header);
        self.state = State::Record;
        self.boundary();
        Ok(DecodeStep::Item(Item::Header(header)))
    }

    #[inline]
    fn record(&mut self) -> Result<DecodeStep, RdbError> {
        let mut cursor = self.buffer.cursor();
        let start = cursor;
        let (Some(number), Some(header)) = (cursor.u8(), self.header) else { return Ok(DecodeStep::Wait) };
        if let Some(kind) = header.kind(number) {
            let Some(parts) = layout::layout(kind) else {
                let fault = RdbFault::Invalid("module values of 4.0 release candidates (type 6) have no findable end");
                return Err(start.fault("a value's type", fault));
            };
            if let [BodyPart::Text] = parts
                && let Some((found, end)) = short(kind, cursor, self.limits)
            {
                self.buffer.read_to(end);
                return Ok(DecodeStep::Entry(found));
            }
            let at = cursor.at();
            self.buffer.read_to(at);
            self.state = State::Key(kind);
            return Ok(DecodeStep::Again);
        }
        let Some(opcode) = Opcode::of(number, header) else {
            let fault = unknown(number, cursor);
            return fault.map_or(Ok(DecodeStep::Wait), |fault| Err(start.fault("an opcode or a value's type", fault)));
        };
        let at = start.at();
        if let Some(turn) = self.prefix(opcode)? {
            return Ok(turn);
        }
        if self.prefix.any {
            let fault = RdbFault::Invalid("what belongs to a key stands before no key");
            return Err(RdbError { at, reading: "an opcode", fault });
        }
        self.plain_record(opcode)
    }

    /// Reads an opcode that says something about the next key; `None` for another one.
    fn prefix(&mut self, opcode: Opcode) -> Result<Option<DecodeStep>, RdbError> {
        let mut cursor = self.buffer.cursor();
        let read = match opcode {
            Opcode::ExpireMillis | Opcode::ExpireSeconds => record::expiry(opcode, &mut cursor).map(|expires_at| {
                self.prefix.expires_at = Some(expires_at);
            }),
            Opcode::Idle | Opcode::Freq => record::access(opcode, &mut cursor)?.map(|access| {
                self.prefix.access = Some(access);
            }),
            Opcode::KeyMeta => {
                self.prefix.key_meta = true;
                self.prefix.any = true;
                return Ok(Some(self.drop_next(Dropped::KeyMeta)));
            }
            _ => return Ok(None),
        };
        if read.is_none() {
            return Ok(Some(DecodeStep::Wait));
        }
        let at = cursor.at();
        self.buffer.read_to(at);
        self.prefix.any = true;
        Ok(Some(DecodeStep::Again))
    }

    fn plain_record(&mut self, opcode: Opcode) -> Result<DecodeStep, RdbError> {
        match opcode {
            Opcode::ModuleAux => return Ok(self.drop_next(Dropped::ModuleAux)),
            Opcode::SlotImport => return Ok(self.drop_next(Dropped::SlotImport)),
            Opcode::End => {
                self.buffer.read_to(self.buffer.at().saturating_add(1));
                self.state = State::Checksum;
                return Ok(DecodeStep::Again);
            }
            _ => {}
        }
        let mut cursor = self.buffer.cursor();
        let Some(item) = record::read(opcode, &mut cursor, self.limits.text as u64)? else {
            return Ok(DecodeStep::Wait);
        };
        let at = cursor.at();
        self.buffer.read_to(at);
        if let Item::SelectDb(db) = item {
            self.db = db;
        }
        self.boundary();
        Ok(DecodeStep::Item(item))
    }

    /// Begins to drop what follows the opcode.
    fn drop_next(&mut self, dropped: Dropped) -> DecodeStep {
        let at = self.buffer.at().saturating_add(1);
        self.buffer.read_to(at);
        self.walk.start(match dropped {
            Dropped::KeyMeta => layout::KEY_META,
            Dropped::ModuleAux => layout::MODULE,
            Dropped::SlotImport => layout::SLOT_IMPORT,
        });
        self.freeze();
        self.state = State::Dropping(dropped, at);
        DecodeStep::Again
    }

    fn dropping(&mut self, dropped: Dropped, at: u64) -> Result<DecodeStep, RdbError> {
        let over = self.walk()?;
        self.buffer.give_up();
        if !over {
            return Ok(DecodeStep::Wait);
        }
        self.state = State::Record;
        let size = self.buffer.at().saturating_sub(at);
        let item = match (dropped, self.walk.module()) {
            (Dropped::ModuleAux, Some(module)) => Item::ModuleAux { module, size, empty: !self.walk.is_filled() },
            (Dropped::SlotImport, _) => Item::SlotImport,
            (Dropped::KeyMeta | Dropped::ModuleAux, _) => return Ok(DecodeStep::Again),
        };
        self.boundary();
        Ok(DecodeStep::Item(item))
    }

    /// Walks on as far as bytes are here; whether the end was reached.
    #[inline]
    fn walk(&mut self) -> Result<bool, RdbError> {
        let mut cursor = self.buffer.cursor();
        let over = self.walk.run(&mut cursor, self.limits.string)?;
        let at = cursor.at();
        self.buffer.read_to(at);
        Ok(over)
    }

    #[inline]
    fn key(&mut self, kind: Kind) -> Result<DecodeStep, RdbError> {
        let mut cursor = self.buffer.cursor();
        let start = cursor;
        let fault = |fault| start.fault("a key", fault);
        let Some(head) = StringHead::read(&mut cursor, self.limits.key as u64)? else { return Ok(DecodeStep::Wait) };
        let length = usize::try_from(head.follows()).map_err(|_| fault(RdbFault::Length(head.follows())))?;
        let at = cursor.at();
        let Some(bytes) = cursor.take(length) else { return Ok(DecodeStep::Wait) };
        let key = if let StringHead::Raw(_) = head {
            KeyPlace::Buffer { at, length }
        } else {
            self.key.clear();
            head.decode_onto(bytes, &mut self.key).map_err(fault)?;
            KeyPlace::Decoded
        };
        let at = cursor.at();
        self.buffer.read_to(at);
        self.walk.start(layout::layout(kind).unwrap_or_default());
        let found = Found { kind, key, at, size: 0, module: None, spooled: false };
        self.state = State::Value(found);
        Ok(DecodeStep::Again)
    }

    #[inline]
    fn value(&mut self, mut found: Found) -> Result<DecodeStep, RdbError> {
        let over = self.walk()?;
        found.size = self.buffer.at().saturating_sub(found.at);
        let known = found.size.saturating_add(self.walk.follows());
        if known > self.limits.inline as u64 && !found.spooled {
            self.spool(&mut found);
        }
        if found.spooled {
            self.buffer.give_up();
        }
        if over {
            self.state = State::Record;
            found.module = self.walk.module();
            return Ok(DecodeStep::Entry(found));
        }
        self.state = State::Value(found);
        Ok(DecodeStep::Wait)
    }

    /// The value is too large to be held: its bytes are dropped from here on, the key is put aside.
    fn spool(&mut self, found: &mut Found) {
        if let KeyPlace::Buffer { at, length } = found.key {
            self.key.clear();
            self.key.extend_from_slice(self.buffer.slice(at, length));
            found.key = KeyPlace::Decoded;
        }
        if self.frozen.is_none() {
            self.freeze();
        }
        found.spooled = true;
    }

    #[inline]
    fn entry(&mut self, found: Found) -> Entry<'_> {
        let prefix = self.prefix;
        self.boundary();
        let size = usize::try_from(found.size).unwrap_or(usize::MAX);
        let body = if found.spooled { Body::Spooled } else { Body::Inline(self.buffer.slice(found.at, size)) };
        let key = match found.key {
            KeyPlace::Buffer { at, length } => self.buffer.slice(at, length),
            KeyPlace::Decoded => &self.key,
        };
        Entry {
            at: prefix.at,
            end: self.buffer.at(),
            db: self.db,
            key: Cow::Borrowed(key),
            expires_at: prefix.expires_at,
            access: prefix.access,
            key_meta: prefix.key_meta,
            value: Value { kind: found.kind, module: found.module, at: found.at, size: found.size, body },
        }
    }

    fn checksum(&mut self) -> Result<DecodeStep, RdbError> {
        let mut cursor = self.buffer.cursor();
        let start = cursor;
        let checksum = if self.header.is_some_and(Header::has_checksum) {
            let computed = self.buffer.crc_before(start.at());
            match cursor.u64_le() {
                None => return Ok(DecodeStep::Wait),
                Some(0) => Checksum::Disabled,
                Some(stored) if stored == computed => Checksum::Verified(stored),
                Some(stored) => return Err(start.fault("the checksum", RdbFault::Checksum { stored, computed })),
            }
        } else {
            Checksum::Absent
        };
        let length = cursor.at();
        self.buffer.read_to(length);
        self.state = State::Done;
        self.boundary();
        Ok(DecodeStep::Item(Item::End { checksum, length }))
    }
}

/// A record that is short and whole in memory, from behind its type, and where it ends; `None` for another one.
#[inline]
fn short(kind: Kind, cursor: Cursor<'_>, limits: DumpLimits) -> Option<(Found, u64)> {
    let short = Short::read(cursor.rest())?;
    let size = short.from_body.saturating_sub(short.behind);
    if short.key > limits.key || short.value as u64 > limits.string || size > limits.inline {
        return None;
    }
    let end = cursor.at().saturating_add(cursor.rest().len() as u64);
    let at = |bytes_from: usize| end.saturating_sub(bytes_from as u64);
    let key = KeyPlace::Buffer { at: at(short.from_key), length: short.key };
    let found = Found { kind, key, module: None, at: at(short.from_body), size: size as u64, spooled: false };
    Some((found, at(short.behind)))
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
