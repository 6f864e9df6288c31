//! What the destination refuses while the source is followed: named, and no success.

use crate::{
    cmd,
    faults::{told, tool},
    following::{IDLE, follow},
    harness::{Comparer, Finished, Plan, Server},
};

/// Follows a source that says this script, and the end of it under `on_unsupported`.
fn scripted(script: &str, unsupported: &str) -> (Server, Server, Finished, Vec<String>) {
    let (source, destination) = (Server::start("redis-4.0-rc2"), Server::start("redis-7.2.4"));
    source.client().pipeline_ok(&[cmd!["SET", "before", 1], cmd!["SET", "text", "no list"]]);
    let plan = Plan::between(&source, &destination).following(IDLE).line(&format!("on_unsupported: {unsupported}"));
    let tool = tool(&plan);
    let run = follow(&tool);
    source.client().reply(&cmd!["EVAL", script, 1, "made"]);
    let run = run.wait();
    let reasons = told(&tool, "key_failed");
    let reasons = reasons.iter().map(|event| event["failure"]["reason"].as_str().unwrap().to_owned()).collect();
    (source, destination, run, reasons)
}

/// A function that the old server lets a script define, and the new one does not.
const GLOBAL: &str = "rawset(_G, 'helper', function() return 1 end) return redis.call('SET', KEYS[1], helper())";
/// Fails halfway, on both sides.
const MIDWAY: &str = "redis.call('SET', KEYS[1], 1) return redis.call('LPUSH', 'text', 1)";

#[test]
fn a_script_that_the_destination_refuses_is_no_success() {
    let (source, destination, run, reasons) = scripted(GLOBAL, "fail");
    assert_eq!(source.client().command(&cmd!["GET", "made"]).text(), "1", "the source took it");
    run.expect(3).says("The destination refused a command on `made`").says("A script that failed midway at the source");
    assert!(reasons[0].starts_with("EVAL: ERR"), "{reasons:?}");
    assert_eq!(destination.client().command(&cmd!["EXISTS", "made"]).int(), 0);
}

#[test]
fn a_script_that_failed_at_the_source_too_cannot_be_told_from_one_that_did_not() {
    let (.., run, reasons) = scripted(MIDWAY, "fail");
    run.expect(3).says("compare its keys");
    assert_eq!(reasons.len(), 1);
    let (source, destination, run, reasons) = scripted(MIDWAY, "report");
    run.expect(0);
    assert_eq!(reasons.len(), 1);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_plan_that_reports_lists_the_script_and_continues() {
    let (source, destination, run, reasons) = scripted(GLOBAL, "report");
    run.expect(0);
    assert_eq!((reasons.len(), Comparer::of(&source, &destination).run().differences.len()), (1, 1));
    let tool = tool(&Plan::between(&source, &destination));
    tool.run(["verify", "plan.yaml"]).expect(1).says("made");
}

/// Commands that write only where there is no key yet answer 0 where there is one, which is no error.
#[test]
fn a_command_that_made_a_key_at_the_source_alone_is_named() {
    let cases = [
        ("redis-7.2.4", vec![cmd!["RENAMENX", "from", "only"]]),
        ("redis-7.2.4", vec![cmd!["COPY", "from", "only"]]),
        ("redis-5.0.10", vec![cmd!["SETNX", "only", 1]]),
        ("redis-5.0.10", vec![cmd!["MSETNX", "only", 1, "more", 2]]),
        ("redis-5.0.10", vec![cmd!["SELECT", 1], cmd!["SET", "only", 1], cmd!["MOVE", "only", 0]]),
    ];
    for (name, commands) in cases {
        let (source, destination) = (Server::start(name), Server::start("redis-7.2.4"));
        source.client().command(&cmd!["SET", "from", 1]);
        let tool = tool(&Plan::between(&source, &destination).following(IDLE));
        let run = follow(&tool);
        destination.client().command(&cmd!["SET", "only", "theirs"]);
        source.client().pipeline_ok(&commands);
        run.wait().expect(3).says("that the source did not have, so nothing was written").says("a command on `only`");
        assert_eq!(destination.client().command(&cmd!["GET", "only"]).text(), "theirs", "{name}: {commands:?}");
    }
}
