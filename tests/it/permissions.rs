//! The lists of rules in the book, applied as they stand there: a whole migration needs them, and nothing else.

use std::fs;

use rustix::process::Signal;

use crate::{
    cmd,
    cutover::{CUT, plan, ready},
    faults::{calls, tool, until},
    harness::{Comparer, Dataset, Plan, Server, Size, Tool},
};

const PAGE: &str = include_str!("../../book/src/reference/permissions.md");

/// The list for the source and the one for the destination.
fn lists() -> [&'static str; 2] {
    let lists: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("ACL SETUSER mover ")).collect();
    <[&str; 2]>::try_from(lists).expect("one list for each side")
}

/// What the page says is only of use to the checks.
fn of_use() -> Vec<&'static str> {
    let line = PAGE.lines().find(|line| line.starts_with("Also of use")).unwrap();
    line.split('`').nth(1).unwrap().split_whitespace().map(|rule| rule.trim_start_matches('+')).collect()
}

fn grant(server: &Server, list: &str) {
    let words = list.split_whitespace().map(|rule| rule.replace("PASSWORD", "s3cret").into_bytes());
    server.client().command(&[cmd!["ACL", "SETUSER", "mover"], words.collect()].concat());
}

fn as_mover(plan: Plan) -> Tool {
    let (user, password) = ("username: mover", "password: { env: SECRET }");
    let plan = plan.source(user).source(password).destination(user).destination(password);
    tool(&plan).env("SECRET", "s3cret")
}

fn first_word(command: &str) -> &str {
    command.split('|').next().unwrap()
}

/// Names what a server refused beside what is only of use.
fn nothing_was_refused(server: &Server, side: &str) {
    let log = server.client().command(&cmd!["ACL", "LOG", 100]);
    let of_use = of_use();
    let mut missing: Vec<String> = log
        .items()
        .iter()
        .filter(|entry| entry.field("username").unwrap().text() == "mover")
        .map(|entry| entry.field("object").unwrap().text().to_owned())
        // Up to 6.2 the log names no subcommands; a rule of a whole command grants its subcommands.
        .filter(|object| {
            !of_use.iter().any(|known| *known == object || first_word(known) == object || first_word(object) == *known)
        })
        .collect();
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "the list of the {side} in permissions.md lacks: {missing:?}");
}

/// Every command that a list grants by its name is one that the run says.
fn everything_is_used(server: &Server, list: &str) {
    if server.flavour.version.number < (7, 0, 0) {
        return;
    }
    let names = list.split_whitespace().filter_map(|rule| rule.strip_prefix('+')).filter(|name| !name.starts_with('@'));
    // `UNWATCH` is for a run that another process has taken over.
    let unused: Vec<&str> = names.filter(|name| calls(server, name).0 == 0 && *name != "unwatch").collect();
    assert!(unused.is_empty(), "granted and not used at {}: {unused:?}", server.flavour.name);
}

/// A little of what a stream brings that services and lists like to leave out.
fn write(server: &Server) {
    let mut client = server.client();
    client.command(&cmd!["RPUSH", "list", 3, 1, 2]);
    client.command(&cmd!["SORT", "list", "STORE", "sorted"]);
    client.command(&cmd!["SET", "session", "x", "PX", 600_000]);
    client.command(&cmd!["EVAL", "return redis.call('INCR', KEYS[1])", 1, "counter"]);
    client.command(&cmd!["PUBLISH", "channel", "message"]);
    if server.flavour.has_functions() {
        let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        client.command(&cmd!["FUNCTION", "LOAD", library]);
    }
    client.command(&cmd!["SELECT", 5]);
    client.command(&cmd!["SET", "other", 1]);
    client.command(&cmd!["FLUSHDB"]);
}

/// Checks, copies, follows over a kill, compares, cuts over with this fence and cleans up, with the lists of the book.
fn a_whole_migration(flavour: &str, fence: &str) {
    let (source, destination) = (Server::start(flavour), Server::start(flavour));
    let [at_source, at_destination] = lists();
    grant(&source, at_source);
    grant(&destination, at_destination);
    // One of its own is waited for before the seal.
    let _replica = Server::of(flavour).replica_of(destination.port()).start();
    let online = || destination.client().command(&cmd!["INFO", "replication"]).text().contains("state=online");
    until("the replica is in step", online);
    Dataset::new(source.flavour, Size::Small, 7).load(&source);
    let before = source.client().command(&cmd!["CONFIG", "GET", "client-output-buffer-limit"]);
    let plan = plan(&source, &destination, &format!("{{ mode: manual, fence: {fence}, timeout: 20s }}"))
        .line("verify: { mode: full }")
        .line("buffer: { replica_output: unlimited }");
    let tool = as_mover(plan);
    tool.run(["check", "plan.yaml"]).expect(0);
    let run = ready(&tool);
    write(&source);
    tool.run(["pause", "move"]).expect(0);
    tool.run(["resume", "move"]).expect(0);
    run.signal(Signal::TERM);
    run.wait().expect(143);
    ready(&tool).kill9();
    tool.run(["cleanup", "plan.yaml"]).expect(0);
    let run = ready(&tool);
    write_more(&source, &destination);
    tool.run(["verify", "plan.yaml"]).expect(0);
    // A key that differs is looked at again and again, and undoes a cutover.
    destination.client().command(&cmd!["SET", "more", "other"]);
    tool.run(["verify", "plan.yaml"]).expect(1);
    tool.run(CUT).expect(1).says("both sides differ: 1 keys");
    destination.client().command(&cmd!["SET", "more", 1]);
    until("nothing stands against a cutover", || tool.run(["cutover", "move", "--dry-run"]).code() == Some(0));
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0).says("sealed at offset");
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(source.client().command(&cmd!["CONFIG", "GET", "client-output-buffer-limit"]), before);
    nothing_was_refused(&source, "source");
    nothing_was_refused(&destination, "destination");
    if fence == "client_pause" {
        everything_is_used(&source, at_source);
        everything_is_used(&destination, at_destination);
    }
}

fn write_more(source: &Server, destination: &Server) {
    source.client().command(&cmd!["SET", "more", 1]);
    until("it is followed", || destination.client().command(&cmd!["EXISTS", "more"]).int() == 1);
}

#[test]
fn the_lists_of_the_book_are_enough_for_redis_6_2() {
    a_whole_migration("redis-6.2.14", "client_pause");
}

#[test]
fn the_lists_of_the_book_are_enough_for_redis_7_2() {
    a_whole_migration("redis-7.2.4", "client_pause");
}

#[test]
fn the_lists_of_the_book_are_enough_for_redis_8_2() {
    a_whole_migration("redis-8.2.3", "client_pause");
}

#[test]
fn the_lists_of_the_book_are_enough_for_valkey_9() {
    a_whole_migration("valkey-9.1.2", "client_pause");
}

#[test]
fn the_lists_of_the_book_are_enough_for_a_fence_by_settings() {
    a_whole_migration("redis-7.2.4", "min_replicas");
}

/// A source user that has only the rows of the page that this plan uses, and no `DISCARD`.
#[test]
fn a_part_of_the_list_is_enough_for_a_part_of_the_work() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let rows: Vec<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `+")?.split('`').next())
        .map(|cell| format!("+{}", cell.replace("\\|", "|")))
        .collect();
    assert_eq!(rows.len(), 5, "{rows:?}");
    grant(&source, &format!("on >PASSWORD {} {} {}", rows[0], rows[2], rows[3]));
    grant(&destination, lists()[1]);
    let tool = as_mover(plan(&source, &destination, "{ mode: manual, timeout: 20s }"));
    let run = ready(&tool);
    write_more(&source, &destination);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    let log = source.client().command(&cmd!["ACL", "LOG", 100]);
    let refused = log.items().iter().map(|entry| entry.field("object").unwrap().text());
    // The checks would like to know the settings, and the address of this host.
    let of_use = of_use();
    let is_of_use =
        |object: &str| of_use.iter().any(|known| object.split('|').next() == Some(*known) || object == *known);
    let known = |object: &&str| is_of_use(object) || ["config|get", "client|setname"].contains(object);
    let refused: Vec<&str> = refused.filter(|object| !known(object)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Comparer::of(&source, &destination).run().assert_equal();
}

/// A user that is deleted at the end may delete itself.
#[test]
fn an_account_of_the_plan_needs_two_rules_more() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let [at_source, at_destination] = lists();
    let more = PAGE.split("user: … }] }` needs `").nth(1).unwrap().split('`').next().unwrap();
    grant(&source, at_source);
    grant(&destination, &format!("{at_destination} {more}"));
    Dataset::new(source.flavour, Size::Small, 3).load(&source);
    let plan = Plan::between(&source, &destination).line("cleanup: { accounts: [{ side: destination, user: mover }] }");
    as_mover(plan).run(["apply", "plan.yaml"]).expect(0);
    assert_eq!(destination.client().command(&cmd!["ACL", "USERS"]).items().len(), 1);
}

/// One list for each side: no other page has a second one that would be forgotten.
#[test]
fn no_other_page_has_a_list_of_its_own() {
    let mut folders = vec![std::path::PathBuf::from("book/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "md") && !entry.ends_with("permissions.md") {
                let page = fs::read_to_string(&entry).unwrap();
                let list = page.lines().find(|line| line.starts_with("ACL SETUSER") || line.contains("+@all -"));
                assert_eq!(list, None, "{} has a list of its own", entry.display());
            }
        }
    }
}
