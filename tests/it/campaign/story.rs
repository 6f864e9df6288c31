//! What writers do with a key: short stories whose end shows whether every command was carried out, once, in its order and
//! before its key's life was over.

use std::time::Duration;

use crate::{
    cmd,
    harness::{Command, Flavour, Random},
};

/// Separates the commands of a transaction.
pub const NEXT: &[u8] = b";";

/// Keys of one kind that all writers share.
const SHARED: u64 = 8;

/// Commands, each so long after the one before.
type Story = Vec<(Duration, Command)>;

/// How long keys live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lives {
    /// From a millisecond to minutes.
    Short,
    /// Longer than the run takes.
    Long,
}

/// What both servers know, beside what every one does.
#[derive(Clone, Copy)]
pub struct Features {
    /// Fields of a hash that expire.
    fields: bool,
    /// `COPY`, `GETEX`, `GETDEL`.
    copy: bool,
    /// `PEXPIRE … GT`.
    options: bool,
    lives: Lives,
}

impl Features {
    pub fn of(source: Flavour, destination: Flavour, lives: Lives) -> Self {
        let both = |has: fn(&Flavour) -> bool| has(&source) && has(&destination);
        Self {
            fields: both(Flavour::has_field_expiry),
            copy: both(Flavour::has_copy),
            options: both(Flavour::sends_deadlines),
            lives,
        }
    }
}

/// Tells stories of one writer.
struct Teller<'a> {
    random: &'a mut Random,
    features: Features,
    /// Writer and story: names of this story's own keys.
    names: (u64, u64),
}

/// A new story that these features allow.
pub fn new(random: &mut Random, features: Features, names: (u64, u64)) -> Story {
    Teller { random, features, names }.story()
}

impl Teller<'_> {
    fn story(&mut self) -> Story {
        match self.random.between(0, 19) {
            0 => self.kept(),
            1 => self.handed_on(),
            2 => self.counted_on(),
            3 => self.renamed(),
            4 | 5 => self.session(),
            6 | 7 => self.fields(),
            8 => self.born_again(),
            9 | 10 => self.transaction(),
            11 => self.conditional(),
            12 => self.moved(),
            13 => self.scripted(),
            14 => self.logged(),
            _ => vec![(Duration::ZERO, self.shared())],
        }
    }

    fn own(&self, kind: &str) -> Vec<u8> {
        format!("{kind}:{}:{}", self.names.0, self.names.1).into_bytes()
    }

    fn any(&mut self, kind: &str) -> Vec<u8> {
        format!("{kind}:{}", self.random.between(0, SHARED)).into_bytes()
    }

    /// From a millisecond to minutes, most of them short.
    fn life(&mut self) -> u64 {
        match self.random.between(0, 8) {
            _ if self.features.lives == Lives::Long => self.random.between(600_000, 900_000),
            0 => self.random.between(1, 20),
            1..=4 => self.random.between(100, 900),
            5 | 6 => self.random.between(900, 8000),
            _ => self.random.between(20_000, 240_000),
        }
    }

    /// A moment well within a life.
    fn within(&mut self, life: u64) -> Duration {
        Duration::from_millis(self.random.between(0, life.min(2000) / 2 + 1))
    }

    /// Sets a life and ends it before it is over.
    fn kept(&mut self) -> Story {
        let (key, life) = (self.own("kept"), self.life());
        let wait = self.within(life);
        vec![(Duration::ZERO, cmd!["SET", key, "v", "PX", life]), (wait, cmd!["PERSIST", key])]
    }

    /// A queue with a life gives its job to one without.
    fn handed_on(&mut self) -> Story {
        let (key, life) = (self.own("queue"), self.life());
        let wait = self.within(life);
        let done = self.any("done");
        vec![
            (Duration::ZERO, cmd!["RPUSH", key, self.random.word(6)]),
            (Duration::ZERO, cmd!["PEXPIRE", key, life]),
            (wait, cmd!["RPOPLPUSH", key, done]),
        ]
    }

    fn counted_on(&mut self) -> Story {
        let (key, life) = (self.own("count"), self.life());
        let wait = self.within(life);
        let keep = if self.features.copy { cmd!["GETEX", key, "PERSIST"] } else { cmd!["PERSIST", key] };
        vec![
            (Duration::ZERO, cmd!["SET", key, 5, "PX", life]),
            (Duration::ZERO, cmd!["INCR", key]),
            (wait, keep),
            (Duration::from_millis(1), cmd!["APPEND", key, 7]),
        ]
    }

    fn renamed(&mut self) -> Story {
        let (key, other, life) = (self.own("old"), self.own("new"), self.life());
        let wait = self.within(life);
        vec![
            (Duration::ZERO, cmd!["SET", key, 1, "PX", life]),
            (wait, cmd!["RENAME", key, other]),
            (Duration::ZERO, cmd!["PERSIST", other]),
        ]
    }

    /// Renewed again and again, by every writer.
    fn session(&mut self) -> Story {
        let key = self.any("session");
        let life = if self.features.lives == Lives::Short { self.random.between(700, 1500) } else { self.life() };
        let mut story = vec![(Duration::ZERO, cmd!["SET", key, self.random.word(8), "PX", life])];
        for _ in 0..self.random.between(1, 8) {
            story.push((Duration::from_millis(200), cmd!["PEXPIRE", key, life]));
        }
        story.push((Duration::ZERO, cmd!["APPEND", key, self.random.word(3)]));
        story
    }

    fn fields(&mut self) -> Story {
        let (key, shared, life) = (self.own("hash"), self.any("rank"), self.life());
        if !self.features.fields {
            return vec![
                (Duration::ZERO, cmd!["HINCRBY", key, "f", 2]),
                (Duration::ZERO, cmd!["PEXPIRE", key, life]),
                (self.within(life), cmd!["HINCRBY", key, "g", 3]),
                (Duration::ZERO, cmd!["ZINCRBY", shared, 2, "m"]),
            ];
        }
        let wait = self.within(life);
        let keep = match self.random.between(0, 3) {
            0 => cmd!["HPERSIST", key, "FIELDS", 1, "f"],
            1 => cmd!["HPEXPIRE", key, 300_000, "FIELDS", 1, "f"],
            _ => cmd!["HINCRBY", key, "g", 1],
        };
        vec![
            (Duration::ZERO, cmd!["HSET", key, "f", 1, "g", 1, "h", 1]),
            (Duration::ZERO, cmd!["HPEXPIRE", key, life, "FIELDS", 2, "f", "g"]),
            (wait, keep),
            (Duration::ZERO, cmd!["HDEL", key, "h"]),
        ]
    }

    /// Written to again once its life is over: it begins from nothing, and lives for ever.
    fn born_again(&mut self) -> Story {
        let key = self.own("again");
        let life = if self.features.lives == Lives::Short { self.random.between(1, 60) } else { self.life() };
        let wait = Duration::from_millis(self.random.between(0, 2 * life.min(1000)));
        vec![(Duration::ZERO, cmd!["SET", key, 5, "PX", life]), (wait, cmd!["INCR", key])]
    }

    fn transaction(&mut self) -> Story {
        let mut command = cmd!["MULTI"];
        for index in 0..self.random.between(2, 6) {
            if index > 0 {
                command.push(NEXT.to_vec());
            }
            command.extend(self.shared());
        }
        vec![(Duration::ZERO, command)]
    }

    fn conditional(&mut self) -> Story {
        let (key, life) = (self.own("until"), self.life());
        let (wait, longer) = (self.within(life), life + 2000);
        let change = match self.random.between(0, 4) {
            0 if self.features.options => cmd!["PEXPIRE", key, longer, "GT"],
            1 if self.features.options => cmd!["PEXPIRE", key, life / 2 + 1, "LT"],
            2 if self.features.copy => cmd!["GETEX", key, "PX", longer],
            _ => cmd!["PEXPIRE", key, longer],
        };
        vec![
            (Duration::ZERO, cmd!["SET", key, self.random.word(5), "PX", life]),
            (wait, change),
            (Duration::ZERO, cmd!["APPEND", key, "x"]),
        ]
    }

    /// A value with a life goes to another key with or without it.
    fn moved(&mut self) -> Story {
        let (key, other, life) = (self.own("from"), self.own("to"), self.life());
        let wait = self.within(life);
        if self.features.copy {
            return vec![
                (Duration::ZERO, cmd!["SET", key, 1, "PX", life]),
                (wait, cmd!["COPY", key, other]),
                (Duration::ZERO, cmd!["PERSIST", other]),
                (Duration::ZERO, cmd!["GETDEL", key]),
            ];
        }
        vec![
            (Duration::ZERO, cmd!["SADD", key, "a", "b"]),
            (Duration::ZERO, cmd!["PEXPIRE", key, life]),
            (wait, cmd!["SUNIONSTORE", other, key, key]),
        ]
    }

    fn scripted(&mut self) -> Story {
        const BODY: &str = "local n = redis.call('incr', KEYS[1]) redis.call('lpush', KEYS[2], n) \
                            redis.call('set', KEYS[3], n, 'PX', ARGV[1]) return n";
        let (key, life) = (self.own("script"), self.life());
        let wait = self.within(life);
        let command = cmd!["EVAL", BODY, 3, self.any("number"), self.any("list"), key, life];
        vec![(Duration::ZERO, command), (wait, cmd!["PERSIST", key])]
    }

    fn logged(&mut self) -> Story {
        let (key, life) = (self.any("log"), self.life());
        let own = self.own("stream");
        vec![
            (Duration::ZERO, cmd!["XADD", key, "MAXLEN", 300, "*", "f", self.random.word(4)]),
            (Duration::ZERO, cmd!["XADD", own, "*", "f", 1]),
            (Duration::ZERO, cmd!["PEXPIRE", own, life]),
            (self.within(life), cmd!["XADD", own, "*", "f", 2]),
        ]
    }

    /// One command on a key that all writers share.
    fn shared(&mut self) -> Command {
        let word = self.random.word(7);
        let number = self.random.between(1, 9);
        let (list, text, set) = (self.any("list"), self.any("text"), self.any("set"));
        match self.random.between(0, 20) {
            0 | 1 => cmd!["INCRBY", self.any("number"), number],
            2 | 3 => cmd!["APPEND", text, word],
            4 => cmd!["SETRANGE", text, number, word],
            5 | 6 => cmd!["LPUSH", list, word],
            7 => cmd!["RPOPLPUSH", list, self.any("list")],
            8 => cmd!["LTRIM", list, 0, 60],
            9 => cmd!["HINCRBY", self.any("sum"), self.random.between(0, 20), number],
            10 => cmd!["ZINCRBY", self.any("rank"), number, self.random.between(0, 20)],
            11 => cmd!["SADD", set, word, number],
            12 => cmd!["SPOP", set],
            13 => cmd!["SMOVE", set, self.any("set"), number],
            14 => cmd!["PEXPIRE", list, self.life()],
            15 => cmd!["PERSIST", list],
            16 => cmd!["PEXPIRE", text, self.life()],
            17 => cmd!["PERSIST", text],
            18 => cmd!["RENAME", text, self.any("text")],
            _ => cmd!["DEL", self.any("rank")],
        }
    }
}
