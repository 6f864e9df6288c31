//! Making deadlines exact, and erasing, when something fails meanwhile: nothing is lost, counted twice or tried for ever.

use crate::{
    check::check,
    cmd,
    cutover::{held, plan, ready, wait_for_file},
    faults::{await_told, begin, fill, keys, told, tool, until},
    following::{await_applied, follow},
    harness::{Comparer, Direction, Fault, Plan, Proxy, Server, Tool, replacing},
};

const CUT: [&str; 4] = ["cutover", "move", "--confirm", "move"];
const BY_HAND: &str = "{ any: [command: cutover] }";
const RECORD: &str = "redis-plan:{move}:run";

/// Keys that end in ten hours.
fn sessions(server: &Server, count: usize) {
    let commands: Vec<_> = (0..count).map(|index| cmd!["SETEX", format!("session:{index}"), 36_000, index]).collect();
    server.client().pipeline_ok(&commands);
}

fn can_cut_over(tool: &Tool) -> bool {
    let status = tool.run(["status", "move", "--format", "json"]).stdout;
    serde_json::from_str::<serde_json::Value>(&status).is_ok_and(|status| status["can_cutover"] == true)
}

/// A run that no process follows any more is made exact by `abort`, for longer than its lease lasts without a heartbeat.
#[test]
fn a_long_pass_over_deadlines_keeps_the_lease() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    sessions(&source, 20_000);
    let to = Proxy::to(destination.port());
    let tool = tool(&Plan::between_ports(source.port(), to.port()).following(BY_HAND));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    run.kill9();
    to.throttle(150_000);
    let mut aborting = tool.start(["abort", "move", "--plan", "plan.yaml"]);
    let mut there = destination.client();
    let mut left = || there.command(&cmd!["PTTL", "redis-plan:{move}:heartbeat"]).int();
    let settles = |mode: &str| mode.starts_with("settling");
    let mut record = destination.client();
    until("the pass has begun", || settles(record.command(&cmd!["HGET", RECORD, "deadlines"]).text()));
    until("the heartbeat has aged", || (1..=11_500).contains(&left()));
    until("it is renewed", || left() > 13_000);
    assert!(aborting.is_running() && settles(record.command(&cmd!["HGET", RECORD, "deadlines"]).text()));
    to.throttle(0);
    aborting.wait().expect(0);
}

/// What was never carried out is not counted.
#[test]
fn deadlines_that_are_written_again_are_counted_once() {
    const KEYS: usize = 5000;
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    sessions(&source, KEYS);
    // In the middle of the first transaction.
    let to = Proxy::to(destination.port()).with(Fault::cut(Direction::ToServer, 20_000).once_sent("PEXPIREAT"));
    let plan = Plan::between_ports(source.port(), to.port()).following(BY_HAND);
    let tool = tool(&plan.line("cutover: { mode: manual, timeout: 10s }"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    until("nothing blocks a cutover", || can_cut_over(&tool));
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    assert_eq!(to.struck(), 1);
    let settled = told(&tool, "\"event\":\"deadlines_settled\"");
    assert_eq!(settled.iter().map(|told| told["deadlines"].as_u64().unwrap()).collect::<Vec<_>>(), [5000, 5000]);
}

/// A plan that takes some keys of a database: a flush of the source erases them by their names.
fn carts(source: &Server, port: u16) -> Plan {
    let commands: Vec<_> = (0..5000).map(|index| cmd!["SET", format!("cart:{index}"), index]).collect();
    source.client().pipeline_ok(&commands);
    let plan = Plan::between_ports(source.port(), port).following(BY_HAND);
    plan.line("databases: [{ from: 0, keys: { include: [\"cart:*\"] } }]")
}

#[test]
fn keys_that_were_erased_before_a_connection_broke_are_counted() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        // Some thousand keys are gone by then: 1000 take 20 000 bytes to the server, and as many to name them.
        let at = if direction == Direction::ToServer { 50_000 } else { 40_000 };
        let to = Proxy::to(destination.port()).with(Fault::cut(direction, at).once_sent("\r\nDEL\r\n"));
        let tool = tool(&carts(&source, to.port()));
        let mut run = follow(&tool);
        await_applied(&tool, &mut run, &source);
        assert_eq!(keys(&destination), 5000);
        source.client().command(&cmd!["FLUSHALL"]);
        await_applied(&tool, &mut run, &source);
        assert_eq!((to.struck(), keys(&destination)), (1, 0));
        tool.run(["cutover", "move"]).expect(0);
        run.wait().expect(0);
        // Told twice a second: in one piece or in several.
        let count = |told: &serde_json::Value| {
            let text = told.to_string();
            let number = text.split_once(" keys deleted, also")?.0.rsplit(' ').next()?.replace(',', "");
            number.parse::<u64>().ok()
        };
        let gone: u64 = told(&tool, " keys deleted, also").iter().filter_map(count).sum();
        assert_eq!(gone, 5000, "{direction:?}");
    }
}

/// The destination queues a deletion and refuses to carry it out.
#[test]
fn a_deletion_that_is_refused_ends_the_run() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let port = replacing(&destination, "$3\r\nDEL\r\n", "$6\r\nSINTER\r\n");
    let tool = tool(&carts(&source, port));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    source.client().command(&cmd!["FLUSHALL"]);
    until("it has ended", || !run.is_running());
    run.wait().expect(3).says("WRONGTYPE");
}

/// A source before 7.0 lets scripts write behind a fence by `min-slaves-to-write`, and such a flush writes the run record back.
#[test]
fn a_flush_behind_the_fence_keeps_the_settings_that_are_to_be_put_back() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let tool =
        held(plan(&source, &destination, "{ mode: manual, fence: min_replicas, timeout: 20s }"), "cutover.fenced");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    let mut there = destination.client();
    let mut noted = || there.command(&cmd!["HGET", RECORD, "setting:min-slaves-to-write"]);
    let before = noted();
    assert!(!before.text().is_empty());
    source.client().command(&cmd!["EVAL", "redis.call('flushall'); return redis.call('set', 'after', 1)", 0]);
    until("it is applied", || keys(&destination) == 1);
    assert_eq!(noted(), before);
    run.kill9();
    drop(cutting.wait());
    std::fs::remove_file(tool.folder().join("stay")).unwrap();
}

/// Keys that the run met and did not write are noted, however often the connection that notes them breaks.
#[test]
fn keys_of_others_are_noted_when_the_connection_breaks_several_times() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 3000, 1000);
    let to =
        Proxy::to(destination.port()).with(Fault::cut(Direction::ToServer, 0).once_sent("redis-plan-note").times(6));
    let plan = Plan::between_ports(source.port(), to.port()).line("limits: { connections: 1 }");
    let tool = tool(&plan);
    to.throttle(100_000);
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "dump_received"));
    let mut there = destination.client();
    let mine: Vec<_> = (0..3000)
        .map(|index| format!("bulk:{index}"))
        .filter(|key| there.command(&cmd!["SETNX", key, "theirs"]).int() == 1)
        .collect();
    to.throttle(0);
    run.wait().expect(3).because("R305");
    assert_eq!(to.struck(), 6);
    let met = told(&tool, "\"event\":\"key_failed\"");
    assert!(!met.is_empty() && mine.len() >= met.len());
    for failure in met {
        let member = format!("0:{}", failure["failure"]["key"].as_str().unwrap());
        assert_eq!(there.command(&cmd!["SISMEMBER", "redis-plan:{move}:skipped", &member]).int(), 1, "{member}");
    }
}

/// Scripts that a source sends as they were said meet deferred deadlines: they are named, and both sides are compared.
fn scripts_of(source: &str) {
    const HARMLESS: &str = "return redis.call('INCR', KEYS[1])";
    const SETS: &str = "redis.call('SET', KEYS[1], 1); return redis.call('EXPIREAT', KEYS[1], ARGV[1])";
    const READS: &str = "local left = redis.call('TTL', KEYS[1]); return redis.call('SET', KEYS[2], left > 90000 and 'long' or 'short')";
    for (script, differs) in [(HARMLESS, false), (SETS, false), (READS, true)] {
        let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
        sessions(&source, 10);
        let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
        let mut run = follow(&tool);
        source.client().command(&cmd!["EVAL", script, 2, "session:1", "other", 4_000_000_000u32]);
        await_applied(&tool, &mut run, &source);
        if differs {
            // Another process knows it from the run record.
            run.kill9();
            run = follow(&tool);
            await_applied(&tool, &mut run, &source);
        }
        until("nothing blocks it", || can_cut_over(&tool));
        tool.run(["cutover", "move"]).expect(i32::from(differs));
        let ended = run.wait().expect(i32::from(differs));
        if differs {
            ended.says("both sides differ: 1 keys");
            continue;
        }
        let named = !told(&tool, "sets or reads expiries").is_empty();
        assert_eq!(named, script == SETS, "{ended}");
        assert_eq!(
            !told(&tool, "verify_progress").is_empty() || !told(&tool, "\"verified\"").is_empty(),
            script == SETS
        );
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn scripts_with_expiries_are_compared_from_2_8() {
    scripts_of("redis-2.8.17");
}

#[test]
fn scripts_with_expiries_are_compared_from_3_2() {
    scripts_of("redis-3.2.9");
}

#[test]
fn scripts_with_expiries_are_compared_from_4_0() {
    scripts_of("redis-4.0-rc2");
}

#[test]
fn the_status_tells_before_a_cutover_how_long_deadlines_take() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    sessions(&source, 3000);
    let plan = Plan::between(&source, &destination).following(BY_HAND).line("cutover: { mode: manual, timeout: 10s }");
    let found = check(&plan, "destination-expiry");
    assert!(found.seen.contains("3000 keys with a time to live") && found.seen.contains("a thousand years"));
    found.pinned();
    let tool = tool(&plan);
    let run = follow(&tool);
    let status = || -> serde_json::Value {
        serde_json::from_str(&tool.run(["status", "move", "--format", "json"]).stdout).unwrap_or_default()
    };
    until("the destination has said how many there are", || status()["settling"]["deadlines"].as_u64() >= Some(3000));
    let settling = status()["settling"].clone();
    assert_eq!((&settling["measured"], &settling["remembered"]), (&false.into(), &serde_json::Value::Null));
    assert!(settling["before_fence"].as_f64().is_some_and(|seconds| (0.02..0.03).contains(&seconds)));
    assert_eq!(settling["timeout"], 10.0);
    tool.run(["status", "move"]).expect(0).says(" deferred; exact in about 0.02 s before the fence");
    until("it is told", || !told(&tool, "\"deferred\":300").is_empty());
    until("nothing blocks a cutover", || can_cut_over(&tool));
    tool.run(CUT).expect(0);
    run.wait().expect(0);
}
