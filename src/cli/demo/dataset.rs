//! What the demo migrates: keys of every type, small and large, with and without expiry. Made from their numbers, so
//! nothing needs to be remembered to compare them afterwards.

use redis::{Cmd, Connection, Pipeline};

use super::error::DemoError;
use crate::unit::ServerVersion;

/// Commands in one exchange.
const BATCH: usize = 500;

/// Elements in one command.
const ELEMENTS: u32 = 1_000;

/// Keys of one kind.
struct KeyKind {
    /// What the keys' names begin with.
    name: &'static str,
    shape: KeyShape,
    /// Elements of a value; bytes of a text.
    size: u32,
    /// How many of 1,000 keys are of this kind; 0 is one key however many there are.
    share: u32,
    db: u8,
    /// Milliseconds.
    expiry: Option<u64>,
}

/// The types of Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyShape {
    Text,
    Hash,
    List,
    Set,
    Ranking,
    Stream,
}

const HOUR: u64 = 3_600_000;

#[rustfmt::skip]
const KINDS: [KeyKind; 12] = [
    KeyKind { name: "page",        shape: KeyShape::Text,    size: 300,       share: 400, db: 0, expiry: None },
    KeyKind { name: "session",     shape: KeyShape::Text,    size: 120,       share: 200, db: 0, expiry: Some(24 * HOUR) },
    KeyKind { name: "user",        shape: KeyShape::Hash,    size: 8,         share: 150, db: 0, expiry: None },
    KeyKind { name: "cart",        shape: KeyShape::List,    size: 12,        share: 100, db: 3, expiry: Some(72 * HOUR) },
    KeyKind { name: "tags",        shape: KeyShape::Set,     size: 10,        share: 70,  db: 0, expiry: None },
    KeyKind { name: "rank",        shape: KeyShape::Ranking, size: 10,        share: 50,  db: 0, expiry: None },
    KeyKind { name: "log",         shape: KeyShape::Stream,  size: 5,         share: 30,  db: 1, expiry: None },
    KeyKind { name: "big-text",    shape: KeyShape::Text,    size: 4_000_000, share: 0,   db: 0, expiry: None },
    KeyKind { name: "big-hash",    shape: KeyShape::Hash,    size: 60_000,    share: 0,   db: 0, expiry: None },
    KeyKind { name: "big-list",    shape: KeyShape::List,    size: 100_000,   share: 0,   db: 3, expiry: None },
    KeyKind { name: "big-set",     shape: KeyShape::Set,     size: 60_000,    share: 0,   db: 0, expiry: None },
    KeyKind { name: "big-ranking", shape: KeyShape::Ranking, size: 60_000,    share: 0,   db: 0, expiry: Some(24 * HOUR) },
];

/// The keys of a demo.
pub(super) struct Dataset {
    /// About how many keys.
    size: u32,
    /// The source has streams.
    streams: bool,
}

/// One key.
pub(super) struct Key {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    pub(super) shape: KeyShape,
    /// Its database.
    pub(super) db: u8,
    size: u32,
    expiry: Option<u64>,
}

impl Dataset {
    /// About `size` keys that a server of `version` can hold.
    pub(super) fn new(size: u32, version: ServerVersion) -> Self {
        Self { size, streams: version.has_redis((5, 0)) }
    }

    /// How many keys it has.
    pub(super) fn keys(&self) -> usize {
        self.iter().count()
    }

    /// Every key, those of one database together.
    pub(super) fn iter(&self) -> impl Iterator<Item = Key> {
        let mut kinds: Vec<&KeyKind> =
            KINDS.iter().filter(|kind| self.streams || kind.shape != KeyShape::Stream).collect();
        kinds.sort_by_key(|kind| kind.db);
        let size = u64::from(self.size);
        kinds.into_iter().flat_map(move |kind| {
            let count = (size * u64::from(kind.share) / 1000).max(1);
            (0..count).map(|number| Key {
                name: format!("{}:{number}", kind.name),
                shape: kind.shape,
                db: kind.db,
                size: kind.size,
                expiry: kind.expiry,
            })
        })
    }

    /// Writes every key.
    pub(super) fn load(&self, connection: &mut Connection) -> Result<(), DemoError> {
        let mut batch = Pipeline::new();
        let mut db = 0;
        for key in self.iter() {
            if key.db != db {
                db = key.db;
                batch.cmd("SELECT").arg(db).ignore();
            }
            for command in key.commands() {
                batch.add_command(command).ignore();
                if batch.len() >= BATCH {
                    batch.exec(connection)?;
                    batch.clear();
                }
            }
        }
        batch.exec(connection)?;
        Ok(redis::cmd("SELECT").arg(0).exec(connection)?)
    }
}

impl Key {
    /// The commands that make the key.
    fn commands(&self) -> Vec<Cmd> {
        let mut words = RandomText::of(&self.name);
        let mut commands = match self.shape {
            KeyShape::Text => vec![self.command("SET").arg(words.text(self.size)).take()],
            KeyShape::Stream => (1..=self.size)
                .map(|id| self.command("XADD").arg(format!("{id}-1")).arg("event").arg(words.next()).take())
                .collect(),
            shape => self.in_chunks(shape, &mut words),
        };
        if let Some(expiry) = self.expiry {
            commands.push(self.command("PEXPIRE").arg(expiry).take());
        }
        commands
    }

    fn in_chunks(&self, shape: KeyShape, words: &mut RandomText) -> Vec<Cmd> {
        let chunk = |first: u32| {
            let elements = first..self.size.min(first + ELEMENTS);
            match shape {
                // Before Redis 4.0, HSET takes one field only.
                KeyShape::Hash => elements.fold(self.command("HMSET"), |mut command, element| {
                    command.arg(format!("field-{element}")).arg(words.next()).take()
                }),
                KeyShape::List => {
                    elements.fold(self.command("RPUSH"), |mut command, _| command.arg(words.next()).take())
                }
                KeyShape::Ranking => elements.fold(self.command("ZADD"), |mut command, element| {
                    command.arg(words.number() % 100_000).arg(format!("member-{element}")).take()
                }),
                _ => elements.fold(self.command("SADD"), |mut command, _| command.arg(words.next()).take()),
            }
        };
        (0..self.size).step_by(ELEMENTS as usize).map(chunk).collect()
    }

    /// A command on this key.
    fn command(&self, name: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(&self.name);
        command
    }

    /// The command that reads the whole value.
    pub(super) fn read(&self) -> Cmd {
        match self.shape {
            KeyShape::Text => self.command("GET"),
            KeyShape::Hash => self.command("HGETALL"),
            KeyShape::List => self.command("LRANGE").arg(0).arg(-1).take(),
            KeyShape::Set => self.command("SMEMBERS"),
            KeyShape::Ranking => self.command("ZRANGE").arg(0).arg(-1).arg("WITHSCORES").take(),
            KeyShape::Stream => self.command("XRANGE").arg("-").arg("+").take(),
        }
    }

    /// The command that reads the time to live.
    pub(super) fn read_expiry(&self) -> Cmd {
        self.command("PTTL")
    }
}

/// Text that looks random and is the same every time.
struct RandomText(u64);

impl RandomText {
    fn of(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    /// The next number of splitmix64.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn next(&mut self) -> String {
        format!("{:016x}", self.number())
    }

    /// About `bytes` of text, with NUL and bytes that are no UTF-8 in it.
    fn text(&mut self, bytes: u32) -> Vec<u8> {
        let mut text = b"\x00\xff".to_vec();
        while text.len() < bytes as usize {
            text.extend_from_slice(self.next().as_bytes());
        }
        text
    }
}
