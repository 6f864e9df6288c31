//! A life ends when the source ends it, however late a command is applied; after the seal every deadline is exact.

use std::{
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::Signal;

use crate::{
    check::as_user,
    cmd,
    faults::{await_told, begin, fill, told, tool, until},
    following::{await_applied, follow},
    harness::{Client, Command, Comparer, Plan, Proxy, Running, Server, Tool},
};

const CUT: [&str; 4] = ["cutover", "move", "--confirm", "move"];

/// A plan that follows until an operator cuts over, with a seal.
fn plan(source: &Server, destination: &Server) -> Plan {
    with_cutover(Plan::between(source, destination))
}

fn with_cutover(plan: Plan) -> Plan {
    plan.following("{ any: [command: cutover] }").line("cutover: { mode: manual, timeout: 10s }")
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Waits until the clock is past a moment: a deadline is one.
fn pass(moment: i64) {
    thread::sleep(Duration::from_millis(u64::try_from(moment - now()).unwrap_or(0) + 5));
}

fn cut_over(tool: &Tool, mut run: Running) {
    let can = || told_status(tool)["can_cutover"] == true;
    until("nothing blocks a cutover", || can() || !run.is_running());
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0);
}

fn told_status(tool: &Tool) -> serde_json::Value {
    serde_json::from_str(&tool.run(["status", "move", "--format", "json"]).stdout).unwrap_or_default()
}

/// When keys end, in ms; negative for one that does not, or is not there. Before 7.0 nobody tells that exactly.
fn ends(client: &mut Client, keys: &[&str]) -> Vec<i64> {
    keys.iter().map(|key| client.command(&cmd!["PEXPIRETIME", key]).int()).collect()
}

/// Follows, and says `commands` at the source while nothing is applied: not before the clock has passed every life in them.
/// Then cuts over, and both sides are equal.
fn applied_late(source: &Server, destination: &Server, commands: &[Command]) {
    let tool = tool(&plan(source, destination));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, source);
    tool.run(["pause", "move"]).expect(0);
    let mut client = source.client();
    for command in commands {
        client.command(command);
    }
    pass(now() + 400);
    tool.run(["resume", "move"]).expect(0);
    cut_over(&tool, run);
    Comparer::of(source, destination).run().assert_equal();
}

fn e1_to_e4() -> Vec<Command> {
    vec![
        cmd!["SET", "e1", "v", "PX", 300],
        cmd!["PERSIST", "e1"],
        cmd!["RPUSH", "e2:q", "job"],
        cmd!["PEXPIRE", "e2:q", 300],
        cmd!["RPOPLPUSH", "e2:q", "e2:done"],
        cmd!["SET", "e3", 5, "PX", 300],
        cmd!["INCR", "e3"],
        cmd!["PERSIST", "e3"],
        cmd!["SET", "e4", 1, "PX", 300],
        cmd!["RENAME", "e4", "e4:r"],
        cmd!["PERSIST", "e4:r"],
        cmd!["SETEX", "life", 5000, "v"],
        cmd!["SET", "prolonged", "v", "PX", 300],
        cmd!["PEXPIRE", "prolonged", 3_600_000],
        cmd!["SET", "shortened", "v", "PX", 3_600_000],
        cmd!["PEXPIRE", "shortened", 1_800_000],
        cmd!["SET", "ended", "v", "PX", 100],
    ]
}

/// Whatever command brings or takes a life, applied after the life was over: E1 to E4 of every source.
fn lives_of(source: &str, destination: &str) {
    applied_late(&Server::start(source), &Server::start(destination), &e1_to_e4());
}

#[test]
fn lives_that_are_applied_late_from_2_8() {
    let (source, destination) = (Server::start("redis-2.8.17"), Server::start("redis-7.2.4"));
    let plan = Plan::between(&source, &destination).following("{ any: [command: cutover] }");
    let tool = tool(&plan);
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    tool.run(["pause", "move"]).expect(0);
    let mut client = source.client();
    for command in e1_to_e4() {
        client.command(&command);
    }
    pass(now() + 400);
    tool.run(["resume", "move"]).expect(0);
    until("nothing blocks it", || told_status(&tool)["can_cutover"] == true);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn lives_that_are_applied_late_from_3_2_to_6_2() {
    lives_of("redis-3.2.9", "redis-6.2.14");
}

#[test]
fn lives_that_are_applied_late_from_4_0_to_valkey_8() {
    lives_of("redis-4.0-rc2", "valkey-8.1.8");
}

#[test]
fn lives_that_are_applied_late_from_5_0_to_8_2() {
    lives_of("redis-5.0.10", "redis-8.2.3");
}

#[test]
fn lives_that_are_applied_late_from_6_2_to_5_0() {
    lives_of("redis-6.2.14", "redis-5.0.10");
}

#[test]
fn lives_that_are_applied_late_from_7_0_to_3_2() {
    lives_of("redis-7.0.15", "redis-3.2.9");
}

#[test]
fn lives_that_are_applied_late_from_7_2_to_valkey_9() {
    lives_of("redis-7.2.4", "valkey-9.1.2");
}

#[test]
fn lives_that_are_applied_late_from_valkey_9_to_7_4() {
    lives_of("valkey-9.1.2", "redis-7.4.1");
}

/// Up to 6.2 a deadline that arrives late is asked for by its key's name, and by then another key may have that name.
#[test]
fn a_key_that_was_renamed_before_its_deadline_was_asked_for_keeps_its_own() {
    let (source, destination) = (Server::start("redis-6.2.14"), Server::start("redis-7.2.4"));
    let tool = tool(&plan(&source, &destination));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    run.signal(Signal::STOP);
    let mut client = source.client();
    let begun = now();
    client.pipeline_ok(&[
        cmd!["SET", "k", 1, "PX", 3_600_000],
        cmd!["RENAME", "k", "long"],
        cmd!["SET", "k", 2, "PX", 60_000],
        cmd!["COPY", "k", "copy"],
        cmd!["RENAME", "k", "short"],
        cmd!["RENAME", "short", "shorter"],
        cmd!["SELECT", 1],
        cmd!["SET", "k", 3, "PX", 1_800_000],
        cmd!["MOVE", "k", 0],
    ]);
    let done = now();
    pass(done + 2500);
    run.signal(Signal::CONT);
    cut_over(&tool, run);
    let lives = ends(&mut destination.client(), &["long", "shorter", "copy", "k"]);
    for (end, life) in lives.iter().zip([3_600_000, 60_000, 60_000, 1_800_000]) {
        assert!((begun + life - 100..=done + life + 500).contains(end), "{} ms of {life}", end - begun);
    }
}

/// Up to 6.2 a source that cannot be asked when a deadline arrives late is waited for: the receipt would be wrong by the delay.
#[test]
fn a_deadline_that_arrives_late_waits_for_a_source_that_does_not_answer() {
    let (source, destination) = (Server::start("redis-6.2.14"), Server::start("redis-7.2.4"));
    let proxy = Proxy::to(source.port());
    let tool = tool(&with_cutover(Plan::between_ports(proxy.port(), destination.port())));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    run.signal(Signal::STOP);
    let mut client = source.client();
    let begun = now();
    client.pipeline_ok(&[cmd!["SET", "k", 1, "PX", 3_600_000], cmd!["SET", "l", 1], cmd!["PEXPIRE", "l", 60_000]]);
    let done = now();
    pass(done + 2500);
    // Connections that are there stay, and the source cannot be asked by a new one.
    proxy.point_at(1);
    run.signal(Signal::CONT);
    pass(now() + 1500);
    assert_eq!(destination.client().command(&cmd!["EXISTS", "k"]).int(), 0, "by the receipt it ends late");
    proxy.point_at(source.port());
    cut_over(&tool, run);
    let lives = ends(&mut destination.client(), &["k", "l"]);
    for (end, life) in lives.iter().zip([3_600_000, 60_000]) {
        assert!((begun + life - 100..=done + life + 500).contains(end), "{} ms of {life}", end - begun);
    }
}

/// With the documented rights of a source that is followed and not compared, `PTTL` is refused: that is reported, once.
#[test]
fn a_source_that_does_not_let_lives_be_asked_for_is_reported() {
    let (source, destination) = (Server::start("redis-6.2.14"), Server::start("redis-7.2.4"));
    let rights =
        "+ping +info +time +psync +replconf +config|get +config|set +multi +exec +client|pause +client|unpause";
    let mut words = cmd!["ACL", "SETUSER", "mover", "on", ">secret"];
    words.extend(rights.split(' ').map(|word| word.as_bytes().to_vec()));
    source.client().command(&words);
    let tool = tool(&as_user(plan(&source, &destination), "source", "mover")).env("SECRET", "secret");
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    run.signal(Signal::STOP);
    source.client().pipeline_ok(&[cmd!["SET", "k", 1, "PX", 3_600_000], cmd!["SET", "l", 1, "PX", 3_600_000]]);
    pass(now() + 2500);
    run.signal(Signal::CONT);
    await_applied(&tool, &mut run, &source);
    until("it is reported", || !told(&tool, "does not let this user ask when keys end").is_empty());
    cut_over(&tool, run);
    assert_eq!(told(&tool, "does not let this user ask when keys end").len(), 1);
}

#[test]
fn getex_that_is_applied_late_prolongs_a_life() {
    let commands = [
        cmd!["SET", "k", 5, "PX", 300],
        cmd!["INCR", "k"],
        cmd!["GETEX", "k", "PERSIST"],
        cmd!["SET", "l", 5, "PX", 300],
        cmd!["GETEX", "l", "PX", 900_000],
    ];
    applied_late(&Server::start("redis-7.2.4"), &Server::start("redis-7.2.4"), &commands);
}

/// Fields of hashes: E7.
fn fields_of(source: &str, destination: &str) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    let mut client = source.client();
    // In the dump: a payload with a field's deadline.
    client.command(&cmd!["HSET", "dumped", "f", 1, "g", 2]);
    client.command(&cmd!["HPEXPIRE", "dumped", 3_600_000, "FIELDS", 1, "f"]);
    for index in 0..2000 {
        client.command(&cmd!["HSET", "large", format!("field:{index}"), index]);
    }
    client.command(&cmd!["HPEXPIRE", "large", 7_200_000, "FIELDS", 2, "field:7", "field:1999"]);
    let deadline = now() + 3_600_000;
    let commands = [
        cmd!["HSET", "h", "f", 1, "g", 2],
        cmd!["HPEXPIRE", "h", 300, "FIELDS", 1, "f"],
        cmd!["HPERSIST", "h", "FIELDS", 1, "f"],
        cmd!["HPEXPIRE", "h", 300, "FIELDS", 1, "g"],
        cmd!["HPEXPIRE", "h", 900_000, "FIELDS", 1, "g"],
        cmd!["HSET", "dated", "f", 1],
        cmd!["HPEXPIREAT", "dated", deadline, "FIELDS", 1, "f"],
    ];
    applied_late(&source, &destination, &commands);
    let mut there = destination.client();
    assert_eq!(there.command(&cmd!["HPEXPIRETIME", "dated", "FIELDS", 1, "f"]).items()[0].int(), deadline);
    for (key, field) in [("dumped", "f"), ("large", "field:7"), ("large", "field:1999"), ("h", "g")] {
        let [here, there] = [&mut client, &mut there]
            .map(|side| side.command(&cmd!["HPEXPIRETIME", key, "FIELDS", 1, field]).items()[0].int());
        assert_eq!(here, there, "{key} {field}");
    }
}

#[test]
fn fields_that_are_applied_late_from_8_2() {
    fields_of("redis-8.2.3", "redis-8.2.3");
}

#[test]
fn fields_that_are_applied_late_from_7_4_to_valkey_9() {
    fields_of("redis-7.4.1", "valkey-9.1.2");
}

#[test]
fn fields_that_are_applied_late_from_valkey_9_to_7_4() {
    fields_of("valkey-9.1.2", "redis-7.4.1");
}

/// E5 and E8: sessions are renewed long before they end, while the copy takes longer than one life.
#[test]
fn sessions_outlive_a_copy_that_takes_longer_than_their_life() {
    const SESSIONS: usize = 300;
    const LIFE: i64 = 6000;
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 8000, 1000);
    let mut client = source.client();
    let keys: Vec<String> = (0..SESSIONS).map(|index| format!("session:{index}")).collect();
    client.pipeline_ok(&keys.iter().map(|key| cmd!["SET", key, "user", "PX", LIFE]).collect::<Vec<_>>());
    let tool = tool(&plan(&source, &destination).line("limits: { bandwidth: 1 MiB/s, connections: 1 }"));
    let mut run = begin(&tool);
    let began = now();
    // A session is a key: the source renews it while it lives, and nobody makes it anew.
    let mut renew = || {
        let renewed = client.pipeline_ok(&keys.iter().map(|key| cmd!["PEXPIRE", key, LIFE]).collect::<Vec<_>>());
        assert!(renewed.iter().all(|reply| reply.int() == 1), "the source itself has lost a session");
    };
    until("it follows", || {
        renew();
        thread::sleep(Duration::from_millis(200));
        !told(&tool, "follow_started").is_empty() || !run.is_running()
    });
    assert!(now() - began > LIFE, "the copy took no longer than a life");
    let can = || told_status(&tool)["can_cutover"] == true;
    until("nothing blocks a cutover", || {
        renew();
        can() || !run.is_running()
    });
    renew();
    let here = ends(&mut source.client(), &keys.iter().map(String::as_str).collect::<Vec<_>>());
    tool.run(CUT).expect(0);
    let there = ends(&mut destination.client(), &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let asked = now();
    for ((key, here), there) in keys.iter().zip(here).zip(there) {
        assert!(there == here || here < asked, "{key} ends at {there}, not at {here}");
    }
    run.wait().expect(0);
}

/// E6: a key that the source has ended by its clock and not reclaimed yet ends at the destination too.
#[test]
fn a_key_that_ended_just_before_the_fence_is_not_at_the_sealed_destination() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    // Nothing but a look at a key ends it.
    client.command(&cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
    let tool = tool(&plan(&source, &destination));
    let mut run = follow(&tool);
    client.command(&cmd!["SET", "k", 5, "PX", 600]);
    client.command(&cmd!["INCR", "k"]);
    client.command(&cmd!["SET", "stays", 5, "PX", 600_000]);
    let end = client.command(&cmd!["PEXPIRETIME", "k"]).int();
    await_applied(&tool, &mut run, &source);
    pass(end);
    assert_eq!(destination.client().command(&cmd!["EXISTS", "k"]).int(), 1, "only the source ends it");
    cut_over(&tool, run);
    assert_eq!(destination.client().command(&cmd!["EXISTS", "k"]).int(), 0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// Deadlines lie far ahead while the source is followed, and are exact to the millisecond after the seal.
#[test]
fn deadlines_are_deferred_while_the_source_is_followed_and_exact_behind_the_seal() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    let mut client = source.client();
    let base = now();
    let keys: Vec<String> = (0..3000).map(|index| format!("k:{index}")).collect();
    let set = |index: usize, key: &String| {
        // From a minute to ten hours, and one of a hundred years.
        let life = if index == 7 { 3_153_600_000_000 } else { 60_000 + i64::try_from(index).unwrap() * 12_000 };
        cmd!["SET", key, index, "PXAT", base + life]
    };
    client.pipeline_ok(&keys.iter().take(2000).enumerate().map(|(index, key)| set(index, key)).collect::<Vec<_>>());
    client.command(&cmd!["RPUSH", "list", 1, 2, 3]);
    client.command(&cmd!["PEXPIREAT", "list", base + 7_200_000]);
    let tool = tool(&plan(&source, &destination));
    let mut run = follow(&tool);
    client.pipeline_ok(&keys.iter().enumerate().skip(2000).map(|(index, key)| set(index, key)).collect::<Vec<_>>());
    client.command(&cmd!["SET", "no:end", 1]);
    await_applied(&tool, &mut run, &source);
    let mut there = destination.client();
    let names: Vec<&str> = keys.iter().map(String::as_str).chain(["list", "no:end"]).collect();
    let here = ends(&mut client, &names);
    for (at, deferred) in here.iter().zip(ends(&mut there, &names)) {
        assert_eq!(deferred, if *at < 0 { -1 } else { at + (1 << 45) });
    }
    let checked = tool.run(["verify", "plan.yaml", "--mode", "full"]).expect(0);
    drop(checked.says("equal"));
    cut_over(&tool, run);
    assert_eq!(ends(&mut there, &names), here);
    assert!(told(&tool, "\"event\":\"deadlines_settled\"").iter().any(|told| told["fenced"] == true));
    let record = there.command(&cmd!["HGET", "redis-plan:{move}:run", "deadlines"]);
    assert_eq!(record.text(), "exact");
}

/// Every other successful end makes them exact too.
#[test]
fn deadlines_are_exact_after_a_stop_condition_and_after_an_abort() {
    for ends_by_abort in [false, true] {
        let (source, destination) = (Server::start("redis-6.2.14"), Server::start("redis-7.2.4"));
        let mut client = source.client();
        let at = now() + 900_000;
        client.command(&cmd!["SET", "dumped", 1]);
        client.command(&cmd!["PEXPIREAT", "dumped", at]);
        let plan = Plan::between(&source, &destination).following("{ any: [command: cutover] }");
        let tool = tool(&plan);
        let mut run = follow(&tool);
        client.command(&cmd!["SET", "streamed", 1]);
        client.command(&cmd!["PEXPIREAT", "streamed", at + 1]);
        await_applied(&tool, &mut run, &source);
        let mut there = destination.client();
        assert_eq!(ends(&mut there, &["dumped"]), [at + (1 << 45)]);
        if ends_by_abort {
            tool.run(["abort", "move"]).expect(0);
            run.wait().expect(7);
        } else {
            until("nothing blocks it", || told_status(&tool)["can_cutover"] == true);
            tool.run(["cutover", "move"]).expect(0);
            run.wait().expect(0);
        }
        assert_eq!(ends(&mut there, &["dumped", "streamed"]), [at, at + 1]);
    }
}

#[test]
fn a_copy_that_is_not_followed_has_exact_deadlines_at_once() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let at = now() + 60_000;
    source.client().command(&cmd!["SET", "k", 1, "PXAT", at]);
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(0);
    assert_eq!(ends(&mut destination.client(), &["k"]), [at]);
}

/// An undone cutover leaves everything deferred again.
#[test]
fn deadlines_are_deferred_again_when_a_cutover_is_undone() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    let at = now() + 3_600_000;
    client.command(&cmd!["SET", "far", 1, "PXAT", at]);
    client.command(&cmd!["SET", "near", 1, "PXAT", at - 3_540_000]);
    let plan = plan(&source, &destination).line("hooks: [{ at: cutover.fenced, run: [./never.sh], on_error: hold }]");
    let tool = tool(&plan);
    tool.script("never.sh", "exit 1");
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    until("nothing blocks a cutover", || told_status(&tool)["can_cutover"] == true);
    tool.run(CUT).expect(1).says("undone");
    await_told(&tool, &mut run, "deferred again");
    let mut there = destination.client();
    assert_eq!(ends(&mut there, &["far", "near"]), [at + (1 << 45), at - 3_540_000 + (1 << 45)]);
    tool.script("never.sh", "exit 0");
    cut_over(&tool, run);
    assert_eq!(ends(&mut there, &["far", "near"]), [at, at - 3_540_000]);
}

/// A process that dies while deadlines are made exact, at whatever point: the next one defers them again and goes on.
#[test]
fn a_process_that_dies_while_deadlines_are_made_exact_loses_nothing() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    let base = now();
    let keys: Vec<String> = (0..60_000).map(|index| format!("k:{index}")).collect();
    let at = |index: usize| base + 3_600_000 + i64::try_from(index).unwrap();
    client.pipeline_ok(
        &keys.iter().enumerate().map(|(index, key)| cmd!["SET", key, 1, "PXAT", at(index)]).collect::<Vec<_>>(),
    );
    let tool = tool(&plan(&source, &destination).line("limits: { connections: 1 }"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    until("nothing blocks a cutover", || told_status(&tool)["can_cutover"] == true);
    let cut = tool.start(CUT);
    await_told(&tool, &mut run, "\"part\":\"settle\"");
    let mut there = destination.client();
    let exact = |there: &mut Client| {
        let sample: Vec<&str> = keys.iter().step_by(1000).map(String::as_str).collect();
        ends(there, &sample).iter().filter(|end| (0..base + (1 << 45)).contains(*end)).count()
    };
    until("some are exact", || exact(&mut there) > 0 || !run.is_running());
    run.kill9();
    drop(cut);
    // A life that is prolonged and one that is ended meanwhile.
    client.command(&cmd!["PERSIST", "k:0"]);
    client.command(&cmd!["DEL", "k:1"]);
    let mut run = follow(&tool);
    await_told(&tool, &mut run, "deferred again");
    await_applied(&tool, &mut run, &source);
    assert_eq!(exact(&mut there), 0, "all are deferred again");
    cut_over(&tool, run);
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(ends(&mut there, &names), ends(&mut client, &names));
}

/// What the stream moves while deadlines are exact is deferred again as well.
#[test]
fn deadlines_that_moved_while_they_were_exact_are_deferred_again() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    let at = now() + 3_600_000;
    for key in ["renamed", "copied", "swapped"] {
        client.command(&cmd!["SET", key, 1, "PXAT", at]);
    }
    let plan = plan(&source, &destination)
        .line("hooks: [{ at: cutover.fenced, run: [./wait.sh], timeout: 9s, on_error: hold }]");
    let plan = plan.line("verify: { mode: keys }");
    let tool = tool(&plan);
    tool.script("wait.sh", "touch fenced; while [ ! -e go ]; do sleep 0.05; done; exit 1");
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    until("nothing blocks a cutover", || told_status(&tool)["can_cutover"] == true);
    let cut = tool.start(CUT);
    await_told(&tool, &mut run, "deadlines_settled");
    until("the source is fenced", || tool.folder().join("fenced").exists());
    // The fence keeps writers off; what comes behind it all the same is applied.
    client.command(&cmd!["CLIENT", "UNPAUSE"]);
    client.command(&cmd!["RENAME", "renamed", "r"]);
    client.command(&cmd!["COPY", "copied", "c"]);
    client.command(&cmd!["SET", "new", 1, "PXAT", at]);
    let mut there = destination.client();
    until("they are applied", || ends(&mut there, &["r", "c", "new"]) == [at; 3]);
    std::fs::write(tool.folder().join("go"), "").unwrap();
    drop(cut);
    await_told(&tool, &mut run, "deferred again");
    assert_eq!(ends(&mut there, &["r", "c", "copied", "swapped", "new"]), [at + (1 << 45); 5]);
    let mode = there.command(&cmd!["HGET", "redis-plan:{move}:run", "deadlines"]).text().to_owned();
    assert_eq!(mode, "deferred");
    tool.script("wait.sh", "exit 0");
    cut_over(&tool, run);
    assert_eq!(ends(&mut there, &["r", "c", "copied", "swapped", "new"]), [at; 5]);
}
