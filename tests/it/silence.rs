//! Servers that do not answer: who, since when, and how long that is waited for.

use crate::{
    cmd,
    faults::{await_told, begin, told, tool},
    following::{IDLE, await_applied, follow},
    harness::{Comparer, Plan, Server, Tool},
};

fn servers() -> (Server, Server) {
    (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"))
}

fn reasons(tool: &Tool) -> Vec<String> {
    told(tool, "\"waiting\"").iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_destination_that_accepts_and_never_answers_is_named_after_ten_seconds() {
    let (source, destination) = servers();
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    destination.pause();
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "The destination did not answer within 10 s"), "{}", run.wait());
    destination.resume();
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    source.client().command(&cmd!["SET", "before", 1]);
    await_applied(&tool, &mut run, &source);
    destination.pause();
    source.client().command(&cmd!["SET", "behind", 1]);
    assert!(await_told(&tool, &mut run, "destination: it does not answer for 10 s"), "{}", run.wait());
    destination.resume();
    assert!(await_told(&tool, &mut run, "The destination takes writes again"), "{}", run.wait());
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn servers_that_are_gone_are_named_and_given_up_after_the_plans_patience() {
    let (mut source, mut destination) = servers();
    source.client().command(&cmd!["SET", "k", 1]);
    let plan = Plan::between(&source, &destination).following("{ any: [ { command: cutover } ] }");
    let tool = tool(&plan.line("limits: { patience: 12s }"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    destination.client().command(&cmd!["SAVE"]);
    source.kill9();
    destination.kill9();
    assert!(await_told(&tool, &mut run, "the destination has not answered since"), "{}", run.wait());
    let status = tool.run(["status", "move"]).expect(0);
    status.says("the source has not answered since").says("the destination has not answered since");
    let ended = run.wait().expect(75);
    ended.says("12s, the plan's `limits.patience`").says("and the destination has not answered since");
    assert!(reasons(&tool).iter().any(|reason| reason.starts_with("the source has not answered since")));
}
