//! A success that would not be true: the servers change between the last look and the last word.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    cmd,
    cutover::{CUT, held, ready, status, wait_for_file},
    faults::{begin, calls, fill, keys, told, tool, until},
    following::{await_applied, figure, follow, offset, record},
    harness::{Comparer, Direction, Fault, Finished, Plan, Proxy, Running, Server, Tool},
};

/// A source whose stream holds nothing but what the test writes.
fn quiet(name: &str) -> Server {
    let ping = if name.contains("redis-3") || name.contains("redis-4") {
        "--repl-ping-slave-period"
    } else {
        "--repl-ping-replica-period"
    };
    Server::of(name).arg(ping, "3600").start()
}

fn moving(source: u16, destination: u16, cutover: &str) -> Plan {
    Plan::between_ports(source, destination)
        .following("{ any: [command: cutover] }")
        .line(&format!("cutover: {cutover}"))
}

/// Raises a number, once a command.
fn raise(server: &Server, times: usize) {
    let commands: Vec<_> = (0..times).map(|_| cmd!["INCR", "n"]).collect();
    server.client().pipeline_ok(&commands);
}

fn equal(source: &Server, destination: &Server) {
    Comparer::of(source, destination).run().assert_equal();
}

/// Orders the cutover again until the run has ended well.
fn cut_again(tool: &Tool, run: Running) -> Finished {
    until("nothing is in the way of a cutover", || status(tool)["can_cutover"] == true);
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0)
}

/// The destination has applied 200 writes since it saved its file, and starts from that file.
fn sets_back(source: &Server, destination: &mut Server, tool: &Tool, run: &mut Running) {
    raise(source, 100);
    await_applied(tool, run, source);
    destination.client().command(&cmd!["SAVE"]);
    raise(source, 200);
    await_applied(tool, run, source);
    destination.restart();
}

#[test]
fn a_destination_that_was_set_back_is_not_sealed() {
    let (source, mut destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&moving(source.port(), destination.port(), "{ mode: manual, timeout: 20s }"));
    let mut run = ready(&tool);
    sets_back(&source, &mut destination, &tool, &mut run);
    tool.run(CUT).expect(1).says("undone").says("has lost writes that it had confirmed");
    cut_again(&tool, run);
    equal(&source, &destination);
}

#[test]
fn a_lagging_replica_that_became_the_destination_is_not_sealed() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let lagging = Proxy::to(destination.port());
    let replica = Server::of("redis-7.2.4").replica_of(lagging.port()).start();
    let to = Proxy::to(destination.port());
    let tool = tool(&moving(source.port(), to.port(), "{ mode: manual, timeout: 20s }"));
    let mut run = ready(&tool);
    raise(&source, 100);
    await_applied(&tool, &mut run, &source);
    until("the replica has it", || offset(&replica) >= offset(&destination) && record(&replica, "token").is_some());
    lagging.stall(true);
    raise(&source, 200);
    await_applied(&tool, &mut run, &source);
    replica.client().command(&cmd!["REPLICAOF", "NO", "ONE"]);
    to.point_at(replica.port());
    to.cut();
    tool.run(CUT).expect(1).says("undone").says("has lost writes that it had confirmed");
    cut_again(&tool, run);
    equal(&source, &replica);
}

#[test]
fn a_run_without_a_cutover_does_not_end_on_a_destination_that_was_set_back() {
    let (source, mut destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let mut run = follow(&tool);
    sets_back(&source, &mut destination, &tool, &mut run);
    until("it listens", || status(&tool)["can_cutover"] == true);
    tool.run(["cutover", "move"]).expect(1).says("has lost writes that it had confirmed");
    until("it follows again", || tool.run(["cutover", "move"]).code() == Some(0));
    run.wait().expect(0);
    equal(&source, &destination);
}

#[test]
fn a_copy_whose_destination_was_set_back_before_its_end_is_made_whole() {
    let (source, mut destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let to = Proxy::to(destination.port());
    let tool = held(Plan::between_ports(source.port(), to.port()), "full.done");
    let run = crate::faults::begin_slow(&tool, &to, 1 << 20);
    until("some keys are there", || keys(&destination) > 500);
    destination.client().command(&cmd!["SAVE"]);
    to.throttle(0);
    wait_for_file(&tool.folder().join("waiting"));
    destination.restart();
    fs::remove_file(tool.folder().join("stay")).unwrap();
    run.wait().expect(0);
    assert!(!told(&tool, "has lost writes that it had confirmed").is_empty());
    equal(&source, &destination);
}

/// While the source is fenced, a replica that has everything takes its place.
fn promoted(version: &str, dies: bool) {
    let (mut source, destination) = (quiet(version), Server::start("redis-7.2.4"));
    let replica = Server::of(version).replica_of(source.port()).start();
    let from = Proxy::to(source.port());
    let tool = held(moving(from.port(), destination.port(), "{ mode: manual, timeout: 6s }"), "cutover.fenced");
    let run = ready(&tool);
    raise(&source, 100);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    until("the replica has it all", || replica.client().command(&cmd!["GET", "n"]).text() == "100");
    replica.client().command(&cmd!["SLAVEOF", "NO", "ONE"]);
    from.point_at(replica.port());
    if dies {
        source.kill9();
    }
    raise(&replica, 196);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    cutting.wait().expect(1).says("undone");
    assert_ne!(record(&destination, "token").as_deref(), Some("sealed"));
    if dies {
        cut_again(&tool, run);
        equal(&replica, &destination);
    }
}

#[test]
fn a_replica_promoted_while_the_source_is_fenced_undoes_the_cutover() {
    promoted("redis-7.2.4", true);
}

#[test]
fn a_replica_promoted_while_a_source_that_answers_nothing_is_fenced_undoes_the_cutover() {
    promoted("redis-5.0.10", true);
}

#[test]
fn a_source_that_lives_on_beside_its_successor_is_not_believed() {
    promoted("redis-7.2.4", false);
}

#[test]
fn an_old_source_that_lives_on_beside_its_successor_is_not_believed() {
    promoted("redis-5.0.10", false);
}

#[test]
fn a_pause_that_somebody_ended_undoes_the_cutover() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = held(moving(source.port(), destination.port(), "{ mode: manual, timeout: 12s }"), "cutover.fenced");
    let run = ready(&tool);
    raise(&source, 100);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    source.client().command(&cmd!["CLIENT", "UNPAUSE"]);
    raise(&source, 3);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    cutting.wait().expect(1).says("undone").says("written to while it was fenced");
    cut_again(&tool, run);
    equal(&source, &destination);
}

/// What is received when the source is gone is applied, or it is no success. The new source says where it stands long before
/// it is asked for its stream.
#[test]
fn a_source_that_begins_another_history_has_not_been_drained() {
    let (mut source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let (from, to) = (Proxy::to(source.port()), Proxy::to(destination.port()));
    let plan = Plan::between_ports(from.port(), to.port()).following("{ any: [duration: 4s] }");
    let tool = tool(&plan);
    let mut run = follow(&tool);
    raise(&source, 500);
    await_applied(&tool, &mut run, &source);
    to.stall(true);
    raise(&source, 59_500);
    let all = offset(&source);
    until("all is received", || figure(&tool, "received").is_some_and(|received| received >= all));
    from.hold_streams(true);
    source.client().command(&cmd!["SAVE"]);
    source.restart();
    until("the condition is met", || status(&tool)["activity"] == "draining" || !run.is_running());
    let asked = calls(&source, "info").0;
    until("it is asked where it stands", || calls(&source, "info").0 > asked + 2);
    to.stall(false);
    let mut there = destination.client();
    until("all is applied", || there.command(&cmd!["GET", "n"]).text() == "60000");
    from.hold_streams(false);
    let ended = run.wait();
    if ended.code() == Some(0) {
        equal(&source, &destination);
    } else {
        assert!(matches!(ended.code(), Some(3 | 4 | 75)), "{ended}");
    }
}

/// An answer that was held back says nothing of the time in which it was.
#[test]
fn a_source_is_not_idle_because_its_answers_are_late() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let from = Proxy::to(source.port());
    let plan = Plan::between_ports(from.port(), destination.port()).following("{ any: [source_idle: { for: 4s }] }");
    let tool = tool(&plan);
    let mut run = follow(&tool);
    raise(&source, 1);
    await_applied(&tool, &mut run, &source);
    let asked = || calls(&source, "info").0;
    from.mute(true);
    let before = asked();
    until("it asks where the source stands", || asked() > before);
    let (over, mut client) = (Arc::new(AtomicBool::new(false)), source.client());
    let ends = Arc::clone(&over);
    let writing = thread::spawn(move || {
        while !ends.load(SeqCst) {
            client.command(&cmd!["INCR", "n"]);
            thread::sleep(Duration::from_millis(20));
        }
    });
    thread::sleep(Duration::from_secs(6)); // Longer than a source must be idle.
    from.hold_streams(true);
    from.mute(false);
    thread::sleep(Duration::from_millis(400));
    from.hold_streams(false);
    await_applied(&tool, &mut run, &source);
    assert!(told(&tool, "stop_met").is_empty() && run.is_running(), "writes go on");
    over.store(true, SeqCst);
    writing.join().unwrap();
    run.wait().expect(0);
    equal(&source, &destination);
}

#[test]
fn keys_that_the_destination_evicted_are_counted_and_a_new_copy_is_held() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 200);
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    let mut there = destination.client();
    let policy = |there: &mut crate::harness::Client, bytes: u64, policy: &str| {
        there.command(&cmd!["CONFIG", "SET", "maxmemory-policy", policy]);
        there.command(&cmd!["CONFIG", "SET", "maxmemory", bytes]);
    };
    thread::sleep(Duration::from_millis(2500)); // The run record is used, and is not the first to go.
    raise(&source, 10);
    await_applied(&tool, &mut run, &source);
    policy(&mut there, 5 << 20, "allkeys-lru");
    until("keys are evicted", || {
        raise(&source, 1);
        keys(&destination) < 19_000
    });
    policy(&mut there, 0, "noeviction");
    let ended = if tool.run(["cutover", "move"]).code() == Some(0) { panic!("it ends well") } else { run.wait() };
    ended.expect(3).because("R313").says("evicted").says("it is held (exit 4, R309)");
    let there = keys(&destination);
    let held = begin(&tool).wait().expect(4).because("R309");
    assert_eq!(held.stdout.matches("the destination evicted").count(), 1, "{held}");
    assert_eq!(held.stdout.matches("new full copy").count(), 1, "{held}");
    assert_eq!(keys(&destination), there);
    // The number that is shown may count the tool's own keys too.
    let agreed = (there + 10).to_string();
    let mut run = tool.start(["apply", "plan.yaml", "--events", "events", "--recopy", &agreed]);
    until("it can end or has", || status(&tool)["can_cutover"] == true && run.is_running() || !run.is_running());
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    equal(&source, &destination);
}

#[test]
fn a_full_copy_into_too_little_memory_does_not_end_well() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 200);
    let tool = tool(&Plan::between(&source, &destination).line("hooks: [{ at: full.started, run: [./limit.sh] }]"));
    tool.script("limit.sh", "touch begun; while test -e stay; do sleep 0.02; done");
    tool.write("stay", "");
    let run = begin(&tool);
    wait_for_file(&tool.folder().join("begun"));
    let mut there = destination.client();
    // The run record is used often, and is not the first to go.
    there.command(&cmd!["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    there.command(&cmd!["CONFIG", "SET", "maxmemory", 5 << 20]);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    run.wait().expect(3).because("R313").says("evicted");
    assert!(keys(&destination) < 20_000);
}

/// Runs `apply`, and orders the end once it can be ordered.
fn begin_to_the_end(tool: &Tool) -> Finished {
    let mut run = begin(tool);
    until("it can end or has", || status(tool)["can_cutover"] == true && run.is_running() || !run.is_running());
    if run.is_running() {
        tool.run(["cutover", "move"]).expect(0);
    }
    run.wait()
}

/// Somebody puts a list where the source has a string, which the source then lengthens.
fn refused(source: &Server, destination: &Server) {
    let mut there = destination.client();
    until("it is there", || there.command(&cmd!["EXISTS", "k"]).int() == 1);
    there.command(&cmd!["DEL", "k"]);
    there.command(&cmd!["RPUSH", "k", "foreign"]);
    source.client().command(&cmd!["APPEND", "k", "more"]);
}

#[test]
fn a_refusal_is_known_without_the_state_directory() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    source.client().command(&cmd!["SET", "k", "some"]);
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let run = follow(&tool);
    refused(&source, &destination);
    run.wait().expect(3).because("R307");
    fs::remove_dir_all(tool.folder().join(".plan")).unwrap();
    let ended = begin_to_the_end(&tool);
    if ended.code() == Some(0) {
        equal(&source, &destination);
    } else {
        assert!(matches!(ended.code(), Some(3 | 4)), "{ended}");
    }
}

#[test]
fn a_process_that_is_stopped_in_the_middle_of_a_refusal_ends_with_it() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    source.client().command(&cmd!["SET", "k", "some"]);
    let to = Proxy::to(destination.port());
    let plan = Plan::between_ports(source.port(), to.port()).following("{ any: [command: cutover] }");
    let tool = tool(&plan);
    let mut run = follow(&tool);
    raise(&source, 1);
    await_applied(&tool, &mut run, &source);
    let before = calls(&destination, "append").0;
    to.mute(true);
    refused(&source, &destination);
    until("it is refused", || calls(&destination, "append").0 > before);
    run.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(500)); // It hears the lane out by now.
    to.mute(false);
    run.wait().expect(3).because("R307");
    let ended = begin_to_the_end(&tool);
    if ended.code() == Some(0) {
        equal(&source, &destination);
    } else {
        assert!(matches!(ended.code(), Some(3 | 4)), "{ended}");
    }
}

/// A run whose process died with its seal carried out and unanswered; the pause of the writers ran out.
struct Unheard {
    source: Server,
    destination: Server,
    tool: Tool,
    _to: Proxy,
}

fn unheard(version: &str, writes: usize) -> Unheard {
    let (source, destination) = (quiet(version), Server::start("redis-7.2.4"));
    // Behind the words that close the record come the replies to MULTI and four commands, then that of EXEC.
    let replies = "+OK\r\n".len() + 4 * "+QUEUED\r\n".len();
    let fault = Fault::stall(Direction::ToClient, replies as u64).once_sent("sealed");
    let to = Proxy::to(destination.port()).with(fault);
    let tool = tool(&moving(source.port(), to.port(), "{ mode: manual, timeout: 2s }"));
    let run = ready(&tool);
    raise(&source, 10);
    let cutting = tool.start(CUT);
    until("it is sealed", || record(&destination, "token").as_deref() == Some("sealed"));
    run.kill9();
    cutting.wait();
    raise(&source, writes); // Answered once the pause has run out.
    Unheard { source, destination, tool, _to: to }
}

#[test]
fn a_seal_that_nobody_heard_of_is_good_while_the_source_stands_still() {
    let run = unheard("redis-7.2.4", 0);
    let ended = begin(&run.tool).wait().expect(0);
    assert_eq!(told(&run.tool, "\"event\":\"sealed\"")[0]["result"]["proven"], true, "{ended}");
    equal(&run.source, &run.destination);
}

#[test]
fn writes_behind_a_seal_that_nobody_heard_of_are_counted() {
    for version in ["redis-7.2.4", "redis-5.0.10"] {
        let run = unheard(version, 50);
        let ended = begin(&run.tool).wait().expect(3).because("R314").says("50 more commands");
        assert_eq!(told(&run.tool, "\"event\":\"sealed\"")[0]["result"]["late"], 50, "{ended}");
        assert_eq!(run.destination.client().command(&cmd!["GET", "n"]).text(), "10");
        begin(&run.tool).wait().expect(0);
    }
}

#[test]
fn a_source_with_another_history_behind_a_seal_that_nobody_heard_of_is_told() {
    let mut run = unheard("redis-7.2.4", 5);
    run.source.client().command(&cmd!["SAVE"]);
    run.source.client().command(&cmd!["DEBUG", "CHANGE-REPL-ID"]);
    begin(&run.tool).wait().expect(3).because("R314").says("another history");
    run.source.kill9();
    begin(&run.tool).wait().expect(0);
}

#[test]
fn a_seal_of_which_nothing_can_be_found_out_is_said_to_be_unknown() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let replies = "+OK\r\n".len() + 4 * "+QUEUED\r\n".len();
    let fault = Fault::stall(Direction::ToClient, replies as u64).once_sent("sealed");
    let to = Proxy::to(destination.port()).with(fault);
    let tool = tool(&moving(source.port(), to.port(), "{ mode: manual, timeout: 2s }"));
    let run = ready(&tool);
    raise(&source, 10);
    let cutting = tool.start(CUT);
    until("it is sealed", || record(&destination, "token").as_deref() == Some("sealed"));
    to.point_at(1);
    run.wait().expect(3).because("R315").says("Keep the writers where they are");
    cutting.wait();
    to.point_at(destination.port());
    begin(&tool).wait().expect(0);
    equal(&source, &destination);
}

/// The first of the words that close the record.
const SEAL: &str = "$6\r\nsealed";
/// What follows it before the EXEC.
const SEAL_REST: &str = "\r\n*3\r\n$3\r\nSET\r\n$23\r\nredis-plan:{move}:token\r\n$6\r\nsealed\r\n\
                         *2\r\n$3\r\nDEL\r\n$27\r\nredis-plan:{move}:heartbeat\r\n\
                         *3\r\n$4\r\nSREM\r\n$17\r\nredis-plan:{runs}\r\n$4\r\nmove\r\n";
const SEAL_QUEUED: u64 = SEAL_REST.len() as u64;

/// The network hands the seal over once everybody heard that the cutover was undone.
#[test]
fn a_seal_that_arrives_after_its_cutover_was_undone_is_void() {
    let (source, destination) = (quiet("redis-7.2.4"), Server::start("redis-7.2.4"));
    let fault = Fault::hold(Direction::ToServer, SEAL_QUEUED).once_sent(SEAL);
    let to = Proxy::to(destination.port()).with(fault);
    let tool = tool(&moving(source.port(), to.port(), "{ mode: manual, timeout: 2s }"));
    let run = ready(&tool);
    raise(&source, 10);
    tool.run(CUT).expect(1).says("undone").says("did not answer in time");
    assert_eq!(to.struck(), 1, "the seal was held back");
    let (mut there, before) = (destination.client(), calls(&destination, "exec").0);
    to.release();
    until("it arrives", || calls(&destination, "exec").0 > before);
    assert_ne!(there.command(&cmd!["GET", "redis-plan:{move}:token"]).text(), "sealed");
    raise(&source, 10);
    cut_again(&tool, run);
    equal(&source, &destination);
}

/// Somebody ends the pause and writes when the source was looked at for the last time and the seal is not carried out yet.
#[test]
fn writes_between_the_last_look_and_the_seal_are_not_sealed_as_proven() {
    for version in ["redis-7.2.4", "valkey-9.1.2"] {
        let (source, destination) = (quiet(version), Server::start("redis-7.2.4"));
        let to = Proxy::to(destination.port()).with(Fault::hold(Direction::ToServer, SEAL_QUEUED).once_sent(SEAL));
        let tool = tool(&moving(source.port(), to.port(), "{ mode: manual, timeout: 20s }"));
        let run = ready(&tool);
        raise(&source, 10);
        let cutting = tool.start(CUT);
        until("the seal is held back", || to.struck() == 1);
        source.client().command(&cmd!["CLIENT", "UNPAUSE"]);
        raise(&source, 3);
        to.release();
        let ended = run.wait().expect(3).because("R314").says("3 more commands");
        cutting.wait().expect(1).says("3 more commands");
        let result = &told(&tool, "\"event\":\"sealed\"")[0]["result"];
        assert_eq!((&result["late"], &result["proven"]), (&3.into(), &false.into()), "{ended}");
    }
}

/// The dump's last bytes are damaged on their way: what was written before that is told, and taken back.
#[test]
fn keys_of_a_dump_that_turns_out_damaged_at_its_end_are_counted() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 5000, 100);
    source.client().command(&cmd!["CONFIG", "SET", "repl-diskless-sync", "no"]);
    source.client().command(&cmd!["CONFIG", "SET", "rdbcompression", "no"]);
    source.client().command(&cmd!["SAVE"]);
    let length = fs::metadata(source.folder().join("dump.rdb")).unwrap().len();
    // The answer to PSYNC and the dump's header come before it; the checksum is at its end.
    let from = Proxy::to(source.port()).with(Fault::flip(Direction::ToClient, length - 200).once_sent("PSYNC"));
    let tool = tool(&Plan::between_ports(from.port(), destination.port()));
    let ended = begin(&tool).wait().expect(3).because("R205");
    let there = keys(&destination);
    assert!(there > 1000, "{there}");
    ended.says(&format!("{there} keys of this copy are at the destination"));
    begin(&tool).wait().expect(0);
    equal(&source, &destination);
}
