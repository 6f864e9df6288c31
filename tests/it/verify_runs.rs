//! Comparing as a step, as a stop condition, in the presence of others' keys, and by whoever may not repair.

use std::{collections::HashSet, fs, thread, time::Duration};

use redis_plan::{
    compare::{self, Pair},
    net::Access,
    step::{Selection, VerifyMode},
    unit::{Address, Db, ServerVersion},
};
use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, begin, fill, told, tool, until},
    harness::{Comparer, Plan, Running, Server, Tool},
};

fn json(tool: &Tool, words: &[&str], code: i32) -> Value {
    let finished = match *words {
        [] => tool.run(["verify", "plan.yaml", "--format", "json"]),
        [one] => tool.run(["verify", "plan.yaml", "--format", "json", one]),
        [one, two] => tool.run(["verify", "plan.yaml", "--format", "json", one, two]),
        [one, two, three, four] => tool.run(["verify", "plan.yaml", "--format", "json", one, two, three, four]),
        _ => panic!("so many words are not provided for"),
    };
    let finished = finished.expect(code);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished}"))
}

fn servers() -> (Server, Server) {
    (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"))
}

fn compared(result: &Value) -> u64 {
    result["result"]["counts"].as_array().unwrap().iter().map(|count| count["keys"].as_u64().unwrap()).sum()
}

#[test]
fn a_run_that_compares_ends_well_only_when_both_sides_are_equal() {
    let (source, destination) = servers();
    fill(&source, 3000, 30);
    source.client().pipeline_ok(&[cmd!["SELECT", 4], cmd!["RPUSH", "list", "a", "b"]]);
    let tool = tool(&Plan::between(&source, &destination).line("verify: { mode: full }"));
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75);
    let mut there = destination.client();
    there.pipeline_ok(&[cmd!["SET", "bulk:17", "other"], cmd!["SELECT", 4], cmd!["RPOPLPUSH", "list", "list"]]);
    begin(&tool).wait().expect(1).because("R002").says("Both sides differ: 2 of 3001 keys");
    let differing = told(&tool, "\"differs\"");
    assert_eq!(differing.len(), 2, "{differing:?}");
    let report = tool
        .run(["report", "move", "--format", "md"])
        .expect(0)
        .says("both sides differ")
        .says("| 0 | string | 3 000 | 1 |");
    assert!(report.stdout.contains("bulk:17") && report.stdout.contains("another order"), "{report}");

    // Not before it is repaired.
    begin(&tool).wait().expect(1);
    json(&tool, &["--repair"], 0);
    begin(&tool).wait().expect(0).says("both sides are equal: 3001 keys compared");
    tool.run(["report", "move", "--format", "md"])
        .expect(0)
        .says("**both sides are equal**")
        .says("| 4 | list | 1 | 0 |");
    Comparer::of(&source, &destination).run().assert_equal();
    tool.run(["apply", "plan.yaml"]).expect(0).says("finished already");
}

fn status(tool: &Tool) -> String {
    tool.run(["status", "move"]).stdout
}

#[test]
fn following_ends_when_both_sides_were_compared_and_are_equal() {
    let (source, destination) = servers();
    fill(&source, 2000, 30);
    let plan = Plan::between(&source, &destination)
        .following("{ all: [verify: equal, lag: { below: 1s, for: 1s }] }")
        .line("verify: { mode: full }");
    let tool = tool(&plan);
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    destination.client().command(&cmd!["SET", "bulk:5", "other"]);
    until("the difference is found", || status(&tool).contains("1 keys differed"));
    assert!(run.is_running());
    let value = source.client().command(&cmd!["GET", "bulk:5"]);
    destination.client().command(&cmd!["SET", "bulk:5", value.bytes()]);
    run.wait().expect(0).says("both sides are equal: 2000 keys compared");
    let met = told(&tool, "stop_met");
    assert!(met[0]["condition"].as_str().unwrap().contains("verify: equal"), "{met:?}");
    assert_eq!(told(&tool, "\"verified\"").len(), 3);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_comparison_goes_on_where_a_dead_process_left_it() {
    let (source, destination) = servers();
    fill(&source, 30_000, 10);
    let tool = tool(&Plan::between(&source, &destination).line("verify: { mode: full, rate: 3000/s }"));
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75);
    let mut there = destination.client();
    there.pipeline_ok(&(0..300).map(|n| cmd!["DEL", format!("bulk:{}", n * 100)]).collect::<Vec<_>>());
    there.command(&cmd!["SET", "extra", 1]);
    let checkpoint = tool.folder().join(".plan/move/verify.json");
    let run = begin(&tool);
    let noted = || -> Option<Value> { serde_json::from_slice(&fs::read(&checkpoint).ok()?).ok() };
    let found = |noted: &Value| noted["differences"].as_array().unwrap().len();
    until("it is noted, with differences", || noted().is_some_and(|noted| found(&noted) > 1));
    run.kill9();
    let noted = noted().unwrap();
    let so_far = noted["looked_at"].as_u64().unwrap();
    assert!(so_far > 3000, "{so_far}");
    // One of those that were found is as it should be when the comparison goes on.
    let mended = noted["differences"][0][1]["key"].as_str().unwrap().to_owned();
    let value = source.client().command(&cmd!["GET", &mended]);
    there.command(&cmd!["SET", &mended, value.bytes()]);
    begin(&tool).wait().expect(1).says("300 of 30001 keys");
    let begun = told(&tool, "verify_progress")[0]["progress"]["looked_at"].as_u64().unwrap();
    assert!(begun >= so_far, "it began at {begun}, not at {so_far}");
    assert!(!checkpoint.exists());
    let differing = told(&tool, "\"differs\"");
    assert_eq!(differing.len(), 300);
    assert!(differing.iter().all(|one| one["difference"]["key"] != mended.as_str()), "{mended} is equal by now");
}

/// A process that takes over while the destination's names are walked does not know what the first one found: it asks for
/// each, and counts nothing twice.
#[test]
fn what_only_the_destination_has_is_found_once_whenever_a_process_dies() {
    let (source, destination) = servers();
    fill(&source, 24_000, 10);
    let plan = Plan::between(&source, &destination)
        .line("databases: [{ from: 0, keys: { include: [\"bulk:*\"] } }]")
        .line("verify: { mode: full, rate: 5000/s }");
    let tool = tool(&plan);
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75);
    let names = |kind: &str| (0..500).map(|n| cmd!["SET", format!("{kind}:{n}"), n]).collect::<Vec<_>>();
    let mut there = destination.client();
    there.pipeline_ok(&[names("other"), names("bulk:extra")].concat());
    let checkpoint = tool.folder().join(".plan/move/verify.json");
    for walk in ["names", "extra"] {
        let run = begin(&tool);
        until("the walk is noted", || {
            let noted = fs::read(&checkpoint).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            noted.is_some_and(|noted| noted["walk"] == walk)
        });
        run.kill9();
    }
    begin(&tool).wait().expect(1).says("500 of 24500 keys");
    assert_eq!(told(&tool, "\"differs\"").len(), 500);
    let verified = told(&tool, "\"verified\"").pop().unwrap();
    let foreign = &verified["result"]["foreign"];
    assert_eq!((&foreign[0]["rule"], &foreign[0]["keys"]), (&"name".into(), &500.into()), "{verified:#}");
}

#[test]
fn keys_of_others_are_listed_by_rule_and_are_no_difference() {
    let (source, destination) = servers();
    let (mut here, mut there) = (source.client(), destination.client());
    here.pipeline_ok(&[
        cmd!["SET", "cart:1", "a"],
        cmd!["SET", "tmp:1", "left out"],
        cmd!["SELECT", 3],
        cmd!["SET", "cart:2", "b"],
        cmd!["SET", "cart:3", "theirs stays"],
    ]);
    // Before the run: somebody else's keys, one of them with a name that the source has too.
    there.pipeline_ok(&[cmd!["SELECT", 1], cmd!["SET", "cart:9", 1], cmd!["SET", "cart:3", "theirs"]]);
    let rules = "databases: [{ from: 0, keys: { include: [\"cart:*\"] } }, { from: 3, to: 1 }]";
    let plan = Plan::between(&source, &destination).line(rules).line("on_conflict: skip");
    let tool = tool(&plan);
    begin(&tool).wait().expect(0);
    there.pipeline_ok(&[
        cmd!["SET", "elsewhere", 1],
        cmd!["SELECT", 0],
        cmd!["SET", "other:1", 1],
        cmd!["SELECT", 9],
        cmd!["SET", "x", 1],
        cmd!["SET", "y", 1],
    ]);
    let result = json(&tool, &[], 0);
    assert_eq!(compared(&result), 2, "{result:#}");
    assert_eq!((&result["result"]["skipped"], &result["result"]["filtered"]), (&Value::from(1), &Value::from(1)));
    let foreign: Vec<(u64, &str, u64)> = result["result"]["foreign"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["db"].as_u64().unwrap(), one["rule"].as_str().unwrap(), one["keys"].as_u64().unwrap()))
        .collect();
    assert_eq!(foreign, [(0, "name", 1), (1, "occupied", 2), (9, "database", 2)]);

    // One that came to the destination since the run is done may be a client's: it is told, and stays.
    there.pipeline_ok(&[cmd!["SELECT", 0], cmd!["SET", "cart:new", 1]]);
    tool.run(["verify", "plan.yaml", "--repair", "--progress", "plain"]).expect(1).says("cart:new could not be copied");
    assert_eq!(there.command(&cmd!["DEL", "cart:new"]).int(), 1);

    // A key that the run brought and the source has no more is a difference where nobody else had keys.
    here.pipeline_ok(&[cmd!["SELECT", 0], cmd!["DEL", "cart:1"]]);
    let result = json(&tool, &[], 1);
    assert_eq!(result["differences"][0]["kinds"], serde_json::json!(["extra"]));
    assert_eq!(
        (&result["differences"][0]["key"], result["differences"].as_array().unwrap().len()),
        (&"cart:1".into(), 1)
    );
}

#[test]
fn a_renumbered_database_is_compared_with_its_namesake() {
    let (source, destination) = servers();
    source.client().pipeline_ok(&[cmd!["SET", "k", 0], cmd!["SELECT", 5], cmd!["SET", "k", 5]]);
    let tool = tool(&Plan::between(&source, &destination).line("databases: [{ from: 0, to: 5 }, { from: 5, to: 0 }]"));
    begin(&tool).wait().expect(0);
    assert_eq!(compared(&json(&tool, &[], 0)), 2);
    destination.client().pipeline_ok(&[cmd!["SELECT", 5], cmd!["SET", "k", 5]]);
    let result = json(&tool, &[], 1);
    let one = &result["differences"][0];
    assert_eq!((&one["db"], &one["to"], &one["kinds"][0]), (&0.into(), &5.into(), &"content".into()));
}

#[test]
fn a_sample_has_keys_of_each_type_and_database_and_is_chosen_by_its_seed() {
    let (source, destination) = servers();
    fill(&source, 5000, 10);
    source.client().pipeline_ok(&[
        cmd!["RPUSH", "list", 1],
        cmd!["SELECT", 7],
        cmd!["SADD", "set", 1],
        cmd!["HSET", "hash", "f", 1],
    ]);
    let tool = tool(&Plan::between(&source, &destination).line("verify: { mode: { sample: { keys: 200 } } }"));
    begin(&tool).wait().expect(0).says("200 keys compared");
    for index in 0..2500 {
        destination.client().command(&cmd!["SET", format!("bulk:{index}"), "other"]);
    }
    let sample = |seed: &str| {
        let result = json(&tool, &["--mode", "sample:200", "--seed", seed], 1);
        assert_eq!(compared(&result), 200);
        let counts = result["result"]["counts"].as_array().unwrap().clone();
        let strata: Vec<(u64, String)> =
            counts.iter().map(|one| (one["db"].as_u64().unwrap(), one["type"].as_str().unwrap().to_owned())).collect();
        let wanted = [(0, "list"), (0, "string"), (7, "hash"), (7, "set")];
        assert_eq!(strata, wanted.map(|(db, kind)| (db, kind.to_owned())));
        result["differences"].clone()
    };
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
}

#[test]
fn keys_that_end_meanwhile_are_explained() {
    let (source, destination) = (Server::start("redis-2.8.17"), Server::start("redis-7.2.4"));
    let mut here = source.client();
    // Expired and not removed on one side, removed on the other.
    here.command(&cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
    let commands: Vec<_> = (0..3000).map(|n| cmd!["PSETEX", format!("short:{n}"), 2000 + n * 2, "v"]).collect();
    here.pipeline_ok(&commands);
    here.command(&cmd!["SET", "stays", 1]);
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(0);
    let mut explained = 0;
    until("all have ended", || {
        let result = json(&tool, &[], 0);
        explained += result["result"]["expired"].as_u64().unwrap() + result["result"]["gone"].as_u64().unwrap();
        compared(&result) == 1
    });
    println!("{explained} explained");
}

fn following(servers: &(Server, Server)) -> (Tool, Running) {
    let tool = tool(&Plan::between(&servers.0, &servers.1).following("{ any: [command: cutover] }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    (tool, run)
}

#[test]
fn only_who_may_write_repairs() {
    let servers = servers();
    let (source, destination) = &servers;
    fill(source, 10, 10);
    let (tool, run) = following(&servers);
    let mut there = destination.client();
    there.command(&cmd!["SET", "bulk:1", "other"]);
    tool.run(["verify", "plan.yaml", "--repair"]).expect(5).because("R005").says("a process works on this run");
    // From another place: the lease is held, and where it is not, the stream is not at its end.
    tool.run(["verify", "plan.yaml", "--repair", "--state", "elsewhere"]).expect(3).says("is not finished");
    run.kill9();
    tool.run(["verify", "plan.yaml", "--repair"]).expect(3).says("its step `incremental` is not done");
    assert_eq!(there.command(&cmd!["GET", "bulk:1"]).text(), "other");
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    tool.run(["abort", "move"]).expect(0);
    run.wait().expect(7);
    tool.run(["verify", "plan.yaml", "--repair"]).expect(7).says("sealed");
    assert_eq!(there.command(&cmd!["GET", "bulk:1"]).text(), "other");
    // Looking is not writing.
    assert_eq!(json(&tool, &[], 1)["differences"][0]["key"], "bulk:1");
}

#[test]
fn a_repair_for_an_older_destination_goes_as_commands() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-3.2.9"));
    source.client().pipeline_ok(&[
        cmd!["RPUSH", "list", "a", "b"],
        cmd!["HSET", "hash", "f", "v"],
        cmd!["ZADD", "zset", "0.1", "m"],
        cmd!["SADD", "set", "x", "y"],
        cmd!["SET", "text", "v"],
        cmd!["PEXPIREAT", "text", 4_102_444_800_000_i64],
    ]);
    let tool = tool(&Plan::between(&source, &destination));
    // No run has ever been here: what is there already may be anybody's.
    let mut there = destination.client();
    there.pipeline_ok(&[cmd!["SET", "text", "theirs"], cmd!["SET", "more of theirs", 1]]);
    let finished = tool.run(["verify", "plan.yaml", "--repair", "--progress", "plain"]).expect(1);
    let finished = finished.says("The key text could not be copied again: it may be somebody else's");
    finished.says("The key more of theirs could not be copied again");
    assert_eq!(there.command(&cmd!["GET", "text"]).text(), "theirs");
    there.command(&cmd!["DEL", "text", "more of theirs"]);
    let result = json(&tool, &["--repair"], 0);
    assert_eq!(result["result"]["repaired"], 1);
    Comparer::of(&source, &destination).run().assert_equal();
    there.pipeline_ok(&[cmd!["SET", "text", "theirs"], cmd!["SET", "more of theirs", 1]]);
    tool.write("plan.yaml", &Plan::between(&source, &destination).line("on_conflict: replace").text());
    assert_eq!(json(&tool, &["--repair"], 0)["result"]["repaired"], 2);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn large_values_are_compared_in_windows() {
    let (source, destination) = servers();
    let mut here = source.client();
    here.command(&cmd!["SET", "string", "x".repeat(100 << 20)]);
    for part in 0..300 {
        let fields: Vec<_> = (0..1000).flat_map(|n| cmd![format!("field:{part}:{n}"), "v".repeat(100)]).collect();
        here.command(&[cmd!["HMSET", "hash"], fields].concat());
    }
    // A window of as many elements as of small ones would be 64 MB on either side.
    for _ in 0..250 {
        here.command(&[cmd!["RPUSH", "list"], vec![vec![b'x'; 64 << 10]; 10]].concat());
    }
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(0);
    let finished = tool.run(["verify", "plan.yaml"]).expect(0);
    assert!(finished.peak_memory < 90 << 20, "{} MiB", finished.peak_memory >> 20);
}

#[test]
fn a_rate_is_kept() {
    let (source, destination) = servers();
    fill(&source, 3000, 10);
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(0);
    let finished = tool.run(["verify", "plan.yaml", "--rate", "2000/s"]).expect(0);
    assert!(finished.took > Duration::from_millis(2400), "6000 names at 2000/s: {finished}");
    tool.run(["verify", "plan.yaml", "--rate", "fast"]).expect(2);
    tool.run(["verify", "plan.yaml", "--mode", "some"]).expect(2).says("sample:10000");
}

#[test]
fn a_server_that_does_not_let_keys_be_read_is_named() {
    let (source, destination) = servers();
    fill(&source, 10, 10);
    let user = ["ACL", "SETUSER", "mover", "on", ">secret", "~*", "&*", "+@all", "-type"];
    destination.client().command(&user.map(|word| word.as_bytes().to_vec()));
    let plan =
        Plan::between(&source, &destination).destination("username: mover").destination("password: { env: PASSWORD }");
    let tool = Tool::new().env("PASSWORD", "secret");
    tool.write("plan.yaml", &plan.text());
    tool.run(["verify", "plan.yaml"]).expect(3).says("the destination does not let this user read").says("NOPERM");
}

#[test]
fn nobody_compares_while_the_dump_is_copied() {
    let (source, destination) = servers();
    fill(&source, 20_000, 100);
    let to = crate::faults::slow(&destination, 0);
    let tool = tool(&Plan::between_ports(source.port(), to.port()).line("limits: { connections: 4 }"));
    let run = crate::faults::begin_slow(&tool, &to, 100_000);
    until("keys come", || crate::faults::keys(&destination) > 500);
    tool.run(["verify", "plan.yaml"]).expect(1).says("copies the source's data at this moment");
    to.throttle(0);
    run.wait().expect(0);
    thread::sleep(Duration::from_millis(1));
    json(&tool, &[], 0);
}

/// As a walk over a table that shrinks may name keys: some of them again, long after they were told.
#[test]
fn a_key_that_is_named_twice_is_told_and_counted_once() {
    const KEYS: usize = 8000;
    let (source, destination) = servers();
    fill(&source, KEYS, 10);
    fill(&destination, KEYS, 11);
    let side = |server: &Server, version| compare::ComparedServer {
        deferred: false,
        access: Access::plain(Address::Tcp { host: "127.0.0.1".to_owned(), port: server.port() }),
        version,
        clock_ahead: 0,
        process: String::new(),
        keys: vec![(Db(0), KEYS as u64)],
    };
    let pair = |number: usize| Pair { from: Db(0), to: Db(0), key: format!("bulk:{number}").into_bytes() };
    let again = [0, 17, KEYS - 1];
    let setup = compare::Setup {
        source: side(&source, ServerVersion::redis(5, 0, 10)),
        destination: side(&destination, ServerVersion::redis(7, 2, 4)),
        selection: Selection::all(),
        mode: VerifyMode::Full,
        seed: 0,
        rate: None,
        workers: 1,
        skipped: HashSet::new(),
        occupied: vec![],
        recheck: compare::Recheck::Alone,
        checkpoint: None,
        only: Some((0..KEYS).chain(again).map(pair).collect()),
    };
    let (told, result) = async_std::task::block_on(async {
        let begun = compare::begin(setup);
        let mut told = vec![];
        loop {
            match begun.told.recv().await.unwrap() {
                compare::CompareEvent::Progress(_) => {}
                compare::CompareEvent::Difference(found) => told.push(found.1.key),
                compare::CompareEvent::Done(result) => break (told, result.unwrap()),
            }
        }
    });
    let once: HashSet<&String> = told.iter().collect();
    assert_eq!((told.len(), once.len(), result.different), (KEYS, KEYS, KEYS as u64));
    assert_eq!(result.keys(), KEYS as u64);
}
