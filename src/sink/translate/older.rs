//! Commands and words that the destination does not know yet, in older ones that do exactly the same.

use super::words::{Argv, Change, SAME, becomes, fixed, number};
use crate::{command::Spec, resp, sink::Destination, unit::ServerVersion};

/// Commands that got new words or more arguments, and the first Redis and Valkey whose form is known in full.
const NEW_WORDS: [(&str, MinVersion, MinVersion); 16] = [
    ("HSET", (4, 0), EVERY),
    ("LPUSHX", (4, 0), EVERY),
    ("RPUSHX", (4, 0), EVERY),
    ("LPOP", (6, 2), EVERY),
    ("RPOP", (6, 2), EVERY),
    ("PEXPIREAT", (7, 0), EVERY),
    ("XADD", (8, 6), NEVER),
    ("XTRIM", (8, 2), NEVER),
    ("XCLAIM", (7, 0), EVERY),
    ("XGROUP", (7, 0), EVERY),
    ("XSETID", (7, 0), EVERY),
    ("ZADD", (6, 2), EVERY),
    ("BITOP", (8, 2), NEVER),
    ("XACKDEL", NEVER, NEVER),
    ("XDELEX", NEVER, NEVER),
    ("GEOADD", (6, 2), EVERY),
];

/// Major and minor version.
type MinVersion = (u16, u16);
const EVERY: MinVersion = (0, 0);
const NEVER: MinVersion = (u16::MAX, 0);

/// Whether a command may hold words that the destination does not know, or would not take from us.
pub(super) fn has_new_words(spec: &Spec, command: &resp::Command<'_>, destination: &Destination) -> bool {
    let Some((name, redis, valkey)) = NEW_WORDS.iter().find(|(name, ..)| *name == spec.name) else { return false };
    if matches!(*name, "XADD" | "XTRIM") {
        // Few have options: an XADD then goes on with its id.
        return command.arg(2).is_some_and(|word| word.first().is_some_and(u8::is_ascii_alphabetic));
    }
    !destination.version.has(*redis, *valkey)
}

/// The same in commands that the destination knows; `known` says whether it has this one.
pub(super) fn for_destination<'a>(
    spec: &Spec,
    words: &Argv<'a>,
    (destination, source): (&Destination, Option<ServerVersion>),
    known: bool,
) -> Change<'a> {
    let old = |since| !destination.version.has_redis(since);
    match spec.name {
        "UNLINK" | "GETDEL" | "DELEX" | "DELIFEQ" if !known => deleted(spec, words),
        "HGETDEL" if !known => becomes(Argv::new("HDEL", [words.word(1)].into_iter().chain(words.from(4)))),
        "HSET" if old((4, 0)) && words.len() > 4 => becomes(Argv::new("HMSET", words.from(1))),
        "LPUSHX" if old((4, 0)) => Ok(Some(each_element("LPUSHX", words))),
        "RPUSHX" if old((4, 0)) => Ok(Some(each_element("RPUSHX", words))),
        "LPOP" if old((6, 2)) && words.len() == 3 => repeated("LPOP", words),
        "RPOP" if old((6, 2)) && words.len() == 3 => repeated("RPOP", words),
        "LMOVE" if !known => list_move(words),
        "ZPOPMIN" | "ZPOPMAX" if !known => popped(spec, words),
        // It is sent only when it took effect.
        "PEXPIREAT" if old((7, 0)) => becomes(Argv::new("PEXPIREAT", words.from(1).take(2))),
        "XADD" | "XTRIM" => trimming(spec, words, destination),
        "XCLAIM" if old((7, 0)) && source.is_some_and(|source| source.has_redis((7, 0))) => Ok(Some(claimed(words))),
        "XGROUP" if old((7, 0)) => xgroup(words, old((6, 2))),
        "XSETID" if old((7, 0)) => becomes(Argv::new("XSETID", words.from(1).take(2))),
        "ZADD" | "GEOADD" if old((6, 2)) && (words.position(2, "GT").or(words.position(2, "LT"))).is_some() => {
            Err(format!("{} does not know its options GT and LT", destination.version))
        }
        "XDELEX" if !known => ids(words, 2).map(|ids| Some(vec![deleting(words, ids)])),
        "XACKDEL" if !known => xackdel(words),
        "BITOP"
            if !destination.version.has((8, 2), NEVER)
                && !["AND", "OR", "XOR", "NOT"].iter().any(|word| words.is(1, word)) =>
        {
            Err(format!("{} does not know this operation", destination.version))
        }
        "RESTORE-ASKING" => becomes(Argv::new("RESTORE", words.from(1))),
        _ => SAME,
    }
}

/// PUBLISH in place of SPUBLISH.
pub(super) fn publish<'a>(words: &Argv<'a>) -> Argv<'a> {
    Argv::new("PUBLISH", words.from(1))
}

/// All of these are sent only when they took effect.
fn deleted<'a>(spec: &Spec, words: &Argv<'a>) -> Change<'a> {
    let keys = if spec.name == "UNLINK" { words.len() } else { 1 };
    becomes(Argv::new("DEL", words.from(1).take(keys)))
}

fn each_element<'a>(name: &'static str, words: &Argv<'a>) -> Vec<Argv<'a>> {
    words.from(2).map(|element| Argv::new(name, [words.word(1), element])).collect()
}

/// The most commands that one becomes.
const MOST: i64 = 10_000;

fn repeated<'a>(name: &'static str, words: &Argv<'a>) -> Change<'a> {
    match words.number(2) {
        Some(count @ 0..=MOST) => Ok(Some((0..count).map(|_| Argv::new(name, [words.word(1)])).collect())),
        _ => Err("it takes more elements than one command at a time could".to_owned()),
    }
}

fn list_move<'a>(words: &Argv<'a>) -> Change<'a> {
    if words.is(3, "RIGHT") && words.is(4, "LEFT") {
        return becomes(Argv::new("RPOPLPUSH", [words.word(1), words.word(2)]));
    }
    Err("the destination moves list elements only from the right to the left".to_owned())
}

fn popped<'a>(spec: &Spec, words: &Argv<'a>) -> Change<'a> {
    let count = if words.len() > 2 { words.number(2) } else { Some(1) };
    let count = count.filter(|count| *count > 0).ok_or("its count is no number")?;
    let (from, to) = if spec.name == "ZPOPMIN" { (0, count.saturating_sub(1)) } else { (count.saturating_neg(), -1) };
    becomes(Argv::new("ZREMRANGEBYRANK", [words.word(1), number(from), number(to)]))
}

/// XADD and XTRIM: their options stand before the id, or are all there is.
///
/// A source has done what LIMIT asks for and sends how far it came, with `=`; from anyone but its master a server refuses
/// the two together (`t_stream.c`, `streamParseAddOrTrimArgsOrReply`). NOMKSTREAM is sent only when the stream existed.
fn trimming<'a>(spec: &Spec, words: &Argv<'a>, destination: &Destination) -> Change<'a> {
    let has = |redis, valkey| destination.version.has(redis, valkey);
    let mut kept = vec![words.word(1)];
    let mut at = 2;
    loop {
        let is = |word: &str| words.is(at, word);
        let (len, keeps) = match () {
            () if is("MAXLEN") || is("MINID") => {
                if is("MINID") && !has((6, 2), EVERY) {
                    return Err("the destination cannot trim a stream by id".to_owned());
                }
                let exact = words.is(at.saturating_add(1), "=") || words.is(at.saturating_add(1), "~");
                (if exact { 3 } else { 2 }, true)
            }
            () if is("LIMIT") => (2, false),
            () if is("NOMKSTREAM") => (1, has((6, 2), EVERY)),
            () if is("KEEPREF") => (1, has((8, 2), NEVER)),
            () if is("DELREF") || is("ACKED") => {
                if !has((8, 2), NEVER) {
                    return Err("the destination cannot remove an entry with the references to it".to_owned());
                }
                (1, true)
            }
            // The id is given, so what is left out says only how to know the same entry again.
            () if is("IDMPAUTO") => (2, has((8, 6), NEVER)),
            () if is("IDMP") => (3, has((8, 6), NEVER)),
            () => break,
        };
        if keeps {
            kept.extend(words.from(at).take(len));
        }
        at = at.saturating_add(len);
    }
    kept.extend(words.from(at));
    becomes(Argv::new(spec.name, kept))
}

/// From 7.0 on, whoever claims an entry that is deleted removes it from what is pending; before, it stays there.
fn claimed<'a>(words: &Argv<'a>) -> Vec<Argv<'a>> {
    let ids = words.from(5).take_while(|word| word.first().is_some_and(u8::is_ascii_digit));
    let names = [fixed(DROP_DELETED), fixed("1"), words.word(1), words.word(2)];
    vec![words.clone(), Argv::new("EVAL", names.into_iter().chain(ids))]
}

/// Removes those of the ids from what is pending whose entries are deleted.
const DROP_DELETED: &str = "for index = 2, #ARGV do \
                            if #redis.call('XRANGE', KEYS[1], ARGV[index], ARGV[index]) == 0 then \
                            redis.call('XACK', KEYS[1], ARGV[1], ARGV[index]) end end";

fn xgroup<'a>(words: &Argv<'a>, no_consumers: bool) -> Change<'a> {
    if words.is(1, "CREATECONSUMER") && no_consumers {
        // Whoever looks through what is pending for it is made by that, and nothing else changes.
        let looking = [fixed("GROUP"), words.word(3), words.word(4), fixed("COUNT"), fixed("1"), fixed("STREAMS")];
        return becomes(Argv::new("XREADGROUP", looking.into_iter().chain([words.word(2), fixed("0")])));
    }
    match words.position(3, "ENTRIESREAD") {
        Some(index) => {
            let rest =
                words.from(1).enumerate().filter(|(at, _)| *at + 1 != index && *at != index).map(|(_, word)| word);
            becomes(Argv::new("XGROUP", rest))
        }
        None => SAME,
    }
}

/// The ids behind `IDS n`, where the words from `begin` on ask for nothing but the default.
fn ids<'a>(words: &Argv<'a>, begin: usize) -> Result<Vec<std::borrow::Cow<'a, [u8]>>, String> {
    let index = words.position(begin, "IDS").ok_or("it names no ids")?;
    let keeps = index == begin || words.is(begin, "KEEPREF");
    if !keeps {
        return Err("the destination cannot remove an entry with the references to it".to_owned());
    }
    Ok(words.from(index.saturating_add(2)).collect())
}

fn deleting<'a>(words: &Argv<'a>, ids: Vec<std::borrow::Cow<'a, [u8]>>) -> Argv<'a> {
    Argv::new("XDEL", [words.word(1)].into_iter().chain(ids))
}

fn xackdel<'a>(words: &Argv<'a>) -> Change<'a> {
    let ids = ids(words, 3)?;
    let acked = Argv::new("XACK", [words.word(1), words.word(2)].into_iter().chain(ids.iter().cloned()));
    Ok(Some(vec![acked, deleting(words, ids)]))
}
