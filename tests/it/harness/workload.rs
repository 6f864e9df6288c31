//! Clients that write what must be carried out exactly once, until they are told to stop.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Client, Command, Flavour, Random};
use crate::cmd;

/// Keys of one kind: few, so that the clients meet.
const KEYS: u64 = 12;

/// Clients at work. Dropping it stops them.
pub struct Workload {
    stop: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<u64>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Acknowledged {
    /// Commands that were answered, by all clients.
    pub commands: u64,
    /// By client: how often its own counter `own:<client>` was raised.
    pub own: Vec<u64>,
}

impl Workload {
    /// So many clients of the server on this port, each waiting a moment after a command. A client whose connection breaks
    /// opens another one. What they do follows from the seed.
    pub fn start(flavour: Flavour, port: u16, clients: u64, pause: Duration, seed: u64) -> Self {
        let (stop, paused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let done = Arc::new(AtomicU64::new(0));
        let clients = (0..clients)
            .map(|number| {
                let one = One { flavour, number, random: Random::seeded(seed.wrapping_add(number)), own: 0 };
                let (stop, paused, done) = (Arc::clone(&stop), Arc::clone(&paused), Arc::clone(&done));
                thread::spawn(move || one.work(port, pause, (&stop, &paused), &done))
            })
            .collect();
        Self { stop, paused, done, clients }
    }

    /// Commands answered so far.
    pub fn done(&self) -> u64 {
        self.done.load(SeqCst)
    }

    /// Lets the clients rest, or go on; one that is in the middle of something ends it first.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, SeqCst);
    }

    /// Stops the clients, each behind its last answer.
    pub fn stop(mut self) -> Acknowledged {
        self.stop.store(true, SeqCst);
        let own = self.clients.drain(..).map(|client| client.join().unwrap()).collect();
        Acknowledged { commands: self.done(), own }
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

/// One client.
struct One {
    flavour: Flavour,
    number: u64,
    random: Random,
    /// How often its own counter was raised.
    own: u64,
}

impl One {
    fn work(mut self, port: u16, pause: Duration, (stop, paused): (&AtomicBool, &AtomicBool), done: &AtomicU64) -> u64 {
        let mut client = None;
        while !stop.load(SeqCst) {
            if paused.load(SeqCst) {
                thread::sleep(pause.max(Duration::from_millis(1)));
                continue;
            }
            let Some(open) = &mut client else {
                client = Client::connect(port).ok();
                if client.is_none() {
                    thread::sleep(Duration::from_millis(20));
                }
                continue;
            };
            match self.step(open) {
                Ok(answered) => {
                    done.fetch_add(answered, SeqCst);
                    thread::sleep(pause);
                }
                // The server went, or loads: whether the last command was carried out is the server's to know.
                Err(_) => client = None,
            }
        }
        self.own
    }

    /// Sends something; answers how many commands that were.
    fn step(&mut self, client: &mut Client) -> io::Result<u64> {
        if self.random.between(0, 40) == 0 {
            let db = [0, 0, 1, 9][usize::try_from(self.random.between(0, 4)).unwrap()];
            sent(client, &cmd!["SELECT", db])?;
        }
        match self.random.between(0, 12) {
            0 => {
                let commands: Vec<Command> = (0..self.random.between(2, 7)).map(|_| self.one()).collect();
                sent(client, &cmd!["MULTI"])?;
                for command in &commands {
                    sent(client, command)?;
                }
                sent(client, &cmd!["EXEC"])?;
                Ok(commands.len() as u64 + 2)
            }
            1 => {
                // In database 0 and answered: at the end it is at least this.
                sent(client, &cmd!["SELECT", 0])?;
                sent(client, &cmd!["INCR", format!("own:{}", self.number)])?;
                self.own += 1;
                Ok(2)
            }
            _ => {
                let command = self.one();
                sent(client, &command)?;
                Ok(1)
            }
        }
    }

    fn key(&mut self, kind: &str) -> Vec<u8> {
        format!("{kind}:{}", self.random.between(0, KEYS)).into_bytes()
    }

    /// A command that must be carried out exactly once, and in its place.
    fn one(&mut self) -> Command {
        let word = self.random.word(9);
        let number = self.random.between(1, 9);
        let (key, list) = (self.key("count"), self.key("list"));
        match self.random.between(0, 24) {
            0 => cmd!["INCR", key],
            1 => cmd!["DECRBY", key, number],
            2 => cmd!["INCRBYFLOAT", self.key("float"), "0.25"],
            3 | 4 => cmd!["APPEND", self.key("text"), word],
            5 => cmd!["SETRANGE", self.key("text"), number, word],
            6 | 7 => cmd!["LPUSH", list, word],
            8 => cmd!["RPUSH", list, word, number],
            9 | 10 => cmd!["RPOPLPUSH", list, self.key("list")],
            11 => cmd!["LTRIM", list, 0, 40],
            12 => cmd!["LPOP", list],
            13 => cmd!["ZINCRBY", self.key("rank"), number, self.random.between(0, 30)],
            14 => cmd!["HINCRBY", self.key("hash"), self.random.between(0, 30), number],
            15 => cmd!["SPOP", self.key("set")],
            16 => cmd!["SADD", self.key("set"), word, number],
            17 => cmd!["RENAME", self.key("text"), self.key("text")],
            18 => cmd!["DEL", self.key("text"), self.key("rank")],
            19 => self.script(&key, &list),
            20 if self.flavour.has_streams() => {
                cmd!["XADD", self.key("log"), "MAXLEN", "~", 200, "*", "f", word]
            }
            20 => cmd!["GETSET", self.key("swap"), word],
            21 => cmd!["EVAL", "for i = 1, 3 do redis.call('incr', KEYS[1]) end return 1", 1, key],
            22 if self.flavour.sends_deadlines() => cmd!["EXPIRE", self.key("rank"), 5000 + number],
            22 => cmd!["EXPIREAT", self.key("rank"), 4_102_444_800_u64 + number],
            _ => cmd!["SUNIONSTORE", self.key("set"), self.key("set"), self.key("set")],
        }
    }

    /// A script whose effect depends on what it finds.
    fn script(&mut self, count: &[u8], list: &[u8]) -> Command {
        let body = "local n = redis.call('incr', KEYS[1]) \
                    redis.call('lpush', KEYS[2], ARGV[1] .. n) \
                    if n % 3 == 0 then redis.call('rpop', KEYS[2]) end \
                    return n";
        let word = self.random.word(4);
        cmd!["EVAL", body, 2, count, list, word]
    }
}

/// Sends a command. An error that the command itself causes is an answer; one of a server that is going is not.
fn sent(client: &mut Client, command: &[Vec<u8>]) -> io::Result<()> {
    let reply = client.exchange(command)?;
    let gone = ["LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "MISCONF"];
    if reply.is_error() && gone.iter().any(|word| format!("{reply:?}").contains(word)) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    Ok(())
}
