//! What the tests of following share.

use std::fs;

use crate::{
    cmd,
    faults::{await_told, begin, told, until},
    harness::{Running, Server, Tool},
};

/// A stop condition that is met once nobody has written for a while.
pub const IDLE: &str = "{ any: [source_idle: { for: 2s }] }";

/// Begins `apply` and waits until it follows the source.
pub fn follow(tool: &Tool) -> Running {
    let mut run = begin(tool);
    assert!(await_told(tool, &mut run, "follow_started"), "{}", run.wait());
    run
}

/// A figure of how following stands, as told last.
pub fn figure(tool: &Tool, name: &str) -> Option<u64> {
    told(tool, "\"event\":\"following\"").last()?["progress"][name].as_u64()
}

/// How far the source has come.
pub fn offset(source: &Server) -> u64 {
    source.client().command(&cmd!["INFO", "replication"]).info("master_repl_offset").unwrap().parse().unwrap()
}

/// Waits until what the source has written by now is applied.
pub fn await_applied(tool: &Tool, run: &mut Running, source: &Server) {
    let written = offset(source);
    until("it is applied", || figure(tool, "applied").is_some_and(|applied| applied >= written) || !run.is_running());
}

/// Whether one of the processes since the last [`begin`] asked for a dump.
pub fn began_anew(tool: &Tool) -> bool {
    !told(tool, "dump_started").is_empty()
}

/// What keys of the run record hold.
pub fn record(destination: &Server, key: &str) -> Option<String> {
    let reply = destination.client().command(&cmd!["GET", format!("redis-plan:{{move}}:{key}")]);
    (reply != crate::harness::Reply::Nil).then(|| reply.text().to_owned())
}

/// The segments of the stream's spool, in order.
pub fn segments(tool: &Tool, state: &str) -> Vec<std::path::PathBuf> {
    let folder = tool.folder().join(state).join("stream-1");
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
