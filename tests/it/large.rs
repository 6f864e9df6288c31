//! Values that are larger than the memory the tool may take.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use std::time::Duration;

use crate::{
    cmd,
    faults::{tool, until},
    following::{IDLE, await_applied, figure, follow},
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

/// Writes a command word by word, without holding it; the words behind the name have so many bytes each, or are short.
fn write_large(source: &Server, words: &[(&str, usize)]) {
    let mut link = TcpStream::connect(("127.0.0.1", source.port())).unwrap();
    write!(link, "*{}\r\n", words.len()).unwrap();
    let mut noise = Random::seeded(5).bytes(1 << 20);
    for (word, times) in words {
        // Each value is another one.
        noise[0] = noise[0].wrapping_add(1);
        let parts: Vec<&[u8]> = if *times == 0 { vec![word.as_bytes()] } else { vec![&noise; *times] };
        write!(link, "${}\r\n", parts.iter().map(|part| part.len()).sum::<usize>()).unwrap();
        for part in parts {
            link.write_all(part).unwrap();
        }
        link.write_all(b"\r\n").unwrap();
    }
    let mut answer = [0; 5];
    link.read_exact(&mut answer).unwrap();
    assert!(matches!(answer[0], b'+' | b':'), "{}", answer.escape_ascii());
}

/// Follows while such commands are written one after another; the tool holds at most so many MiB, and each arrives.
fn passes(commands: &[&[(&str, usize)]], keys: &[&str], most: u64) {
    let limit = |server: &str| Server::of(server).arg("--client-query-buffer-limit", "3gb").start();
    let (source, destination) = (limit("redis-7.2.4"), limit("redis-7.2.4"));
    let plan = Plan::between(&source, &destination).line("buffer: { replica_output: unlimited, restore: always }");
    let tool = tool(&plan.following(IDLE)).limit(Duration::from_mins(4));
    let mut run = follow(&tool);
    for command in commands {
        write_large(&source, command);
    }
    let written = crate::following::offset(&source);
    while figure(&tool, "applied").is_none_or(|applied| applied < written) {
        assert!(run.is_running(), "{}", run.wait());
        std::thread::sleep(Duration::from_millis(100));
    }
    await_applied(&tool, &mut run, &source);
    let ended = run.wait().expect(0);
    println!("| {} bytes of commands | {} MiB | {:?}", written, ended.peak_memory >> 20, ended.took);
    let mut command = cmd!["DEBUG", "DIGEST-VALUE"];
    command.extend(keys.iter().flat_map(|key| cmd![key]));
    let [here, there] = [&source, &destination].map(|server| server.client().command(&command));
    assert_eq!(here, there);
    assert!(here.items().iter().all(|digest| *digest != Reply::Simple("0".repeat(40))), "{here:?}");
    until("deadlines are exact", || destination.client().command(&cmd!["PTTL", keys[0]]).int() < 10_000_000);
    assert!(ended.peak_memory < most << 20, "{} MiB\n{ended}", ended.peak_memory >> 20);
}

#[test]
fn a_value_of_256_megabytes_in_the_stream_is_held_once() {
    let set: &[(&str, usize)] = &[("SET", 0), ("a", 0), ("", 256)];
    let again: &[(&str, usize)] = &[("SET", 0), ("b", 0), ("", 256)];
    let expiring: &[(&str, usize)] = &[("SET", 0), ("c", 0), ("", 256), ("PX", 0), ("9000000", 0)];
    passes(&[set, again, expiring], &["a", "b", "c"], 384);
}

#[test]
fn a_command_of_nearly_one_gibibyte_in_the_stream_is_held_once() {
    let all: &[(&str, usize)] = &[("MSET", 0), ("a", 0), ("", 500), ("b", 0), ("", 500)];
    passes(&[all], &["a", "b"], 1536);
}

/// Moves a key with a name of so many bytes, set before the copy or while the source is followed; answers the peak of memory in MiB.
fn long_name_arrives(length: usize, is_followed: bool) -> u64 {
    let (source, destination) = servers();
    let name = "n".repeat(length);
    let set = || source.client().command(&cmd!["SET", name, "v"]);
    if !is_followed {
        set();
    }
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut run = follow(&tool);
    if is_followed {
        set();
    }
    await_applied(&tool, &mut run, &source);
    let ended = run.wait().expect(0);
    assert_eq!(destination.client().command(&cmd!["STRLEN", name]).int(), 1);
    println!("| a name of {} MiB, followed: {is_followed} | {} MiB |", length >> 20, ended.peak_memory >> 20);
    ended.peak_memory >> 20
}

/// Names are held: this is what the longest ones cost.
#[test]
fn the_longest_names_arrive() {
    assert!(long_name_arrives(16 << 20, false) < 256);
    assert!(long_name_arrives((64 << 20) - 1, true) < 512);
}

#[test]
fn a_longer_name_in_the_stream_ends_the_run_by_name() {
    let (source, destination) = servers();
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let run = follow(&tool);
    source.client().command(&cmd!["SET", "n".repeat((64 << 20) + 1), "v"]);
    let ended = run.wait().expect(3).because("R321");
    ended.says("`SET` on a key whose name has 67108865 bytes, of at most 67108864");
    assert!(destination.client().command(&cmd!["KEYS", "n*"]).items().is_empty());
}
