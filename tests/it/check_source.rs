//! `plan check` against sources that are set up wrong.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use crate::{
    check::{as_user, check, check_with, modern},
    cmd,
    faults::{fill, tool, until},
    harness::{Comparer, Plan, Server},
};

/// A plan that follows until it is told to stop.
fn following(source: &Server, destination: &Server) -> Plan {
    Plan::between(source, destination).following("{ any: [command: cutover] }")
}

#[test]
fn another_version_or_role_than_the_plan_expects_fails_where_it_says_so() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    let plan = |expect: &str| Plan::between(&source, &destination).source(expect);
    let version = plan("expect: { version: \">=6\" }");
    check(&version, "source-version").fails("C102", "expect:", "Redis 5.0.10 is not in `>=6`", "source.url").pinned();
    check(&plan("expect: { role: replica }"), "source-role").fails("C103", "expect:", "master", "failover").pinned();
    check(&plan("expect: { version: \">=5, <6\", role: master }"), "source-role").passes("master");
}

#[test]
fn another_process_than_the_plan_names_fails() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    let id = source.client().command(&cmd!["INFO", "server"]).info("run_id").unwrap().to_owned();
    let plan = |id: &str| Plan::between(&source, &destination).source(&format!("expect: {{ run_id: \"{id}\" }}"));
    check(&plan(&id), "source-identity").passes(&id);
    check(&plan(&"a".repeat(40)), "source-identity").fails("C117", "expect:", &id, "restarted").pinned();
}

#[test]
fn a_node_of_a_cluster_fails() {
    let source = Server::of("redis-7.0.15").arg("--cluster-enabled", "yes").start();
    check(&Plan::between(&source, &modern()), "source-mode").fails("C105", "url:", "node of a cluster", "other nodes");
}

#[test]
fn a_replica_is_judged_by_its_link_and_its_writes() {
    let master = Server::start("redis-5.0.10");
    let replica = Server::of("redis-5.0.10").replica_of(master.port()).start();
    let mut client = replica.client();
    let link = |client: &mut crate::harness::Client| {
        client.command(&cmd!["INFO", "replication"]).info("master_link_status").map(str::to_owned)
    };
    until("it is in step", || link(&mut client).as_deref() == Some("up"));
    let plan = Plan::between(&replica, &modern());
    check(&plan, "source-chain").passes(&format!("a replica of 127.0.0.1:{}", master.port()));
    client.command(&cmd!["CONFIG", "SET", "slave-read-only", "no"]);
    check(&plan, "source-chain")
        .warns("C106", "url:", "takes writes of its own", "CONFIG SET slave-read-only yes")
        .pinned();
    drop(master);
    until("the link is down", || link(&mut client).as_deref() == Some("down"));
    check(&plan, "source-chain").fails("C106", "url:", "link to its master is down", "copy from the master");
}

#[test]
fn a_user_without_psync_is_told_what_to_grant_and_that_is_enough() {
    for name in ["redis-6.2.14", "redis-7.0.15", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
        fill(&source, 100, 10);
        let admin = |rule: &str| {
            let mut words = cmd!["ACL", "SETUSER", "limited", "reset", "on", ">secret"];
            words.extend(rule.split(' ').map(|word| word.as_bytes().to_vec()));
            source.client().command(&words);
        };
        let plan = as_user(following(&source, &destination), "source", "limited");
        let tool = tool(&plan).env("SECRET", "secret");
        admin("~* +@all -psync");
        let found = check_with(&tool, &plan, "source-replication");
        found.fails("C104", "username: limited", "psync", "ACL SETUSER limited");
        let rule = found.remedy.split_once("limited ").unwrap().1.split('`').next().unwrap().to_owned();
        admin(&format!("{rule} +acl|dryrun +multi +discard"));
        check_with(&tool, &plan, "source-replication").passes("`limited` may REPLCONF and PSYNC");
        // No more than the rule: what cannot be asked is open, nothing fails, and the run comes to its end.
        admin(&rule);
        let found = check_with(&tool, &plan, "source-replication");
        found.is_unknown("C104", "username: limited", "may REPLCONF", "ACL DRYRUN limited PSYNC");
        tool.run(["check", "plan.yaml"]).expect(0);
        tool.write("plan.yaml", &plan.text().replace("command: cutover", "source_idle: { for: 1s }"));
        tool.run(["apply", "plan.yaml"]).expect(0);
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn a_service_without_replication_is_told() {
    for name in ["redis-2.8.17", "redis-7.0.15"] {
        let hidden = ["--rename-command", "PSYNC", "", "--rename-command", "SYNC", ""];
        let source = Server::of(name).args(hidden).start();
        let plan = Plan::between(&source, &modern());
        check(&plan, "source-replication").fails(
            "C104",
            "url:",
            "neither PSYNC nor SYNC",
            "does not offer replication",
        );
        check(&plan, "source-commands").warns("C107", "url:", "PSYNC", "rename-command");
    }
    for name in ["redis-5.0.10", "redis-7.2.4"] {
        let source = Server::of(name).args(["--rename-command", "PSYNC", "HIDDEN"]).start();
        let plan = Plan::between(&source, &modern()).following("{ any: [ { command: cutover } ] }");
        check(&plan, "source-replication").fails("C104", "migration:", "only SYNC", "rename-command");
    }
    let source = Server::of("redis-2.8.17").args(["--rename-command", "PSYNC", ""]).start();
    let destination = modern();
    let found = check(&following(&source, &destination), "source-replication");
    found.fails("C104", "migration:", "only SYNC", "migration: [full]").pinned();
    let plan = Plan::between(&source, &destination);
    check(&plan, "source-replication").passes("SYNC");
    check(&plan, "source-commands").warns("C107", "url:", "disabled or renamed: PSYNC", "cannot be followed").pinned();
    let source = Server::of("redis-7.0.15").args(["--rename-command", "CONFIG", ""]).start();
    let plan = following(&source, &modern());
    check(&plan, "source-commands").warns(
        "C107",
        "url:",
        "disabled or renamed: CONFIG",
        "output buffer cannot be raised",
    );
    let found = check(&plan, "source-timeout");
    found.is_unknown("C108", "url:", "does not show `repl-timeout`: ERR unknown command", "60 s");
}

#[test]
fn a_user_who_may_not_raise_the_buffer_is_told() {
    let (source, destination) = (modern(), modern());
    source.client().command(&cmd!["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-config"]);
    let plan = as_user(following(&source, &destination), "source", "reader");
    let found = check_with(&tool(&plan).env("SECRET", "secret"), &plan, "source-commands");
    found.warns("C107", "username: reader", "CONFIG is refused", "+config|get +config|set");
}

#[test]
fn a_source_that_soon_gives_up_on_its_replicas_is_told() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    let set = |setting: &str, value: u32| source.client().command(&cmd!["CONFIG", "SET", setting, value]);
    let (copying, follows) = (Plan::between(&source, &destination), following(&source, &destination));
    set("repl-timeout", 3);
    check(&copying, "source-timeout").fails("C108", "url:", "`repl-timeout 3`", "CONFIG SET repl-timeout 60").pinned();
    set("repl-timeout", 20);
    check(&copying, "source-timeout").warns("C108", "url:", "`repl-timeout 20`", "CONFIG SET repl-timeout 60");
    set("repl-timeout", 200);
    set("repl-ping-slave-period", 90);
    check(&copying, "source-timeout").passes("200");
    check(&follows, "source-timeout").warns("C108", "url:", "every 90 s", "CONFIG SET repl-ping-slave-period 10");
}

#[test]
fn a_small_output_buffer_is_told_unless_the_run_raises_it() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    source.client().command(&cmd!["CONFIG", "SET", "client-output-buffer-limit", "slave 2mb 1mb 60"]);
    check(&following(&source, &destination), "source-output-buffer").passes("the run raises it");
    let kept = following(&source, &destination).line("buffer: { replica_output: keep }");
    check(&kept, "source-output-buffer").warns("C109", "buffer:", "2 MiB hard, 1 MiB for 60 s", "slave 0 0 0").pinned();
    let copied = Plan::between(&source, &destination);
    check(&copied, "source-output-buffer").warns("C109", "url:", "2 MiB hard", "replica_output: unlimited");
}

#[test]
fn a_source_that_cannot_dump_or_is_dumping_is_told() {
    let source = Server::of("redis-7.0.15").arg("--enable-protected-configs", "yes").start();
    let destination = modern();
    fill(&source, 1000, 100);
    let plan = Plan::between(&source, &destination);
    let mut client = source.client();
    check(&plan, "source-dump").passes("none yet");
    // A child that waits before each key is at work for long enough.
    client.command(&cmd!["CONFIG", "SET", "rdb-key-save-delay", 1_000_000]);
    client.command(&cmd!["BGSAVE"]);
    check(&plan, "source-dump").warns("C110", "url:", "writing a dump just now", "when it is quiet").pinned();
    client.command(&cmd!["CONFIG", "SET", "rdb-key-save-delay", 0]);
    // Ends the child: what it should have written to is not wanted any more.
    client.command(&cmd!["FLUSHALL"]);
    until("the child is gone", || {
        client.command(&cmd!["INFO", "persistence"]).info("rdb_bgsave_in_progress") == Some("0")
    });
    let folder = source.folder().join("gone");
    fs::create_dir(&folder).unwrap();
    client.command(&cmd!["CONFIG", "SET", "dir", folder.to_str().unwrap()]);
    fs::remove_dir(&folder).unwrap();
    client.command(&cmd!["BGSAVE"]);
    until("it failed", || client.command(&cmd!["INFO", "persistence"]).info("rdb_last_bgsave_status") == Some("err"));
    check(&plan, "source-dump").fails("C110", "url:", "its last dump failed", "BGSAVE");
}

#[test]
fn a_long_wait_before_a_diskless_dump_is_told() {
    let (source, destination) = (modern(), modern());
    let plan = Plan::between(&source, &destination);
    check(&plan, "source-diskless").passes("without a disk, after a delay of 0 s");
    source.client().command(&cmd!["CONFIG", "SET", "repl-diskless-sync-delay", 120]);
    check(&plan, "source-diskless").warns("C111", "url:", "120 s", "CONFIG SET repl-diskless-sync-delay 5").pinned();
    let early = Server::of("redis-2.8.17").start();
    check(&Plan::between(&early, &destination), "source-diskless").passes("disk-based");
}

#[test]
fn a_host_whose_memory_is_not_shown_is_open() {
    let source = Server::start("redis-2.8.17");
    let plan = Plan::between(&source, &modern());
    let found = check(&plan, "source-fork");
    found.is_unknown("C112", "url:", "does not show its host's memory", "what is written meanwhile");
}

#[test]
fn a_host_without_room_for_a_second_process_is_told() {
    let small = || Server::of("redis-7.0.15").host_memory(8).start();
    let (source, destination) = (small(), small());
    let plan = Plan::between(&source, &destination);
    check(&plan, "source-fork").warns("C112", "url:", "of its host's 8 MiB", "copy from a replica").pinned();
    check(&plan, "destination-memory").warns("C205", "url:", "its host has at most", "take a larger host");
}

/// Writes all the time while something else is done.
fn while_writing<T>(server: &Server, then: impl FnOnce() -> T) -> T {
    let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.client();
            while !over.load(SeqCst) {
                client.command(&cmd!["SET", "busy", "x".repeat(10_000)]);
                begun.store(true, SeqCst);
            }
        });
        until("it writes", || begun.load(SeqCst));
        let outcome = then();
        over.store(true, SeqCst);
        outcome
    })
}

#[test]
fn a_backlog_that_bridges_no_outage_is_told() {
    for name in ["redis-3.0.5", "redis-7.0.15"] {
        let source = Server::of(name).arg("--repl-backlog-size", "100kb").start();
        let plan = following(&source, &modern());
        check(&plan, "source-backlog").passes("100 KiB");
        let found = while_writing(&source, || check(&plan, "source-backlog"));
        found.warns("C113", "url:", "are written now", "CONFIG SET repl-backlog-size").pinned();
    }
}

#[test]
fn scripts_that_are_sent_as_they_are_are_told() {
    let run = |source: &Server| {
        source.client().command(&cmd!["EVAL", "return redis.call('set', KEYS[1], 1)", 1, "key"]);
    };
    let old = Server::start("redis-4.0-rc2");
    let plan = following(&old, &modern());
    check(&plan, "source-scripts").passes("none since its start");
    run(&old);
    check(&plan, "source-scripts").warns("C114", "url:", "has run 1", "undeclared keys").pinned();
    let by_setting = Server::of("redis-6.2.14").arg("--lua-replicate-commands", "no").start();
    run(&by_setting);
    let plan = following(&by_setting, &modern());
    check(&plan, "source-scripts").warns("C114", "url:", "has run 1", "CONFIG SET lua-replicate-commands yes");
    let effects = Server::start("redis-6.2.14");
    run(&effects);
    check(&following(&effects, &modern()), "source-scripts").passes("plain commands");
}

/// A plan that moves the writers over behind this fence.
fn moving(source: &Server, destination: &Server, fence: &str) -> Plan {
    let cutover = format!("cutover: {{ mode: auto, fence: {fence} }}");
    Plan::between(source, destination).following("{ any: [source_idle: { for: 1s }] }").line(&cutover)
}

#[test]
fn a_fence_that_cannot_be_put_up_is_told_before_the_copy() {
    let destination = modern();
    let old = Server::start("redis-2.8.17");
    let plan = moving(&old, &destination, "client_pause");
    check(&plan, "source-fence")
        .fails("C118", "cutover:", "`client_pause` is not possible", "no CLIENT PAUSE")
        .pinned();
    check(&moving(&old, &destination, "none"), "source-fence").passes("yours to stop");
    let plan = moving(&old, &destination, "min_replicas");
    check(&plan, "source-fence").warns("C118", "cutover:", "`min_replicas` at Redis 2.8.17", "scripts");
    let hidden = Server::of("redis-7.0.15").args(["--rename-command", "CLIENT", ""]).start();
    let plan = moving(&hidden, &destination, "client_pause");
    check(&plan, "source-fence").fails("C118", "cutover:", "unknown command", "another `fence`");
    let master = Server::start("redis-5.0.10");
    let replica = Server::of("redis-5.0.10").replica_of(master.port()).start();
    let plan = moving(&replica, &destination, "client_pause");
    check(&plan, "source-fence").fails("C118", "cutover:", "is a replica", "does not pause writes on its master");
}

#[test]
fn a_user_who_may_not_fence_is_told_what_to_grant_and_that_is_enough() {
    for (name, fence, missing) in [
        ("redis-6.2.14", "client_pause", "-client"),
        ("redis-7.0.15", "client_pause", "-client|pause"),
        ("valkey-9.1.2", "client_pause", "-multi"),
        ("redis-7.0.15", "min_replicas", "-config|set"),
    ] {
        let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
        fill(&source, 100, 10);
        let mut admin = source.client();
        let mut set = |rule: &str| {
            let mut words = cmd!["ACL", "SETUSER", "limited", "reset", "on", ">secret"];
            words.extend(rule.split(' ').map(|word| word.as_bytes().to_vec()));
            admin.command(&words);
        };
        set(&format!("~* +@all {missing}"));
        let plan = as_user(moving(&source, &destination, fence), "source", "limited");
        let tool = tool(&plan).env("SECRET", "secret");
        let found = check_with(&tool, &plan, "source-fence");
        found.fails("C118", "cutover:", "NOPERM", "ACL SETUSER limited +ping");
        set(found.remedy.split_once("limited ").unwrap().1.split('`').next().unwrap());
        check_with(&tool, &plan, "source-fence").passes(&format!("`{fence}` is allowed"));
        // Nothing was fenced by asking.
        admin.command(&cmd!["SET", "written", "at once"]);
        tool.run(["apply", "plan.yaml"]).expect(0).says("sealed at offset");
        Comparer::of(&source, &destination).run().assert_equal();
    }
}
