//! What nobody has seen is not success: histories that changed, answers that were lost, databases that somebody else emptied.

use std::fs;

use rustix::process::Signal;

use crate::{
    cmd,
    cutover::{CUT, held, ready, wait_for_file},
    faults::{begin, calls, fill, keys, told, tool, until},
    following::{await_applied, figure, follow, offset},
    harness::{Comparer, Plan, Proxy, Running, Server, Tool},
};

/// A plan that compares both sides: what is in doubt is settled then.
const VERIFY: &str = "verify: { mode: keys }";
/// Ends when an operator says so.
const BY_HAND: &str = "{ any: [command: cutover] }";

/// The offset of a source with another history is no offset of the one that is followed: what the destination lacks may be on
/// its way still.
#[test]
fn a_source_of_another_history_does_not_say_what_is_applied() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let from = Proxy::to(source.port());
    let tool = tool(&Plan::between_ports(from.port(), destination.port()).following(BY_HAND));
    let mut run = follow(&tool);
    source.client().pipeline_ok(&vec![cmd!["INCR", "n"]; 500]);
    await_applied(&tool, &mut run, &source);
    // Another server answers at the address, with other values and a lower offset; who follows does not know yet.
    let other = Server::start("redis-7.2.4");
    let write = |index: usize| cmd!["SET", format!("bulk:{index}"), "other"];
    other.client().pipeline_ok(&(0..10).map(write).collect::<Vec<_>>());
    assert!(offset(&other) < figure(&tool, "applied").unwrap_or(offset(&source)));
    from.hold_streams(true);
    from.point_at(other.port());
    tool.run(["verify", "plan.yaml"]).expect(3).because("R308").says("101 keys");
    until("it is still at work", || run.is_running());
    run.kill9();
}

/// A run whose destination answered a command that nobody heard the answer to.
struct Unheard {
    source: Server,
    destination: Server,
    to: Proxy,
    tool: Tool,
}

impl Unheard {
    /// With the plan's lines; `refuses`: somebody has put a list where the source has a string.
    fn begun(lines: &[&str], refuses: bool) -> (Self, Running) {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        source.client().command(&cmd!["SET", "k", "some"]);
        let to = Proxy::to(destination.port());
        let plan = Plan::between_ports(source.port(), to.port()).following(BY_HAND);
        let tool = tool(&lines.iter().fold(plan, |plan, line| plan.line(line)));
        let mut run = if lines.iter().any(|line| line.starts_with("cutover")) { ready(&tool) } else { follow(&tool) };
        await_applied(&tool, &mut run, &source);
        // The connection that writes is there.
        source.client().command(&cmd!["INCR", "n"]);
        await_applied(&tool, &mut run, &source);
        let mut there = destination.client();
        if refuses {
            there.command(&cmd!["DEL", "k"]);
            there.command(&cmd!["RPUSH", "k", "foreign"]);
        }
        let before = calls(&destination, "append").0;
        to.mute(true);
        source.client().command(&cmd!["APPEND", "k", "more"]);
        until("it is carried out", || calls(&destination, "append").0 > before);
        (Self { source, destination, to, tool }, run)
    }

    /// The connection is lost with the answer.
    fn is_lost(&self, run: &mut Running) {
        self.to.cut();
        self.to.mute(false);
        await_applied(&self.tool, run, &self.source);
        let unseen = "whether one of them was refused is not known";
        until("it is reported", || !told(&self.tool, unseen).is_empty() || !run.is_running());
    }

    fn equal(&self) {
        Comparer::of(&self.source, &self.destination).run().assert_equal();
    }
}

fn compared(tool: &Tool) -> usize {
    told(tool, "\"event\":\"verified\"").len()
}

#[test]
fn an_answer_that_was_lost_is_no_success_before_both_sides_are_compared() {
    let (unheard, mut run) = Unheard::begun(&[VERIFY], true);
    unheard.is_lost(&mut run);
    unheard.tool.run(["cutover", "move"]);
    run.wait().expect(1).says("both sides differ: 1 keys");
    // It stays so for whoever comes next.
    let mut run = follow(&unheard.tool);
    await_applied(&unheard.tool, &mut run, &unheard.source);
    unheard.tool.run(["cutover", "move"]);
    run.wait().expect(1).says("both sides differ: 1 keys");

    let (unheard, mut run) = Unheard::begun(&[VERIFY], false);
    unheard.is_lost(&mut run);
    unheard.tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    // For the answer, and as the plan says.
    assert_eq!(compared(&unheard.tool), 2);
    unheard.equal();
}

#[test]
fn an_answer_that_was_lost_is_only_reported_where_the_plan_compares_nothing_or_says_so() {
    for lines in [&["on_unsupported: report"][..], &[]] {
        let (unheard, mut run) = Unheard::begun(lines, true);
        unheard.is_lost(&mut run);
        unheard.tool.run(["cutover", "move"]).expect(0);
        run.wait().expect(0).says("is not known");
        assert_eq!(compared(&unheard.tool), 0);
    }
}

#[test]
fn nothing_is_sealed_whose_answer_was_lost_before_both_sides_are_compared() {
    let cutover = ["cutover: { mode: manual, timeout: 20s }", VERIFY];
    let (unheard, mut run) = Unheard::begun(&cutover, true);
    unheard.is_lost(&mut run);
    unheard.tool.run(CUT).expect(1).says("undone").says("both sides differ: 1 keys");
    unheard.destination.client().command(&cmd!["DEL", "k"]);
    unheard.destination.client().command(&cmd!["SET", "k", "somemore"]);
    unheard.tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0);
    unheard.equal();
}

/// The process died with the answer on its way: the next one knows, also without its state directory.
#[test]
fn answers_that_a_dead_process_had_not_read_are_no_success() {
    for elsewhere in [false, true] {
        let (unheard, run) = Unheard::begun(&[VERIFY], true);
        run.kill9();
        unheard.to.cut();
        unheard.to.mute(false);
        if elsewhere {
            let heartbeat = || unheard.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
            heartbeat();
            fs::remove_dir_all(unheard.tool.folder().join(".plan")).unwrap();
        }
        let mut run = follow(&unheard.tool);
        await_applied(&unheard.tool, &mut run, &unheard.source);
        unheard.tool.run(["cutover", "move"]);
        run.wait().expect(1).says("both sides differ: 1 keys");
    }
}

/// Who ends well has read all answers, and leaves no doubt to one that continues elsewhere.
#[test]
fn a_process_that_ended_well_leaves_nothing_in_doubt() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
    let mut run = follow(&tool);
    source.client().pipeline_ok(&vec![cmd!["INCR", "n"]; 100]);
    await_applied(&tool, &mut run, &source);
    run.signal(Signal::TERM);
    run.wait().expect(143);
    fs::remove_dir_all(tool.folder().join(".plan")).unwrap();
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    assert_eq!(compared(&tool), 0);
}

/// A source with keys in three databases, of which the plan takes two.
fn three_databases() -> Server {
    let source = Server::start("redis-7.2.4");
    for db in [0, 3, 5] {
        let mut client = source.client();
        client.select(db);
        client.pipeline_ok(&(0..20).map(|index| cmd!["SET", format!("key:{index}"), db]).collect::<Vec<_>>());
    }
    source
}

const TWO: &str = "databases: [0, 3]";

fn at(server: &Server, db: u32, command: &[&str]) {
    let mut client = server.client();
    client.select(db);
    client.command(&command.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
}

#[test]
fn a_database_that_somebody_else_emptied_is_noticed_before_success() {
    for command in [&["FLUSHDB"][..], &["SWAPDB", "3", "9"]] {
        let (source, destination) = (three_databases(), Server::start("redis-7.2.4"));
        let tool = tool(&Plan::between(&source, &destination).line(TWO).following(BY_HAND));
        let mut run = follow(&tool);
        await_applied(&tool, &mut run, &source);
        at(&destination, 3, command);
        until("it has ended", || {
            // The first one finds it, and the run follows again to compare.
            tool.run(["cutover", "move"]);
            !run.is_running()
        });
        run.wait().expect(1).says("both sides differ: ").says("emptied or swapped databases at the destination");
    }
}

fn status_allows(tool: &Tool) -> bool {
    crate::cutover::status(tool)["can_cutover"] == true
}

#[test]
fn nothing_is_sealed_over_a_database_that_somebody_else_emptied() {
    let (source, destination) = (three_databases(), Server::start("redis-7.2.4"));
    let plan = Plan::between(&source, &destination).line(TWO).following(BY_HAND);
    let tool = tool(&plan.line("cutover: { mode: manual, timeout: 20s }"));
    let mut run = ready(&tool);
    at(&destination, 3, &["FLUSHDB"]);
    tool.run(CUT).expect(1).says("undone").says("omebody emptied or swapped databases at the destination");
    until("it follows again", || status_allows(&tool) || !run.is_running());
    tool.run(CUT).expect(1).says("undone").says("both sides differ: 20 keys");
    let restore = (0..20).map(|index| cmd!["SET", format!("key:{index}"), 3]);
    let mut there = destination.client();
    there.select(3);
    there.pipeline_ok(&restore.collect::<Vec<_>>());
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0);
}

/// What others do to databases of their own, and what the source does to the run's, is no loss.
#[test]
fn what_is_emptied_elsewhere_or_by_the_source_ends_nothing() {
    let (source, destination) = (three_databases(), Server::start("redis-7.2.4"));
    let plan = Plan::between(&source, &destination).line(TWO).following(BY_HAND);
    let tool = tool(&plan);
    let mut run = follow(&tool);
    at(&source, 3, &["FLUSHDB"]);
    at(&source, 0, &["SWAPDB", "0", "3"]);
    at(&source, 0, &["FLUSHALL"]);
    at(&source, 0, &["SET", "after", "1"]);
    await_applied(&tool, &mut run, &source);
    run.kill9();
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    assert!(told(&tool, "somebody emptied").is_empty());
    at(&destination, 7, &["FLUSHDB"]);
    run.kill9();
    let mut run = follow(&tool);
    assert_eq!(told(&tool, "somebody emptied").len(), 1);
    await_applied(&tool, &mut run, &source);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    assert_eq!(compared(&tool), 1);
}

/// A copy that is not followed cannot be compared with a source that goes on.
#[test]
fn a_full_copy_whose_database_somebody_emptied_does_not_end_well() {
    let (source, destination) = (three_databases(), Server::start("redis-7.2.4"));
    let tool = held(Plan::between(&source, &destination), "full.done");
    let run = begin(&tool);
    wait_for_file(&tool.folder().join("waiting"));
    at(&destination, 3, &["FLUSHDB"]);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    run.wait().expect(3).because("R316").says("somebody emptied or swapped databases");
    assert_eq!(keys(&destination), 40);
}

/// While deadlines are deferred nothing ends at the destination, unless somebody else sees to it.
#[test]
fn keys_that_expire_at_the_destination_before_their_time_are_noticed() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 200, 20);
    source.client().pipeline_ok(&(0..200).map(|n| cmd!["PEXPIRE", format!("bulk:{n}"), 3_600_000]).collect::<Vec<_>>());
    let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    destination.client().pipeline_ok(&(0..100).map(|n| cmd!["PEXPIRE", format!("bulk:{n}"), 1]).collect::<Vec<_>>());
    until("they have expired", || keys(&destination) == 100);
    tool.run(["cutover", "move"]);
    run.wait().expect(1).says("both sides differ: 100 keys").says("expired at the destination");
}

/// A failover to a replica that lags behind would lose what is sealed.
#[test]
fn nothing_is_sealed_that_the_replicas_of_the_destination_do_not_have() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let replica = Server::of("redis-7.2.4").replica_of(destination.port()).start();
    let tool = tool(
        &Plan::between(&source, &destination)
            .following(BY_HAND)
            .line("cutover: { mode: manual, timeout: 20s }")
            .line("hooks: [{ at: cutover.fenced, run: [./waits.sh] }]"),
    );
    tool.script("waits.sh", "touch waiting; while test -e stay; do sleep 0.02; done");
    let mut run = ready(&tool);
    let raise = || source.client().pipeline_ok(&vec![cmd!["INCR", "n"]; 100]);
    raise();
    await_applied(&tool, &mut run, &source);
    // It has stopped before: no writer is blocked.
    replica.pause();
    raise();
    await_applied(&tool, &mut run, &source);
    let stopped = tool.run(CUT).expect(1).says("undone").says("of the 1 replicas of the destination only 0 confirmed");
    stopped.says("Writes were blocked for 0.000 s");
    replica.resume();
    // It stops under the fence.
    tool.write("stay", "");
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    replica.pause();
    fs::remove_file(tool.folder().join("stay")).unwrap();
    cutting.wait().expect(1).says("undone").says("of the 1 replicas of the destination only 0 confirmed");
    replica.resume();
    raise();
    await_applied(&tool, &mut run, &source);
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0);
    // What is sealed survives the destination.
    drop(destination);
    replica.client().command(&cmd!["REPLICAOF", "NO", "ONE"]);
    assert_eq!(replica.client().command(&cmd!["GET", "n"]).text(), "300");
}
