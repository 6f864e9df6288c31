//! Ways to a server other than a TCP port of an IPv4 address with a password for all.

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool},
    harness::{Comparer, Dataset, Plan, Server, Size},
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

/// The least that is enough, as `book/src/reference/permissions.md` tells it.
const SOURCE: &str = "+ping +info +time +psync +replconf";
const DESTINATION: &str = "~* &* +@read +@write +@transaction +@scripting +ping +select +client|setname +info +time \
                           +command +config|get +module|list +publish";

/// What is not needed, but of use.
const OF_USE: [&str; 3] = ["client|list", "client|info", "acl|whoami"];

#[test]
fn users_with_the_rules_in_the_book_are_enough() {
    let book = include_str!("../../book/src/reference/permissions.md");
    let (source, destination) = (Server::start("redis-7.0.15"), Server::start("redis-7.2.4"));
    let grant = |server: &Server, password: &str, rules: &str| {
        assert!(book.contains(&rules.split_whitespace().collect::<Vec<_>>().join(" ")), "{rules}");
        let mut command = cmd!["ACL", "SETUSER", "mover", "on", format!(">{password}")];
        command.extend(rules.split_whitespace().map(|rule| rule.as_bytes().to_vec()));
        server.client().command(&command);
    };
    grant(&source, "s3cret", SOURCE);
    grant(&destination, "t3cret", DESTINATION);
    Dataset::new(source.flavour, Size::Full, 1).load(&source);
    let plan = Plan::between(&source, &destination)
        .source("username: mover")
        .source("password: { env: SOURCE }")
        .destination("username: mover")
        .destination("password: { env: DESTINATION }");
    migrates(&source, &destination, plan);
    // What only makes the checks say more may be refused, and the book names it.
    let log = destination.client().command(&cmd!["ACL", "LOG"]);
    let refused = log.items().iter().map(|entry| entry.field("object").unwrap().text());
    for object in refused {
        assert!(OF_USE.contains(&object) && book.contains(&format!("+{object}")), "{log:?}");
    }
}
