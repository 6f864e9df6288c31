//! Comparing in a cutover: between the fence and the seal, or before a fence behind which nobody could read.

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, begin, calls, fill, told, tool, until},
    harness::{Comparer, Plan, Running, Server, Tool},
};

const CUT: [&str; 4] = ["cutover", "move", "--confirm", "move"];

/// A plan that follows until an operator cuts over, and compares in that cutover.
fn plan(source: &Server, destination: &Server, cutover: &str, verify: &str) -> Plan {
    Plan::between(source, destination)
        .following("{ any: [command: cutover] }")
        .line(&format!("cutover: {{ mode: manual, {cutover} }}"))
        .line(&format!("verify: {{ {verify} }}"))
}

/// Begins, and waits until it follows and nothing stands against a cutover.
fn ready(tool: &Tool) -> Running {
    let mut run = begin(tool);
    assert!(await_told(tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    nothing_stands_against_it(tool);
    run
}

fn nothing_stands_against_it(tool: &Tool) {
    until("nothing stands against a cutover", || {
        tool.run(["cutover", "move", "--dry-run"]).stdout.contains("Ready for cutover")
    });
}

/// The parts of all cutovers, in their order.
fn parts(tool: &Tool) -> Vec<String> {
    told(tool, "\"cutover_part\"").iter().map(|event| event["part"].as_str().unwrap().to_owned()).collect()
}

/// Puts another value into one of the destination's keys; gives the right one.
fn spoil(source: &Server, destination: &Server) -> Vec<u8> {
    destination.client().command(&cmd!["SET", "bulk:5", "other"]);
    source.client().command(&cmd!["GET", "bulk:5"]).bytes().to_vec()
}

fn mend(destination: &Server, value: &[u8]) {
    destination.client().command(&cmd!["SET", "bulk:5", value]);
}

/// Writes at the source and waits until it is at the destination: writers go on, and are followed.
fn is_followed_on(source: &Server, destination: &Server, key: &str) {
    source.client().command(&cmd!["SET", key, 1]);
    until("it is followed on", || destination.client().command(&cmd!["EXISTS", key]).int() == 1);
}

#[test]
fn a_cutover_compares_in_the_fence_and_is_undone_when_both_sides_differ() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 2000, 30);
    let tool = tool(&plan(&source, &destination, "timeout: 20s", "mode: full"));
    let mut run = ready(&tool);
    let value = spoil(&source, &destination);
    tool.run(CUT).expect(1).says("both sides differ: 1 keys");
    assert!(run.is_running());
    assert_eq!(told(&tool, "\"differs\"")[0]["difference"]["key"], "bulk:5");
    is_followed_on(&source, &destination, "after");
    mend(&destination, &value);
    nothing_stands_against_it(&tool);
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0).says("sealed at offset");
    let once = ["settle", "fence", "drain", "verify"];
    assert_eq!(parts(&tool), [&once[..], &once[..], &["settle", "seal"]].concat());
    tool.run(["report", "move", "--format", "md"]).expect(0).says("**both sides are equal**");
    Comparer::of(&source, &destination).run().assert_equal();
}

/// Up to 6.0, a paused source answers nobody.
#[test]
fn a_cutover_whose_fence_lets_nobody_read_compares_before_it() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 1000, 10);
    let tool = tool(&plan(&source, &destination, "timeout: 2s", "mode: full"));
    let run = ready(&tool);
    let value = spoil(&source, &destination);
    tool.run(CUT).expect(1).says("both sides differ: 1 keys");
    assert!(told(&tool, "\"part\":\"fence\"").is_empty(), "no writer was kept off");
    mend(&destination, &value);
    nothing_stands_against_it(&tool);
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0);
    assert_eq!(parts(&tool), ["verify", "verify", "settle", "fence", "drain", "settle", "seal"]);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn writers_are_not_kept_off_behind_a_comparison_while_the_run_is_paused() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 2000, 10);
    let tool = tool(&plan(&source, &destination, "timeout: 10s", "mode: full, rate: 1500/s"));
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    until("it compares", || tool.run(["status", "move"]).stdout.contains("comparing both sides"));
    tool.run(["pause", "move"]).expect(0);
    let since = |text: &str| told(&tool, "\"event\"").iter().rposition(|event| event["event"] == text);
    until("both sides are equal, and it goes on", || {
        since("verified").is_some_and(|verified| since("following").is_some_and(|later| later > verified + 1))
    });
    assert_eq!(parts(&tool), ["verify"]);
    tool.run(["resume", "move"]).expect(0);
    cutting.wait().expect(0).says("sealed at offset");
    run.wait().expect(0);
    assert_eq!(parts(&tool), ["verify", "settle", "fence", "drain", "settle", "seal"]);
}

/// The order of a cutover's effects, as the events have it: whoever moves one of them changes what is proved.
fn in_order(source: &str, fence: &str) -> Vec<String> {
    let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
    fill(&source, 300, 10);
    let hooks = ["cutover.fenced", "verify.passed", "cutover.sealed", "cleanup.done"];
    let hooks = hooks.map(|moment| format!("{{ at: {moment}, run: [./passes.sh] }}")).join(", ");
    let plan = plan(&source, &destination, &format!("timeout: 10s, fence: {fence}"), "mode: full");
    let tool = tool(&plan.line(&format!("hooks: [{hooks}]")));
    tool.script("passes.sh", "true");
    let run = ready(&tool);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    let name = |event: &Value| match event["event"].as_str().unwrap() {
        "cutover_part" => Some(event["part"].as_str().unwrap().to_owned()),
        "hook_ran" => Some(event["moment"].as_str().unwrap().to_owned()),
        "step_started" if event["step"] == "cleanup" => Some("cleanup".to_owned()),
        told @ ("verified" | "sealed" | "run_finished") => Some(told.to_owned()),
        _ => None,
    };
    let events = told(&tool, "\"event\"");
    events.iter().filter_map(name).skip_while(|name| !["settle", "fence", "verify"].contains(&name.as_str())).collect()
}

const BEHIND_THE_SEAL: [&str; 8] =
    ["settle", "seal", "sealed", "verify.passed", "cutover.sealed", "cleanup", "cleanup.done", "run_finished"];

#[test]
fn the_parts_of_a_cutover_keep_their_order() {
    let before = ["settle", "fence", "drain", "cutover.fenced", "verify", "verified"];
    let expected = [&before[..], &BEHIND_THE_SEAL].concat();
    assert_eq!(in_order("redis-7.2.4", "client_pause"), expected);
    assert_eq!(in_order("redis-5.0.10", "min_replicas"), expected);
}

#[test]
fn the_parts_of_a_cutover_keep_their_order_where_a_fence_lets_nobody_read() {
    let before = ["verify", "verified", "settle", "fence", "drain", "cutover.fenced"];
    assert_eq!(in_order("redis-5.0.10", "client_pause"), [&before[..], &BEHIND_THE_SEAL].concat());
}

#[test]
fn a_comparison_that_outlasts_the_cutover_undoes_it_and_says_so() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 4000, 10);
    // 8000 names at 1500/s.
    let tool = tool(&plan(&source, &destination, "timeout: 1s", "mode: full, rate: 1500/s"));
    let mut run = ready(&tool);
    tool.run(CUT).expect(1).says("its part `verify` failed").says("not sealed within 1 s").says("took too long");
    assert!(run.is_running());
    assert_eq!(calls(&source, "client|unpause").0, 1, "the pause was ended, it did not run out");
    is_followed_on(&source, &destination, "after");
    assert!(told(&tool, "\"verified\"").is_empty() && told(&tool, "\"sealed\"").is_empty());
    let undone = &told(&tool, "\"cutover_undone\"")[0];
    assert_eq!(undone["part"], "verify");
    let blocked = undone["blocked"].as_f64().unwrap();
    assert!((1.0..3.0).contains(&blocked), "{blocked}");
    tool.run(["report", "move", "--format", "md"])
        .expect(0)
        .says("undone, verify failed")
        .says("comparing both sides took too long");
    // The comparison that was given up is over too, and the next one has the time that it needs.
    nothing_stands_against_it(&tool);
    tool.run(["cutover", "move", "--confirm", "move", "--timeout", "60s"]).expect(0).says("sealed at offset");
    run.wait().expect(0).says("sealed at offset");
    assert_eq!(told(&tool, "\"verified\"").len(), 1);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// The tool stands still while both sides are compared, until the pause of the writers has run out and they have written.
#[test]
fn a_pause_that_runs_out_during_the_comparison_seals_nothing() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 2000, 10);
    // 4000 names at 1500/s: well within the time, had the tool not stood still.
    let tool = tool(&plan(&source, &destination, "timeout: 5s", "mode: full, rate: 1500/s"));
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    until("it compares", || parts(&tool).contains(&"verify".to_owned()));
    run.signal(Signal::STOP);
    // Answered once the pause has run out.
    source.client().command(&cmd!["SET", "behind the fence", 1]);
    run.signal(Signal::CONT);
    cutting.wait().expect(1).says("its part `verify` failed");
    assert!(told(&tool, "\"sealed\"").is_empty());
    until("it is followed on", || destination.client().command(&cmd!["EXISTS", "behind the fence"]).int() == 1);
    nothing_stands_against_it(&tool);
    tool.run(["cutover", "move", "--confirm", "move", "--timeout", "60s"]).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// A fence that nothing proves: what is written while both sides are compared is applied before the seal.
#[test]
fn what_is_written_during_the_comparison_is_there_when_it_is_sealed() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    fill(&source, 2000, 10);
    let tool = tool(&plan(&source, &destination, "timeout: 60s, fence: none", "mode: full, rate: 1500/s"));
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    until("it compares", || parts(&tool).contains(&"verify".to_owned()));
    source.client().command(&cmd!["SET", "meanwhile", 1]);
    assert!(told(&tool, "\"verified\"").is_empty(), "it still compares");
    cutting.wait().expect(0).says("sealed at offset");
    run.wait().expect(0);
    assert_eq!(told(&tool, "\"event\":\"sealed\"")[0]["result"]["proven"], false);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// The source's offset moves on by its pings while no writer writes.
#[test]
fn a_difference_is_found_behind_the_fence_while_the_source_pings() {
    let source = Server::of("redis-7.2.4").arg("--repl-ping-replica-period", "1").start();
    let destination = Server::start("redis-8.2.3");
    fill(&source, 2000, 10);
    let tool = tool(&plan(&source, &destination, "timeout: 60s", "mode: full, rate: 1500/s"));
    let run = ready(&tool);
    let value = spoil(&source, &destination);
    tool.run(CUT).expect(1).says("both sides differ: 1 keys");
    mend(&destination, &value);
    nothing_stands_against_it(&tool);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
}
