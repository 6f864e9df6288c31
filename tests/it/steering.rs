//! Operators see how a run stands, and steer it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command as Process, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, await_whole, begin, begin_slow, fill, keys, slow, told, tool, until},
    harness::{Comparer, Plan, Running, Server, Tool},
};

/// A pair of servers with some keys, and a tool whose plan follows until an operator cuts over.
fn following(keys: usize) -> (Server, Server, Tool) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, keys, 100);
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    (source, destination, tool)
}

/// Begins, and waits until it follows.
fn begin_following(tool: &Tool) -> Running {
    let mut run = begin(tool);
    assert!(await_told(tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    run
}

fn status(tool: &Tool) -> Value {
    let said = tool.run(["status", "move", "--format", "json"]).expect(0);
    serde_json::from_str(&said.stdout).unwrap()
}

/// Waits until the status is so; answers it.
fn until_status(tool: &Tool, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    until(what, || {
        last = status(tool);
        so(&last)
    });
    last
}

#[test]
fn a_status_names_step_lag_conditions_and_what_stands_against_a_cutover() {
    let (source, destination, tool) = following(100);
    let run = begin_following(&tool);
    source.client().command(&cmd!["SET", "late", 1]);
    let so = |status: &Value| status["following"]["lag"]["bytes"] == 0 && status["following"]["commands"] == 1;
    let status = until_status(&tool, "the write is applied", so);
    let following = &status["following"];
    assert_eq!(following["applied"], following["received"]);
    assert_eq!(following["applied"], following["source"]);
    assert_eq!((&status["step"], &status["activity"]), (&Value::from("incremental"), &Value::from("following")));
    assert_eq!((&status["running"], &status["can_cutover"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(status["conditions"][1]["text"], "command: cutover");
    tool.run(["status"]).expect(0).says("move  following the source").says("lag").says("cutover   ready");
    let mode = fs::metadata(tool.folder().join(".plan/move/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    tool.run(["cutover", "move"]).expect(0).says("is applied");
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    tool.run(["status", "move"]).expect(0).says("not running on this host").says("done");
    tool.run(["cutover", "move"]).expect(2).says("no process works on the run");
}

#[test]
fn a_paused_run_receives_and_writes_nothing_until_it_is_resumed() {
    let (source, destination, tool) = following(100);
    let run = begin_following(&tool);
    let mut client = source.client();
    tool.run(["pause", "move"]).expect(0).says("Nothing is written any more");
    for index in 0..1000 {
        client.command(&cmd!["RPUSH", "list", index]);
    }
    let status = until_status(&tool, "all is received", |status| {
        status["following"]["lag"]["bytes"].as_u64() > Some(30_000)
            && status["following"]["received"] == status["following"]["source"]
    });
    assert_eq!((&status["activity"], &status["can_cutover"]), (&Value::from("paused"), &Value::from(false)));
    assert_eq!(destination.client().command(&cmd!["EXISTS", "list"]).int(), 0);
    tool.run(["cutover", "move"]).expect(1).says("paused");
    tool.run(["resume", "move"]).expect(0).says("writes again");
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_full_copy_is_paused_too() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let to = slow(&destination, 0);
    let tool = tool(&Plan::between_ports(source.port(), to.port()).line("limits: { connections: 4 }"));
    let run = begin_slow(&tool, &to, 300_000);
    until("keys come", || keys(&destination) > 500);
    tool.run(["cutover", "move"]).expect(1).says("does not follow the source yet");
    let pausing = tool.start(["pause", "move"]);
    until_status(&tool, "it is paused", |status| status["activity"] == "paused");
    to.throttle(0);
    pausing.wait().expect(0);
    let before = keys(&destination);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(keys(&destination), before);
    assert!(before < 20_000, "the pause came too late");
    tool.run(["resume", "move"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_limit_is_changed_while_running() {
    let (source, destination, tool) = following(10);
    let run = begin_following(&tool);
    tool.run(["set", "move", "limits.writes=100/s"]).expect(0).says("100/s");
    tool.run(["set", "move", "limits.writes=fast"]).expect(1).says("20000/s").says("unlimited");
    tool.run(["set", "move", "limits.spool=1 GiB"]).expect(2).says("cannot be changed while running");
    let mut client = source.client();
    for index in 0..1000 {
        client.command(&cmd!["RPUSH", "list", index]);
    }
    let limited = until_status(&tool, "some are applied", |status| status["following"]["commands"].as_u64() > Some(0));
    let length = |at: &Server| at.client().command(&cmd!["LLEN", "list"]).int();
    assert!(length(&destination) < 1000, "1000 writes at 100/s are not done at once");
    assert_eq!(limited["writes"], "100/s");
    assert!(limited["reasons"].to_string().contains("limits.writes"), "{limited}");
    tool.run(["set", "move", "limits.writes=unlimited"]).expect(0);
    until("all are applied", || length(&destination) == 1000);
    assert_eq!(told(&tool, "ordered").len(), 2);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// `script` gives it a real terminal.
#[test]
fn time_goes_on_on_a_terminal_while_a_server_is_silent() {
    let (source, _destination, tool) = following(10);
    source.pause();
    let command = format!("{} apply plan.yaml --progress tty", env!("CARGO_BIN_EXE_plan"));
    let mut script = Process::new("script");
    script.args(["--quiet", "--flush", "--command", &command, "drawn"]).current_dir(tool.folder()).env("TERM", "xterm");
    let mut script = script.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let drawn = || fs::read_to_string(tool.folder().join("drawn")).unwrap_or_default();
    let shown = || {
        let drawn = drawn();
        let times = drawn.split("nothing new for ").skip(1).filter_map(|rest| rest.split(' ').next());
        times.collect::<std::collections::HashSet<_>>().len()
    };
    until("several seconds are shown", || shown() >= 3);
    source.resume();
    until("it goes on", || drawn().contains("✓ precheck"));
    script.kill().unwrap();
    script.wait().unwrap();
}

#[test]
fn an_aborted_run_is_sealed() {
    let (source, destination, tool) = following(100);
    let run = begin_following(&tool);
    source.client().command(&cmd!["SET", "before", 1]);
    until("it is there", || destination.client().command(&cmd!["EXISTS", "before"]).int() == 1);
    tool.run(["abort", "move"]).expect(0).says("aborted and sealed");
    run.wait().expect(7).because("R104").says("sealed");
    source.client().command(&cmd!["SET", "after", 1]);
    tool.run(["apply", "plan.yaml"]).expect(7);
    tool.run(["apply", "plan.yaml", "--state", "elsewhere"]).expect(7);
    assert_eq!(destination.client().command(&cmd!["EXISTS", "after"]).int(), 0);
}

/// Between the copy and following, what the stream needs is asked of a source that is not there any more.
#[test]
fn orders_are_answered_while_a_source_that_went_is_waited_for() {
    let (mut source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let to = slow(&destination, 100_000);
    let plan = Plan::between_ports(source.port(), to.port()).following("{ any: [command: cutover] }");
    let tool = tool(&plan.line("limits: { connections: 4 }"));
    let mut run = begin_slow(&tool, &to, 100_000);
    assert!(await_whole(&tool, &mut run));
    assert!(keys(&destination) < 20_000);
    source.kill9();
    to.throttle(0);
    let waits = |status: &Value| {
        let reason = status["reasons"][0].as_str();
        status["activity"] == "preparing" && reason.is_some_and(|reason| reason.starts_with("source: "))
    };
    until_status(&tool, "it waits for the source", waits);
    tool.run(["cutover", "move"]).expect(1).says("does not follow the source yet");
    tool.run(["pause", "move"]).expect(0).says("Nothing is written any more");
    tool.run(["resume", "move"]).expect(0);
    // The source that went cannot take its settings back.
    tool.run(["abort", "move"]).expect(1).says("aborted and sealed").says("`plan cleanup` sees to that");
    run.wait().expect(7);
}

#[test]
fn a_deadline_holds_for_an_operator_or_fails() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 10, 10);
    let plan = |then: &str| {
        let stop = format!("{{ all: [at: \"2099-01-01T00:00:00Z\"], deadline: {{ after: 1s, then: {then} }} }}");
        Plan::between(&source, &destination).following(&stop)
    };
    let hold = tool(&plan("hold"));
    let run = begin(&hold);
    until("it holds", || !told(&hold, "deadline passed").is_empty());
    source.client().command(&cmd!["SET", "late", 1]);
    until_status(&hold, "it may be ended", |status| status["can_cutover"] == true && status["activity"] == "holding");
    hold.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();

    let fail = tool(&plan("fail").name("other").line("on_conflict: replace"));
    begin(&fail).wait().expect(3).because("R105").says("deadline passed");
}
