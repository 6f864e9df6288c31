//! However far a run is behind, no key lives longer for it.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::{
    cmd,
    faults::{await_told, begin, begin_slow, fill, told, tool, until},
    harness::{Client, Comparer, Plan, Proxy, Server},
};

const STOP: &str = "{ all: [ { lag: { below: 1s, for: 1s } }, { source_idle: { for: 1s } } ] }";
/// Well above what deadlines may be apart.
const BEHIND: Duration = Duration::from_millis(2500);

/// What is behind meanwhile.
enum Behind {
    /// The destination stands still.
    Destination,
    /// The program stands still.
    Tool,
    /// The program is killed, and begun again.
    Killed,
    /// The dump is still on its way.
    Dump,
}

/// Commands whose expiry counts from when they are carried out.
fn lives(client: &mut Client) {
    let payload = client.command(&cmd!["DUMP", "restored"]);
    client.pipeline_ok(&[
        cmd!["SETEX", "a", 100, 1],
        cmd!["EXPIRE", "b", 100],
        cmd!["PEXPIRE", "c", 100_000],
        cmd!["SET", "d", 1, "EX", 100],
        cmd!["PSETEX", "e", 100_000, 1],
        cmd!["RESTORE", "f", 100_000, payload.bytes()],
        // What comes later decides.
        cmd!["SETEX", "g", 100, 1],
        cmd!["EXPIRE", "g", 1000],
        cmd!["SETEX", "h", 1000, 1],
        cmd!["EXPIRE", "h", 100],
        cmd!["SETEX", "i", 100, 1],
        cmd!["PERSIST", "i"],
        cmd!["SETEX", "j", 100, 1],
        cmd!["DEL", "j"],
    ]);
}

fn lives_end_as_at_the_source(source: &str, behind: &Behind) {
    let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
    let mut client = source.client();
    client.pipeline_ok(&[cmd!["SET", "restored", "v"], cmd!["SET", "b", 1], cmd!["SET", "c", 1]]);
    let proxy = Proxy::to(source.port());
    let tool = tool(&Plan::between_ports(proxy.port(), destination.port()).following(STOP));
    if matches!(behind, Behind::Dump) {
        fill(&source, 3000, 1000);
        let mut run = begin_slow(&tool, &proxy, 400_000);
        assert!(await_told(&tool, &mut run, "dump_started"), "{}", run.wait());
        lives(&mut client);
        until("the dump is there", || !told(&tool, "dump_received").is_empty());
        proxy.throttle(0);
        run.wait().expect(0);
        let seconds = told(&tool, "dump_received")[0]["seconds"].as_f64().unwrap();
        assert!(seconds > BEHIND.as_secs_f64(), "{seconds}");
        Comparer::of(&source, &destination).run().assert_equal();
        return;
    }
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    match behind {
        Behind::Destination => destination.pause(),
        Behind::Tool => run.signal(Signal::STOP),
        _ => {
            until("it follows", || !told(&tool, "\"following\"").is_empty());
            drop(run.kill9());
            run = {
                lives(&mut client);
                thread::sleep(BEHIND);
                begin(&tool)
            };
            run.wait().expect(0);
            assert_eq!(Comparer::of(&source, &destination).run().assert_equal().total(), 10);
            return;
        }
    }
    lives(&mut client);
    thread::sleep(BEHIND);
    match behind {
        Behind::Destination => destination.resume(),
        _ => run.signal(Signal::CONT),
    }
    run.wait().expect(0);
    assert_eq!(Comparer::of(&source, &destination).run().assert_equal().total(), 10);
}

#[test]
fn a_destination_that_is_behind_2_8_17_lengthens_no_life() {
    lives_end_as_at_the_source("redis-2.8.17", &Behind::Destination);
}

#[test]
fn a_destination_that_is_behind_6_2_14_lengthens_no_life() {
    lives_end_as_at_the_source("redis-6.2.14", &Behind::Destination);
}

#[test]
fn a_tool_that_stands_still_before_2_8_17_lengthens_no_life() {
    lives_end_as_at_the_source("redis-2.8.17", &Behind::Tool);
}

#[test]
fn a_tool_that_stands_still_before_6_2_14_lengthens_no_life() {
    lives_end_as_at_the_source("redis-6.2.14", &Behind::Tool);
}

#[test]
fn a_tool_that_stands_still_before_7_2_4_lengthens_no_life() {
    lives_end_as_at_the_source("redis-7.2.4", &Behind::Tool);
}

#[test]
fn a_tool_that_was_killed_before_2_8_17_lengthens_no_life() {
    lives_end_as_at_the_source("redis-2.8.17", &Behind::Killed);
}

#[test]
fn a_tool_that_was_killed_before_6_2_14_lengthens_no_life() {
    lives_end_as_at_the_source("redis-6.2.14", &Behind::Killed);
}

#[test]
fn a_long_dump_of_3_2_9_lengthens_no_life() {
    lives_end_as_at_the_source("redis-3.2.9", &Behind::Dump);
}
