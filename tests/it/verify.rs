//! `plan verify` and the step `verify`: they find what differs, whatever it is, and nothing else.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, begin, tool},
    harness::{Comparer, Dataset, Finished, Plan, Random, Server, Size, Tool},
    verify_cases::{Expected, cases, inject, make},
};

/// What a comparison wrote to its file of differences.
fn found(tool: &Tool) -> Expected {
    let lines = fs::read_to_string(tool.folder().join("differences")).unwrap();
    let mut found = Expected::new();
    for line in lines.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        let db = u32::try_from(one["db"].as_u64().unwrap()).unwrap();
        let kinds = one["kinds"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap().to_owned()).collect();
        let before = found.insert((db, one["hex"].as_str().unwrap().to_owned()), kinds);
        assert!(before.is_none(), "told twice: {line}");
        if let (Value::String(one), Value::String(two)) = (&one["source"]["digest"], &one["destination"]["digest"]) {
            assert_eq!((one.len(), two.len()), (32, 32));
        }
    }
    found
}

fn verify<const N: usize>(tool: &Tool, more: [&str; N]) -> (Finished, Value) {
    let before = ["verify", "plan.yaml", "--format", "json", "--differences", "differences", "--progress", "plain"];
    let words: Vec<&str> = before.into_iter().chain(more).collect();
    let finished = match words.len() {
        8 => tool.run(<[&str; 8]>::try_from(words).unwrap()),
        9 => tool.run(<[&str; 9]>::try_from(words).unwrap()),
        10 => tool.run(<[&str; 10]>::try_from(words).unwrap()),
        count => panic!("{count} words are not provided for"),
    };
    let result = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished}"));
    (finished, result)
}

fn every_difference(source: &str, destination: &str) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    Dataset::new(source.flavour, Size::Full, 11).load(&source);
    let cases = cases(source.flavour, destination.flavour);
    println!("{} cases", cases.len());
    make(&cases, &source);
    let tool = tool(&Plan::between(&source, &destination).line("on_conflict: replace"));
    begin(&tool).wait().expect(0);

    let (finished, result) = verify(&tool, []);
    finished.expect(0);
    assert_eq!(result["verdict"], "equal");
    assert_eq!(found(&tool), Expected::new());
    let compared = Comparer::of(&source, &destination).run().assert_equal();
    let counted: u64 = result["result"]["counts"].as_array().unwrap().iter().map(|c| c["keys"].as_u64().unwrap()).sum();
    let functions = compared.keys.get("function").copied().unwrap_or(0);
    // `ends:soon` may have gone in between.
    let gone = counted - (compared.total() - functions) as u64;
    assert!(gone <= 1, "{result:#}");

    let expected = inject(&cases, &destination);
    let (finished, result) = verify(&tool, []);
    finished.expect(1);
    assert_eq!(found(&tool), expected);
    assert_eq!(result["verdict"], "different");
    assert_eq!(result["result"]["different"], expected.len());
    let by_count: u64 =
        result["result"]["counts"].as_array().unwrap().iter().map(|count| count["different"].as_u64().unwrap()).sum();
    assert_eq!(by_count, expected.len() as u64);

    // What the mode `keys` can see, and nothing else.
    let heads = ["missing", "extra", "type", "ttl_missing", "ttl_extra", "ttl_off"];
    let seen: Expected = expected
        .iter()
        .map(|(key, kinds)| {
            (key.clone(), kinds.iter().filter(|kind| heads.contains(&kind.as_str())).cloned().collect())
        })
        .filter(|(_, kinds): &(_, Vec<String>)| !kinds.is_empty())
        .collect();
    verify(&tool, ["--mode", "keys"]).0.expect(1);
    assert_eq!(found(&tool), seen);

    let (finished, result) = verify(&tool, ["--repair"]);
    finished.expect(0);
    assert_eq!(result["result"]["repaired"], expected.len(), "{result:#}");
    Comparer::of(&source, &destination).run().assert_equal();
    verify(&tool, []).0.expect(0);
}

#[test]
fn every_difference_from_2_8_17_to_8_2_3() {
    every_difference("redis-2.8.17", "redis-8.2.3");
}

#[test]
fn every_difference_from_5_0_10_to_7_2_4() {
    every_difference("redis-5.0.10", "redis-7.2.4");
}

#[test]
fn every_difference_from_7_4_1_to_valkey_9_1_2() {
    every_difference("redis-7.4.1", "valkey-9.1.2");
}

/// Clients that write to a server at a steady rate until they are stopped.
struct Writers {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
    begun: Instant,
}

impl Writers {
    /// So many commands a second in all, on so many `live:` keys of every type.
    fn start(server: &Server, per_second: u64, keys: u64) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let seed = Random::fresh().next();
        let threads = (0..2)
            .map(|number| {
                let (stop, written, mut client) = (Arc::clone(&stop), Arc::clone(&written), server.client());
                let mut random = Random::seeded(seed ^ number);
                thread::spawn(move || {
                    let (begun, mut sent) = (Instant::now(), 0);
                    while !stop.load(SeqCst) {
                        let due = u64::try_from(begun.elapsed().as_millis()).unwrap() * per_second / 2000;
                        let batch: Vec<_> = (sent..due).map(|_| write(&mut random, keys)).collect();
                        sent += batch.len() as u64;
                        written.fetch_add(batch.len() as u64, SeqCst);
                        client.pipeline_ok(&batch);
                        thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        Self { stop, written, threads, begun: Instant::now() }
    }

    /// Stops them; gives the rate they had.
    fn stop(self) -> u64 {
        self.stop.store(true, SeqCst);
        let rate = self.written.load(SeqCst) * 1000 / u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        rate
    }
}

fn write(random: &mut Random, keys: u64) -> Vec<Vec<u8>> {
    let number = random.between(0, keys);
    let word = random.word(12);
    let small = random.between(0, 30);
    match number % 8 {
        0 => cmd!["INCR", format!("live:count:{number}")],
        1 => cmd!["RPUSH", format!("live:list:{number}"), word],
        2 => cmd!["SADD", format!("live:set:{number}"), small],
        3 => cmd!["HSET", format!("live:hash:{number}"), small, word],
        4 => cmd!["ZADD", format!("live:zset:{number}"), small, format!("m{small}")],
        5 => cmd!["SET", format!("live:ends:{number}"), word, "EX", small + 1],
        6 => cmd!["DEL", format!("live:count:{}", number - number % 8)],
        _ => cmd!["LTRIM", format!("live:list:{}", number - number % 8 + 1), 0, 20],
    }
}

/// Two such loads at a time, with all that applies and compares them, are more than a small machine can carry: each test is a
/// process of its own, so a file stands between them.
fn one_at_a_time() -> fs::File {
    let file = fs::File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/verify-under-writes.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// A comparison beside a run that follows, while clients write. What is found is exactly what was injected.
fn under_writes(source: &str, destination: &str, keys: u64) {
    let per_second = 20_000;
    let _alone = one_at_a_time();
    let (source, destination) = (Server::start(source), Server::start(destination));
    Dataset::new(source.flavour, Size::Small, 12).load(&source);
    let cases = cases(source.flavour, destination.flavour);
    make(&cases, &source);
    let plan = Plan::between(&source, &destination).line("on_conflict: replace");
    let tool = tool(&plan.following("{ any: [command: cutover] }")).limit(Duration::from_mins(4));
    let mut run = begin(&tool);
    let writers = Writers::start(&source, per_second, keys);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    thread::sleep(Duration::from_secs(1));

    let (finished, result) = verify(&tool, []);
    assert_eq!(found(&tool), Expected::new(), "{finished}");
    assert_eq!(result["result"]["judged_by"], "applied_offset");
    // A few that are written all the time may change whenever they are looked at. Nothing is said of all others but `equal`.
    let unsettled = result["result"]["unsettled"].as_u64().unwrap();
    println!("{unsettled} unsettled of {keys} live keys");
    assert!(unsettled <= keys / 20, "{finished}");
    finished.expect(if unsettled == 0 { 0 } else { 3 });

    let expected = inject(&cases, &destination);
    let (finished, result) = verify(&tool, []);
    assert_eq!(found(&tool), expected, "{finished}");
    finished.expect(1);
    println!("{} unsettled", result["result"]["unsettled"]);
    let rate = writers.stop();
    println!("{rate} writes a second");
    assert!(rate > per_second * 9 / 10, "only {rate} writes a second");
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    verify(&tool, ["--repair"]).0.expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn every_difference_under_20k_writes_a_second_to_7_2_4() {
    under_writes("redis-5.0.10", "redis-7.2.4", 20_000);
}

#[test]
fn every_difference_under_20k_writes_a_second_to_8_2_3() {
    under_writes("redis-2.8.17", "redis-8.2.3", 20_000);
}

#[test]
fn every_difference_under_20k_writes_a_second_to_valkey_9_1_2() {
    under_writes("redis-7.4.1", "valkey-9.1.2", 20_000);
}

/// Each of these is written a hundred times a second: what is there at one moment is gone at the next and back again.
#[test]
fn every_difference_while_a_few_keys_are_written_all_the_time() {
    under_writes("redis-5.0.10", "redis-7.2.4", 200);
}
