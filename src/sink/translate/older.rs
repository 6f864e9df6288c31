//! Commands and words that the destination does not know yet, in older ones that do exactly the same.

use super::words::{Change, SAME, Words, becomes, number};
use crate::{command::Spec, sink::Destination};

/// Commands that got new words or more arguments, and the first Redis whose form is known in full. Valkey has them all.
const NEW_WORDS: [(&str, (u16, u16)); 15] = [
    ("HSET", (4, 0)),
    ("LPUSHX", (4, 0)),
    ("RPUSHX", (4, 0)),
    ("LPOP", (6, 2)),
    ("RPOP", (6, 2)),
    ("PEXPIREAT", (7, 0)),
    ("XADD", (6, 2)),
    ("XTRIM", (6, 2)),
    ("XGROUP", (7, 0)),
    ("XSETID", (7, 0)),
    ("ZADD", (6, 2)),
    ("BITOP", (8, 2)),
    ("XACKDEL", (u16::MAX, 0)),
    ("XDELEX", (u16::MAX, 0)),
    ("GEOADD", (6, 2)),
];

/// Whether a command may hold words that the destination does not know.
pub(super) fn has_new_words(spec: &Spec, destination: &Destination) -> bool {
    NEW_WORDS.iter().any(|(name, since)| *name == spec.name && !destination.version.has_redis(*since))
}

/// The same in commands that the destination knows; `known` says whether it has this one.
pub(super) fn for_destination<'a>(
    spec: &Spec,
    words: &Words<'a>,
    destination: &Destination,
    known: bool,
) -> Change<'a> {
    let old = |since| !destination.version.has_redis(since);
    match spec.name {
        "UNLINK" | "GETDEL" | "DELEX" | "DELIFEQ" if !known => deleted(spec, words),
        "HGETDEL" if !known => becomes(Words::new("HDEL", [words.word(1)].into_iter().chain(words.from(4)))),
        "HSET" if old((4, 0)) && words.len() > 4 => becomes(Words::new("HMSET", words.from(1))),
        "LPUSHX" if old((4, 0)) => Ok(Some(each_element("LPUSHX", words))),
        "RPUSHX" if old((4, 0)) => Ok(Some(each_element("RPUSHX", words))),
        "LPOP" if old((6, 2)) && words.len() == 3 => repeated("LPOP", words),
        "RPOP" if old((6, 2)) && words.len() == 3 => repeated("RPOP", words),
        "LMOVE" if !known => list_move(words),
        "ZPOPMIN" | "ZPOPMAX" if !known => popped(spec, words),
        // It is sent only when it took effect.
        "PEXPIREAT" if old((7, 0)) => becomes(Words::new("PEXPIREAT", words.from(1).take(2))),
        "XADD" if old((6, 2)) => xadd(words),
        "XGROUP" if old((7, 0)) => xgroup(words, old((6, 2))),
        "XSETID" if old((7, 0)) => becomes(Words::new("XSETID", words.from(1).take(2))),
        "ZADD" | "GEOADD" if old((6, 2)) && (words.position(2, "GT").or(words.position(2, "LT"))).is_some() => {
            Err(format!("{} does not know its words GT and LT", destination.version))
        }
        "XDELEX" if !known => ids(words, 2).map(|ids| Some(vec![deleting(words, ids)])),
        "XACKDEL" if !known => xackdel(words),
        "BITOP" if old((8, 2)) && !["AND", "OR", "XOR", "NOT"].iter().any(|word| words.is(1, word)) => {
            Err(format!("{} does not know this operation", destination.version))
        }
        "RESTORE-ASKING" => becomes(Words::new("RESTORE", words.from(1))),
        _ => SAME,
    }
}

/// PUBLISH in place of SPUBLISH.
pub(super) fn publish<'a>(words: &Words<'a>) -> Words<'a> {
    Words::new("PUBLISH", words.from(1))
}

/// All of these are sent only when they took effect.
fn deleted<'a>(spec: &Spec, words: &Words<'a>) -> Change<'a> {
    let keys = if spec.name == "UNLINK" { words.len() } else { 1 };
    becomes(Words::new("DEL", words.from(1).take(keys)))
}

fn each_element<'a>(name: &'static str, words: &Words<'a>) -> Vec<Words<'a>> {
    words.from(2).map(|element| Words::new(name, [words.word(1), element])).collect()
}

/// The most commands that one becomes.
const MOST: i64 = 10_000;

fn repeated<'a>(name: &'static str, words: &Words<'a>) -> Change<'a> {
    match words.number(2) {
        Some(count @ 0..=MOST) => Ok(Some((0..count).map(|_| Words::new(name, [words.word(1)])).collect())),
        _ => Err("it takes more elements than one command at a time could".to_owned()),
    }
}

fn list_move<'a>(words: &Words<'a>) -> Change<'a> {
    if words.is(3, "RIGHT") && words.is(4, "LEFT") {
        return becomes(Words::new("RPOPLPUSH", [words.word(1), words.word(2)]));
    }
    Err("the destination moves list elements only from the right to the left".to_owned())
}

fn popped<'a>(spec: &Spec, words: &Words<'a>) -> Change<'a> {
    let count = if words.len() > 2 { words.number(2) } else { Some(1) };
    let count = count.filter(|count| *count > 0).ok_or("its count is no number")?;
    let (from, to) = if spec.name == "ZPOPMIN" { (0, count.saturating_sub(1)) } else { (count.saturating_neg(), -1) };
    becomes(Words::new("ZREMRANGEBYRANK", [words.word(1), number(from), number(to)]))
}

/// NOMKSTREAM is sent only when the stream existed; MINID and LIMIT trim what an older server cannot.
fn xadd<'a>(words: &Words<'a>) -> Change<'a> {
    if words.is(2, "MINID") || words.is(3, "MINID") {
        return Err("the destination cannot trim a stream by id".to_owned());
    }
    match words.position(2, "NOMKSTREAM").filter(|index| *index == 2) {
        Some(_) => becomes(Words::new("XADD", [words.word(1)].into_iter().chain(words.from(3)))),
        None => SAME,
    }
}

fn xgroup<'a>(words: &Words<'a>, no_consumers: bool) -> Change<'a> {
    if words.is(1, "CREATECONSUMER") && no_consumers {
        // A consumer that has read nothing is made again when it reads.
        return Ok(Some(vec![]));
    }
    match words.position(3, "ENTRIESREAD") {
        Some(index) => {
            let rest =
                words.from(1).enumerate().filter(|(at, _)| *at + 1 != index && *at != index).map(|(_, word)| word);
            becomes(Words::new("XGROUP", rest))
        }
        None => SAME,
    }
}

/// The ids behind `IDS n`, where the words from `begin` on ask for nothing but the default.
fn ids<'a>(words: &Words<'a>, begin: usize) -> Result<Vec<std::borrow::Cow<'a, [u8]>>, String> {
    let index = words.position(begin, "IDS").ok_or("it names no ids")?;
    let keeps = index == begin || words.is(begin, "KEEPREF");
    if !keeps {
        return Err("the destination cannot remove an entry with the references to it".to_owned());
    }
    Ok(words.from(index.saturating_add(2)).collect())
}

fn deleting<'a>(words: &Words<'a>, ids: Vec<std::borrow::Cow<'a, [u8]>>) -> Words<'a> {
    Words::new("XDEL", [words.word(1)].into_iter().chain(ids))
}

fn xackdel<'a>(words: &Words<'a>) -> Change<'a> {
    let ids = ids(words, 3)?;
    let acked = Words::new("XACK", [words.word(1), words.word(2)].into_iter().chain(ids.iter().cloned()));
    Ok(Some(vec![acked, deleting(words, ids)]))
}
