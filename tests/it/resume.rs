//! A run that was killed, interrupted or stopped goes on, and the end is the same.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::{
    cmd,
    faults::{
        assert_equal_but, await_told, await_whole, begin, begin_slow, big_sizes, fill, fill_big, keys, made, slow,
        told, tool, until,
    },
    harness::{Comparer, Dataset, Direction, Plan, Random, Server, Size},
};

/// Kills at random moments of random phases, then lets the run end.
fn kills(times: u64, on_conflict: &str) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    Dataset::new(source.flavour, Size::Full, 3).load(&source);
    fill(&source, 10_000, 60);
    fill_big(&source, 10_000);
    let foreign = on_conflict != "fail";
    let mut other = destination.client();
    if foreign {
        other.command(&cmd!["SET", "foreign:before", "mine"]);
        other.command(&cmd!["SET", "bulk:7", "mine"]);
    }
    let (from, to) = (slow(&source, 0), slow(&destination, 0));
    let plan = Plan::between_ports(from.port(), to.port())
        .line(&format!("on_conflict: {on_conflict}"))
        .line("limits: { chunk_above: 64 KiB, connections: 3 }");
    let tool = tool(&plan);
    let mut random = Random::fresh();
    let mut of_phase = [0; 4];
    for kill in 0..times {
        // The source is slow in the first kills, so that some meet a dump that is not whole.
        from.throttle(if kill < times / 3 { 4 << 20 } else { 0 });
        let rate = random.between(200_000, 500_000);
        let phase = usize::try_from(random.between(0, 4)).unwrap();
        of_phase[phase] += 1;
        let (mut run, alive) = match phase {
            0 => (begin(&tool), true),
            1 => (begin_slow(&tool, &to, rate), true),
            _ => {
                let mut run = begin_slow(&tool, &to, rate);
                let alive =
                    if phase == 2 { await_told(&tool, &mut run, "progress") } else { await_whole(&tool, &mut run) };
                (run, alive)
            }
        };
        thread::sleep(Duration::from_millis(random.between(0, 150)));
        assert!(alive && run.is_running(), "kill {kill} in phase {phase} came too late:\n{}", run.wait());
        run.kill9();
        if foreign {
            other.command(&cmd!["SET", format!("foreign:{kill}"), kill]);
        }
    }
    println!("kills by phase: {of_phase:?}");
    from.throttle(0);
    to.throttle(0);
    let mut run = begin(&tool);
    if await_told(&tool, &mut run, "\"step\":\"cleanup\"") {
        run.kill9();
    } else {
        run.wait().expect(0);
    }
    begin(&tool).wait().expect(0);
    assert_equal_but(&source, &destination, |key| {
        foreign && (key.starts_with(b"foreign:") || (on_conflict == "skip" && key == b"bulk:7"))
    });
    if foreign {
        for name in (0..times).map(|kill| kill.to_string()).chain(["before".to_owned()]) {
            assert_eq!(other.command(&cmd!["EXISTS", format!("foreign:{name}")]).int(), 1, "foreign:{name}");
        }
    }
    if on_conflict == "skip" {
        assert_eq!(other.command(&cmd!["GET", "bulk:7"]).text(), "mine");
    }
}

#[test]
fn twenty_kills_with_on_conflict_fail_change_nothing() {
    kills(20, "fail");
}

#[test]
fn kills_with_on_conflict_skip_change_nothing() {
    kills(8, "skip");
}

#[test]
fn kills_with_on_conflict_replace_change_nothing() {
    kills(8, "replace");
}

#[test]
fn a_whole_dump_in_the_spool_needs_no_source_and_nothing_is_written_twice() {
    let (mut source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 60_000, 100);
    source.client().command(&cmd!["SAVE"]);
    let to = slow(&destination, 150_000);
    let tool = tool(&Plan::between_ports(source.port(), to.port()));
    for more in [500, 1000, 500] {
        let before = keys(&destination);
        let mut run = begin_slow(&tool, &to, 150_000);
        assert!(await_whole(&tool, &mut run));
        until("some keys are there", || keys(&destination) > before + more);
        run.kill9();
        source.kill9();
    }
    assert!(keys(&destination) < 60_000);
    // Far away it began with as many connections as there may be, and it keeps to them where it is near.
    assert_eq!(lanes(&destination), 16);
    to.throttle(0);
    begin(&tool).wait().expect(0).says("without the source");
    assert_eq!(lanes(&destination), 16);
    source.restart();
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(made(&destination, 5), 60_000);
}

/// How many connections brought the dump.
fn lanes(destination: &Server) -> usize {
    let record = destination.client().command(&cmd!["HKEYS", "redis-plan:{move}:run"]);
    record.items().iter().filter(|field| field.bytes().starts_with(b"lane:")).count()
}

/// A dump that is cut off is begun anew; what it brought and the source no longer has is gone.
fn no_ghosts(on_conflict: &str) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    let mut at_source = source.client();
    at_source.command(&cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
    fill(&source, 20_000, 100);
    for index in 0..20 {
        at_source.command(&cmd!["SET", format!("foreign:past:{index}"), "expired", "PX", 1]);
    }
    let mut there = destination.client();
    let foreign = on_conflict != "fail";
    if foreign {
        for index in 0..20 {
            there.command(&cmd!["SET", format!("foreign:past:{index}"), "mine"]);
            there.command(&cmd!["SET", format!("foreign:{index}"), "mine"]);
        }
        there.command(&cmd!["SET", "bulk:77", "mine"]);
    }
    let from = slow(&source, 1 << 20);
    let tool = tool(&Plan::between_ports(from.port(), destination.port()).line(&format!("on_conflict: {on_conflict}")));
    let mut run = begin(&tool);
    until("keys have come", || keys(&destination) > 3000);
    assert!(told(&tool, "dump_received").is_empty(), "the dump is not whole");
    assert!(run.is_running());
    run.kill9();
    if foreign {
        there.command(&cmd!["SET", "foreign:after", "mine"]);
    }
    let come: Vec<String> = (0..20_000)
        .map(|index| format!("bulk:{index}"))
        .filter(|key| key != "bulk:77" && there.command(&cmd!["EXISTS", key]).int() == 1)
        .take(500)
        .collect();
    for key in &come {
        at_source.command(&cmd!["DEL", key]);
    }
    at_source.command(&cmd!["RPUSH", "new", "key"]);
    from.throttle(0);
    begin(&tool).wait().expect(0).says("was not received to its end").says("taken back");
    for key in &come {
        assert_eq!(there.command(&cmd!["EXISTS", key]).int(), 0, "{key} is a ghost");
    }
    assert_equal_but(&source, &destination, |key| {
        key.starts_with(b"foreign:") || (on_conflict == "skip" && key == b"bulk:77")
    });
    if foreign {
        assert_eq!(there.command(&cmd!["KEYS", "foreign:*"]).items().len(), 41);
    }
    if on_conflict == "skip" {
        assert_eq!(there.command(&cmd!["GET", "bulk:77"]).text(), "mine");
    }
}

#[test]
fn a_dump_that_was_cut_off_leaves_no_ghosts() {
    no_ghosts("fail");
}

#[test]
fn a_dump_that_was_cut_off_leaves_no_ghosts_and_skipped_keys_stay() {
    no_ghosts("skip");
}

#[test]
fn a_dump_that_was_cut_off_leaves_no_ghosts_and_foreign_keys_stay() {
    no_ghosts("replace");
}

/// Kills in the middle of values that are written in chunks.
fn kills_in_chunks(destination: &str) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start(destination));
    fill_big(&source, 40_000);
    let to = slow(&destination, 0);
    let plan = Plan::between_ports(source.port(), to.port());
    let tool = tool(&plan.line("limits: { chunk_above: 64 KiB, connections: 2 }"));
    let mut met = 0;
    let mut last = String::new();
    while met < 5 {
        let mut run = begin_slow(&tool, &to, 4 << 20);
        // A lane's mark is `byte+elements`: behind the plus is how much of the value is there.
        let inside = |mark: &str| mark.split_once('+').is_some_and(|(_, elements)| elements != "0");
        until("a value is half written", || {
            let mut client = destination.client();
            let marks = [0, 1].map(|lane| client.reply(&cmd!["HGET", "redis-plan:{move}:run", format!("lane:{lane}")]));
            let marks: Vec<String> = marks.iter().map(|mark| format!("{mark:?}").replace('"', "")).collect();
            let now = marks.join(" ");
            let new = now != last && marks.iter().any(|mark| inside(mark));
            if new {
                last = now;
            }
            new || !run.is_running()
        });
        if !run.is_running() {
            run.wait().expect(0);
            break;
        }
        run.kill9();
        met += 1;
    }
    assert!(met >= 3, "{met} kills in a value");
    to.throttle(0);
    begin(&tool).wait().expect(0);
    assert_eq!(format!("{:?}", big_sizes(&source)), format!("{:?}", big_sizes(&destination)));
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn no_element_of_a_big_value_is_doubled_or_lost() {
    kills_in_chunks("redis-7.0.15");
}

#[test]
fn no_element_of_a_big_value_is_doubled_or_lost_at_an_old_destination() {
    kills_in_chunks("redis-3.0.5");
}

#[test]
fn values_near_the_window_do_not_wait_for_each_other() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    let mut client = source.client();
    let mut random = Random::seeded(1);
    // Every lane has a connection and keeps a transaction unanswered before the large values come.
    fill(&source, 6000, 100);
    client.select(1);
    for index in 0..5 {
        client.command(&cmd!["SET", format!("near:{index}"), random.bytes(14 << 20)]);
    }
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_signal_leaves_a_checkpoint() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 30_000, 100);
    let to = slow(&destination, 200_000);
    let tool = tool(&Plan::between_ports(source.port(), to.port()).line("limits: { connections: 4 }"));
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let before = keys(&destination);
        let mut run = begin_slow(&tool, &to, 200_000);
        until("it writes", || keys(&destination) > before + 500 || !run.is_running());
        run.signal(signal);
        let ended = run.wait().expect(code).says("the same command");
        assert!(ended.took < Duration::from_secs(10), "{ended}");
    }
    to.throttle(0);
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(made(&destination, 4), 30_000);
}

#[test]
fn a_run_stops_after_the_step_it_was_told() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 100, 10);
    let tool = tool(&Plan::between(&source, &destination));
    tool.run(["apply", "plan.yaml", "--until", "precheck"]).expect(75).says("precheck");
    assert_eq!(destination.client().command(&cmd!["DBSIZE"]).int(), 0);
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75);
    assert_eq!(lanes(&destination), 4);
    Comparer::of(&source, &destination).run().assert_equal();
    tool.run(["apply", "plan.yaml"]).expect(0);
    assert_eq!(made(&destination, 3), 100);
}

#[test]
fn a_finished_run_is_finished_also_for_an_empty_state_directory() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 100, 10);
    let to = slow(&destination, 0);
    let tool = tool(&Plan::between_ports(source.port(), to.port()));
    begin(&tool).wait().expect(0);
    source.client().command(&cmd!["SET", "later", 1]);
    assert_eq!(told(&tool, "run_finished")[0]["code"], "R000");
    begin(&tool).wait().expect(0).because("R101").says("finished already");
    tool.run(["apply", "plan.yaml", "--state", "empty"]).expect(0).says("finished already");
    assert_eq!((keys(&destination), made(&destination, 2)), (100, 100));
    assert!(to.bytes(Direction::ToServer) > 0);
}
