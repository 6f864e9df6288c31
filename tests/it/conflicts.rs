//! Keys that are at the destination and that the run did not write.

use crate::{
    cmd,
    faults::{assert_equal_but, await_told, begin, fill, fill_big, keys, slow, told, tool},
    harness::{Client, Comparer, Dataset, Plan, Reply, Server, Size},
};

/// What a server would dump of these keys.
fn dumps(client: &mut Client, keys: &[&str]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| client.command(&cmd!["DUMP", key]).bytes().to_vec()).collect()
}

#[test]
fn with_fail_a_destination_with_keys_is_refused_before_anything_is_written() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 100, 10);
    let mut there = destination.client();
    there.command(&cmd!["SET", "bulk:7", "mine"]);
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(1).because("R001").says("destination-empty").says("`skip` or `replace`");
    assert_eq!(there.command(&cmd!["KEYS", "*"]).items().len(), 1);
    assert_eq!(there.command(&cmd!["GET", "bulk:7"]).text(), "mine");
    there.command(&cmd!["DEL", "bulk:7"]);
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// Somebody writes a key after the precheck found nothing in the way.
fn a_key_appears(source: &str, destination: &str) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    let mut client = source.client();
    fill(&source, 5000, 100);
    for index in 0..2000 {
        client.command(&cmd!["HMSET", format!("hash:{index}"), "a", index, "b", "text"]);
    }
    let to = slow(&destination, 100_000);
    let tool = tool(&Plan::between_ports(source.port(), to.port()).line("limits: { connections: 4 }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "dump_received"));
    let mut there = destination.client();
    // Of several keys some are not there yet at this speed.
    let names: Vec<String> = (0..2000).step_by(10).flat_map(|n| [format!("hash:{n}"), format!("bulk:{n}")]).collect();
    let set = |name: &String, there: &mut Client| there.command(&cmd!["SETNX", name, "foreign"]).int() == 1;
    let mine: Vec<&String> = names.iter().filter(|name| set(name, &mut there)).collect();
    assert!(mine.len() > 10, "{} keys of {} were not there yet", mine.len(), names.len());
    to.throttle(0);
    run.wait().expect(3).because("R305").says("this run did not write it").says("on_conflict");
    for again in 0..2 {
        let is_mine = |name: &&&String| there.reply(&cmd!["GET", name]) == Reply::Bulk(b"foreign".to_vec());
        let left = mine.iter().filter(is_mine).count();
        assert_eq!(left, mine.len(), "a foreign key was lost after attempt {again}");
        // The same command does not pass the keys over.
        begin(&tool).wait().expect(3).says("this run did not write it");
    }
    for name in &mine {
        there.command(&cmd!["DEL", name]);
    }
    begin(&tool).wait().expect(0).says("could not be written");
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_foreign_key_that_appears_stops_the_run_and_stays() {
    a_key_appears("redis-5.0.10", "redis-7.0.15");
}

#[test]
fn a_foreign_key_that_appears_stops_a_run_of_native_commands_and_stays() {
    a_key_appears("redis-7.0.15", "redis-5.0.10");
}

/// Every key of some kinds is there before, with another value.
fn skip(source: &str, destination: &str) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    Dataset::new(source.flavour, Size::Small, 4).load(&source);
    fill_big(&source, 10_000);
    fill(&source, 2000, 20);
    let mut there = destination.client();
    let mine = [
        "big:list",
        "big:zset",
        "big:hash",
        "big:set",
        "big:string",
        "bulk:1",
        "bulk:1999",
        "list:mixed",
        "set:mixed",
        "hash:mixed",
        "zset:same score",
    ];
    for (index, key) in mine.into_iter().enumerate() {
        let command = [cmd!["RPUSH", key, "a", "b"], cmd!["SET", key, "text"], cmd!["ZADD", key, 1, "member"]];
        there.command(&command[index % 3]);
        there.command(&cmd!["PEXPIREAT", key, 4_102_444_800_000_i64]);
    }
    there.command(&cmd!["SET", "foreign", 1]);
    let before = dumps(&mut there, &mine);
    let plan = Plan::between(&source, &destination).line("on_conflict: skip").line("on_unsupported: report");
    let tool = tool(&plan.line("limits: { chunk_above: 64 KiB }"));
    begin(&tool).wait().expect(0).says("11 left as they were");
    assert_eq!(dumps(&mut there, &mine), before);
    for key in mine {
        assert_eq!(there.command(&cmd!["PTTL", key]).int().signum(), 1);
        let reports = told(&tool, "key_failed").into_iter().filter(|event| event["failure"]["key"] == key).count();
        assert_eq!(reports, 1, "{key} is reported once");
    }
    assert_equal_but(&source, &destination, |key| key == b"foreign" || mine.iter().any(|mine| mine.as_bytes() == key));
}

#[test]
fn skip_leaves_and_reports_every_key_that_is_there() {
    skip("redis-5.0.10", "redis-7.0.15");
}

#[test]
fn skip_leaves_and_reports_every_key_where_values_are_written_natively() {
    skip("redis-6.2.14", "redis-5.0.10");
    skip("redis-3.2.9", "redis-3.0.5");
}

#[test]
fn skip_leaves_a_key_that_appears_during_the_run() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 10_000, 100);
    let to = slow(&destination, 100_000);
    let plan = Plan::between_ports(source.port(), to.port()).line("on_conflict: skip");
    let tool = tool(&plan.line("limits: { connections: 4 }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "dump_received"));
    let mut there = destination.client();
    let names: Vec<String> = (0..10_000).step_by(10).map(|index| format!("bulk:{index}")).collect();
    let set = |name: &String, there: &mut Client| there.command(&cmd!["SETNX", name, "foreign"]).int() == 1;
    let mine: Vec<&String> = names.iter().filter(|name| set(name, &mut there)).collect();
    to.throttle(0);
    run.wait().expect(0).says(&format!("{} left as they were", mine.len()));
    assert!(mine.len() > 10);
    assert!(mine.iter().all(|name| there.command(&cmd!["GET", name]).text() == "foreign"));
    assert_equal_but(&source, &destination, |key| mine.iter().any(|mine| mine.as_bytes() == key));
}

/// Keys of the same name are replaced whole, the others stay.
fn replace(source: &str, destination: &str) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    Dataset::new(source.flavour, Size::Small, 4).load(&source);
    fill_big(&source, 10_000);
    let mut there = destination.client();
    for key in ["big:list", "big:hash", "big:string", "list:mixed", "set:mixed", "hash:mixed", "foreign"] {
        there.command(&cmd!["RPUSH", key, "a", "b"]);
    }
    for key in ["big:zset", "big:set", "zset:same score"] {
        there.command(&cmd!["ZADD", key, 1, "a member of mine", 2, "another"]);
    }
    let plan = Plan::between(&source, &destination).line("on_conflict: replace").line("on_unsupported: report");
    let tool = tool(&plan.line("limits: { chunk_above: 64 KiB }"));
    begin(&tool).wait().expect(0);
    assert_equal_but(&source, &destination, |key| key == b"foreign");
    assert_eq!(there.command(&cmd!["LLEN", "foreign"]).int(), 2);
    assert!(keys(&destination) > 100);
}

#[test]
fn replace_replaces_whole_values_and_no_others() {
    replace("redis-5.0.10", "redis-7.0.15");
}

#[test]
fn replace_replaces_whole_values_with_native_commands_too() {
    replace("redis-3.2.9", "redis-3.0.5");
}
