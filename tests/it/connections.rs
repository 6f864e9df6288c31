//! Ways to a server other than a TCP port of an IPv4 address with a password for all.

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool},
    harness::{Comparer, Plan, Server},
};

const IDLE: &str = "{ any: [source_idle: { for: 2s }] }";

/// Migrates and follows, with writes behind the dump.
fn migrates(source: &Server, destination: &Server, plan: Plan) {
    fill(source, 1000, 100);
    let tool = tool(&plan.following(IDLE)).env("SOURCE", "s3cret").env("DESTINATION", "t3cret");
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    let mut client = source.client();
    for index in 0..1000 {
        client.command(&cmd!["INCR", format!("count:{}", index % 7)]);
    }
    run.wait().expect(0);
    Comparer::of(source, destination).run().assert_equal();
}

#[test]
fn a_migration_goes_over_unix_sockets() {
    let start = |name: &str| Server::of(name).arg("--unixsocket", "redis.sock").start();
    let (source, destination) = (start("redis-5.0.10"), start("redis-7.2.4"));
    let url = |server: &Server| format!("unix://{}/redis.sock", server.folder().display());
    migrates(&source, &destination, Plan::between_urls(&url(&source), &url(&destination)));
}

#[test]
fn a_migration_goes_over_ipv6() {
    let start = |name: &str| Server::of(name).args(["--bind", "127.0.0.1", "::1"]).start();
    let (source, destination) = (start("redis-5.0.10"), start("redis-7.2.4"));
    let url = |server: &Server| format!("redis://[::1]:{}", server.port());
    migrates(&source, &destination, Plan::between_urls(&url(&source), &url(&destination)));
}
