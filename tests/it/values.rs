//! What travels beside plain keys, and values that go in a form of their own: chunks, modules, functions, scripts,
//! access times, deadlines.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    cmd,
    harness::{Client, Command, Comparer, Comparison, Dataset, Flavour, Plan, Random, Reply, Server, Size},
    moved::Moved,
};

/// Unix milliseconds.
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// How often a server carried a command out.
fn calls(client: &mut Client, command: &str) -> u64 {
    let reply = client.command(&cmd!["INFO", "commandstats"]);
    let line = reply.info(&format!("cmdstat_{command}")).and_then(|line| line.strip_prefix("calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// A stream of some 200 kB with groups, consumers and pending entries, none of them of a deleted entry.
fn large_stream(key: &str, flavour: Flavour) -> Vec<Command> {
    let mut random = Random::seeded(5);
    let mut commands: Vec<Command> = (1..=3000)
        .map(|index| {
            cmd!["XADD", key, format!("{}-{}", 500 + index / 7, index % 7 + 1), "n", index, "w", random.word(40)]
        })
        .collect();
    commands.extend((40..60).map(|index| cmd!["XDEL", key, format!("{}-{}", 500 + index / 7, index % 7 + 1)]));
    for (group, start) in [("all", "0"), ("middle", "700-1"), ("end", "$")] {
        commands.push(cmd!["XGROUP", "CREATE", key, group, start]);
    }
    for (group, consumer, count) in
        [("all", "ann", 900), ("all", "bob", 700), ("all", "ann", 5), ("middle", "c\r\n", 30)]
    {
        commands.push(cmd!["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"]);
    }
    let claim =
        ["XCLAIM", key, "all", "bob", "0", "510-2", "510-3", "TIME", "1600000000000", "RETRYCOUNT", "9", "JUSTID"];
    commands.push(claim.iter().flat_map(|word| cmd![word]).collect());
    if flavour.has_idle_consumers() {
        commands.push(cmd!["XGROUP", "CREATECONSUMER", key, "end", "idle"]);
    }
    commands
}

/// Migrates the dataset with every value above `chunk` in chunks.
fn in_chunks(source: &str, destination: &str, chunk: &str) -> (Comparison, Moved) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    Dataset::new(source.flavour, Size::Full, 11).load(&source);
    if source.flavour.has_streams() {
        source.client().pipeline_ok(&large_stream("stream:large", source.flavour));
    }
    let plan = Plan::between(&source, &destination);
    let plan = plan.line(&format!("limits: {{ chunk_above: {chunk} }}")).line("on_unsupported: report");
    let moved = Moved::by(&plan).expect(0);
    let mut client = destination.client();
    let streams = source.flavour.has_streams().then_some("xadd");
    for command in ["rpush", "sadd", "zadd", "append", "hset"].into_iter().chain(streams) {
        assert!(calls(&mut client, command) > 0, "nothing came by {command}");
    }
    (Comparer::of(&source, &destination).run(), moved)
}

fn chunked_is_equal(source: &str, destination: &str) {
    let (compared, moved) = in_chunks(source, destination, "48kb");
    assert!(moved.reported().is_empty(), "{:?}", moved.reported());
    assert!(compared.assert_equal().total() > 130);
}

#[test]
fn chunks_from_2_8_17_to_5_0_10() {
    chunked_is_equal("redis-2.8.17", "redis-5.0.10");
}

#[test]
fn chunks_from_3_2_9_to_7_2_4() {
    chunked_is_equal("redis-3.2.9", "redis-7.2.4");
}

#[test]
fn chunks_from_5_0_10_to_valkey_9_1_2() {
    chunked_is_equal("redis-5.0.10", "valkey-9.1.2");
}

#[test]
fn chunks_from_6_2_14_to_6_2_14() {
    chunked_is_equal("redis-6.2.14", "redis-6.2.14");
}

#[test]
fn chunks_from_7_4_1_to_8_2_3() {
    chunked_is_equal("redis-7.4.1", "redis-8.2.3");
}

#[test]
fn chunks_from_valkey_9_1_2_to_valkey_9_1_2() {
    chunked_is_equal("valkey-9.1.2", "valkey-9.1.2");
}

/// Nearly everything in chunks; one pending entry of a deleted stream entry cannot be made by commands, and is named.
#[test]
fn nearly_every_value_in_chunks() {
    for (source, destination) in [("redis-7.4.1", "valkey-9.1.2"), ("redis-5.0.10", "redis-5.0.10")] {
        let (compared, moved) = in_chunks(source, destination, "100b");
        let reported = moved.reported();
        let key = (0, "stream:many nodes".to_owned());
        assert!(reported[&key][0].contains("1 pending entries are left out"), "{reported:?}");
        let unnamed = compared.differences.iter().find(|difference| difference.key != b"stream:many nodes");
        assert!(unnamed.is_none(), "{compared}");
        let other = |(key_, reasons): (&(u32, String), &Vec<String>)| {
            *key_ != key && reasons.iter().any(|reason| !reason.contains("stream's counters"))
        };
        assert!(!reported.iter().any(other), "{reported:?}");
        assert!(compared.total() > 130, "{compared}");
    }
}

const LIBRARY: &str = "#!lua name=greet\nredis.register_function('greet', function(keys, words) return 'hello ' .. words[1] \
                       end)\n";

#[test]
fn function_libraries_can_be_called_at_the_destination() {
    for (source, destination) in
        [("redis-7.0.15", "redis-7.2.4"), ("redis-7.0.15", "redis-8.2.3"), ("redis-7.2.4", "valkey-9.1.2")]
    {
        let (source, destination) = (Server::start(source), Server::start(destination));
        source.client().pipeline_ok(&[cmd!["FUNCTION", "LOAD", LIBRARY], cmd!["SET", "k", "v"]]);
        Moved::by(&Plan::between(&source, &destination)).expect(0);
        Comparer::of(&source, &destination).run().assert_equal();
        assert_eq!(destination.client().command(&cmd!["FCALL", "greet", 0, "you"]).text(), "hello you");
    }
}

/// A destination that has a library of the same name with other code.
fn with_other_library(on_conflict: &str, code: i32) -> (Server, Moved) {
    let (source, destination) = (Server::start("redis-7.0.15"), Server::start("redis-7.2.4"));
    source.client().pipeline_ok(&[cmd!["FUNCTION", "LOAD", LIBRARY], cmd!["SET", "k", "v"]]);
    destination.client().command(&cmd!["FUNCTION", "LOAD", LIBRARY.replace("hello", "good bye")]);
    let moved = Moved::by(&Plan::between(&source, &destination).line(&format!("on_conflict: {on_conflict}")));
    (destination, moved.expect(code))
}

fn greeting(server: &Server) -> String {
    server.client().command(&cmd!["FCALL", "greet", 0, "you"]).text().to_owned()
}

#[test]
fn a_library_of_the_same_name_is_a_conflict_as_a_key_is() {
    let (destination, moved) = with_other_library("fail", 3);
    assert_eq!(greeting(&destination), "good bye you");
    moved.run.says("The function library `greet` exists");
    let (destination, moved) = with_other_library("skip", 0);
    assert_eq!(greeting(&destination), "good bye you");
    assert_eq!(destination.client().command(&cmd!["GET", "k"]).text(), "v");
    assert_eq!((moved.figure("skipped"), moved.figure("failed")), (1, 0));
    let (destination, _) = with_other_library("replace", 0);
    assert_eq!(greeting(&destination), "hello you");
}

/// The dump brings them from 4.0.3 to 6.2 (an AUX field `lua`); 4.0-rc2 leaves them out and 7.0 stopped.
#[test]
fn scripts_of_the_dump_are_loaded() {
    for (source, destination) in [
        ("redis-5.0.10", "redis-5.0.10"),
        ("redis-5.0.10", "valkey-9.1.2"),
        ("redis-6.2.14", "redis-7.2.4"),
        ("redis-6.2.14", "redis-3.2.9"),
    ] {
        let (source, destination) = (Server::start(source), Server::start(destination));
        let scripts = ["return 'one'", "return redis.call('get', KEYS[1])", "return '\\0\\r\\n'"];
        let load: Vec<Command> = scripts.iter().map(|script| cmd!["SCRIPT", "LOAD", script]).collect();
        let mut command = cmd!["SCRIPT", "EXISTS"];
        command.extend(source.client().pipeline_ok(&load).iter().map(|sha| sha.bytes().to_vec()));
        source.client().command(&cmd!["SET", "k", "v"]);
        Moved::by(&Plan::between(&source, &destination)).expect(0);
        let known = destination.client().command(&command);
        assert_eq!(known.items(), vec![Reply::Int(1); scripts.len()], "{}", destination.flavour.name);
    }
}

fn with_bloom(name: &str) -> Server {
    let module = Flavour::of(name).program().with_file_name("modules/redisbloom.so");
    assert!(module.exists(), "{} is not installed, run: tests/servers/install {name}", module.display());
    Server::of(name).args(["--loadmodule", module.to_str().unwrap()]).start()
}

/// One key of each type of the module, one of them above a megabyte.
fn filters() -> Vec<Command> {
    let words: Vec<Vec<u8>> = (0..300).map(|index| format!("word {index}").into_bytes()).collect();
    let all = |head: Command| [head, words.clone()].concat();
    vec![
        all(cmd!["BF.MADD", "bloom"]),
        cmd!["BF.RESERVE", "bloom:large", "0.001", 1_000_000],
        all(cmd!["BF.MADD", "bloom:large"]),
        cmd!["CF.ADD", "cuckoo", "word 7"],
        cmd!["CMS.INITBYDIM", "count", 100, 5],
        cmd!["CMS.INCRBY", "count", "word 7", 42],
        cmd!["TOPK.RESERVE", "top", 3],
        cmd!["TOPK.ADD", "top", "a", "b", "a"],
        cmd!["TDIGEST.CREATE", "digest"],
        cmd!["TDIGEST.ADD", "digest", 1, 2, 3],
        cmd!["PEXPIREAT", "bloom", now() + 1_000_000],
        cmd!["SET", "plain", "value"],
    ]
}

fn questions() -> Vec<Command> {
    let mut questions = vec![
        cmd!["CF.EXISTS", "cuckoo", "word 7"],
        cmd!["CF.EXISTS", "cuckoo", "other"],
        cmd!["CMS.QUERY", "count", "word 7", "other"],
        cmd!["TOPK.LIST", "top"],
        cmd!["TDIGEST.QUANTILE", "digest", "0.5"],
        cmd!["BF.INFO", "bloom"],
        cmd!["BF.INFO", "bloom:large"],
        cmd!["GET", "plain"],
    ];
    for index in [0, 7, 299, 300, 1000, 12_345] {
        let word = format!("word {index}");
        questions.extend([cmd!["BF.EXISTS", "bloom", word], cmd!["BF.EXISTS", "bloom:large", word]]);
    }
    questions
}

#[test]
fn a_modules_values_arrive_where_the_module_is() {
    for limits in ["limits: {}", "limits: { chunk_above: 64kb }"] {
        let (source, destination) = (with_bloom("redis-7.2.4"), with_bloom("redis-7.4.1"));
        source.client().pipeline_ok(&filters());
        Moved::by(&Plan::between(&source, &destination).line(limits)).expect(0);
        let [here, there] = [&source, &destination].map(|server| server.client().pipeline_ok(&questions()));
        assert_eq!(here, there);
        let ends = [&source, &destination].map(|server| server.client().command(&cmd!["PTTL", "bloom"]).int());
        assert!((ends[0] - ends[1]).abs() < 1000 && ends[1] > 0, "{ends:?}");
    }
}

#[test]
fn a_modules_values_are_reported_where_it_is_not() {
    let (source, destination) = (with_bloom("redis-7.2.4"), Server::start("redis-7.0.15"));
    source.client().pipeline_ok(&filters());
    let plan = Plan::between(&source, &destination);
    Moved::by(&plan).expect(1).run.says("modules: missing at the destination: bf; of the ").says("`MBbloom--`");

    let destination = Server::start("redis-7.0.15");
    let moved = Moved::by(&Plan::between(&source, &destination).line("on_unsupported: report")).expect(0);
    let said: BTreeMap<String, String> =
        moved.reported().into_iter().map(|((_, key), reasons)| (key, reasons.join(", "))).collect();
    let reason = |name: &str| format!("the destination has no module for the type `{name}`");
    let expected = [
        ("bloom", "MBbloom--"),
        ("bloom:large", "MBbloom--"),
        ("count", "CMSk-TYPE"),
        ("cuckoo", "MBbloomCF"),
        ("digest", "TDIS-TYPE"),
        ("top", "TopK-TYPE"),
    ];
    assert_eq!(said, expected.map(|(key, name)| (key.to_owned(), reason(name))).into());
    assert_eq!(destination.client().command(&cmd!["GET", "plain"]).text(), "value");
    assert_eq!((moved.figure("keys"), moved.figure("failed")), (1, 6));
}

/// Gives a key of the source an idle time or a frequency.
fn set_access(client: &mut Client, key: &str, access: &Command) {
    client.command(&cmd!["SET", key, "value"]);
    let dump = client.command(&cmd!["DUMP", key]);
    client.command(&[cmd!["RESTORE", key, 0, dump.bytes().to_vec(), "REPLACE"], access.clone()].concat());
}

fn with_policy(name: &str, policy: &str) -> Server {
    Server::of(name).arg("--maxmemory-policy", policy).start()
}

#[test]
fn idle_times_are_kept_where_the_source_evicts_by_them() {
    for (source, destination) in [("redis-5.0.10", "redis-8.2.3"), ("redis-7.2.4", "redis-5.0.10")] {
        let (source, destination) = (with_policy(source, "allkeys-lru"), with_policy(destination, "allkeys-lru"));
        let mut client = source.client();
        // The clock of idle times begins anew every 2^24 s; a server takes what lies before for a longest time.
        let most = (now() / 1000) % (1 << 24) / 2;
        for idle in [0, 1000.min(most), 500_000.min(most)] {
            set_access(&mut client, &format!("idle:{idle}"), &cmd!["IDLETIME", idle]);
        }
        Moved::by(&Plan::between(&source, &destination)).expect(0);
        for idle in [0, 1000.min(most), 500_000.min(most)] {
            let command = cmd!["OBJECT", "IDLETIME", format!("idle:{idle}")];
            let [here, there] = [&source, &destination].map(|server| server.client().command(&command).int());
            // Whole seconds, which each server counts from a tick of its own.
            assert!(here >= idle && (here - 1..here + 30).contains(&there), "{there} for {here}");
        }
    }
}

#[test]
fn access_frequencies_are_kept_where_the_source_evicts_by_them() {
    for (source, destination) in [("redis-5.0.10", "valkey-9.1.2"), ("redis-7.2.4", "redis-5.0.10")] {
        let (source, destination) = (with_policy(source, "allkeys-lfu"), with_policy(destination, "allkeys-lfu"));
        let mut client = source.client();
        for frequency in [1, 100, 255] {
            set_access(&mut client, &format!("often:{frequency}"), &cmd!["FREQ", frequency]);
        }
        Moved::by(&Plan::between(&source, &destination)).expect(0);
        for frequency in [1, 100, 255] {
            let found = destination.client().command(&cmd!["OBJECT", "FREQ", format!("often:{frequency}")]).int();
            // It may have decayed by a minute's worth.
            assert!((frequency - 1..=frequency).contains(&found), "{found} for {frequency}");
        }
    }
}

#[test]
fn deadlines_are_those_of_the_source_also_where_only_a_time_to_live_can_be_sent() {
    for (source, destination) in [("redis-5.0.10", "redis-3.2.9"), ("redis-7.0.15", "redis-2.8.17")] {
        let (source, destination) = (Server::start(source), Server::start(destination));
        let mut client = source.client();
        let ends: Vec<i64> = (0..200).map(|index| now() + 60_000 + index * 1009).collect();
        for (index, end) in ends.iter().enumerate() {
            client.command(&cmd!["SET", format!("k{index}"), "v".repeat(index)]);
            client.command(&cmd!["PEXPIREAT", format!("k{index}"), *end]);
        }
        // The last command is sent some two seconds after the first one was made.
        let plan = Plan::between(&source, &destination).line("limits: { writes: 100/s, connections: 1 }");
        Moved::by(&plan).expect(0);
        let asked: Vec<Command> = (0..ends.len()).map(|index| cmd!["PTTL", format!("k{index}")]).collect();
        let left = destination.client().pipeline_ok(&asked);
        for (index, (end, left)) in ends.iter().zip(left).enumerate() {
            let found = now() + left.int();
            assert!(
                (found - end).abs() < 1000,
                "k{index} ends {found} instead of {end} at {}",
                destination.flavour.name
            );
        }
    }
}

#[test]
fn the_deadline_of_a_key_that_stays_as_it_was_is_not_touched() {
    for (on_conflict, code) in [("skip", 0), ("fail", 1)] {
        let (source, destination) = (Server::start("redis-2.8.17"), Server::start("redis-3.2.9"));
        source.client().pipeline_ok(&[cmd!["SET", "k", "new"], cmd!["PEXPIREAT", "k", now() + 60_000]]);
        destination.client().command(&cmd!["SET", "k", "old"]);
        let plan = Plan::between(&source, &destination).line(&format!("on_conflict: {on_conflict}"));
        Moved::by(&plan).expect(code);
        let kept = destination.client().pipeline_ok(&[cmd!["GET", "k"], cmd!["PTTL", "k"]]);
        assert_eq!((kept[0].text(), kept[1].int()), ("old", -1));
    }
}

#[test]
fn what_has_expired_stays_away() {
    for (source, destination) in [("redis-5.0.10", "redis-3.2.9"), ("redis-7.2.4", "valkey-9.1.2")] {
        let (source, destination) = (Server::start(source), Server::start(destination));
        let mut client = source.client();
        client.command(&cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
        for index in 0..50 {
            client.command(&cmd!["PSETEX", format!("past:{index}"), 1, "gone"]);
        }
        client.command(&cmd!["SET", "stays", "here"]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let moved = Moved::by(&Plan::between(&source, &destination)).expect(0);
        assert!(source.flavour.dumps_expired_keys());
        assert_eq!((moved.figure("expired"), moved.figure("keys")), (50, 1));
        let mut client = destination.client();
        assert_eq!(client.command(&cmd!["KEYS", "past:*"]).items(), []);
        assert_eq!(client.command(&cmd!["GET", "stays"]).text(), "here");
    }
}
