//! What real servers wrote reads as what they answered.

use super::Element;
use super::samples::read;
use crate::rdb::Kind;
use crate::unit::Dialect;

/// A line of `goldens.txt`.
struct Golden {
    name: String,
    kind: Kind,
    body: Vec<u8>,
    elements: Vec<String>,
}

fn goldens() -> Vec<Golden> {
    let lines = include_str!("goldens.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap();
            let (server, number, hex) = (word(), word(), word());
            let dialect = if server.starts_with("valkey") { Dialect::Valkey } else { Dialect::Redis };
            let kind = Kind::of(number.parse().unwrap(), dialect).unwrap();
            let body = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            Golden { name: format!("{server} {kind:?}"), kind, body, elements: words.map(shortest).collect() }
        })
        .collect()
}

/// A score in its shortest form; anything else as it is.
fn shortest(word: &str) -> String {
    match word.split_once('=').map(|(name, value)| (name, value.parse::<f64>())) {
        Some((name, Ok(value))) => format!("{name}={value}"),
        _ => word.to_owned(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The element as the file has it.
fn shown(element: &Element<'_>) -> Vec<String> {
    match element {
        Element::StringPart(part) => vec![text(part)],
        Element::Item(item) => vec![text(item)],
        Element::Member { member, score } => vec![format!("{}={score}", text(member))],
        Element::Field { field, value, expires_at } => {
            let expiry = expires_at.map(|at| format!("@{}", at.0)).unwrap_or_default();
            vec![format!("{}={}{expiry}", text(field), text(value))]
        }
        Element::Entry { id, fields } => {
            let pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
            vec![format!("{id}:{}", pairs.join(","))]
        }
        Element::StreamMeta(meta) => {
            let mut words = vec![format!("length={}", meta.length), format!("last={}", meta.last_id)];
            if let Some(counters) = meta.counters {
                words.push(format!("added={}", counters.entries_added));
                words.push(format!("deleted={}", counters.max_deleted_id));
            }
            words
        }
        Element::Group { name, last_id, entries_read } => {
            let read = entries_read.map(|read| format!("read={read}"));
            [format!("group={}", text(name)), format!("last={last_id}")].into_iter().chain(read).collect()
        }
        Element::Consumer { name, .. } => vec![format!("consumer={}", text(name))],
        Element::Pending { id, deliveries, .. } => vec![format!("pending={id}x{deliveries}")],
        Element::Producers { .. } => vec![],
    }
}

fn elements(golden: &Golden, piece: usize) -> Vec<String> {
    let mut found = vec![];
    let reader = read(golden.kind, golden.body.chunks(piece), |element| found.extend(shown(element))).unwrap();
    assert!(reader.is_done(), "{}", golden.name);
    if matches!(golden.kind.type_name(), "set" | "hash" | "zset") {
        found.sort();
    }
    found
}

#[test]
fn each_reads_as_its_server_answered() {
    for golden in goldens() {
        for piece in [1, 7, golden.body.len()] {
            assert_eq!(elements(&golden, piece), golden.elements, "{}", golden.name);
        }
    }
}

#[test]
fn each_cut_anywhere_waits_for_more() {
    for golden in goldens() {
        for cut in 0..golden.body.len() {
            assert!(!read(golden.kind, [&golden.body[..cut]], |_| {}).unwrap().is_done(), "{}", golden.name);
        }
    }
}

#[test]
fn every_flipped_byte_is_read_or_refused_without_a_panic() {
    for golden in goldens() {
        for place in 0..golden.body.len() {
            let mut body = golden.body.clone();
            body[place] ^= 0xff;
            // Either is right: without a checksum a changed letter is a letter.
            let _ = read(golden.kind, [&body[..]], |_| {});
        }
    }
}
