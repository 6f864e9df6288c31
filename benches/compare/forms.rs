//! What each form of a value costs its destination: RESTORE beside the commands that bring the same, by type and size.

use super::{
    Options,
    data::{value, words},
    meter::{float, server_cpu},
    sender::send,
    table::{Section, Side},
};
use crate::{
    cmd,
    harness::{Client, Server},
};

/// From the oldest to the newest destination.
pub const SERVERS: [(&str, &str); 4] = [
    ("redis-2.8.17", "Redis 2.8.17 µs/key"),
    ("redis-5.0.10", "Redis 5.0.10 µs/key"),
    ("redis-7.0.15", "Redis 7.0.15 µs/key"),
    ("redis-8.2.3", "Redis 8.2.3 µs/key"),
];

/// A value, how it is made, and how many of them are.
struct Kind {
    restored: &'static str,
    made: &'static str,
    keys: u64,
    words: fn(u64) -> Vec<Vec<u8>>,
}

/// How a string is made.
const SET: &str = "– SET NX";

const KINDS: [Kind; 12] = [
    Kind { restored: "string of 64 B, RESTORE", made: SET, keys: 100_000, words: |key| text(key, 64) },
    Kind { restored: "string of 1 KiB, RESTORE", made: SET, keys: 30_000, words: |key| text(key, 1024) },
    Kind { restored: "string of 16 KiB, RESTORE", made: SET, keys: 3_000, words: |key| text(key, 16 << 10) },
    Kind { restored: "list of 1, RESTORE", made: "– RPUSH", keys: 50_000, words: |key| items("RPUSH", key, 1) },
    Kind { restored: "list of 20, RESTORE", made: "– RPUSH", keys: 20_000, words: |key| items("RPUSH", key, 20) },
    Kind { restored: "list of 500, RESTORE", made: "– RPUSH", keys: 1_000, words: |key| items("RPUSH", key, 500) },
    Kind { restored: "set of 1, RESTORE", made: "– SADD", keys: 50_000, words: |key| items("SADD", key, 1) },
    Kind { restored: "set of 20, RESTORE", made: "– SADD", keys: 20_000, words: |key| items("SADD", key, 20) },
    Kind { restored: "set of 500, RESTORE", made: "– SADD", keys: 1_000, words: |key| items("SADD", key, 500) },
    Kind { restored: "hash of 1, RESTORE", made: "– HMSET", keys: 50_000, words: |key| items("HMSET", key, 2) },
    Kind { restored: "hash of 20, RESTORE", made: "– HMSET", keys: 20_000, words: |key| items("HMSET", key, 40) },
    Kind { restored: "hash of 500, RESTORE", made: "– HMSET", keys: 1_000, words: |key| items("HMSET", key, 1000) },
];

fn text(key: u64, size: usize) -> Vec<Vec<u8>> {
    cmd!["SET", format!("key:{key:012}"), value(key, size), "NX"]
}

fn items(name: &str, key: u64, count: u64) -> Vec<Vec<u8>> {
    let elements = (0..count).map(|element| format!("element-{key}-{element}").into_bytes());
    cmd![name, format!("key:{key:012}")].into_iter().chain(elements).collect()
}

pub fn measure(options: &Options) -> Section {
    let mut sides = vec![];
    for kind in &KINDS {
        let mut forms = vec![Side::new(kind.restored), Side::new(kind.made)];
        if kind.made == SET {
            forms.push(Side::new("– MSET of 64"));
        }
        for _ in 0..options.runs {
            let costs = SERVERS.map(|(server, column)| (column, cost(server, kind, options.scaled(kind.keys))));
            for (form, side) in forms.iter_mut().enumerate() {
                side.runs.push(costs.iter().map(|(column, cost)| (*column, cost[form])).collect());
            }
        }
        sides.extend(forms);
    }
    let about = "the destination's CPU for a value by its form, in transactions of 512 commands".to_owned();
    Section { name: "forms".to_owned(), about, sides, of: "", more: false }
}

/// CPU microseconds a key by RESTORE, by the command that makes it and, for strings, by one that makes many.
fn cost(server: &str, kind: &Kind, keys: u64) -> Vec<f64> {
    let server = Server::start(server);
    let mut client = server.client();
    let makes: Vec<_> = (0..keys).map(kind.words).collect();
    let mut restores = vec![];
    for part in makes.chunks(1000) {
        client.pipeline_ok(part);
        let dumps: Vec<_> = part.iter().map(|words| cmd!["DUMP", words[1].clone()]).collect();
        let dumped = client.pipeline_ok(&dumps);
        restores
            .extend(part.iter().zip(&dumped).map(|(words, dump)| cmd!["RESTORE", words[1].clone(), 0, dump.bytes()]));
    }
    let together = makes.chunks(64).map(|part| {
        let pairs = part.iter().flat_map(|words| words[1..3].to_vec());
        cmd!["MSET"].into_iter().chain(pairs).collect()
    });
    let together = if kind.made == SET { together.collect() } else { vec![] };
    let forms = [restores, makes, together].into_iter().filter(|commands| !commands.is_empty());
    forms.map(|commands| carried_out(&server, &mut client, &commands, keys)).collect()
}

fn carried_out(server: &Server, client: &mut Client, commands: &[Vec<Vec<u8>>], keys: u64) -> f64 {
    client.command(&cmd!["FLUSHALL"]);
    let mut all = vec![];
    for part in commands.chunks(512) {
        words(&mut all, &[b"MULTI"]);
        for command in part {
            words(&mut all, &command.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        words(&mut all, &[b"EXEC"]);
    }
    let before = server_cpu(client);
    send(&all[..], server.port());
    let cpu = server_cpu(client) - before;
    assert_eq!(client.command(&cmd!["DBSIZE"]).int(), i64::try_from(keys).unwrap());
    cpu * 1e6 / float(keys)
}
