//! Values that are larger than the memory the tool may take.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use crate::{
    cmd,
    harness::{Client, Command, Plan, Random, Reply, Server},
    moved::Moved,
};

/// What the tool may take, in bytes.
const MOST: u64 = 128 << 20;

fn servers() -> (Server, Server) {
    (Server::start("redis-7.0.15"), Server::start("redis-7.2.4"))
}

/// Migrates within the memory.
fn moves((source, destination): &(Server, Server), limits: &str) {
    let plan = Plan::between(source, destination).line(limits);
    let moved = Moved::by(&plan).expect(0);
    let (peak, took) = (moved.run.peak_memory, moved.run.took);
    println!("at most {} MiB, {took:?}", peak >> 20);
    assert!(moved.reported().is_empty(), "{:?}", moved.reported());
    assert!(peak < MOST, "{} MiB", peak >> 20);
}

/// Migrates, and compares the keys by the servers' own digests of their elements.
fn arrives(servers: &(Server, Server), limits: &str, keys: &[&str]) {
    moves(servers, limits);
    let mut command = cmd!["DEBUG", "DIGEST-VALUE"];
    command.extend(keys.iter().flat_map(|key| cmd![key]));
    let [here, there] = [&servers.0, &servers.1].map(|server| server.client().command(&command));
    assert_eq!(here, there);
    let nothing = Reply::Simple("0".repeat(40));
    assert!(here.items().iter().all(|digest| *digest != nothing), "{here:?}");
}

fn append(client: &mut Client, key: &str, part: &[u8], times: usize) {
    let command: Command = cmd!["APPEND", key, part.to_vec()];
    (0..times).for_each(|_| drop(client.command(&command)));
}

#[test]
fn strings_of_200_megabytes() {
    let servers = servers();
    let mut client = servers.0.client();
    append(&mut client, "noise", &Random::seeded(1).bytes(1 << 20), 200);
    append(&mut client, "text", "two hundred megabytes of words ".repeat(32_768).as_bytes(), 200);
    drop(client);
    arrives(&servers, "limits: { chunk_above: 1mb }", &["noise", "text"]);
}

#[test]
fn strings_just_below_what_goes_in_chunks() {
    let servers = servers();
    let noise = Random::seeded(3).bytes(16_700_000);
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    servers.0.client().pipeline_ok(&keys.map(|key| cmd!["SET", key, noise]));
    arrives(&servers, "limits: {}", &keys);
}

#[test]
fn a_list_with_an_element_of_20_megabytes() {
    let servers = servers();
    let noise = Random::seeded(2).bytes(20 << 20);
    servers.0.client().command(&cmd!["RPUSH", "list", "before", noise, "after", "words ".repeat(3_500_000), "last"]);
    arrives(&servers, "limits: {}", &["list"]);
}

#[test]
fn an_element_of_20_megabytes_in_each_lane() {
    let servers = servers();
    let mut client = servers.0.client();
    let noise = Random::seeded(2).bytes(20 << 20);
    // Names that are dealt to all four lanes.
    client.command(&cmd!["RPUSH", "list", "before", noise]);
    client.command(&cmd!["SADD", "set", noise, "other"]);
    client.command(&cmd!["HSET", "hash", "small", "value", "large", noise]);
    client.command(&cmd!["ZADD", "sorted", "1.5", noise, "2", "small"]);
    drop(client);
    arrives(&servers, "limits: {}", &["list", "set", "hash", "sorted"]);
}

const MEMBERS: u32 = 5_000_000;

/// A dump of one sorted set, `zset`: the member `member:N` has the score N / 8. A server takes it up in a fraction of the
/// time that commands need.
fn dump_of_a_sorted_set() -> Vec<u8> {
    let mut dump = b"REDIS0009\xfe\x00\x05\x04zset\x80".to_vec();
    dump.extend(MEMBERS.to_be_bytes());
    for rank in 0..MEMBERS {
        let member = format!("member:{rank}");
        dump.push(u8::try_from(member.len()).unwrap());
        dump.extend(member.as_bytes());
        dump.extend((f64::from(rank) / 8.0).to_le_bytes());
    }
    // The end, without a checksum.
    dump.extend(b"\xff\0\0\0\0\0\0\0\0");
    dump
}

/// Both servers answer the commands alike to the last byte; how many bytes that were.
fn answer_alike(servers: [&Server; 2], commands: &str) -> usize {
    let mut links = servers.map(|server| {
        let mut link = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        link.write_all(commands.as_bytes()).unwrap();
        link.write_all(b"QUIT\r\n").unwrap();
        link
    });
    let mut total = 0;
    loop {
        let [one, two] = links.each_mut().map(|link| {
            let mut part = vec![];
            link.take(1 << 20).read_to_end(&mut part).unwrap();
            part
        });
        assert!(one == two, "answers differ behind byte {total}");
        total += one.len();
        if one.is_empty() {
            return total;
        }
    }
}

#[test]
fn a_sorted_set_of_5_million_members() {
    let servers = servers();
    fs::write(servers.0.folder().join("dump.rdb"), dump_of_a_sorted_set()).unwrap();
    let mut client = servers.0.client();
    client.command(&cmd!["DEBUG", "RELOAD", "NOSAVE"]);
    assert_eq!(client.command(&cmd!["ZRANGE", "zset", 99, 99, "WITHSCORES"]).items()[1].text(), "12.375");
    drop(client);
    moves(&servers, "limits: {}");
    let windows = (0..MEMBERS / 10_000)
        .map(|part| format!("ZRANGE zset {} {} WITHSCORES\r\n", part * 10_000, part * 10_000 + 9999));
    let commands = windows.chain(["ZCARD zset\r\n".to_owned()]).collect::<String>();
    let compared = answer_alike([&servers.0, &servers.1], &commands);
    assert!(compared > 100_000_000, "{compared} bytes");
}
