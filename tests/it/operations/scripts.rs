//! Scripts whose bodies a run has to remember, and what other servers take away.

use crate::{
    cmd,
    faults::{await_told, begin, told, tool, until},
    harness::{Comparer, Plan, Reply, Server},
};

const STOP: &str = "{ all: [ { lag: { below: 1s, for: 1s } }, { source_idle: { for: 1s } } ] }";
const BODY: &str = "return redis.call('INCR', KEYS[1])";

/// A source names a script by its SHA-1 alone once it has sent its body: to a process that is gone, for a destination that
/// forgot it.
fn a_script_is_known_after_a_restart(source: &str) {
    let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following(STOP));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    let (mut here, mut there) = (source.client(), destination.client());
    here.command(&cmd!["EVAL", BODY, 1, "a"]);
    let sha = name_of(BODY);
    until("the script is applied", || there.command(&cmd!["EXISTS", "a"]).int() == 1);
    drop(run.kill9());
    there.command(&cmd!["SCRIPT", "FLUSH"]);
    here.command(&cmd!["EVALSHA", sha, 1, "a"]);
    here.command(&cmd!["EVALSHA", sha, 1, "b"]);
    begin(&tool).wait().expect(0);
    assert!(told(&tool, "key_failed").is_empty());
    assert!(told(&tool, "dump_started").is_empty(), "it went on where it was");
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(there.command(&cmd!["GET", "a"]).text(), "2");
}

#[test]
fn a_script_of_2_8_17_is_known_after_a_restart() {
    a_script_is_known_after_a_restart("redis-2.8.17");
}

#[test]
fn a_script_of_4_0_rc2_is_known_after_a_restart() {
    a_script_is_known_after_a_restart("redis-4.0-rc2");
}

/// A master that sends scripts as they are said, its replica, and a run that follows the replica: the master has sent the
/// body long ago, and only the dump brings it.
#[test]
fn a_script_that_only_the_dump_brings_is_known() {
    let master = Server::of("redis-5.0.10").arg("--lua-replicate-commands", "no").start();
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let (mut at_master, mut here) = (master.client(), source.client());
    here.command(&cmd!["REPLICAOF", "127.0.0.1", master.port()]);
    let up = |info: &str| info.contains("master_link_status:up");
    until("the replica has its master", || up(here.command(&cmd!["INFO", "replication"]).text()));
    at_master.command(&cmd!["EVAL", BODY, 1, "a"]);
    // Named for the first time it is sent with its body, from then on without.
    at_master.command(&cmd!["EVALSHA", name_of(BODY), 1, "a"]);
    // The last key of the dump is in a database of its own: what comes behind it must not be taken for its.
    at_master.select(3);
    at_master.command(&cmd!["SET", "other", 1]);
    at_master.select(0);
    until("the replica has it", || here.command(&cmd!["GET", "a"]) == Reply::Bulk(b"2".to_vec()));
    let tool = tool(&Plan::between(&source, &destination).following(STOP));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    at_master.command(&cmd!["EVALSHA", name_of(BODY), 1, "a"]);
    run.wait().expect(0);
    assert!(told(&tool, "key_failed").is_empty());
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(destination.client().command(&cmd!["GET", "a"]).text(), "3");
}

fn name_of(body: &str) -> String {
    String::from_utf8(super::case::sha(body)).unwrap()
}

fn what_migrate_takes_away_is_gone(name: &str) {
    let (source, destination, third) = (Server::start(name), Server::start("redis-7.2.4"), Server::start(name));
    let mut here = source.client();
    here.pipeline_ok(&[cmd!["SET", "a", 1], cmd!["SET", "b", 2]]);
    let tool = tool(&Plan::between(&source, &destination).following(STOP));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    here.command(&cmd!["MIGRATE", "127.0.0.1", third.port(), "a", 0, 5000]);
    assert_eq!(here.command(&cmd!["EXISTS", "a"]).int(), 0);
    run.wait().expect(0);
    assert_eq!(Comparer::of(&source, &destination).run().assert_equal().total(), 1);
}

#[test]
fn what_migrate_takes_away_from_2_8_17_is_gone() {
    what_migrate_takes_away_is_gone("redis-2.8.17");
}

#[test]
fn what_migrate_takes_away_from_8_2_3_is_gone() {
    what_migrate_takes_away_is_gone("redis-8.2.3");
}
