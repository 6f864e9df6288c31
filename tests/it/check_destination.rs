//! `plan check` against destinations that are set up wrong, and against pairs that do not fit.

use std::fs;

use crate::{
    check::{as_user, check, check_with, modern},
    cmd,
    faults::{fill, tool, until},
    harness::{Plan, Server},
};

fn following(source: &Server, destination: &Server) -> Plan {
    Plan::between(source, destination).following("{ any: [command: cutover] }")
}

#[test]
fn another_version_than_the_plan_expects_fails_where_it_says_so() {
    let plan = Plan::between(&modern(), &modern()).destination("expect: { version: \"8\" }");
    check(&plan, "destination-reachable");
    let (source, destination) = (modern(), modern());
    let plan = Plan::between(&source, &destination).destination("expect: { version: \"8\" }");
    check(&plan, "destination-version")
        .fails("C202", "expect:", "Redis 7.0.15 is not in `=8`", "destination.url")
        .pinned();
}

#[test]
fn a_node_of_a_cluster_fails() {
    let destination = Server::of("redis-7.0.15").arg("--cluster-enabled", "yes").start();
    let plan = Plan::between(&modern(), &destination);
    check(&plan, "destination-reachable");
    let source = modern();
    let plan = Plan::between(&source, &destination);
    check(&plan, "destination-mode").fails("C209", "url:", "node of a cluster", "no cluster");
}

#[test]
fn what_keeps_the_run_from_writing_is_told() {
    let (source, destination) = (modern(), modern());
    let mut client = destination.client();
    client.command(&cmd!["ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-restore"]);
    let plan = as_user(Plan::between(&source, &destination), "destination", "limited");
    let found = check_with(&tool(&plan).env("SECRET", "secret"), &plan, "destination-writable");
    found.fails("C204", "username: limited", "restore", "ACL SETUSER limited ~* &* +@read +@write -migrate").pinned();
    client.command(&cmd!["ACL", "SETUSER", "limited", "reset", "on", ">secret", "~cart:*", "+@all"]);
    let found = check_with(&tool(&plan).env("SECRET", "secret"), &plan, "destination-writable");
    found.fails("C204", "username: limited", "NOPERM", "on every key");
    let plan = Plan::between(&source, &destination);
    client.command(&cmd!["CONFIG", "SET", "min-replicas-to-write", 1]);
    check(&plan, "destination-writable").fails("C204", "url:", "NOREPLICAS", "min-slaves-to-write 0");
    client.command(&cmd!["CONFIG", "SET", "min-replicas-to-write", 0]);
    check(&plan, "destination-writable").passes("commands that were tried");
    client.command(&cmd!["CONFIG", "SET", "maxmemory", 1]);
    check(&plan, "destination-writable").fails("C204", "url:", "OOM", "raise `maxmemory`");
    assert_eq!(client.command(&cmd!["DBSIZE"]).int(), 0);
}

#[test]
fn the_granted_rule_is_enough() {
    for name in ["redis-6.2.14", "redis-7.0.15", "valkey-9.1.2"] {
        let (source, destination) = (Server::start("redis-5.0.10"), Server::start(name));
        fill(&source, 100, 10);
        let set = |rule: &str| {
            let mut words = cmd!["ACL", "SETUSER", "limited", "reset", "on", ">secret"];
            words.extend(rule.split(' ').map(|word| word.as_bytes().to_vec()));
            destination.client().command(&words);
        };
        set("+@all -restore ~*");
        let plan = as_user(following(&source, &destination), "destination", "limited");
        let tool = tool(&plan).env("SECRET", "secret");
        let found = check_with(&tool, &plan, "destination-writable");
        set(found.remedy.split_once("limited ").unwrap().1.split('`').next().unwrap());
        tool.run(["check", "plan.yaml"]).expect(0);
        tool.write("plan.yaml", &plan.text().replace("command: cutover", "source_idle: { for: 1s }"));
        tool.run(["apply", "plan.yaml"]).expect(0);
    }
}

#[test]
fn commands_that_were_taken_away_are_told() {
    let source = modern();
    let destination = Server::of("redis-7.0.15").args(["--rename-command", "RESTORE", "RESTORE_SECRET"]).start();
    let plan = Plan::between(&source, &destination);
    check(&plan, "destination-commands").fails("C210", "url:", "RESTORE", "rename-command").pinned();
    let hidden = ["--rename-command", "FLUSHALL", "", "--rename-command", "EVAL", ""];
    let destination = Server::of("redis-7.0.15").args(hidden).start();
    check(&Plan::between(&source, &destination), "destination-commands").passes("none");
    let plan = following(&source, &destination);
    check(&plan, "destination-commands").warns("C210", "url:", "FLUSHALL, EVAL", "nobody uses them");
    let destination = modern();
    destination.client().command(&cmd!["ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-flushall"]);
    let plan = as_user(following(&source, &destination), "destination", "limited");
    let found = check_with(&tool(&plan).env("SECRET", "secret"), &plan, "destination-commands");
    found.warns("C210", "username: limited", "FLUSHALL", "grant");
}

#[test]
fn too_little_memory_fails() {
    let source = modern();
    fill(&source, 20_000, 400);
    for name in ["redis-2.8.17", "redis-7.0.15"] {
        let destination = Server::of(name).arg("--maxmemory", "10mb").start();
        let plan = Plan::between(&source, &destination);
        check(&plan, "destination-memory").fails("C205", "url:", "of 10 MiB", "CONFIG SET maxmemory").pinned();
        // Databases that the plan leaves out need no room.
        source.client().command(&cmd!["SWAPDB", 0, 1]);
        source.client().command(&cmd!["SET", "few", 1]);
        check(&Plan::between(&source, &destination).line("databases: [0]"), "destination-memory").passes("10 MiB");
        source.client().command(&cmd!["FLUSHDB"]);
        source.client().command(&cmd!["SWAPDB", 0, 1]);
    }
    let destination = Server::of("redis-7.0.15").arg("--maxmemory", "60mb").start();
    check(&Plan::between(&source, &destination), "destination-memory").passes("of 60 MiB");
    let plan = Plan::between(&source, &destination).destination("expect: { free_memory: 900% }");
    check(&plan, "destination-memory").fails("C205", "expect:", "of 60 MiB", "expects 900%");
}

#[test]
fn a_policy_that_drops_keys_is_told() {
    let source = modern();
    for name in ["redis-2.8.17", "redis-7.0.15"] {
        let destination = Server::of(name).arg("--maxmemory-policy", "allkeys-lru").start();
        let plan = Plan::between(&source, &destination);
        check(&plan, "destination-eviction").passes("without `maxmemory`");
        destination.client().command(&cmd!["CONFIG", "SET", "maxmemory", 100_000_000]);
        let remedy = "CONFIG SET maxmemory-policy noeviction";
        check(&plan, "destination-eviction").warns("C206", "url:", "`allkeys-lru` with `maxmemory`", remedy).pinned();
        let plan = plan.destination("expect: { eviction: noeviction }");
        check(&plan, "destination-eviction").fails("C206", "expect:", "the plan expects `noeviction`", remedy);
    }
}

#[test]
fn databases_and_keys_in_the_way_are_told_by_their_numbers() {
    let source = modern();
    let mut client = source.client();
    for db in [0, 9] {
        client.select(db);
        client.command(&cmd!["SET", "key", 1]);
    }
    let destination = Server::of("redis-7.0.15").arg("--databases", "4").start();
    let plan = Plan::between(&source, &destination);
    check(&plan, "destination-databases")
        .fails("C207", "url:", "4 databases, and keys go to database 9", "renumber")
        .pinned();
    let plan = plan.line("databases: [0, { from: 9, to: 3 }]");
    check(&plan, "destination-databases").passes("4 databases");
    let mut there = destination.client();
    there.select(2);
    there.command(&cmd!["SET", "elsewhere", 1]);
    check(&plan, "destination-empty").passes("no keys where keys go");
    there.select(3);
    there.command(&cmd!["SET", "foreign", 1]);
    check(&plan, "destination-empty").fails("C208", "url:", "database 3 holds 1 key", "`skip` or `replace`").pinned();
    for (choice, remedy) in [("skip", "stay as they are"), ("replace", "are replaced")] {
        let plan = Plan::between(&source, &destination)
            .line("databases: [0, { from: 9, to: 3 }]")
            .line(&format!("on_conflict: {choice}"));
        check(&plan, "destination-empty").warns("C208", "on_conflict:", "database 3 holds 1 key", remedy);
        let plan = plan.destination("expect: { empty: true }");
        check(&plan, "destination-empty").fails("C208", "expect:", "database 3", "destination.expect.empty");
    }
}

#[test]
fn a_destination_that_keeps_nothing_or_refuses_writes_is_told() {
    let keeping = Server::of("redis-7.0.15").arg("--appendonly", "yes").start();
    let forgetting = Server::of("redis-7.0.15").arg("--enable-protected-configs", "yes").start();
    let plan = Plan::between(&keeping, &forgetting);
    check(&plan, "destination-persistence")
        .warns("C211", "url:", "neither dumps", "CONFIG SET appendonly yes")
        .pinned();
    check(&Plan::between(&forgetting, &keeping), "destination-persistence").passes("append-only file");
    let mut client = forgetting.client();
    client.command(&cmd!["CONFIG", "SET", "save", "3600 1"]);
    let folder = forgetting.folder().join("gone");
    fs::create_dir(&folder).unwrap();
    client.command(&cmd!["CONFIG", "SET", "dir", folder.to_str().unwrap()]);
    fs::remove_dir(&folder).unwrap();
    client.command(&cmd!["BGSAVE"]);
    until("it failed", || client.command(&cmd!["INFO", "persistence"]).info("rdb_last_bgsave_status") == Some("err"));
    check(&plan, "destination-persistence").fails("C211", "url:", "its last dump failed", "MISCONF");
    check(&plan, "destination-writable").fails("C204", "url:", "MISCONF", "destination-persistence");
    client.command(&cmd!["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    check(&plan, "destination-persistence").warns("C211", "url:", "its last dump failed", "BGSAVE");
}

#[test]
fn limits_that_the_run_does_not_fit_are_told() {
    let (source, destination) = (modern(), modern());
    let mut client = destination.client();
    let plan = Plan::between(&source, &destination);
    client.command(&cmd!["CONFIG", "SET", "client-query-buffer-limit", "2mb"]);
    let remedy = "CONFIG SET client-query-buffer-limit";
    check(&plan, "destination-limits").fails("C212", "url:", "`client-query-buffer-limit` is 2 MiB", remedy).pinned();
    let small = Plan::between(&source, &destination).line("limits: { chunk_above: 1 MiB, connections: 8 }");
    check(&small, "destination-limits").passes("1 MiB");
    client.command(&cmd!["CONFIG", "SET", "maxclients", 5]);
    check(&small, "destination-limits").fails("C212", "limits:", "of 5 connections", "CONFIG SET maxclients");
}

#[test]
fn modules_and_functions_that_the_destination_lacks_are_told() {
    let (source, destination) = (Server::start("redis-8.2.3"), Server::start("redis-6.2.14"));
    let plan = Plan::between(&source, &destination);
    check(&plan, "modules").passes("missing at the destination: vectorset; no key has a value of a module");
    source.client().pipeline_ok(&[cmd!["SET", "plain", 1], cmd!["VADD", "points", "VALUES", 2, "1.0", "2.0", "one"]]);
    let seen = "vectorset; of the 2 keys looked at 1 of type `vectorset`";
    check(&plan, "modules").fails("C302", "url:", seen, "on_unsupported: report").pinned();
    let reports = Plan::between(&source, &destination).line("on_unsupported: report");
    check(&reports, "modules").warns("C302", "on_unsupported:", seen, "Load the module");
    let others = Plan::between(&source, &destination).line("databases: [{ from: 0, keys: { exclude: [\"poi*\"] } }]");
    check(&others, "modules").passes("no key has a value of a module");
    source.client().pipeline_ok(&[cmd!["DEL", "points"]]);
    check(&plan, "functions").passes("none");
    let library = "#!lua name=mine\nredis.register_function('f', function() return 1 end)";
    source.client().command(&cmd!["FUNCTION", "LOAD", library]);
    check(&plan, "functions").fails("C303", "url:", "mine", "on_unsupported: report").pinned();
    let plan = plan.line("on_unsupported: report");
    check(&plan, "functions").warns("C303", "on_unsupported:", "Redis 6.2.14 knows no functions", "on_unsupported");
    let destination = modern();
    let plan = Plan::between(&source, &destination).line("on_conflict: skip");
    check(&plan, "functions").passes("mine");
    destination.client().command(&cmd!["FUNCTION", "LOAD", library]);
    check(&plan, "functions").warns("C303", "on_conflict:", "same name: mine", "on_conflict");
}

#[test]
fn a_string_that_is_longer_than_the_destination_takes_is_found() {
    let (source, destination) = (modern(), modern());
    let plan = Plan::between(&source, &destination).line("limits: { chunk_above: 256 KiB }");
    check(&plan, "large-values").passes("none can be near");
    fill(&source, 500, 10);
    source.client().command(&cmd!["SET", "large", "x".repeat(3 << 20)]);
    destination.client().command(&cmd!["CONFIG", "SET", "proto-max-bulk-len", "4mb"]);
    check(&plan, "large-values")
        .warns("C304", "url:", "`large` in database 0 has 3 MiB, near to 4 MiB", "proto-max-bulk-len")
        .pinned();
    destination.client().command(&cmd!["CONFIG", "SET", "proto-max-bulk-len", "2mb"]);
    check(&plan, "large-values").fails(
        "C304",
        "url:",
        "`large` in database 0 has 3 MiB, more than 2 MiB",
        "proto-max-bulk-len",
    );
    source.client().command(&cmd!["DEL", "large"]);
    let follows = following(&source, &destination);
    check(&follows, "large-values").warns(
        "C304",
        "url:",
        "up to 512 MiB, the destination up to 2 MiB",
        "proto-max-bulk-len",
    );
}

#[test]
fn commands_of_the_stream_that_the_destination_does_not_know_are_told() {
    let (source, destination) = (Server::start("redis-7.4.1"), Server::start("redis-6.2.14"));
    let plan = following(&source, &destination);
    check(&plan, "stream-commands").passes("has used none of them");
    let mut client = source.client();
    client.command(&cmd!["HSET", "hash", "field", 1]);
    client.command(&cmd!["HPEXPIRE", "hash", 100_000, "FIELDS", 1, "field"]);
    check(&plan, "stream-commands").warns("C305", "url:", "unknown there: HPEXPIRE", "on_unsupported: fail").pinned();
}

#[test]
fn a_spool_that_is_smaller_than_the_source_is_told() {
    let source = modern();
    fill(&source, 20_000, 400);
    let plan = Plan::between(&source, &modern());
    check(&plan, "destination-reachable");
    let destination = modern();
    let plan = Plan::between(&source, &destination).line("limits: { spool: 1 MiB, chunk_above: 256 KiB }");
    check(&plan, "spool-disk").warns("C401", "limits:", "`limits.spool` is 1 MiB", "raise the limit").pinned();
}
