//! What is copied and what is followed.

use std::fmt::Write as _;

use crate::{cmd, harness::Client};

/// Keys of a source that a full copy brings over.
pub struct Dataset {
    pub name: &'static str,
    pub about: &'static str,
    fill: fn(&mut Filler, &dyn Fn(u64) -> u64),
}

pub const DATASETS: &[Dataset] = &[
    Dataset { name: "strings", about: "strings of 64 bytes", fill: |filler, scaled| filler.strings(scaled(1_000_000)) },
    Dataset {
        name: "mixed",
        about: "five strings of 64 bytes to each list, set, hash or sorted set of 20 elements",
        fill: |filler, scaled| {
            filler.strings(scaled(1_000_000));
            filler.mixed(scaled(200_000));
        },
    },
    Dataset {
        name: "big",
        about: "strings of 8 MiB, and hashes and lists of 100 000 elements",
        fill: |filler, scaled| filler.big(scaled(16)),
    },
    Dataset {
        name: "databases",
        about: "strings of 64 bytes with an expiry in 16 databases",
        fill: |filler, scaled| filler.databases(scaled(500_000)),
    },
];

impl Dataset {
    /// Fills a server with it.
    pub fn fill(&self, client: Client, scaled: &dyn Fn(u64) -> u64) {
        let mut filler = Filler { client, batch: vec![] };
        (self.fill)(&mut filler, scaled);
        filler.flush(1);
    }
}

struct Filler {
    client: Client,
    batch: Vec<Vec<Vec<u8>>>,
}

impl Filler {
    fn add(&mut self, command: Vec<Vec<u8>>) {
        self.batch.push(command);
        self.flush(2000);
    }

    fn flush(&mut self, at: usize) {
        if self.batch.len() >= at {
            self.client.pipeline_ok(&self.batch);
            self.batch.clear();
        }
    }

    fn strings(&mut self, count: u64) {
        for number in 0..count {
            self.add(cmd!["SET", format!("key:{number:012}"), value(number, 64)]);
        }
    }

    fn mixed(&mut self, count: u64) {
        for number in 0..count {
            let name = ["RPUSH list", "SADD set", "HMSET hash", "ZADD zset"][usize::try_from(number % 4).unwrap()];
            let mut command = format!("{name}:{number:012}");
            for element in 0..20 {
                let _ = match number % 4 {
                    2 => write!(command, " field{element} value-{number}-{element}"),
                    3 => write!(command, " {element}.5 member-{number}-{element}"),
                    _ => write!(command, " element-{number}-{element}"),
                };
            }
            self.add(command.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        }
    }

    fn big(&mut self, count: u64) {
        for number in 0..count {
            self.add(cmd!["SET", format!("big:{number}"), value(number, 8 << 20)]);
            self.flush(1);
            for part in 0..100 {
                let elements = (0..1000).map(|element| part * 1000 + element);
                let mut hash = cmd!["HMSET", format!("hash:{number}")];
                let mut list = cmd!["RPUSH", format!("list:{number}")];
                for element in elements {
                    hash.extend(cmd![format!("field:{element}"), value(element, 32)]);
                    list.push(value(element, 32));
                }
                self.add(hash);
                self.add(list);
            }
        }
    }

    fn databases(&mut self, count: u64) {
        for db in 0..16 {
            self.flush(1);
            self.client.select(db);
            for number in 0..count / 16 {
                let seconds = 100_000 + number % 1000;
                self.add(cmd!["SETEX", format!("key:{number:012}"), seconds, value(number, 64)]);
            }
        }
    }
}

/// Bytes that differ per number, so that compression finds as little as in real data.
pub fn value(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        (state, _) = state.wrapping_mul(0x5851_f42d_4c95_7f2d).overflowing_add(0x1405_7b7e_f767_814f);
        bytes.extend(format!("{state:016x}").bytes().take(length - bytes.len()));
    }
    bytes
}

/// Commands that are followed.
pub struct Stream {
    pub name: &'static str,
    pub about: &'static str,
    pub count: u64,
    /// Bytes of a value.
    size: usize,
    /// INCR, LPUSH and HSET among the SETs.
    mixed: bool,
}

pub const STREAMS: &[Stream] = &[
    Stream { name: "set64", about: "SET of 64 bytes", count: 2_000_000, size: 64, mixed: false },
    Stream { name: "mixed64", about: "SET, INCR, LPUSH, HSET of 64 bytes", count: 2_000_000, size: 64, mixed: true },
    Stream { name: "mixed1k", about: "SET, INCR, LPUSH, HSET of 1 KiB", count: 200_000, size: 1024, mixed: true },
];

/// Keys of each kind.
const KEYS: u64 = 100_000;

impl Stream {
    /// Appends the command of this number, as a client sends it.
    pub fn command(&self, number: u64, out: &mut Vec<u8>) {
        let kind = if self.mixed { number % 4 } else { 0 };
        let at = (number / 4).wrapping_mul(0x9e37_79b9) % KEYS;
        match kind {
            1 => words(out, &[b"INCR", format!("counter:{at:08}").as_bytes()]),
            2 => words(out, &[b"LPUSH", format!("list:{at:08}").as_bytes(), &value(number, self.size)]),
            3 => {
                let (hash, field) = (format!("hash:{:08}", at / 16), format!("field:{}", at % 16));
                words(out, &[b"HSET", hash.as_bytes(), field.as_bytes(), &value(number, self.size)]);
            }
            _ => words(out, &[b"SET", format!("key:{at:08}").as_bytes(), &value(number, self.size)]),
        }
    }
}

/// Appends a command, as a client sends it.
pub fn words(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}
