//! Data of every type, encoding and odd shape that a server of a given age can hold.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Command, Flavour, Random, Server};
use crate::cmd;

/// 2100-01-01, as Unix milliseconds.
const CENTURY: i64 = 4_102_444_800_000;

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A dump of some ten kilobytes; every deadline lies in 2100.
    Small,
    /// Thousands of elements, megabyte values; deadlines from the past to far away.
    Full,
}

/// The commands that make the data; the same seed makes the same data.
pub struct Dataset {
    flavour: Flavour,
    size: Size,
    random: Random,
    db: u32,
    commands: Vec<(u32, Command)>,
    deadlines: BTreeMap<(u32, Vec<u8>), i64>,
}

impl Dataset {
    /// Everything the server can hold; prints the seed.
    pub fn new(flavour: Flavour, size: Size, seed: u64) -> Self {
        println!("dataset {size:?} for {} with seed {seed}", flavour.name);
        let random = Random::seeded(seed);
        let mut all = Self { flavour, size, random, db: 0, commands: vec![], deadlines: BTreeMap::new() };
        all.strings();
        all.lists();
        all.sets();
        all.hashes();
        all.sorted_sets();
        all.packed_strings();
        all.streams();
        all.expiring_fields();
        all.code();
        all.names();
        all.deadlines();
        all.databases();
        all
    }

    /// Adds so many small strings, `bulk:N` in database 0.
    pub fn with_bulk(mut self, count: usize) -> Self {
        self.db = 0;
        for index in 0..count {
            let value = self.random.word(20);
            self.add(cmd!["SET", format!("bulk:{index}"), value]);
        }
        self
    }

    /// When each key with a deadline ends (database, key, Unix milliseconds), as far as it was set by [`Dataset`].
    pub fn known_deadlines(&self) -> &BTreeMap<(u32, Vec<u8>), i64> {
        &self.deadlines
    }

    /// Makes the data at a server.
    pub fn load(&self, server: &Server) {
        let mut client = server.client();
        for part in self.commands.chunk_by(|one, two| one.0 == two.0) {
            client.select(part[0].0);
            let commands: Vec<Command> = part.iter().map(|(_, command)| command.clone()).collect();
            client.pipeline_ok(&commands);
        }
    }

    fn add(&mut self, command: Command) {
        self.commands.push((self.db, command));
    }

    fn end_at(&mut self, key: &str, deadline: i64) {
        self.add(cmd!["PEXPIREAT", key, deadline]);
        self.deadlines.insert((self.db, key.as_bytes().to_vec()), deadline);
    }

    /// One of two numbers, by size.
    fn pick<T>(&self, small: T, full: T) -> T {
        if self.size == Size::Small { small } else { full }
    }

    fn words(&mut self, count: usize, length: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.random.word(length)).collect()
    }

    fn push(&mut self, command: &str, key: &str, elements: &[Vec<u8>]) {
        for part in elements.chunks(500) {
            let mut words = cmd![command, key];
            words.extend(part.iter().cloned());
            self.add(words);
        }
    }

    fn strings(&mut self) {
        let numbers = ["0", "-1", "127", "-129", "32767", "-32769", "2147483647", "-2147483649", "9223372036854775807"];
        let looks = ["-9223372036854775808", "9223372036854775808", "007", "-0", "+1", " 12", "1.5", "12345678901", ""];
        for (index, value) in numbers.iter().chain(&looks).enumerate() {
            self.add(cmd!["SET", format!("string:number:{index}"), value]);
        }
        for length in [1, 19, 20, 21, 39, 44, 45, 63, 64, 65, 300] {
            let value = self.random.word(length);
            self.add(cmd!["SET", format!("string:length:{length}"), value]);
        }
        let every_byte: Vec<u8> = (0..=255).collect();
        self.add(cmd!["SET", "string:every byte", every_byte]);
        self.add(cmd!["SET", "string:protocol", "*1\r\n$4\r\nPING\r\n\0"]);
        for length in [16_383, 16_384, 16_385] {
            let text = &"ab".repeat(length / 2 + 1)[..length];
            self.add(cmd!["SET", format!("string:compressible:{length}"), text]);
        }
        if self.size == Size::Full {
            let noise = self.random.bytes(1 << 20);
            self.add(cmd!["SET", "string:megabyte:noise", noise]);
            self.add(cmd!["SET", "string:megabyte:text", "a megabyte of words ".repeat(52_429)]);
        }
    }

    fn lists(&mut self) {
        let mixed = cmd!["one", 2, -3, "", 70_000, "9223372036854775807", "\0\r\n", 5_000_000_000_i64, 100, -200_000];
        self.push("RPUSH", "list:mixed", &mixed);
        self.push("RPUSH", "list:one", &cmd!["alone"]);
        let words = self.words(self.pick(20, 1200), 70);
        self.push("RPUSH", "list:long words", &words);
        let words = self.words(self.pick(150, 5000), 90);
        self.push("LPUSH", "list:many nodes", &words);
        let big = cmd!["x".repeat(10_000), "small", "yz".repeat(9_000), 7];
        self.push("RPUSH", "list:big elements", &big);
        let numbers: Vec<Vec<u8>> = (0..self.pick(100, 3000)).flat_map(|number| cmd![number]).collect();
        self.push("RPUSH", "list:numbers", &numbers);
        if self.size == Size::Full {
            self.push("RPUSH", "list:repeats", &vec![b"again and again".to_vec(); 2000]);
        }
    }

    fn sets(&mut self) {
        for (name, step) in [("16", 1_i64), ("32", 100_000), ("64", 10_000_000_000)] {
            let members: Vec<Vec<u8>> = (-10..self.pick(10, 400)).flat_map(|number| cmd![number * step]).collect();
            self.push("SADD", &format!("set:integers:{name}"), &members);
        }
        self.push("SADD", "set:mixed", &cmd!["a", 1, "", "\0", -7, "a longer member of the set"]);
        let words = self.words(self.pick(20, 2000), 70);
        self.push("SADD", "set:long words", &words);
        let words = self.words(self.pick(130, 3000), 6);
        self.push("SADD", "set:many", &words);
        let numbers: Vec<Vec<u8>> = (0..self.pick(0, 3000)).flat_map(|number| cmd![number * 7]).collect();
        self.push("SADD", "set:many integers", &numbers);
    }

    fn hashes(&mut self) {
        self.push(
            "HMSET",
            "hash:mixed",
            &cmd!["name", "value", "n", 12, "", "empty name", "empty", "", "\0\n", "\r\0", -5, -70_000],
        );
        let words = self.words(self.pick(20, 1000), 70);
        self.push("HMSET", "hash:long values", &words);
        let words = self.words(self.pick(40, 4000), 9);
        self.push("HMSET", "hash:many", &words);
        self.push("HMSET", "hash:big value", &cmd!["big", "b".repeat(10_000), "small", 1]);
    }

    fn sorted_sets(&mut self) {
        let scores = [
            "inf",
            "-inf",
            "5e-324",
            "2.2250738585072014e-308",
            "1.7976931348623157e+308",
            "0.1",
            "0.30000000000000004",
            "3.1415926535897931",
            "-1.5",
            "0",
            "1",
            "9007199254740993",
            "-123456789012",
            "1e17",
            "1e-7",
        ];
        let flat: Vec<Vec<u8>> = scores.iter().flat_map(|score| cmd![score, format!("of {score}")]).collect();
        self.push("ZADD", "zset:scores", &flat);
        let same: Vec<Vec<u8>> = ["b", "a", "", "\0", "aa", "12", "-3"].iter().flat_map(|name| cmd![5, name]).collect();
        self.push("ZADD", "zset:same score", &same);
        for (key, count, length) in [("zset:long words", self.pick(20, 600), 70), ("zset:many", self.pick(30, 3000), 8)]
        {
            let mut flat = vec![];
            for word in self.words(count, length) {
                let score = f64::from_bits(self.random.next() & 0x7fef_ffff_ffff_ffff) / 3.0;
                flat.extend([format!("{score:?}").into_bytes(), word]);
            }
            self.push("ZADD", key, &flat);
        }
        // More than a listpack or ziplist holds, with whole numbers for scores.
        let flat: Vec<Vec<u8>> = (0..self.pick(140, 2000)).flat_map(|rank| cmd![rank, format!("m{rank}")]).collect();
        self.push("ZADD", "zset:ranks", &flat);
        if self.flavour.has_geo() {
            let places =
                cmd!["13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania", "-179.9", "-85", "edge"];
            self.push("GEOADD", "geo", &places);
        }
    }

    /// Strings with an inner structure.
    fn packed_strings(&mut self) {
        let words = self.words(100, 10);
        self.push("PFADD", "hyperloglog:sparse", &words);
        let words = self.words(self.pick(1, 6000), 10);
        self.push("PFADD", "hyperloglog:many", &words);
        for bit in [0, 7, 8, 4711, 100_000] {
            self.add(cmd!["SETBIT", "bitmap", bit, 1]);
        }
    }

    fn streams(&mut self) {
        if !self.flavour.has_streams() {
            return;
        }
        let count = self.pick(110, 700);
        for index in 1..=count {
            let value = self.random.word(12);
            self.add(cmd![
                "XADD",
                "stream:many nodes",
                format!("{}-{}", 1000 + index / 3, index % 3 + 1),
                "same",
                value,
                "n",
                index
            ]);
        }
        for (index, fields) in
            [&["a", "1"][..], &["a", "2", "b", ""], &["", "\0"], &["c", "-70000", "c", "twice"]].iter().enumerate()
        {
            let mut command = cmd!["XADD", "stream:fields", format!("{}-0", index + 1)];
            command.extend(fields.iter().map(|word| word.as_bytes().to_vec()));
            self.add(command);
        }
        self.add(cmd!["XADD", "stream:fields", "18446744073709551614-18446744073709551615", "last", "v".repeat(5000)]);
        for index in [2, 30, 31, 32, 33] {
            self.add(cmd!["XDEL", "stream:many nodes", format!("{}-{}", 1000 + index / 3, index % 3 + 1)]);
        }
        self.add(cmd!["XADD", "stream:emptied", "5-5", "gone", 1]);
        self.add(cmd!["XDEL", "stream:emptied", "5-5"]);
        self.add(cmd!["XGROUP", "CREATE", "stream:never filled", "waiting", "$", "MKSTREAM"]);
        self.add(cmd!["XADD", "stream:ahead", "1-1", "f", "v"]);
        self.add(cmd!["XSETID", "stream:ahead", "99-99"]);
        for index in 1..=20 {
            self.add(cmd!["XADD", "stream:trimmed", "MAXLEN", 5, format!("{index}-1"), "f", index]);
        }
        self.groups();
    }

    fn groups(&mut self) {
        let key = "stream:many nodes";
        for (group, start) in [("readers", "0"), ("late", "1020-1"), ("end", "$"), ("binary \0\r\n", "0-0")] {
            self.add(cmd!["XGROUP", "CREATE", key, group, start]);
        }
        for (group, consumer, count) in [("readers", "ann", 12), ("readers", "bob", 7), ("late", "ann", 3)] {
            self.add(cmd!["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"]);
        }
        self.add(cmd!["XACK", key, "readers", "1000-2", "1001-2", "1001-3"]);
        // One entry that is pending and deleted, one that went to another consumer and was delivered often.
        self.add(cmd!["XDEL", key, "1002-1"]);
        self.add(cmd![
            "XCLAIM",
            key,
            "readers",
            "bob",
            0,
            "1002-2",
            "TIME",
            1_600_000_000_000_i64,
            "RETRYCOUNT",
            9,
            "JUSTID"
        ]);
        if self.flavour.has_idle_consumers() {
            self.add(cmd!["XGROUP", "CREATECONSUMER", key, "readers", "idle"]);
        }
    }

    fn expiring_fields(&mut self) {
        if !self.flavour.has_field_expiry() {
            return;
        }
        for (key, count) in [("hash:expiring", 6), ("hash:expiring many", self.pick(20, 1000))] {
            let fields: Vec<Vec<u8>> =
                (0..count).flat_map(|index| cmd![format!("f{index}"), "v".repeat(index * 7 % 80)]).collect();
            self.push("HSET", key, &fields);
            for index in (0..count).step_by(2) {
                let deadline = CENTURY + i64::try_from(index).unwrap() * 1_234_567;
                self.add(cmd!["HPEXPIREAT", key, deadline, "FIELDS", 1, format!("f{index}")]);
            }
        }
        self.add(cmd!["HSET", "hash:expiring whole", "one", 1, "two", 2]);
        self.add(cmd!["HPEXPIREAT", "hash:expiring whole", CENTURY, "FIELDS", 2, "one", "two"]);
        self.end_at("hash:expiring whole", CENTURY + 5);
    }

    /// What is no key: scripts and functions.
    fn code(&mut self) {
        self.add(cmd!["SCRIPT", "LOAD", "return redis.call('get', KEYS[1])"]);
        if self.flavour.has_functions() {
            for name in ["first", "second"] {
                let call = format!("redis.register_function('{name}_call', function(keys, words) return words[1] end)");
                self.add(cmd!["FUNCTION", "LOAD", format!("#!lua name={name}\n{call}\n")]);
            }
        }
    }

    fn names(&mut self) {
        let long = "k".repeat(300);
        let names: [&[u8]; 14] = [
            b"",
            b" ",
            b"two words",
            b"line\nbreak\r\n",
            "snöwman ☃ 雪".as_bytes(),
            b"{tag}one",
            b"{tag}two",
            b"{}",
            b"12345",
            b"-7",
            b"70000",
            b"\xff\x00\xfe",
            b"\"quoted\" \\",
            long.as_bytes(),
        ];
        for (index, name) in names.into_iter().enumerate() {
            self.add(cmd!["SET", name, index]);
        }
        let noise = self.random.bytes(1000);
        self.add(cmd!["RPUSH", noise, "under a random name"]);
    }

    fn deadlines(&mut self) {
        let kinds = [("string", cmd!["SET"]), ("list", cmd!["RPUSH"]), ("set", cmd!["SADD"])];
        for (index, (kind, command)) in (0_i64..).zip(kinds) {
            let key = format!("ends:century:{kind}");
            self.add([command, cmd![key, "value"]].concat());
            self.end_at(&key, CENTURY + index);
        }
        self.add(cmd!["HMSET", "ends:century:hash", "field", "value"]);
        self.end_at("ends:century:hash", CENTURY + 1_000_000_007);
        self.add(cmd!["ZADD", "ends:century:zset", 1, "member"]);
        self.end_at("ends:century:zset", CENTURY * 3);
        if self.size == Size::Small {
            return;
        }
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        for (name, after) in [("soon", 3_000), ("minutes", 300_000), ("year", 31_536_000_000)] {
            let key = format!("ends:{name}");
            self.add(cmd!["SET", key, name]);
            self.end_at(&key, now + after);
        }
        // Expired and still in memory: nobody looks at them and the server does not search for them.
        self.add(cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0]);
        for index in 0..20 {
            self.add(cmd!["SET", format!("ends:past:{index}"), "expired"]);
            self.add(cmd!["PEXPIRE", format!("ends:past:{index}"), 1]);
        }
    }

    /// The same names with other values in the other databases.
    fn databases(&mut self) {
        for db in 1..16 {
            self.db = db;
            let word = self.random.word(30);
            self.add(cmd!["SET", "shared", word]);
            self.add(cmd!["RPUSH", "shared:list", "db", db]);
            self.add(cmd!["ZADD", "shared:zset", db, "member"]);
            self.add(cmd!["SET", "shared:ends", db]);
            self.end_at("shared:ends", CENTURY + i64::from(db));
        }
        self.db = 0;
    }
}
