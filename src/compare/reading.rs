//! A key as one side has it, in a form that servers of different age and kind give alike.

use std::borrow::Cow;

use super::sum::Sum;
use crate::step::SideOfKey;

/// A type, as `TYPE` answers.
pub(super) type KeyType = Cow<'static, str>;

/// The types that are read element by element; those of modules have other names.
const KINDS: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];

/// The type of this name.
pub(super) fn kind(name: &[u8]) -> KeyType {
    let known = KINDS.into_iter().find(|kind| kind.as_bytes() == name);
    known.map_or_else(|| Cow::Owned(String::from_utf8_lossy(name).into_owned()), Cow::Borrowed)
}

/// What a server said of a key, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenKey {
    /// The server's clock when it said so, in Unix milliseconds, at the latest.
    pub(super) at: i64,
    pub(super) what: What,
}

/// What a server said of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// There is none.
    Absent,
    /// There is one.
    Present(Box<KeyReading>),
    /// It changed while it was read.
    Moved,
}

/// A key that is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct KeyReading {
    pub(super) kind: KeyType,
    pub(super) ends: Option<ServerTime>,
    /// The value's parts; empty when it was not read.
    pub(super) parts: Vec<(ValuePart, Sum)>,
    /// When the pending entries of a stream's groups were delivered, in their order.
    pub(super) delivered: Vec<ServerTime>,
    pub(super) elements: Option<u64>,
}

/// A moment on the server's clock, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerTime {
    pub(super) at: i64,
    /// How far off it may be, where the server said only how long there is left or it was ago.
    pub(super) give: i64,
}

/// A part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ValuePart {
    /// A string's bytes.
    Content,
    /// A list's elements, in any order.
    Elements,
    /// A list's elements in their order.
    Order,
    /// The members of a set or sorted set.
    Members,
    /// Members with their scores.
    Scores,
    /// A hash's field names.
    Fields,
    /// Names with values.
    Values,
    /// Names with the moments at which they end, where they do.
    FieldExpiry,
    /// A stream's entries.
    Entries,
    /// Its last id.
    LastId,
    /// Its last deleted id.
    DeletedId,
    /// How many entries were ever added.
    Added,
    /// The names of its groups.
    Groups,
    /// Groups with the last id that was delivered.
    Positions,
    /// Groups with how many entries they have read.
    Reads,
    /// What is pending, without when it was delivered.
    Pending,
    /// A module's serialized value.
    Serialized,
}

/// Differences of less than this, in milliseconds, are no differences between two moments.
pub(super) const TOLERANCE: i64 = 1000;

impl ServerTime {
    /// Whether two moments cannot be the same.
    pub(super) fn is_apart(self, other: Self) -> bool {
        let give = TOLERANCE.saturating_add(self.give).saturating_add(other.give);
        self.at.saturating_sub(other.at).saturating_abs() > give
    }
}

impl KeyReading {
    pub(super) fn part(&self, part: ValuePart) -> Option<Sum> {
        self.parts.iter().find(|(of, _)| *of == part).map(|(_, sum)| *sum)
    }

    /// As it is told.
    pub(super) fn shown(&self) -> SideOfKey {
        let digest = (!self.parts.is_empty()).then(|| {
            let mut all = Sum::of(self.kind.as_bytes());
            for (part, sum) in &self.parts {
                all.chain(Sum::of_all(&[format!("{part:?}").as_bytes(), &sum.bytes()]));
            }
            all.to_string()
        });
        let ends = self.ends.map(|moment| moment.at);
        SideOfKey { kind: self.kind.clone().into_owned(), digest, elements: self.elements, ends }
    }
}

impl SeenKey {
    pub(super) fn reading(&self) -> Option<&KeyReading> {
        match &self.what {
            What::Present(reading) => Some(reading),
            What::Absent | What::Moved => None,
        }
    }

    /// Whether a later look at the same server shows the same.
    pub(super) fn is_still(&self, later: &Self) -> bool {
        match (&self.what, &later.what) {
            (What::Absent, What::Absent) => true,
            (What::Present(one), What::Present(two)) => {
                let ends = match (one.ends, two.ends) {
                    (Some(one), Some(two)) => !one.is_apart(two),
                    (one, two) => one.is_some() == two.is_some(),
                };
                ends && one.kind == two.kind && one.parts == two.parts && one.delivered.len() == two.delivered.len()
            }
            _ => false,
        }
    }
}
