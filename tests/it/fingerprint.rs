//! What the servers were is noted when their precheck has passed, and compared at every start after that.

use crate::{
    cmd,
    faults::{begin, fill, told, tool, until},
    harness::{Comparer, Finished, Plan, Proxy, Server, Tool},
};

/// A plan that follows until its source is idle.
fn following(from: u16, to: u16) -> Plan {
    Plan::between_ports(from, to).following("{ any: [source_idle: { for: 1s }] }").line("on_stream_lost: recopy")
}

/// Runs up to this step.
fn until_step(tool: &Tool, step: &str) {
    tool.run(["apply", "plan.yaml", "--until", step]).expect(75).because("R103").says("as asked");
}

/// The next start; it must refuse and show these side by side.
fn refuses(tool: &Tool, what: &str, was: &str, now: &str) -> Finished {
    let ended = begin(tool).wait().expect(6).because("R504").says("when the run began");
    let row = ended.stderr.lines().find(|line| line.contains("drift:") && line.contains(what));
    let row = row.unwrap_or_else(|| panic!("nothing of {what}: {ended}")).to_owned();
    let places = [what, was, now, "(refused)"].map(|text| row.find(text).unwrap_or_else(|| panic!("{text}: {row}")));
    assert!(places.is_sorted(), "{row}");
    ended
}

#[test]
fn another_eviction_policy_refuses_until_it_is_put_back() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let tool = tool(&following(source.port(), destination.port()));
    until_step(&tool, "full");
    let policy = |policy: &str| destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", policy]);
    policy("allkeys-lru");
    refuses(&tool, "destination eviction policy", "noeviction", "allkeys-lru");
    policy("noeviction");
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn what_has_changed_by_the_time_of_a_fence_keeps_it_from_being_put_up() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let plan =
        Plan::between(&source, &destination).following("{ any: [command: cutover] }").line("cutover: { mode: manual }");
    let tool = tool(&plan);
    let run = begin(&tool);
    let ready = || tool.run(["cutover", "move", "--dry-run"]).code() == Some(0);
    until("nothing stands against a cutover", ready);
    let policy = |policy: &str| destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", policy]);
    policy("allkeys-lru");
    let cut = || tool.run(["cutover", "move", "--confirm", "move"]);
    cut().expect(1).says("not what it was");
    assert!(told(&tool, "drifted").iter().any(|event| event.to_string().contains("allkeys-lru")));
    source.client().command(&cmd!["SET", "after", "it was followed on"]);
    policy("noeviction");
    until("nothing stands against a cutover again", ready);
    cut().expect(0).says("sealed at offset");
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_policy_under_which_nothing_is_lost_is_taken_over() {
    let source = Server::start("redis-5.0.10");
    let destination = Server::of("redis-2.8.17").arg("--maxmemory-policy", "allkeys-lru").start();
    fill(&source, 500, 100);
    let tool = tool(&following(source.port(), destination.port()));
    until_step(&tool, "full");
    destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75).says("allkeys-lru").says("(note)");
    // It is what the run goes on with from now on.
    destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    refuses(&tool, "destination eviction policy", "noeviction", "allkeys-lru");
}

#[test]
fn an_older_server_at_the_same_address_refuses_and_a_newer_one_does_not() {
    let (source, destination) = (Server::start("redis-6.2.14"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let from = Proxy::to(source.port());
    let tool = tool(&following(from.port(), destination.port()));
    until_step(&tool, "full");
    let older = Server::start("redis-5.0.10");
    from.point_at(older.port());
    from.cut();
    refuses(&tool, "source version", "Redis 6.2.14", "Redis 5.0.10");
    let valkey = Server::start("valkey-8.1.8");
    from.point_at(valkey.port());
    refuses(&tool, "source version", "Redis 6.2.14", "Valkey 8.1.8");
    let newer = Server::of("redis-7.0.15").replica_of(source.port()).start();
    let mut client = newer.client();
    until("it is in step", || client.command(&cmd!["INFO", "replication"]).info("master_link_status") == Some("up"));
    client.command(&cmd!["REPLICAOF", "NO", "ONE"]);
    from.point_at(newer.port());
    // An upgrade by failover: the same history goes on, on another server.
    client.command(&cmd!["SET", "after", "the failover"]);
    begin(&tool).wait().expect(0).says("with the same history").says("Redis 7.0.15");
    assert!(told(&tool, "drifted").iter().all(|event| !event.to_string().contains("\"refused\":true")));
    Comparer::of(&newer, &destination).run().assert_equal();
}

#[test]
fn another_role_refuses() {
    let master = Server::start("redis-7.0.15");
    fill(&master, 500, 100);
    let replica = Server::of("redis-7.0.15").replica_of(master.port()).start();
    let mut client = replica.client();
    let up = |client: &mut crate::harness::Client| {
        client.command(&cmd!["INFO", "replication"]).info("master_link_status") == Some("up")
    };
    until("it is in step", || up(&mut client));
    let destination = Server::start("redis-7.0.15");
    let tool = tool(&following(replica.port(), destination.port()));
    until_step(&tool, "full");
    client.command(&cmd!["REPLICAOF", "NO", "ONE"]);
    refuses(&tool, "source role", "replica", "master");
    client.command(&cmd!["REPLICAOF", "127.0.0.1", master.port()]);
    until("it is in step again", || up(&mut client));
    begin(&tool).wait().expect(0);
    destination.client().command(&cmd!["REPLICAOF", "127.0.0.1", master.port()]);
}

#[test]
fn a_source_that_was_restarted_is_told_and_the_run_goes_on() {
    for name in ["redis-5.0.10", "redis-7.0.15"] {
        let (mut source, destination) = (Server::start(name), Server::start("redis-7.0.15"));
        fill(&source, 500, 100);
        let tool = tool(&following(source.port(), destination.port()));
        until_step(&tool, "full");
        source.restart_saved();
        begin(&tool).wait().expect(0).says("source run id").says("history").says("(note)");
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn a_process_that_the_plan_names_may_not_be_another() {
    let (mut source, destination) = (Server::start("redis-7.0.15"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let id = source.client().command(&cmd!["INFO", "server"]).info("run_id").unwrap().to_owned();
    let plan = following(source.port(), destination.port()).source(&format!("expect: {{ run_id: \"{id}\" }}"));
    let tool = tool(&plan);
    until_step(&tool, "full");
    source.restart_saved();
    refuses(&tool, "source run id", &id[..12], "history");
}

#[test]
fn keys_that_came_into_the_way_refuse_as_long_as_the_run_has_written_nothing() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let tool = tool(&Plan::between(&source, &destination));
    until_step(&tool, "precheck");
    destination.client().command(&cmd!["SET", "foreign", 1]);
    refuses(&tool, "destination foreign keys", "none", "in database 0");
    destination.client().command(&cmd!["DEL", "foreign"]);
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn what_a_failed_precheck_saw_is_not_held_against_its_mending() {
    let source = Server::start("redis-5.0.10");
    let destination = Server::of("redis-7.0.15").arg("--maxmemory-policy", "volatile-lru").start();
    fill(&source, 500, 100);
    let plan = following(source.port(), destination.port()).destination("expect: { eviction: allkeys-lru }");
    let tool = tool(&plan);
    begin(&tool).wait().expect(1).says("destination-eviction");
    destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    until_step(&tool, "full");
    // The plan wants this one and no other, not even a safe one.
    destination.client().command(&cmd!["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    refuses(&tool, "destination eviction policy", "allkeys-lru", "noeviction");
}

#[test]
fn a_copy_that_is_whole_here_does_not_care_what_became_of_its_source() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill(&source, 500, 100);
    let from = Proxy::to(source.port());
    let tool = tool(&Plan::between_ports(from.port(), destination.port()));
    until_step(&tool, "full");
    let other = Server::start("redis-3.0.5");
    from.point_at(other.port());
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}
