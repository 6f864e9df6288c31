//! One process writes for a run, wherever others are begun.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::{
    cmd,
    faults::{begin, calls, fill, told, tool, until},
    following::{IDLE, await_applied, began_anew, figure, follow, offset, record},
    harness::{Comparer, Direction, Plan, Proxy, Random, Running, Server, Tool, Workload},
};

/// A run with a workload at its source.
struct Pair {
    source: Server,
    destination: Server,
    from: Proxy,
    to: Proxy,
    tool: Tool,
    random: Random,
}

impl Pair {
    fn new() -> Self {
        let source = Server::of("redis-7.2.4").arg("--repl-backlog-size", "64mb").start();
        let destination = Server::start("redis-8.2.3");
        fill(&source, 1000, 60);
        let (from, to) = (Proxy::to(source.port()), Proxy::to(destination.port()));
        let plan = Plan::between_ports(from.port(), to.port()).following(IDLE);
        let tool =
            tool(&plan.line("buffer: { replica_output: unlimited, restore: always }").line("on_stream_lost: recopy"));
        Self { source, destination, from, to, tool, random: Random::fresh() }
    }

    fn workload(&mut self) -> Workload {
        Workload::start(self.source.flavour, self.source.port(), 4, Duration::from_millis(2), self.random.next())
    }

    fn is_equal(&self) {
        Comparer::of(&self.source, &self.destination).run().assert_equal();
    }

    /// Begins `apply` with a state directory of its own, as on another host.
    fn elsewhere(&self) -> Running {
        self.tool.start(["apply", "plan.yaml", "--state", "elsewhere", "--events", "elsewhere.events"])
    }

    /// What the process elsewhere has told.
    fn told_elsewhere(&self, text: &str) -> usize {
        let all = std::fs::read_to_string(self.tool.folder().join("elsewhere.events")).unwrap_or_default();
        all.lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until the heartbeat of a process that is dead or stopped has ended.
    fn await_no_heartbeat(&self) {
        until("the heartbeat ends", || record(&self.destination, "heartbeat").is_none());
    }

    /// The source is set back behind what it has sent.
    fn lose_history(&mut self) {
        self.source.client().command(&cmd!["SAVE"]);
        self.source.client().command(&cmd!["SET", "ghost", 1]);
        let mut client = self.destination.client();
        until("it is applied", || client.command(&cmd!["EXISTS", "ghost"]).int() == 1);
        self.source.restart();
        self.from.cut();
    }

    /// The source's settings.
    fn settings(&self) -> String {
        format!("{:?}", self.source.client().command(&cmd!["CONFIG", "GET", "*"]))
    }

    /// Everything the destination holds, as one number.
    fn digest(&self) -> String {
        self.destination.client().command(&cmd!["DEBUG", "DIGEST"]).text().to_owned()
    }
}

#[test]
fn of_two_processes_one_works_and_the_other_changes_nothing() {
    let mut pair = Pair::new();
    let run = follow(&pair.tool);
    let work = pair.workload();
    until("something is written", || work.done() > 500);
    let token = record(&pair.destination, "token").unwrap();
    let owner = record(&pair.destination, "heartbeat").unwrap();
    let connections = calls(&pair.destination, "multi");
    pair.tool.run(["apply", "plan.yaml"]).expect(5).says("Another process works in the state directory");
    pair.elsewhere().wait().expect(5).says("Another process works on this run").says(&owner);
    assert_eq!(pair.told_elsewhere("dump_started") + pair.told_elsewhere("follow_started"), 0);
    assert_eq!(record(&pair.destination, "token").unwrap(), token);
    assert_eq!(record(&pair.destination, "heartbeat").unwrap(), owner);
    assert!(calls(&pair.destination, "multi") > connections, "the first one goes on");
    work.stop();
    run.wait().expect(0);
    pair.is_equal();
}

#[test]
fn of_many_begun_at_once_one_works() {
    let pair = Pair::new();
    let mut random = Random::fresh();
    let runs: Vec<Running> = (0..4)
        .map(|index| {
            thread::sleep(Duration::from_millis(random.between(0, 10)));
            let state = format!("state-{}", index / 2);
            pair.tool.start(["apply", "plan.yaml", "--state", &state])
        })
        .collect();
    let ended: Vec<_> = runs.into_iter().map(Running::wait).collect();
    let mut codes: Vec<_> = ended.iter().map(|run| run.code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 5, 5, 5], "{}", ended.iter().map(ToString::to_string).collect::<String>());
    pair.is_equal();
}

#[test]
fn a_stopped_writer_that_wakes_up_writes_nothing() {
    let mut pair = Pair::new();
    let mut run = follow(&pair.tool);
    let work = pair.workload();
    await_applied(&pair.tool, &mut run, &pair.source);
    run.signal(Signal::STOP);
    pair.await_no_heartbeat();
    // Another process goes on where the first one was, without what that one has spooled.
    let mut other = pair.elsewhere();
    until("the other follows", || pair.told_elsewhere("follow_started") > 0 || !other.is_running());
    let done = work.done();
    until("more is written", || work.done() > done + 500);
    run.signal(Signal::CONT);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(5), "{ended}");
    work.stop();
    other.wait().expect(0);
    assert_eq!(pair.told_elsewhere("dump_started"), 0, "it went on from the checkpoint");
    pair.is_equal();
}

/// The process that changed the source's settings is stopped or dead, and another goes on elsewhere.
#[test]
fn whoever_takes_a_run_over_puts_the_settings_of_the_source_back() {
    for wakes in [true, false] {
        let mut pair = Pair::new();
        let before = pair.settings();
        let mut run = follow(&pair.tool);
        let work = pair.workload();
        await_applied(&pair.tool, &mut run, &pair.source);
        let raised = pair.settings();
        assert_ne!(raised, before, "the limit is raised");
        let stopped = if wakes {
            run.signal(Signal::STOP);
            Some(run)
        } else {
            run.kill9();
            None
        };
        pair.await_no_heartbeat();
        let mut other = pair.elsewhere();
        until("the other follows", || pair.told_elsewhere("follow_started") > 0 || !other.is_running());
        if let Some(run) = stopped {
            run.signal(Signal::CONT);
            run.wait().expect(5);
        }
        assert!(other.is_running());
        assert_eq!(pair.settings(), raised, "the other one needs it");
        work.stop();
        other.wait().expect(0);
        assert_eq!(pair.settings(), before);
        pair.is_equal();
    }
}

#[test]
fn an_abort_from_elsewhere_puts_the_settings_of_the_source_back() {
    let pair = Pair::new();
    let before = pair.settings();
    let run = follow(&pair.tool);
    assert_ne!(pair.settings(), before, "the limit is raised");
    pair.elsewhere().wait().expect(5); // It knows of the run, and of no setting.
    assert_ne!(pair.settings(), before, "the one that works needs it");
    run.kill9();
    pair.await_no_heartbeat();
    pair.tool.run(["abort", "move", "--plan", "plan.yaml", "--state", "elsewhere"]).expect(0);
    assert_eq!(pair.settings(), before);
}

#[test]
fn a_cleanup_from_elsewhere_puts_the_settings_of_the_source_back() {
    let pair = Pair::new();
    let before = pair.settings();
    let run = follow(&pair.tool);
    let raised = pair.settings();
    assert_ne!(raised, before, "the limit is raised");
    pair.elsewhere().wait().expect(5); // It knows of the run, and of no setting.
    let cleanup = ["cleanup", "plan.yaml", "--state", "elsewhere"];
    pair.tool.run(cleanup).expect(5).because("R601");
    assert_eq!(pair.settings(), raised, "the one that works needs it");
    run.kill9();
    pair.await_no_heartbeat();
    pair.tool.run(cleanup).expect(0).says("The source has its settings back.");
    assert_eq!(pair.settings(), before);
    pair.tool.run(cleanup).expect(0).says("nothing to put back");
    // The run goes on where it was, without a new copy.
    let run = follow(&pair.tool);
    assert!(!began_anew(&pair.tool));
    run.wait().expect(0);
    assert_eq!(pair.settings(), before);
    pair.is_equal();
}

#[test]
fn a_stopped_writer_that_wakes_up_after_the_end_writes_nothing() {
    let mut pair = Pair::new();
    let mut run = follow(&pair.tool);
    let work = pair.workload();
    await_applied(&pair.tool, &mut run, &pair.source);
    run.signal(Signal::STOP);
    until("more is written", || work.done() > 2000);
    work.stop();
    pair.await_no_heartbeat();
    pair.elsewhere().wait().expect(0);
    pair.is_equal();
    let digest = pair.digest();
    let written = pair.to.bytes(Direction::ToServer);
    run.signal(Signal::CONT);
    let ended = run.wait();
    assert!(matches!(ended.code(), Some(5 | 7)), "{ended}");
    assert!(pair.to.bytes(Direction::ToServer) > written, "it did not even try");
    assert_eq!(pair.digest(), digest);
    pair.is_equal();
}

#[test]
fn what_an_old_state_directory_has_spooled_of_a_lost_history_is_not_applied() {
    let mut pair = Pair::new();
    let between = Proxy::to(pair.source.port());
    let replica = Server::of("redis-7.2.4").replica_of(between.port()).start();
    let mut run = follow(&pair.tool);
    let work = pair.workload();
    until("something is written", || work.done() > 500);
    work.pause(true);
    await_applied(&pair.tool, &mut run, &pair.source);
    let shared = offset(&pair.source);
    until("the replica has it all", || offset(&replica) >= shared);
    // What comes now is spooled by the run, but neither applied nor had by the replica.
    between.point_at(1);
    between.cut();
    pair.to.stall(true);
    let done = work.done();
    work.pause(false);
    until("more is written", || work.done() > done + 1000);
    work.stop();
    let lost = offset(&pair.source);
    until("the run has received it", || figure(&pair.tool, "received").is_some_and(|received| received >= lost));
    run.kill9();
    pair.to.cut(); // What was held back does not arrive any more.
    pair.to.stall(false);
    pair.source.kill9();
    replica.client().command(&cmd!["REPLICAOF", "NO", "ONE"]);
    pair.from.point_at(replica.port());
    pair.from.cut();
    // Another process follows the failover beyond that offset.
    pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    let mut other = pair.elsewhere();
    until("the other follows", || pair.told_elsewhere("follow_started") > 0 || !other.is_running());
    pair.source = replica;
    let work = pair.workload();
    until("the new history is longer", || offset(&pair.source) > lost + 10_000);
    until("some of it is applied", || pair.told_elsewhere("following") > 2);
    other.kill9();
    assert_eq!(pair.told_elsewhere("dump_started"), 0, "it went on from the checkpoint");
    work.stop();
    pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    let ended = begin(&pair.tool).wait().expect(0);
    assert!(!began_anew(&pair.tool), "{ended}");
    assert!(told(&pair.tool, "new full copy").is_empty(), "{ended}");
    pair.is_equal();
}

#[test]
fn an_elsewhere_that_is_killed_hands_back() {
    let mut pair = Pair::new();
    let work = pair.workload();
    let mut random = Random::fresh();
    follow(&pair.tool).kill9();
    for round in 0..6 {
        pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
        let before = pair.told_elsewhere("follow_started");
        if round % 2 == 0 {
            let mut other = pair.elsewhere();
            until("the other follows", || pair.told_elsewhere("follow_started") > before || !other.is_running());
            thread::sleep(Duration::from_millis(random.between(0, 300)));
            other.kill9();
            drop(std::fs::remove_file(pair.tool.folder().join("elsewhere.events")));
        } else {
            let run = follow(&pair.tool);
            thread::sleep(Duration::from_millis(random.between(0, 300)));
            run.kill9();
            assert!(!began_anew(&pair.tool), "round {round}");
        }
    }
    work.stop();
    pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    begin(&pair.tool).wait().expect(0);
    pair.is_equal();
}

#[test]
fn a_state_directory_that_missed_a_new_copy_goes_on_and_can_begin_anew() {
    let mut pair = Pair::new();
    follow(&pair.tool).kill9();
    pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    let mut other = pair.elsewhere();
    until("the other follows", || pair.told_elsewhere("follow_started") > 0 || !other.is_running());
    pair.lose_history();
    until("it copies anew", || pair.told_elsewhere("follow_started") > 1 || !other.is_running());
    assert_eq!(pair.told_elsewhere("dump_started"), 1);
    other.kill9();
    pair.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    let mut run = follow(&pair.tool);
    await_applied(&pair.tool, &mut run, &pair.source);
    assert!(!began_anew(&pair.tool), "it goes on behind the other's copy");
    pair.lose_history();
    run.wait().expect(0).says("A new full copy is needed");
    assert_eq!(told(&pair.tool, "dump_started").len(), 1);
    pair.is_equal();
}
