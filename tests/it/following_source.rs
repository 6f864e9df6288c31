//! What becomes of the source while it is followed: failovers, restarts, a backlog that is too short.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    cutover::held,
    faults::{await_told, begin, fill, told, tool, until},
    following::{IDLE, await_applied, began_anew, figure, follow, offset},
    harness::{Comparer, Plan, Proxy, Random, Server, Tool, Workload},
};

fn workload(server: &Server, random: &mut Random) -> Workload {
    Workload::start(server.flavour, server.port(), 4, Duration::from_millis(2), random.next())
}

fn replid(server: &Server) -> String {
    server.client().command(&cmd!["INFO", "replication"]).info("master_replid").unwrap().to_owned()
}

/// A source with a replica, a destination, and a relay that stands for the source's address.
struct Pair {
    master: Server,
    replica: Server,
    /// Between the first master and its replica.
    between: Proxy,
    destination: Server,
    from: Proxy,
    tool: Tool,
    random: Random,
}

impl Pair {
    fn new(name: &str) -> Self {
        let master = Server::of(name).arg("--repl-backlog-size", "64mb").start();
        fill(&master, 2000, 60);
        let between = Proxy::to(master.port());
        let replica = Server::of(name).replica_of(between.port()).start();
        let destination = Server::start("redis-8.2.3");
        let from = Proxy::to(master.port());
        let plan = Plan::between_ports(from.port(), destination.port()).following(IDLE);
        let tool = tool(&plan.line("on_stream_lost: recopy"));
        let pair = Self { master, replica, between, destination, from, tool, random: Random::fresh() };
        until("the replica follows", || pair.link() == "up");
        pair
    }

    fn link(&self) -> String {
        let info = self.replica.client().command(&cmd!["INFO", "replication"]);
        info.info("master_link_status").unwrap_or_default().to_owned()
    }

    /// The master is gone, its replica is what the address leads to.
    fn fail_over(&mut self) {
        self.master.kill9();
        self.replica.client().command(&cmd!["SLAVEOF", "NO", "ONE"]);
        self.from.point_at(self.replica.port());
        self.from.cut();
    }
}

#[test]
fn a_failover_is_followed_without_a_new_copy() {
    for name in ["redis-5.0.10", "redis-7.2.4"] {
        let mut pair = Pair::new(name);
        let mut run = follow(&pair.tool);
        let work = workload(&pair.master, &mut pair.random);
        until("much is written", || work.done() > 2000);
        work.stop();
        await_applied(&pair.tool, &mut run, &pair.master);
        let (before, written) = (replid(&pair.master), offset(&pair.master));
        until("the replica has it all", || offset(&pair.replica) >= written);
        pair.fail_over();
        let work = workload(&pair.replica, &mut pair.random);
        assert!(await_told(&pair.tool, &mut run, "link_restored"), "{}", run.wait());
        let after = replid(&pair.replica);
        assert_ne!(before, after);
        let restored = told(&pair.tool, "link_restored");
        assert_eq!(restored[0]["replid"].as_str(), Some(after.as_str()));
        assert_eq!(told(&pair.tool, "dump_started").len(), 1);
        // The new id is known to the next process as well, whatever it had time to write down.
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(pair.random.between(0, 300)));
            run.kill9();
            run = follow(&pair.tool);
        }
        work.stop();
        run.wait().expect(0);
        assert!(!began_anew(&pair.tool));
        Comparer::of(&pair.replica, &pair.destination).run().assert_equal();
    }
}

#[test]
fn a_failover_at_once_killed_is_followed_by_the_next_process() {
    let mut pair = Pair::new("redis-7.2.4");
    let mut run = follow(&pair.tool);
    for round in 0..6 {
        let work = workload(&pair.master, &mut pair.random);
        until("much is written", || work.done() > 500);
        work.stop();
        await_applied(&pair.tool, &mut run, &pair.master);
        let written = offset(&pair.master);
        until("the replica has it all", || offset(&pair.replica) >= written);
        pair.fail_over();
        let work = workload(&pair.replica, &mut pair.random);
        // At random moments around the first bytes under the new id.
        let since = Instant::now();
        let wait = Duration::from_millis(pair.random.between(0, 150));
        while since.elapsed() < wait && told(&pair.tool, "link_restored").is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(pair.random.between(0, 20)));
        run.kill9();
        work.stop();
        run = follow(&pair.tool);
        assert!(!began_anew(&pair.tool), "round {round}");
        // The old master comes back empty and becomes the new one's replica.
        pair.master.restart();
        pair.master.client().command(&cmd!["SLAVEOF", "127.0.0.1", pair.replica.port()]);
        std::mem::swap(&mut pair.master, &mut pair.replica);
        until("the replica follows", || pair.link() == "up");
    }
    run.wait().expect(0);
    assert!(!began_anew(&pair.tool));
    Comparer::of(&pair.master, &pair.destination).run().assert_equal();
}

#[test]
fn a_failover_that_lost_writes_ends_equal_too() {
    let mut pair = Pair::new("redis-7.2.4");
    let mut run = follow(&pair.tool);
    let work = workload(&pair.master, &mut pair.random);
    until("much is written", || work.done() > 1000);
    // The replica hears no more, the run does.
    pair.between.point_at(1);
    pair.between.cut();
    let done = work.done();
    until("more is written", || work.done() > done + 1000);
    work.stop();
    await_applied(&pair.tool, &mut run, &pair.master);
    pair.fail_over();
    let work = workload(&pair.replica, &mut pair.random);
    assert!(await_told(&pair.tool, &mut run, "new full copy is needed"), "{}", run.wait());
    until("more is written", || work.done() > 1000);
    work.stop();
    run.wait().expect(0).says("promoted at offset");
    Comparer::of(&pair.replica, &pair.destination).run().assert_equal();
}

#[test]
fn a_restart_with_saved_data_is_followed_where_the_history_is_kept() {
    let (mut source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 1000, 60);
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut random = Random::fresh();
    let mut run = follow(&tool);
    let work = workload(&source, &mut random);
    until("much is written", || work.done() > 1000);
    source.restart_saved();
    assert!(await_told(&tool, &mut run, "link_restored"), "{}", run.wait());
    let done = work.done();
    until("more is written", || work.done() > done + 1000);
    work.stop();
    run.wait().expect(0);
    assert_eq!(told(&tool, "dump_started").len(), 1);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_restart_that_begins_a_new_history_leaves_no_ghosts() {
    let mut source = Server::of("redis-3.2.9").arg("--appendonly", "yes").start();
    let destination = Server::start("redis-7.2.4");
    fill(&source, 1000, 60);
    let from = Proxy::to(source.port());
    let plan = Plan::between_ports(from.port(), destination.port()).following(IDLE);
    let tool = tool(&plan.line("on_stream_lost: recopy"));
    let mut run = follow(&tool);
    source.client().command(&cmd!["SET", "ghost", 1]);
    await_applied(&tool, &mut run, &source);
    assert_eq!(destination.client().command(&cmd!["EXISTS", "ghost"]).int(), 1);
    // The run does not see it go.
    from.point_at(1);
    from.cut();
    source.client().command(&cmd!["DEL", "ghost"]);
    source.client().command(&cmd!["SET", "new", 1]);
    source.restart();
    from.point_at(source.port());
    assert!(await_told(&tool, &mut run, "new full copy is needed"), "{}", run.wait());
    run.wait().expect(0).says("has a new history");
    assert_eq!(destination.client().command(&cmd!["EXISTS", "ghost"]).int(), 0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// A run that loses its source while more is written than the backlog holds; answers by how much.
pub fn overrun(source: &Server, from: &Proxy, tool: &Tool) -> u64 {
    source.client().command(&cmd!["SET", "warm", 1]);
    until("something was received", || figure(tool, "received").is_some_and(|received| received >= offset(source)));
    from.point_at(1);
    from.cut();
    until("it waits for the source", || !told(tool, "link_lost").is_empty());
    let received = figure(tool, "received").unwrap();
    let words: Vec<_> = (0..3000).map(|index| cmd!["SET", format!("k:{index}"), "x".repeat(100)]).collect();
    source.client().pipeline_ok(&words);
    source.client().command(&cmd!["DEL", "bulk:1"]);
    let info = source.client().command(&cmd!["INFO", "replication"]);
    let first: u64 = info.info("repl_backlog_first_byte_offset").unwrap().parse().unwrap();
    from.point_at(source.port());
    // What was told last may be a PING older than what was received.
    first.saturating_sub(received + 1)
}

pub fn short_backlog(source: &str) -> Server {
    Server::of(source).arg("--repl-backlog-size", "16kb").arg("--repl-ping-slave-period", "3600").start()
}

#[test]
fn a_backlog_that_is_too_short_is_told_and_a_new_copy_begins() {
    for name in ["redis-5.0.10", "redis-7.2.4"] {
        let (source, destination) = (short_backlog(name), Server::start("redis-8.2.3"));
        fill(&source, 1000, 60);
        let from = Proxy::to(source.port());
        let plan = Plan::between_ports(from.port(), destination.port()).following(IDLE);
        let tool = tool(&plan.line("on_stream_lost: recopy"));
        let mut run = follow(&tool);
        let missing = overrun(&source, &from, &tool);
        assert!(missing > 100_000);
        assert!(await_told(&tool, &mut run, "new full copy is needed"), "{}", run.wait());
        let ended = run.wait().expect(0);
        let ended = ended.says(&format!("backlog is too short by {missing} bytes")).says("repl-backlog-size");
        ended.says("is deleted, as the plan agreed: 1001 keys in database 0");
        assert_eq!(told(&tool, "dump_started").len(), 2);
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn a_backlog_that_is_too_short_deletes_nothing_where_others_have_keys() {
    let (source, destination) = (short_backlog("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 1000, 60);
    destination.client().command(&cmd!["SET", "foreign", "mine"]);
    let from = Proxy::to(source.port());
    let plan = Plan::between_ports(from.port(), destination.port()).line("on_conflict: skip").following(IDLE);
    let tool = tool(&plan.line("on_stream_lost: recopy"));
    let run = follow(&tool);
    overrun(&source, &from, &tool);
    let ended = run.wait().expect(4).because("R309").says("The stream cannot be resumed (R206): ");
    ended.says("backlog is too short by").says("Keys that this run did not write are among them");
    assert_eq!(destination.client().command(&cmd!["GET", "foreign"]).text(), "mine");
    assert_eq!(destination.client().command(&cmd!["EXISTS", "bulk:1"]).int(), 1);
    // It stays so until somebody does what it says.
    begin(&tool).wait().expect(4).says("so nothing was deleted");
    destination.client().command(&cmd!["FLUSHALL"]);
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn the_source_hears_at_once_and_every_second_what_was_received() {
    for name in ["redis-3.2.9", "redis-7.2.4"] {
        let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
        fill(&source, 100, 60);
        let tool = tool(&Plan::between(&source, &destination).following("{ any: [source_idle: { for: 5s }] }"));
        let mut run = follow(&tool);
        let mut client = source.client();
        until("the source takes us for a replica that is up", || {
            client.command(&cmd!["INFO", "replication"]).text().contains("state=online")
        });
        // Without an answer to GETACK this would take until the next second.
        let since = Instant::now();
        for _ in 0..20 {
            client.command(&cmd!["INCR", "n"]);
            assert_eq!(client.command(&cmd!["WAIT", 1, 20_000]).int(), 1);
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
        let until_then = Instant::now() + Duration::from_secs(3);
        let mut worst = 0;
        while Instant::now() < until_then {
            client.command(&cmd!["INCR", "n"]);
            let info = client.command(&cmd!["INFO", "replication"]);
            let line = info.info("slave0").unwrap().to_owned();
            let lag: u64 = line.split("lag=").nth(1).unwrap().parse().unwrap();
            worst = worst.max(lag);
            thread::sleep(Duration::from_millis(50));
        }
        println!("{name}: greatest lag in INFO replication {worst} s");
        assert!(worst <= 2, "{worst}");
        await_applied(&tool, &mut run, &source);
        run.wait().expect(0);
    }
}

#[test]
fn a_source_that_does_not_answer_when_following_begins_is_waited_for() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-8.2.3"));
    let from = Proxy::to(source.port());
    let plan = Plan::between_ports(from.port(), destination.port()).following(IDLE);
    let tool = held(plan, "full.done");
    let mut run = begin(&tool);
    until("the copy is done", || tool.folder().join("waiting").exists());
    from.point_at(1);
    from.cut();
    fs::remove_file(tool.folder().join("stay")).unwrap();
    let reason = "\"step\":\"incremental\",\"reason\":\"source: ";
    assert!(await_told(&tool, &mut run, reason), "{}", run.wait());
    source.client().command(&cmd!["INCR", "meanwhile"]);
    from.point_at(source.port());
    run.wait().expect(0);
    assert_eq!(told(&tool, "\"event\":\"dump_started\"").len(), 1);
    Comparer::of(&source, &destination).run().assert_equal();
}
