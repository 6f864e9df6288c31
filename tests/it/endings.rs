//! Ends that a run comes to only where a server does something unusual while it is under way.

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool, until},
    harness::{Plan, Proxy, Server},
};

#[test]
fn a_source_that_knows_only_sync_is_not_followed() {
    let (good, destination) = (Server::start("redis-2.8.17"), Server::start("redis-7.0.15"));
    let only_sync = Server::of("redis-2.8.17").args(["--rename-command", "PSYNC", ""]).start();
    fill(&only_sync, 100, 10);
    let from = Proxy::to(good.port());
    let plan = Plan::between_ports(from.port(), destination.port())
        .following("{ any: [source_idle: { for: 1s }] }")
        .line("hooks: [{ at: precheck.passed, run: [./wait.sh], timeout: 20s, on_error: fail }]");
    let tool = tool(&plan);
    tool.script("wait.sh", "touch passed; until test -e moved; do sleep 0.01; done");
    let run = begin(&tool);
    until("the precheck has passed", || tool.folder().join("passed").exists());
    // Another server has the address, after all was found to be well.
    from.point_at(only_sync.port());
    from.cut();
    tool.write("moved", "");
    run.wait().expect(3).because("R203").says("Give this host PSYNC");
}

#[test]
fn a_command_that_only_the_destination_refuses_ends_the_run() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    source.client().command(&cmd!["RPUSH", "list", 1]);
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    let mut there = destination.client();
    until("the list is there", || there.command(&cmd!["EXISTS", "list"]).int() == 1);
    there.command(&cmd!["SET", "list", "of somebody else"]);
    source.client().command(&cmd!["RPUSH", "list", 2]);
    run.wait().expect(3).because("R307").says("`list`").says("WRONGTYPE").says("Find out who else writes");
}

#[test]
fn a_value_that_the_destination_cannot_hold_ends_the_run() {
    let (source, destination) = (Server::start("redis-8.2.3"), Server::start("redis-6.2.14"));
    let plan = Plan::between(&source, &destination)
        .line("hooks: [{ at: precheck.passed, run: [./wait.sh], timeout: 20s, on_error: fail }]");
    let tool = tool(&plan);
    tool.script("wait.sh", "touch passed; until test -e written; do sleep 0.01; done");
    let run = begin(&tool);
    until("the precheck has passed", || tool.folder().join("passed").exists());
    source.client().command(&cmd!["VADD", "points", "VALUES", 2, "1.0", "2.0", "one"]);
    tool.write("written", "");
    run.wait().expect(3).because("R306").says("points").says("vectorset").says("on_unsupported");
}
