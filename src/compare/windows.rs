//! Reading values window by window: what to ask next, and what the answers come to. Pure.
//!
//! The first window is small, so that most values are read with one question; the later ones cost a server well under a
//! millisecond each. How many elements one has follows from their size: an answer comes to about a megabyte at most, unless
//! a single element is larger.

use super::{
    caps::ReadFeatures,
    reading::{KeyReading, ValuePart},
    sum::Sum,
};
use crate::{
    resp::{Refusal, RefusalKind, Reply, array_header, bulk, bulk_u64, command},
    unit::UnixMillis,
};

/// Bytes of a string in the first window, and in the later ones.
const BYTES: (u64, u64) = (16 << 10, 1 << 20);
/// Elements in the first window, and in the later ones.
const ELEMENTS: (u64, u64) = (128, 1000);

/// How many elements a window has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    now: u64,
    most: u64,
}

impl Width {
    /// That of the first window, and the most that a later one may have.
    pub(super) const fn new((first, most): (u64, u64)) -> Self {
        Self { now: first, most }
    }

    pub(super) const fn get(self) -> u64 {
        self.now
    }

    /// That of the next window, when so many elements took so many bytes: what is large is asked for in small numbers.
    pub(super) fn follow(&mut self, elements: u64, bytes: u64) {
        let each = bytes.checked_div(elements).unwrap_or(0).max(1);
        self.now = (BYTES.1 / each).clamp(1, self.most);
    }
}

/// Why a value could not be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadFault {
    /// It is not what it was a moment ago.
    Moved,
    /// The server refused.
    Refused(Refusal),
}

/// A value being read.
#[derive(Debug)]
pub(super) enum ValueWindows {
    Text { at: u64, sum: Sum },
    List { at: u64, width: Width, elements: Sum, order: Sum },
    Sorted { at: u64, width: Width, members: Sum, scores: Sum },
    Members(Box<Members>),
    Fields(Box<HashWindow>),
    Serialized(Sum),
}

/// A set being read.
#[derive(Debug)]
pub(super) struct Members {
    scan: Scan,
    sum: Sum,
}

/// A hash being read.
#[derive(Debug)]
pub(super) struct HashWindow {
    scan: Scan,
    /// Fields of the last window, whose ends are still to be asked for, with what their values add.
    names: Vec<(Vec<u8>, Sum)>,
    with_ends: bool,
    /// A field whose end has passed is not there any more, although the server still shows it.
    deferred: bool,
    named: Sum,
    values: Sum,
    ends: Sum,
}

/// A walk over members or fields.
#[derive(Debug)]
struct Scan {
    /// Where it goes on; `None` when it is through.
    cursor: Option<Vec<u8>>,
    width: Width,
    /// How many were given so far, those given twice counted twice.
    given: u64,
    /// How many there are, as the server said last. What one window holds is all there is, and nobody asks.
    length: Option<u64>,
}

const fn window((first, later): (u64, u64), at: u64) -> u64 {
    if at == 0 { first } else { later }
}

impl ValueWindows {
    /// The beginning of a value of this type, which is no stream: streams have their own reader.
    pub(super) fn of(kind: &str, caps: ReadFeatures) -> Self {
        Self::of_elements(kind, caps).unwrap_or_else(|| Self::Serialized(Sum::default()))
    }

    /// The same of a type that is read element by element, with commands that refuse every other type; `None` of others.
    pub(super) fn of_elements(kind: &str, caps: ReadFeatures) -> Option<Self> {
        let (none, width) = (Sum::default(), Width::new(ELEMENTS));
        Some(match kind {
            "string" => Self::Text { at: 0, sum: none },
            "list" => Self::List { at: 0, width, elements: none, order: none },
            "zset" => Self::Sorted { at: 0, width, members: none, scores: none },
            "set" => Self::Members(Box::new(Members { scan: Scan::new(), sum: none })),
            "hash" => Self::Fields(Box::new(HashWindow {
                scan: Scan::new(),
                names: vec![],
                with_ends: caps.end_of_field,
                deferred: caps.deferred,
                named: none,
                values: none,
                ends: none,
            })),
            _ => return None,
        })
    }

    /// Whether it turned out to be large.
    pub(super) const fn is_large(&self) -> bool {
        match self {
            Self::Text { at, .. } | Self::List { at, .. } | Self::Sorted { at, .. } => *at > 0,
            Self::Members(members) => members.scan.given > 0,
            Self::Fields(fields) => fields.scan.given > 0 && fields.scan.cursor.is_some(),
            Self::Serialized(_) => false,
        }
    }

    /// Appends the questions for the next window; answers how many.
    pub(super) fn ask(&self, key: &[u8], out: &mut Vec<u8>) -> usize {
        match self {
            Self::Text { at, .. } => range(out, b"GETRANGE", key, *at, window(BYTES, *at), &[]),
            Self::List { at, width, .. } => range(out, b"LRANGE", key, *at, width.get(), &[]),
            Self::Sorted { at, width, .. } => range(out, b"ZRANGE", key, *at, width.get(), &[b"WITHSCORES"]),
            Self::Members(members) => members.scan.ask(out, [b"SCARD", b"SSCAN"], key),
            Self::Fields(fields) => fields.ask(key, out),
            Self::Serialized(_) => {
                command(out, &[b"DUMP", key]);
                1
            }
        }
    }

    /// Takes in the answer to question number `index` of this window, given at `now` on the server's clock.
    pub(super) fn take(&mut self, index: usize, reply: &Reply<'_>, now: i64) -> Result<(), ReadFault> {
        match self {
            Self::Members(members) => members.take(reply),
            Self::Fields(fields) => fields.take(index, reply, now),
            _ => Ok(()),
        }
    }

    /// Takes in the answer of a type that asks one question a window; `true` when the value is whole.
    pub(super) fn take_only(&mut self, reply: &Reply<'_>) -> Result<bool, ReadFault> {
        match self {
            Self::Text { at, sum } => {
                let bytes = text(reply)?;
                sum.chain(Sum::of(bytes));
                let whole = (bytes.len() as u64) < window(BYTES, *at);
                *at = at.saturating_add(bytes.len() as u64);
                Ok(whole)
            }
            Self::List { at, width, elements, order } => {
                let items = items(reply)?;
                let mut bytes = 0;
                for item in items {
                    let item = text(item)?;
                    bytes += item.len() as u64;
                    let one = Sum::of(item);
                    elements.add(one);
                    order.chain(one);
                }
                let whole = (items.len() as u64) < width.get();
                width.follow(items.len() as u64, bytes);
                *at = at.saturating_add(items.len() as u64);
                if *at == 0 { Err(ReadFault::Moved) } else { Ok(whole) }
            }
            Self::Sorted { at, width, members, scores } => {
                let items = items(reply)?;
                let mut bytes = 0;
                for pair in items.chunks_exact(2) {
                    let [member, score] = pair else { continue };
                    let member = text(member)?;
                    bytes += member.len() as u64;
                    members.add(Sum::of(member));
                    scores.add(Sum::of_all(&[member, &canonical(text(score)?)]));
                }
                let pairs = items.len() as u64 / 2;
                let whole = pairs < width.get();
                width.follow(pairs, bytes);
                *at = at.saturating_add(pairs);
                if *at == 0 { Err(ReadFault::Moved) } else { Ok(whole) }
            }
            Self::Serialized(sum) => {
                let payload = text(reply)?;
                // The footer, ten bytes, says which version made it.
                *sum = Sum::of(payload.get(..payload.len().saturating_sub(10)).unwrap_or_default());
                Ok(true)
            }
            Self::Members(_) | Self::Fields(_) => Ok(false),
        }
    }

    /// Whether the value is whole after this window; for types that ask several questions.
    pub(super) fn is_whole(&self) -> Result<bool, ReadFault> {
        match self {
            Self::Members(members) => members.scan.is_whole(),
            Self::Fields(fields) => Ok(fields.names.is_empty() && fields.scan.is_whole()?),
            _ => Ok(false),
        }
    }

    /// Whether a window is one question.
    pub(super) const fn asks_one(&self) -> bool {
        !matches!(self, Self::Members(_) | Self::Fields(_))
    }

    /// What was read.
    pub(super) fn finish(&self, reading: &mut KeyReading) {
        let (parts, elements) = match self {
            Self::Text { at, sum } => (vec![(ValuePart::Content, *sum)], Some(*at)),
            Self::List { at, elements, order, .. } => {
                (vec![(ValuePart::Elements, *elements), (ValuePart::Order, *order)], Some(*at))
            }
            Self::Sorted { at, members, scores, .. } => {
                (vec![(ValuePart::Members, *members), (ValuePart::Scores, *scores)], Some(*at))
            }
            Self::Members(members) => (vec![(ValuePart::Members, members.sum)], Some(members.scan.given)),
            Self::Fields(fields) => {
                let mut parts = vec![(ValuePart::Fields, fields.named), (ValuePart::Values, fields.values)];
                parts.extend(fields.with_ends.then_some((ValuePart::FieldExpiry, fields.ends)));
                (parts, Some(fields.scan.given))
            }
            Self::Serialized(sum) => (vec![(ValuePart::Serialized, *sum)], None),
        };
        (reading.parts, reading.elements) = (parts, elements);
    }
}

impl Members {
    fn take(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        if matches!(reply, Reply::Int(_)) {
            return self.scan.take_length(reply);
        }
        for member in self.scan.take_window(reply, 1)? {
            self.sum.add(Sum::of(text(member)?));
        }
        Ok(())
    }
}

impl HashWindow {
    fn ask(&self, key: &[u8], out: &mut Vec<u8>) -> usize {
        let mut asked = 0;
        if !self.names.is_empty() {
            array_header(out, self.names.len().saturating_add(4));
            for word in [b"HPEXPIRETIME", key, b"FIELDS"] {
                bulk(out, word);
            }
            bulk_u64(out, self.names.len() as u64);
            for (name, _) in &self.names {
                bulk(out, name);
            }
            asked = 1;
        }
        asked + self.scan.ask(out, [b"HLEN", b"HSCAN"], key)
    }

    fn take(&mut self, index: usize, reply: &Reply<'_>, now: i64) -> Result<(), ReadFault> {
        match (index, self.names.is_empty()) {
            (0, false) => self.take_ends(reply, now),
            // The names are gone once their ends are known: a window's questions are told apart by their answers.
            _ => match reply {
                Reply::Int(_) => self.scan.take_length(reply),
                _ => self.take_fields(reply),
            },
        }
    }

    fn take_ends(&mut self, reply: &Reply<'_>, now: i64) -> Result<(), ReadFault> {
        for ((name, value), end) in std::mem::take(&mut self.names).iter().zip(items(reply)?) {
            let Reply::Int(end @ 0..) = end else { continue };
            let end = if self.deferred { UnixMillis(*end).exact().0 } else { *end };
            if self.deferred && end <= now {
                self.named.subtract(Sum::of(name));
                self.values.subtract(*value);
            } else {
                self.ends.add(Sum::of_all(&[name, &end.to_be_bytes()]));
            }
        }
        Ok(())
    }

    fn take_fields(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        for pair in self.scan.take_window(reply, 2)?.chunks_exact(2) {
            let [name, value] = pair else { continue };
            let (name, value) = (text(name)?, text(value)?);
            self.named.add(Sum::of(name));
            let value = Sum::of_all(&[name, value]);
            self.values.add(value);
            if self.with_ends {
                self.names.push((name.to_vec(), value));
            }
        }
        Ok(())
    }
}

impl Scan {
    fn new() -> Self {
        Self { cursor: Some(b"0".to_vec()), width: Width::new(ELEMENTS), given: 0, length: None }
    }

    fn ask(&self, out: &mut Vec<u8>, [length, scan]: [&[u8]; 2], key: &[u8]) -> usize {
        let Some(cursor) = &self.cursor else { return 0 };
        let goes_on = cursor != b"0";
        if goes_on {
            command(out, &[length, key]);
        }
        let count = self.width.get().to_string();
        command(out, &[scan, key, cursor, b"COUNT", count.as_bytes()]);
        1 + usize::from(goes_on)
    }

    fn take_length(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        let Reply::Int(length) = reply else { return Err(unexpected(reply)) };
        self.length = Some(u64::try_from(*length).unwrap_or(0));
        Ok(())
    }

    fn take_window<'a>(&mut self, reply: &'a Reply<'_>, width: u64) -> Result<&'a [Reply<'a>], ReadFault> {
        let [cursor, found] = items(reply)? else { return Err(unexpected(reply)) };
        let (cursor, found) = (text(cursor)?, items(found)?);
        self.cursor = (cursor != b"0").then(|| cursor.to_vec());
        let given = found.len() as u64 / width;
        self.given = self.given.saturating_add(given);
        let bytes = found.iter().filter_map(Reply::text).map(|text| text.len() as u64).sum();
        self.width.follow(given, bytes);
        Ok(found)
    }

    /// A walk may give elements twice while a table shrinks: then more are given than there are, and they say nothing.
    /// Fewer may be given, where fields have ended and are still counted.
    fn is_whole(&self) -> Result<bool, ReadFault> {
        match self.cursor {
            Some(_) => Ok(false),
            None if self.given == 0 || self.length.is_some_and(|length| self.given > length) => Err(ReadFault::Moved),
            None => Ok(true),
        }
    }
}

fn range(out: &mut Vec<u8>, name: &[u8], key: &[u8], at: u64, count: u64, more: &[&[u8]]) -> usize {
    array_header(out, more.len().saturating_add(4));
    bulk(out, name);
    bulk(out, key);
    bulk_u64(out, at);
    bulk_u64(out, at.saturating_add(count).saturating_sub(1));
    for word in more {
        bulk(out, word);
    }
    1
}

/// A score as its bits: versions write one number in different words. −0 is 0.
fn canonical(score: &[u8]) -> [u8; 8] {
    let number: f64 = std::str::from_utf8(score).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    let number = if number == 0.0 { 0.0 } else { number };
    number.to_bits().to_be_bytes()
}

/// A reply that must be a string.
pub(super) fn text<'a>(reply: &'a Reply<'_>) -> Result<&'a [u8], ReadFault> {
    match reply {
        Reply::Simple(text) | Reply::Bulk(Some(text)) => Ok(text),
        other => Err(unexpected(other)),
    }
}

/// A reply that must be an array.
pub(super) fn items<'a>(reply: &'a Reply<'_>) -> Result<&'a [Reply<'a>], ReadFault> {
    match reply {
        Reply::Array(Some(items)) => Ok(items),
        other => Err(unexpected(other)),
    }
}

/// What a reply of another form means.
pub(super) fn unexpected(reply: &Reply<'_>) -> ReadFault {
    let Reply::Error(text) = reply else { return ReadFault::Moved };
    let refusal = Refusal::of(&String::from_utf8_lossy(text));
    match refusal.kind {
        RefusalKind::WrongType | RefusalKind::NoGroup | RefusalKind::NoKey => ReadFault::Moved,
        _ => ReadFault::Refused(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_large_elements_has_few() {
        let mut width = Width::new(ELEMENTS);
        assert_eq!(width.get(), 128);
        let mut next = |elements, bytes| {
            width.follow(elements, bytes);
            width.get()
        };
        assert_eq!(next(128, 128 * 20), 1000, "small ones: as many as there may be");
        assert_eq!(next(1000, 1000 << 16), 16);
        assert_eq!(next(16, 16 << 30), 1, "one that is larger than a window is read by itself");
        assert_eq!(next(1, 0), 1000);
        assert_eq!(next(0, 0), 1000);
    }
}
