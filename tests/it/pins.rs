//! What was seen to fail in other tools: each behaviour has a test that pins it, here or beside its kin. `tests/cases.md` lists
//! them, row R.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    bad_input::scripted_source,
    cmd,
    faults::{calls, fill, told, tool, until},
    following::{IDLE, await_applied, follow, offset},
    harness::{Client, Comparer, Plan, Server, Workload},
    moved::Moved,
};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn a_source_that_drops_the_link_again_and_again_loses_and_doubles_nothing() {
    for name in ["redis-5.0.10", "redis-7.2.4"] {
        let source = Server::of(name).arg("--repl-backlog-size", "64mb").start();
        let destination = Server::start("redis-7.2.4");
        let tool = tool(&Plan::between(&source, &destination).following(IDLE));
        let mut run = follow(&tool);
        let work = Workload::start(source.flavour, source.port(), 4, Duration::from_millis(1), 7);
        let mut client = source.client();
        for times in 1..=8 {
            until("a link is up", || client.command(&cmd!["CLIENT", "KILL", "TYPE", "slave"]).int() > 0);
            until("its loss is told", || told(&tool, "link_lost").len() >= times || !run.is_running());
        }
        work.stop();
        await_applied(&tool, &mut run, &source);
        run.wait().expect(0);
        assert_eq!(told(&tool, "dump_started").len(), 1, "{name}");
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn a_transaction_is_never_read_in_parts_at_the_destination() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-8.2.3"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut run = follow(&tool);
    let is_enough = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (mut client, is_enough) = (source.client(), is_enough.clone());
        move || {
            for round in (0..).take_while(|round| *round < 400 || !is_enough.load(SeqCst)) {
                // Some fill many batches.
                let middle = if round % 100 == 99 { 3000 } else { 3 };
                let mut commands = vec![cmd!["MULTI"], cmd!["INCR", "first"]];
                commands.extend((0..middle).map(|index| cmd!["SET", format!("k:{index}"), "x".repeat(300)]));
                commands.extend([cmd!["INCR", "last"], cmd!["EXEC"]]);
                client.pipeline_ok(&commands);
            }
        }
    });
    let mut reader = destination.client();
    let mut seen = std::collections::BTreeSet::new();
    while !writer.is_finished() {
        let pair = reader.command(&cmd!["MGET", "first", "last"]);
        let [first, last] = pair.items() else { panic!("{pair:?}") };
        assert_eq!(first, last, "a transaction is read in parts");
        seen.insert(format!("{first:?}"));
        is_enough.store(seen.len() > 10, SeqCst);
    }
    writer.join().unwrap();
    await_applied(&tool, &mut run, &source);
    println!("{} states were seen", seen.len());
    assert!(seen.len() > 10, "it was read while it was written");
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// One key for each millisecond in which the copy may be: whatever is written in the very one in which it ends must not stay.
#[test]
fn a_key_that_ends_in_the_millisecond_in_which_it_is_written_does_not_stay() {
    for destination in ["redis-2.8.17", "redis-3.2.9", "redis-5.0.10", "redis-7.2.4"] {
        let (source, destination) = (Server::start("redis-5.0.10"), Server::start(destination));
        let mut client = source.client();
        client.command(&cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
        let (begin, span) = (now() + 300, 4000);
        let commands: Vec<_> = (0..span)
            .flat_map(|index| {
                let key = format!("k:{index}");
                let value = if index % 2 == 0 { cmd!["SET", key, "v"] } else { cmd!["RPUSH", key, "v"] };
                [value, cmd!["PEXPIREAT", key, begin + index]]
            })
            .collect();
        client.pipeline_ok(&commands);
        client.command(&cmd!["SET", "stays", 1]);
        let plan = Plan::between(&source, &destination).line("limits: { writes: 1200/s, connections: 1 }");
        let moved = Moved::by(&plan).expect(0);
        println!("{} keys written, {} had ended", moved.figure("keys"), moved.figure("expired"));
        until("the last one has ended", || now() > begin + span + 50);
        let mut client = destination.client();
        let asked: Vec<_> = (0..span).map(|index| cmd!["EXISTS", format!("k:{index}")]).collect();
        let left = client.pipeline_ok(&asked).iter().filter(|reply| reply.int() == 1).count();
        assert_eq!((left, client.command(&cmd!["EXISTS", "stays"]).int()), (0, 1), "{}", destination.flavour.name);
    }
}

fn count(client: &mut Client) -> i64 {
    client.command(&cmd!["DBSIZE"]).int()
}

#[test]
fn three_hundred_thousand_keys_that_end_during_the_copy_are_gone() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 500, 60);
    let script = "for i = 1, 300000 do redis.call('SET', 'ends:' .. i, 'v', 'PX', 3500 + i % 4000) end";
    let mut client = source.client();
    client.command(&cmd!["EVAL", script, 0]);
    let plan = Plan::between(&source, &destination).line("limits: { bandwidth: 2 MiB/s }").following(IDLE);
    let tool = tool(&plan);
    let mut run = follow(&tool);
    until("they have ended at the source", || {
        client.command(&cmd!["EVAL", "return #redis.call('KEYS', 'ends:*')", 0]).int() == 0
    });
    let (written, ended) = (offset(&source), calls(&destination, "del").0);
    println!("at offset {written}, {ended} deletions are applied");
    await_applied(&tool, &mut run, &source);
    run.wait().expect(0);
    let deleted = calls(&destination, "del").0 + calls(&destination, "unlink").0;
    assert!(deleted > 50_000, "only {deleted} keys ended after they were copied");
    assert_eq!(count(&mut client), 500);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// A hash `h` with the field `f`, which ends at this moment, and the field `g`, which does not, in each encoding.
fn hashes(moment: i64) -> Vec<(&'static str, &'static [u8], Vec<u8>)> {
    let at = moment.to_le_bytes();
    let long = [&[0x81][..], &moment.to_be_bytes()].concat();
    let pair = |field: u8| [1, field, 1, b'v'];
    // A listpack: its bytes, its elements, then each with its length behind it.
    let elements = [&[0x81, b'f', 2, 0x81, b'v', 2, 0xf4][..], &at, &[9, 0x81, b'g', 2, 0x81, b'v', 2, 0, 1]].concat();
    let size = u32::try_from(elements.len() + 7).unwrap();
    let pack = [&size.to_le_bytes()[..], &[6, 0], &elements, &[0xff]].concat();
    let text = [&[u8::try_from(pack.len()).unwrap()][..], &pack].concat();
    vec![
        (
            "22, of Redis before 7.4",
            b"REDIS0012",
            [&[22, 1, b'h', 2][..], &long, &pair(b'f'), &[0], &pair(b'g')].concat(),
        ),
        ("23, of Redis before 7.4", b"REDIS0012", [&[23, 1, b'h'][..], &text].concat()),
        ("24", b"REDIS0012", [&[24, 1, b'h'][..], &at, &[2, 1], &pair(b'f'), &[0], &pair(b'g')].concat()),
        ("25", b"REDIS0012", [&[25, 1, b'h'][..], &at, &text].concat()),
        ("22, of Valkey 9", b"VALKEY080", [&[22, 1, b'h', 2][..], &pair(b'f'), &at, &pair(b'g'), &[0xff; 8]].concat()),
    ]
}

#[test]
fn fields_of_hashes_keep_their_ends_from_every_encoding() {
    let moment = now() + 3_600_000;
    for (encoding, magic, entry) in hashes(moment) {
        for to in ["redis-7.4.1", "redis-8.2.3", "valkey-9.1.2"] {
            let destination = Server::start(to);
            let dump = [magic, &b"\xfe\0"[..], &entry, b"\xff\0\0\0\0\0\0\0\0"].concat();
            Moved::by(&Plan::between_ports(scripted_source(&dump), destination.port())).expect(0);
            let mut client = destination.client();
            assert_eq!(client.command(&cmd!["HGETALL", "h"]).items().len(), 4, "type {encoding} to {to}");
            let ends = client.command(&cmd!["HPEXPIRETIME", "h", "FIELDS", 2, "f", "g"]);
            let ends: Vec<i64> = ends.items().iter().map(crate::harness::Reply::int).collect();
            assert_eq!(ends, [moment, -1], "type {encoding} to {to}");
        }
    }
}

/// Up to now a server tells its replicas only the sum: the field does not end there any more. The destination is no worse.
#[test]
fn a_float_added_to_a_field_that_ends_does_what_it_does_at_a_replica() {
    for name in ["redis-7.4.1", "redis-8.2.3", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
        let replica = Server::of(name).replica_of(source.port()).start();
        let tool = tool(&Plan::between(&source, &destination).following(IDLE));
        let mut run = follow(&tool);
        let mut client = source.client();
        let expire = ["HPEXPIRE", "h", "3600000", "FIELDS", "2", "f", "g"];
        client.command(&cmd!["HSET", "h", "f", 1, "g", 1]);
        client.command(&expire.iter().flat_map(|word| cmd![word]).collect::<Vec<_>>());
        client.command(&cmd!["HINCRBYFLOAT", "h", "f", "0.5"]);
        assert_eq!(client.command(&cmd!["WAIT", 2, 20_000]).int(), 2);
        await_applied(&tool, &mut run, &source);
        run.wait().expect(0);
        let asked = cmd!["HPEXPIRETIME", "h", "FIELDS", 2, "f", "g"];
        let [there, here] = [&replica, &destination].map(|server| server.client().command(&asked));
        println!("{name}: {:?} at the source, {there:?} at its replica", client.command(&asked));
        assert_eq!(here, there, "{name}");
        assert_eq!(destination.client().command(&cmd!["HGET", "h", "f"]).text(), "1.5");
    }
}

/// Type 26 and what 8.6 keeps beside a key: read, and named.
#[test]
fn streams_and_keys_of_redis_8_6_arrive_and_what_no_command_sets_is_named() {
    let producers = b"\x40\x64\x43\xe8\x01\x01p\x01\x01m\x43\xe9\x00\x01\x00";
    let stream = [&b"\x1a\x01s\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"[..], producers].concat();
    // One class, whose data is one number.
    let metadata = b"\xf3\x01\x09\x09\x09\x09\x02\x05\x00\x00\x01k\x01v";
    let dump = [&b"REDIS0013\xfe\0"[..], &stream, metadata, b"\xff\0\0\0\0\0\0\0\0"].concat();
    let destination = Server::start("redis-7.2.4");
    let plan = Plan::between_ports(scripted_source(&dump), destination.port());
    let ended = Moved::by(&plan).run;
    assert_ne!(ended.code(), Some(0), "{ended}");
    destination.client().command(&cmd!["FLUSHALL"]);
    let moved = Moved::by(&plan.line("on_unsupported: report")).expect(0);
    let reported = format!("{:?} {}", moved.reported(), moved.run);
    assert!(reported.contains("1 remembered messages of 1 producers"), "{reported}");
    assert!(reported.contains("metadata"), "{reported}");
    let mut client = destination.client();
    assert_eq!(client.command(&cmd!["TYPE", "s"]).text(), "stream");
    assert_eq!(client.command(&cmd!["GET", "k"]).text(), "v");
}

/// Moves elements to a key that only the destination has: one of another type is named, and one of the same is found by a comparison.
#[test]
fn elements_that_are_moved_to_a_key_of_the_destination_alone_are_named_or_found() {
    for (theirs, is_named) in [(cmd!["SET", "only", "theirs"], true), (cmd!["RPUSH", "only", "theirs"], false)] {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        source.client().command(&cmd!["RPUSH", "queue", "one", "two"]);
        let tool = tool(&Plan::between(&source, &destination).following(IDLE));
        let run = follow(&tool);
        destination.client().command(&theirs);
        source.client().command(&cmd!["LMOVE", "queue", "only", "LEFT", "RIGHT"]);
        if is_named {
            run.wait().expect(3).says("`only`").says("LMOVE: WRONGTYPE");
            assert_eq!(destination.client().command(&cmd!["GET", "only"]).text(), "theirs");
        } else {
            run.wait().expect(0);
            tool.run(["verify", "plan.yaml"]).expect(1).says("only");
        }
    }
}
