//! The comparer finds what differs, whatever it is.

use std::time::Duration;

use crate::{
    cmd,
    harness::{Command, Comparer, Comparison, Server},
};

/// One change at the destination, and what the comparer must say of it, once and about that key alone.
struct Case {
    name: &'static str,
    key: &'static str,
    made: Vec<Command>,
    changed: Vec<Command>,
    said: &'static str,
}

fn case(name: &'static str, key: &'static str, made: Vec<Command>, changed: Vec<Command>, said: &'static str) -> Case {
    Case { name, key, made, changed, said }
}

fn stream(key: &str) -> Vec<Command> {
    vec![
        cmd!["XADD", key, "1-1", "a", 1],
        cmd!["XADD", key, "2-1", "a", 2],
        cmd!["XGROUP", "CREATE", key, "g", 0],
        cmd!["XREADGROUP", "GROUP", "g", "ann", "COUNT", 1, "STREAMS", key, ">"],
    ]
}

fn long_list() -> Vec<Command> {
    (0..3)
        .map(|part| [cmd!["RPUSH", "long"], (part * 9000..(part + 1) * 9000).flat_map(|n| cmd![n]).collect()].concat())
        .collect()
}

fn long_sorted() -> Vec<Command> {
    let pairs = |part: i32| (part * 9000..(part + 1) * 9000).flat_map(|n| cmd![n, format!("m{n}")]).collect();
    (0..3).map(|part| [cmd!["ZADD", "sorted"], pairs(part)].concat()).collect()
}

/// 2100-01-01, Unix milliseconds.
const LATER: i64 = 4_102_444_800_000;

fn cases() -> Vec<Case> {
    let set = || vec![cmd!["SET", "k", "value"]];
    let zset = || vec![cmd!["ZADD", "k", "0.1", "a", "2", "b"]];
    let hash = || vec![cmd!["HSET", "k", "f", "v", "g", "w"]];
    let ends = |at: i64| vec![cmd!["SET", "k", "v"], cmd!["PEXPIREAT", "k", at]];
    vec![
        case("a missing key", "k", set(), vec![cmd!["DEL", "k"]], "a string is missing"),
        case("an extra key", "other", set(), vec![cmd!["SET", "other", 1]], "only at the destination"),
        case("a key in another database", "k", set(), vec![cmd!["MOVE", "k", 3]], "a string is missing"),
        case(
            "another type",
            "k",
            set(),
            vec![cmd!["DEL", "k"], cmd!["RPUSH", "k", "value"]],
            "a string against a list",
        ),
        case("another byte", "k", set(), vec![cmd!["SETRANGE", "k", 2, "L"]], "byte 2 is 108 against 76"),
        case("a longer string", "k", set(), vec![cmd!["APPEND", "k", "s"]], "5 bytes against 6"),
        case(
            "another order",
            "k",
            vec![cmd!["RPUSH", "k", "a", "b"]],
            vec![cmd!["RPOPLPUSH", "k", "k"]],
            "element 0 is",
        ),
        case(
            "a doubled list",
            "k",
            vec![cmd!["RPUSH", "k", "a"]],
            vec![cmd!["RPUSH", "k", "a"]],
            "1 elements against 2",
        ),
        case("an element far behind", "long", long_list(), vec![cmd!["LSET", "long", 25_000, "x"]], "element 25000 is"),
        case(
            "a missing member",
            "k",
            vec![cmd!["SADD", "k", "a", "b"]],
            vec![cmd!["SREM", "k", "b"]],
            "missing 1 members",
        ),
        case("an extra member", "k", vec![cmd!["SADD", "k", "a"]], vec![cmd!["SADD", "k", "b"]], "too many 1 members"),
        case("another field value", "k", hash(), vec![cmd!["HSET", "k", "f", "V"]], "field f is"),
        case("a missing field", "k", hash(), vec![cmd!["HDEL", "k", "f"]], "missing 1 fields"),
        case("a score one bit off", "k", zset(), vec![cmd!["ZADD", "k", "0.10000000000000002", "a"]], "member 0 is"),
        case(
            "a member far behind",
            "sorted",
            long_sorted(),
            vec![cmd!["ZADD", "sorted", 26_000, "m26001"]],
            "member 26001 is",
        ),
        case("no end", "k", ends(LATER), vec![cmd!["PERSIST", "k"]], "ends Some("),
        case("an end too much", "k", set(), vec![cmd!["PEXPIREAT", "k", LATER]], "ends None"),
        case("another end", "k", ends(LATER), vec![cmd!["PEXPIREAT", "k", LATER + 3000]], "ends Some("),
        case("an entry lost", "k", stream("k"), vec![cmd!["XDEL", "k", "2-1"]], "2 entrys against 1"),
        case("another last id", "k", stream("k"), vec![cmd!["XSETID", "k", "9-9"]], "last-generated-id is"),
        case("a group lost", "k", stream("k"), vec![cmd!["XGROUP", "DESTROY", "k", "g"]], "missing 1 groups"),
        case(
            "a group elsewhere",
            "k",
            stream("k"),
            vec![cmd!["XGROUP", "SETID", "k", "g", 0]],
            "group g: last-delivered-id is",
        ),
        case(
            "a consumer too many",
            "k",
            stream("k"),
            vec![cmd!["XGROUP", "CREATECONSUMER", "k", "g", "bob"]],
            "too many 1 consumers",
        ),
        case("nothing pending", "k", stream("k"), vec![cmd!["XACK", "k", "g", "1-1"]], "1 pending against 0"),
        case("another owner", "k", stream("k"), vec![cmd!["XCLAIM", "k", "g", "bob", 0, "1-1"]], "pending Pending"),
        case(
            "another delivery",
            "k",
            stream("k"),
            vec![cmd!["XCLAIM", "k", "g", "ann", 0, "1-1", "IDLE", 5000, "JUSTID"]],
            "pending Pending",
        ),
        case("a field's end", "k", hash(), vec![cmd!["HPEXPIREAT", "k", LATER, "FIELDS", 1, "f"]], "field f ends None"),
        case(
            "a function",
            "FUNCTION",
            set(),
            vec![cmd!["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)"]],
            "functions",
        ),
    ]
}

fn compare(source: &Server, destination: &Server) -> Comparison {
    Comparer::of(source, destination).run()
}

#[test]
fn every_kind_of_difference() {
    let (source, destination) = (Server::start("valkey-9.1.2"), Server::start("redis-7.4.1"));
    let (mut here, mut there) = (source.client(), destination.client());
    for case in cases() {
        for client in [&mut here, &mut there] {
            client.command(&cmd!["FLUSHALL"]);
            client.command(&cmd!["FUNCTION", "FLUSH"]);
            client.pipeline_ok(&case.made);
        }
        assert!(compare(&source, &destination).differences.is_empty(), "{}: equal before", case.name);
        there.pipeline_ok(&case.changed);
        let found = compare(&source, &destination);
        let about_it = |key: &[u8]| key == case.key.as_bytes();
        assert!(
            found.differences.iter().any(|one| about_it(&one.key) && one.what.contains(case.said)),
            "{}: {found}",
            case.name
        );
        assert!(found.differences.iter().all(|one| about_it(&one.key)), "{}: {found}", case.name);
    }
}

#[test]
fn what_is_the_tools_own_and_what_ends_meanwhile_is_no_difference() {
    let (source, destination) = (Server::start("redis-2.8.17"), Server::start("redis-7.0.15"));
    source.client().command(&cmd!["SET", "k", 1]);
    source.client().command(&cmd!["PSETEX", "short", 300, 1]);
    destination.client().command(&cmd!["SET", "k", 1]);
    destination.client().command(&cmd!["SET", "redis-plan:run", 1]);
    let found = compare(&source, &destination).assert_equal();
    assert_eq!((found.expired, found.total()), (1, 1));
    std::thread::sleep(Duration::from_millis(310));
    assert_eq!(compare(&source, &destination).assert_equal().expired, 0);
}

#[test]
fn renumbered_databases_and_chosen_keys() {
    let (source, destination) = (Server::start("redis-3.2.9"), Server::start("redis-6.2.14"));
    let (mut here, mut there) = (source.client(), destination.client());
    here.pipeline_ok(&[cmd!["SELECT", 3], cmd!["SET", "a", 1], cmd!["SET", "b", 1]]);
    there.pipeline_ok(&[cmd!["SELECT", 1], cmd!["SET", "a", 1]]);
    let chosen = || Comparer::of(&source, &destination).databases(&[(3, 1)]).only(|db, key| db == 3 && key == b"a");
    assert_eq!(chosen().run().assert_equal().total(), 1);
    there.pipeline_ok(&[cmd!["SET", "b", 1], cmd!["SELECT", 9], cmd!["SET", "a", 1]]);
    let keys: Vec<(u32, Vec<u8>)> = chosen().run().differences.into_iter().map(|one| (one.db, one.key)).collect();
    assert_eq!(keys, [(1, b"b".to_vec()), (9, b"a".to_vec())]);
}
