//! Consumers and what is pending to them: what the servers themselves do not carry, and what they carry differently.

use crate::{
    cmd,
    faults::{told, tool},
    following::{IDLE, await_applied, follow},
    harness::{Command, Finished, Plan, Server, Tool},
};

/// A group that has read the first two of three entries.
fn stream() -> Vec<Command> {
    let mut commands: Vec<Command> = (1..=3).map(|n| cmd!["XADD", "jobs", format!("{n}-1"), "n", n]).collect();
    commands.push(cmd!["XGROUP", "CREATE", "jobs", "g", 0]);
    commands.push(cmd!["XREADGROUP", "GROUP", "g", "ann", "COUNT", 3, "STREAMS", "jobs", ">"]);
    commands
}

#[test]
fn a_consumer_that_asked_in_vain_is_no_difference() {
    for name in ["redis-7.2.4", "redis-8.2.3"] {
        let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
        source.client().pipeline_ok(&stream());
        let plan = Plan::between(&source, &destination).following(IDLE).line("verify: { mode: full }");
        let tool = tool(&plan);
        let mut run = follow(&tool);
        let mut client = source.client();
        client.reply(&cmd!["XREADGROUP", "GROUP", "g", "bob", "COUNT", 1, "STREAMS", "jobs", ">"]);
        client.command(&cmd!["SET", "last", 1]);
        await_applied(&tool, &mut run, &source);
        run.wait().expect(0);
        let consumers = client.command(&cmd!["XINFO", "CONSUMERS", "jobs", "g"]).items().len();
        assert_eq!(consumers, 2, "it is there at the source");
        // One that has something pending is a difference.
        destination.client().command(&cmd!["XCLAIM", "jobs", "g", "eve", 0, "1-1"]);
        tool.run(["verify", "plan.yaml"]).expect(1).says("pending");
    }
}

/// A consumer claims an entry that is pending and deleted.
fn claimed(unsupported: &str) -> (Finished, Tool) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    source.client().pipeline_ok(&stream());
    let plan = Plan::between(&source, &destination).following(IDLE).line(&format!("on_unsupported: {unsupported}"));
    let tool = tool(&plan);
    let run = follow(&tool);
    source.client().pipeline_ok(&[
        cmd!["XCLAIM", "jobs", "g", "bob", 0, "1-1"],
        cmd!["XDEL", "jobs", "2-1"],
        cmd!["XCLAIM", "jobs", "g", "bob", 0, "2-1"],
    ]);
    assert_eq!(source.client().command(&cmd!["XPENDING", "jobs", "g"]).items()[0].int(), 3);
    let run = run.wait();
    assert_eq!(told(&tool, "key_failed").len(), 1, "{run}");
    (run, tool)
}

#[test]
fn a_claim_of_a_deleted_entry_that_is_lost_is_named() {
    let (run, _) = claimed("fail");
    run.expect(3).says("on `jobs`").says("XCLAIM: the entry is deleted from the stream");
    let (run, tool) = claimed("report");
    run.expect(0);
    let reason = told(&tool, "key_failed")[0]["failure"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("does not keep it pending"), "{reason}");
}
