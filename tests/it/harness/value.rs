//! A value as a server tells it, in a form that two servers of different age tell alike.

use std::collections::{BTreeMap, BTreeSet};

/// How far apart two moments may be, in milliseconds, and still be the same.
pub const TOLERANCE: i64 = 1000;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    /// Field, value and when the field ends (Unix milliseconds).
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>),
    /// Member and the bits of its score, in the server's order.
    Sorted(Vec<(Vec<u8>, u64)>),
    Stream(Stream),
    /// By element.
    Vectors(BTreeMap<Vec<u8>, Vector>),
    /// A type without a comparison here.
    Unknown(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vector {
    pub components: Vec<Vec<u8>>,
    pub attributes: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// `XINFO STREAM` without what is about encoding.
    pub facts: BTreeMap<String, String>,
    pub entries: Vec<(String, Vec<Vec<u8>>)>,
    pub groups: BTreeMap<Vec<u8>, Group>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// `XINFO GROUPS`.
    pub facts: BTreeMap<String, String>,
    pub consumers: BTreeSet<Vec<u8>>,
    pub pending: Vec<Pending>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub id: String,
    pub consumer: Vec<u8>,
    /// Unix milliseconds.
    pub delivered: i64,
    pub deliveries: i64,
}

impl Value {
    /// What is not the same in the other value, one sentence each; of many equal cases only the first.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = vec![];
        match (self, other) {
            (Self::Unknown(kind), _) => found.push(format!("no comparison knows the type {kind}")),
            (Self::Text(one), Self::Text(two)) => match (registers(one), registers(two)) {
                // The same counter may be written in two ways, and a cached count stands in it.
                (Some(one), Some(two)) => in_order("register", &one, &two, &mut found),
                _ => in_order("byte", one, two, &mut found),
            },
            (Self::List(one), Self::List(two)) => in_order("element", one, two, &mut found),
            (Self::Sorted(one), Self::Sorted(two)) => in_order("member", one, two, &mut found),
            (Self::Set(one), Self::Set(two)) => names("member", one, two, &mut found),
            (Self::Hash(one), Self::Hash(two)) => hashes(one, two, &mut found),
            (Self::Vectors(one), Self::Vectors(two)) => {
                in_order("element", &one.iter().collect::<Vec<_>>(), &two.iter().collect::<Vec<_>>(), &mut found);
            }
            (Self::Stream(one), Self::Stream(two)) => streams(one, two, &mut found),
            _ => found.push("the types differ".to_owned()),
        }
        found
    }
}

/// The deadlines differ by more than the tolerance, or only one is there.
pub fn apart(one: Option<i64>, two: Option<i64>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() > TOLERANCE,
        (one, two) => one.is_some() != two.is_some(),
    }
}

/// The 16384 registers of a counter (`HyperLogLog`) in either form (`hyperloglog.c`); `None` for another string.
fn registers(text: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = text.split_at_checked(16).filter(|(head, _)| head.starts_with(b"HYLL"))?;
    let mut registers = vec![];
    if head[4] == 0 {
        let six = |index: usize| {
            let (byte, shift) = (index * 6 / 8, index * 6 % 8);
            let pair = u16::from(body[byte]) | u16::from(*body.get(byte + 1).unwrap_or(&0)) << 8;
            (pair >> shift & 63) as u8
        };
        registers.extend((0..16384).map(six));
        return Some(registers);
    }
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        let (value, count) = match byte >> 6 {
            0 => (0, usize::from(byte & 63) + 1),
            1 => (0, (usize::from(byte & 63) << 8 | usize::from(*bytes.next()?)) + 1),
            _ => ((byte >> 2 & 31) + 1, usize::from(byte & 3) + 1),
        };
        registers.extend(std::iter::repeat_n(value, count));
    }
    Some(registers)
}

fn short(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    if text.len() > 100 { format!("{}…", text.chars().take(100).collect::<String>()) } else { text }
}

fn in_order<T: PartialEq + std::fmt::Debug>(what: &str, one: &[T], two: &[T], found: &mut Vec<String>) {
    if one.len() != two.len() {
        found.push(format!("{} {what}s against {}", one.len(), two.len()));
    }
    if let Some(index) = one.iter().zip(two).position(|(one, two)| one != two) {
        found.push(format!("{what} {index} is {} against {}", short(&one[index]), short(&two[index])));
    }
}

fn names(what: &str, one: &BTreeSet<Vec<u8>>, two: &BTreeSet<Vec<u8>>, found: &mut Vec<String>) {
    let list = |names: Vec<&Vec<u8>>| {
        let shown: Vec<String> = names.iter().take(3).map(|name| short(&name.escape_ascii().to_string())).collect();
        format!("{} {what}s, as {}", names.len(), shown.join(", "))
    };
    let (missing, extra): (Vec<_>, Vec<_>) = (one.difference(two).collect(), two.difference(one).collect());
    if !missing.is_empty() {
        found.push(format!("missing {}", list(missing)));
    }
    if !extra.is_empty() {
        found.push(format!("too many {}", list(extra)));
    }
}

type Fields = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn hashes(one: &Fields, two: &Fields, found: &mut Vec<String>) {
    names("field", &one.keys().cloned().collect(), &two.keys().cloned().collect(), found);
    let both = || one.iter().filter_map(|(field, here)| two.get(field).map(|there| (field, here, there)));
    if let Some((field, here, there)) = both().find(|(_, here, there)| here.0 != there.0) {
        found.push(format!("field {} is {} against {}", field.escape_ascii(), short(&here.0), short(&there.0)));
    }
    if let Some((field, here, there)) = both().find(|(_, here, there)| apart(here.1, there.1)) {
        found.push(format!("field {} ends {:?} against {:?}", field.escape_ascii(), here.1, there.1));
    }
}

/// Compares the facts both sides know.
fn facts(of: &str, one: &BTreeMap<String, String>, two: &BTreeMap<String, String>, found: &mut Vec<String>) {
    for (name, here) in one {
        if let Some(there) = two.get(name).filter(|there| *there != here) {
            found.push(format!("{of}{name} is {here} against {there}"));
        }
    }
}

fn streams(one: &Stream, two: &Stream, found: &mut Vec<String>) {
    facts("", &one.facts, &two.facts, found);
    in_order("entry", &one.entries, &two.entries, found);
    names("group", &one.groups.keys().cloned().collect(), &two.groups.keys().cloned().collect(), found);
    for (name, here) in &one.groups {
        let Some(there) = two.groups.get(name) else { continue };
        let name = format!("group {}: ", name.escape_ascii());
        let mut inside = vec![];
        facts("", &here.facts, &there.facts, &mut inside);
        names("consumer", &here.consumers, &there.consumers, &mut inside);
        pending(&here.pending, &there.pending, &mut inside);
        found.extend(inside.into_iter().map(|text| name.clone() + &text));
    }
}

fn pending(one: &[Pending], two: &[Pending], found: &mut Vec<String>) {
    let same = |here: &Pending, there: &Pending| {
        let named = (&here.id, &here.consumer, here.deliveries) == (&there.id, &there.consumer, there.deliveries);
        named && !apart(Some(here.delivered), Some(there.delivered))
    };
    if one.len() != two.len() {
        found.push(format!("{} pending against {}", one.len(), two.len()));
    }
    if let Some((here, there)) = one.iter().zip(two).find(|(here, there)| !same(here, there)) {
        found.push(format!("pending {} against {}", short(here), short(there)));
    }
}
