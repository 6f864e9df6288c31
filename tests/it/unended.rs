//! A transaction of the source whose end does not come.

use std::fs;

use crate::{
    cmd,
    cutover::{CUT, plan, ready, status},
    faults::{await_told, tool, until},
    harness::{Comparer, Server, Tool, encode},
};

/// Makes a source load an append-only file with a transaction in it: up to 5.0 its replicas get the `MULTI` and neither what is in it
/// nor the `EXEC`.
fn leave_open(source: &Server) {
    let mut file = vec![];
    for command in [cmd!["SELECT", 0], cmd!["MULTI"], cmd!["SET", "loaded", 1], cmd!["EXEC"]] {
        encode(&command, &mut file);
    }
    fs::write(source.folder().join("appendonly.aof"), file).unwrap();
    source.client().command(&cmd!["DEBUG", "LOADAOF"]);
}

fn reasons(tool: &Tool) -> String {
    format!("{}", status(tool)["reasons"])
}

#[test]
fn a_transaction_without_an_end_is_named_and_the_next_exec_ends_it() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    // A fence by commands of the source would end it with its own EXEC.
    let tool = tool(&plan(
        &source,
        &destination,
        "{ mode: manual, fence: { hook: { run: ['true'], undo: ['true'] } }, timeout: 3s, max_lag: 1h }",
    ));
    let mut run = ready(&tool);
    let mut client = source.client();
    leave_open(&source);
    client.command(&cmd!["INCR", "n"]);
    tool.run(CUT)
        .expect(1)
        .says("it was not sealed within 3 s: a transaction of the source after offset")
        .says("its EXEC did not");
    assert!(
        await_told(&tool, &mut run, "waiting\",\"step\":\"incremental\",\"reason\":\"a transaction"),
        "{}",
        run.wait()
    );
    until("the status names it", || reasons(&tool).contains("its EXEC did not"));
    tool.run(CUT).expect(1).says("Nothing was changed: a transaction of the source after offset");
    assert_eq!(destination.client().command(&cmd!["EXISTS", "n"]).int(), 0, "nothing of it is applied");
    client.pipeline_ok(&[cmd!["MULTI"], cmd!["DEL", "loaded"], cmd!["EXEC"]]);
    until("it is applied", || destination.client().command(&cmd!["EXISTS", "n"]).int() == 1);
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    assert!(!reasons(&tool).contains("EXEC"));
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}
