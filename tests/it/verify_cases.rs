//! The differences that a comparison must find: what is made on both sides, what is changed at the destination, and what is
//! then to be said of which key.

use std::collections::BTreeMap;

use crate::{
    cmd,
    harness::{Command, Flavour, Server},
};

/// One injected difference.
#[derive(Clone)]
pub struct Case {
    /// The database it is in.
    pub db: u32,
    pub key: Vec<u8>,
    /// At the source, before the copy.
    made: Vec<Command>,
    /// At the destination, after it.
    changed: Vec<Command>,
    /// What differs, in the words of the JSON.
    pub kinds: &'static [&'static str],
}

/// What must be said of each key, by database and the key's hexadecimal digits.
pub type Expected = BTreeMap<(u32, String), Vec<String>>;

pub fn hex(key: &[u8]) -> String {
    key.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// 2100-01-01, Unix milliseconds.
const LATER: i64 = 4_102_444_800_000;
/// Elements of a large value.
const MANY: i32 = 25_000;

/// A case whose commands have the key in the place of `K`.
fn case(
    db: u32,
    key: impl AsRef<[u8]>,
    made: Vec<Command>,
    changed: Vec<Command>,
    kinds: &'static [&'static str],
) -> Case {
    let key = key.as_ref().to_vec();
    let filled = |commands: Vec<Command>| -> Vec<Command> {
        let word = |word: Vec<u8>| if word == b"K" { key.clone() } else { word };
        commands.into_iter().map(|command| command.into_iter().map(word).collect()).collect()
    };
    Case { db, made: filled(made), changed: filled(changed), kinds, key }
}

/// Elements in commands of a thousand.
fn many(command: &str, element: impl Fn(i32) -> Vec<Vec<u8>>) -> Vec<Command> {
    let part = |part: i32| [cmd![command, "K"], (part * 1000..(part + 1) * 1000).flat_map(&element).collect()].concat();
    (0..MANY / 1000).map(part).collect()
}

fn of_every_version() -> Vec<Case> {
    let set = || vec![cmd!["SET", "K", "value"]];
    let ends = |at: i64| vec![cmd!["SET", "K", "v"], cmd!["PEXPIREAT", "K", at]];
    let hash = || vec![cmd!["HMSET", "K", "f", "v", "g", "w"]];
    let zset = || vec![cmd!["ZADD", "K", "0.1", "a", "2", "b"]];
    let binary: &[u8] = b"\x00\xff\r\n*1 key {tag}\x80";
    vec![
        case(0, "c:missing", set(), vec![cmd!["DEL", "K"]], &["missing"]),
        case(7, "c:missing list", vec![cmd!["RPUSH", "K", "a"]], vec![cmd!["DEL", "K"]], &["missing"]),
        case(0, "c:extra", vec![], set(), &["extra"]),
        case(9, "c:extra hash", vec![], hash(), &["extra"]),
        case(0, "c:type", set(), vec![cmd!["DEL", "K"], cmd!["RPUSH", "K", "value"]], &["type"]),
        case(0, "c:byte", set(), vec![cmd!["SETRANGE", "K", 2, "L"]], &["content"]),
        case(2, "c:longer", set(), vec![cmd!["APPEND", "K", "s"]], &["content"]),
        case(0, "c:emptied", set(), vec![cmd!["SET", "K", ""]], &["content"]),
        case(
            0,
            "c:big string",
            vec![cmd!["SET", "K", "x".repeat(3 << 20)]],
            vec![cmd!["SETRANGE", "K", 2_500_000, "y"]],
            &["content"],
        ),
        case(0, "c:bit", vec![cmd!["SETBIT", "K", 4711, 1]], vec![cmd!["SETBIT", "K", 4710, 1]], &["content"]),
        case(0, "c:counted", vec![cmd!["PFADD", "K", "a", "b"]], vec![cmd!["PFADD", "K", "c"]], &["content"]),
        case(3, binary, set(), vec![cmd!["SET", "K", "other"]], &["content"]),
        // Names and members that are no UTF-8, and the same once they are forced to be.
        case(0, b"c:\xff", set(), vec![cmd!["SETRANGE", "K", 0, b"\xfe"]], &["content"]),
        case(0, b"c:\xfe", set(), vec![cmd!["DEL", "K"]], &["missing"]),
        case(
            0,
            "c:binary member",
            vec![cmd!["SADD", "K", b"\xff"]],
            vec![cmd!["SREM", "K", b"\xff"], cmd!["SADD", "K", b"\xfe"]],
            &["member"],
        ),
        case(0, "c:binary value", hash(), vec![cmd!["HSET", "K", "f", b"v\0"]], &["value"]),
        case(0, "c:element", vec![cmd!["RPUSH", "K", "a", "b"]], vec![cmd!["LSET", "K", 1, "c"]], &["element"]),
        case(0, "c:order", vec![cmd!["RPUSH", "K", "a", "b", "c"]], vec![cmd!["RPOPLPUSH", "K", "K"]], &["order"]),
        case(0, "c:doubled", vec![cmd!["RPUSH", "K", "a"]], vec![cmd!["RPUSH", "K", "a"]], &["element"]),
        case(5, "c:big list", many("RPUSH", |n| cmd![n]), vec![cmd!["LSET", "K", MANY - 3, "x"]], &["element"]),
        case(0, "c:member", vec![cmd!["SADD", "K", "a", "b"]], vec![cmd!["SREM", "K", "b"]], &["member"]),
        case(0, "c:member more", vec![cmd!["SADD", "K", "a"]], vec![cmd!["SADD", "K", "b"]], &["member"]),
        case(0, "c:integer", vec![cmd!["SADD", "K", 1, 2, 3]], vec![cmd!["SADD", "K", 4]], &["member"]),
        case(
            0,
            "c:big set",
            many("SADD", |n| cmd![format!("m{n}")]),
            vec![cmd!["SREM", "K", "m17000"], cmd!["SADD", "K", "m17000x"]],
            &["member"],
        ),
        case(0, "c:value", hash(), vec![cmd!["HSET", "K", "f", "V"]], &["value"]),
        case(0, "c:field", hash(), vec![cmd!["HDEL", "K", "f"]], &["field"]),
        case(0, "c:field more", hash(), vec![cmd!["HSET", "K", "h", "v"]], &["field"]),
        case(0, "c:field renamed", hash(), vec![cmd!["HDEL", "K", "f"], cmd!["HSET", "K", "F", "v"]], &["field"]),
        case(
            0,
            "c:big hash",
            many("HMSET", |n| cmd![format!("f{n}"), n]),
            vec![cmd!["HSET", "K", "f24999", "x"]],
            &["value"],
        ),
        case(0, "c:score", zset(), vec![cmd!["ZADD", "K", "0.10000000000000002", "a"]], &["score"]),
        case(0, "c:ranked", zset(), vec![cmd!["ZREM", "K", "a"]], &["member"]),
        case(
            0,
            "c:big zset",
            many("ZADD", |n| cmd![n, format!("m{n}")]),
            vec![cmd!["ZADD", "K", 3, "m20000"]],
            &["score"],
        ),
        case(0, "c:ttl missing", ends(LATER), vec![cmd!["PERSIST", "K"]], &["ttl_missing"]),
        case(0, "c:ttl extra", set(), vec![cmd!["PEXPIREAT", "K", LATER]], &["ttl_extra"]),
        case(4, "c:ttl off", ends(LATER), vec![cmd!["PEXPIREAT", "K", LATER + 3000]], &["ttl_off"]),
        case(
            0,
            "c:ttl and value",
            ends(LATER),
            vec![cmd!["SET", "K", "w"], cmd!["PEXPIREAT", "K", LATER - 5000]],
            &["content", "ttl_off"],
        ),
    ]
}

fn of_streams() -> Vec<Case> {
    let stream = || {
        vec![
            cmd!["XADD", "K", "1-1", "a", 1],
            cmd!["XADD", "K", "2-1", "a", 2],
            cmd!["XGROUP", "CREATE", "K", "g", 0],
            cmd!["XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "STREAMS", "K", ">"],
        ]
    };
    let mut many: Vec<Command> = (1..=3000).map(|n| cmd!["XADD", "K", format!("{n}-1"), "n", n]).collect();
    // The last deleted id is the same on both sides afterwards.
    many.push(cmd!["XDEL", "K", "3000-1"]);
    vec![
        case(0, "s:entry", stream(), vec![cmd!["XTRIM", "K", "MAXLEN", 1]], &["entry"]),
        case(6, "s:far behind", many, vec![cmd!["XDEL", "K", "2900-1"]], &["entry"]),
        case(0, "s:last id", stream(), vec![cmd!["XSETID", "K", "9-9"]], &["stream_ids"]),
        case(0, "s:group", stream(), vec![cmd!["XGROUP", "DESTROY", "K", "g"]], &["group"]),
        case(0, "s:group more", stream(), vec![cmd!["XGROUP", "CREATE", "K", "h", 0]], &["group"]),
        case(0, "s:position", stream(), vec![cmd!["XGROUP", "SETID", "K", "g", 0]], &["group_position"]),
        case(0, "s:acknowledged", stream(), vec![cmd!["XACK", "K", "g", "1-1"]], &["pending"]),
        case(0, "s:owner", stream(), vec![cmd!["XCLAIM", "K", "g", "bob", 0, "1-1", "RETRYCOUNT", 1]], &["pending"]),
        case(
            0,
            "s:delivered",
            stream(),
            vec![cmd!["XCLAIM", "K", "g", "ann", 0, "1-1", "IDLE", 500_000, "RETRYCOUNT", 1, "JUSTID"]],
            &["pending"],
        ),
        case(
            0,
            "s:deliveries",
            stream(),
            vec![cmd!["XCLAIM", "K", "g", "ann", 0, "1-1", "RETRYCOUNT", 8, "JUSTID"]],
            &["pending"],
        ),
    ]
}

fn of_fields_that_end() -> Vec<Case> {
    let made = |at: i64| vec![cmd!["HSET", "K", "f", "v", "g", "w"], cmd!["HPEXPIREAT", "K", at, "FIELDS", 1, "f"]];
    let plain = || vec![cmd!["HSET", "K", "f", "v"]];
    vec![
        case(0, "f:missing", made(LATER), vec![cmd!["HPERSIST", "K", "FIELDS", 1, "f"]], &["field_expiry"]),
        case(0, "f:extra", plain(), vec![cmd!["HPEXPIREAT", "K", LATER, "FIELDS", 1, "f"]], &["field_expiry"]),
        case(8, "f:off", made(LATER), vec![cmd!["HPEXPIREAT", "K", LATER + 1, "FIELDS", 1, "f"]], &["field_expiry"]),
    ]
}

/// All that both servers can have, the small ones in each of the sixteen databases.
pub fn cases(source: Flavour, destination: Flavour) -> Vec<Case> {
    let mut all = of_every_version();
    if source.has_streams() && destination.has_streams() {
        all.extend(of_streams());
    }
    if source.has_field_expiry() && destination.has_field_expiry() {
        all.extend(of_fields_that_end());
    }
    assert!(all.len() > 30, "{} cases", all.len());
    let is_small = |case: &Case| case.made.len() < 10 && case.made.iter().flatten().all(|word| word.len() < 10_000);
    let small: Vec<Case> = all.iter().filter(|case| is_small(case)).cloned().collect();
    let elsewhere =
        |db: u32| small.iter().filter(move |case| case.db != db).map(move |case| Case { db, ..case.clone() });
    all.extend((0..16).flat_map(elsewhere));
    all
}

/// Makes what the cases are about, at the source.
pub fn make(cases: &[Case], source: &Server) {
    run(source, cases.iter().map(|case| (case.db, &case.made)));
}

/// Makes the differences, at the destination; gives what is to be said.
pub fn inject(cases: &[Case], destination: &Server) -> Expected {
    run(destination, cases.iter().map(|case| (case.db, &case.changed)));
    cases
        .iter()
        .map(|case| ((case.db, hex(&case.key)), case.kinds.iter().map(|kind| (*kind).to_owned()).collect()))
        .collect()
}

fn run<'a>(server: &Server, commands: impl Iterator<Item = (u32, &'a Vec<Command>)>) {
    let mut client = server.client();
    for (db, commands) in commands {
        client.select(db);
        client.pipeline_ok(commands);
    }
}
