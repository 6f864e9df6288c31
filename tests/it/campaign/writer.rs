//! Clients of the source whose commands must be carried out exactly once, and whose keys live from a millisecond to minutes.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    ack_log::AckLog,
    story::{self, Features},
};
use crate::harness::{Client, Command, Proxy, Random, Reply};

/// Writers at work. Dropping them stops them.
pub struct Writers {
    stop: Arc<AtomicBool>,
    resting: Arc<AtomicBool>,
    at_rest: Arc<AtomicU64>,
    pub log: AckLog,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    /// So many writers that connect to this port and write what these features allow.
    pub fn start(features: Features, port: u16, count: u64, pace: Duration, seed: u64) -> Self {
        let mut writers = Self {
            stop: Arc::default(),
            resting: Arc::default(),
            at_rest: Arc::default(),
            log: AckLog::default(),
            threads: vec![],
        };
        for number in 0..count {
            let writer = Writer {
                number,
                features,
                port,
                pace,
                random: Random::seeded(seed.wrapping_add(number)),
                stop: Arc::clone(&writers.stop),
                resting: Arc::clone(&writers.resting),
                at_rest: Arc::clone(&writers.at_rest),
                log: writers.log.clone(),
                stories: VecDeque::new(),
                told: 0,
            };
            writers.threads.push(thread::spawn(move || writer.work()));
        }
        writers
    }

    /// Lets every writer rest; one that waits for an answer for long loses its connection.
    pub fn rest(&self, connections: &Proxy) {
        self.resting.store(true, SeqCst);
        let mut since = Instant::now();
        while self.at_rest.load(SeqCst) < self.threads.len() as u64 {
            if since.elapsed() > Duration::from_millis(150) {
                connections.cut();
                since = Instant::now();
            }
            thread::sleep(Duration::from_millis(1));
        }
        // What a cut connection had sent and the source had not read would be carried out once a pause ends.
        connections.cut();
    }

    pub fn work(&self) {
        self.resting.store(false, SeqCst);
    }

    pub fn is_resting(&self) -> bool {
        self.resting.load(SeqCst)
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

struct Writer {
    number: u64,
    features: Features,
    port: u16,
    pace: Duration,
    random: Random,
    stop: Arc<AtomicBool>,
    resting: Arc<AtomicBool>,
    at_rest: Arc<AtomicU64>,
    log: AckLog,
    /// What is to be sent, and when.
    stories: VecDeque<(Instant, Command)>,
    /// Stories begun so far.
    told: u64,
}

impl Writer {
    fn work(mut self) {
        let mut client = None;
        while !self.stop.load(SeqCst) {
            if self.resting.load(SeqCst) {
                self.rest();
                continue;
            }
            let Some(open) = &mut client else {
                client = self.connect();
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            if self.step(open).is_none() {
                client = None;
            }
            thread::sleep(self.pace);
        }
    }

    fn connect(&self) -> Option<Client> {
        let mut client = Client::connect(self.port).ok()?;
        let reply = client.exchange(&crate::cmd!["SELECT", super::world::db(self.number)]).ok()?;
        (!reply.is_error()).then_some(client)
    }

    fn rest(&self) {
        self.at_rest.fetch_add(1, SeqCst);
        while self.resting.load(SeqCst) && !self.stop.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        self.at_rest.fetch_sub(1, SeqCst);
    }

    /// Sends one command; `None` when nobody knows whether it was carried out.
    fn step(&mut self, client: &mut Client) -> Option<()> {
        if self.random.between(0, 10) == 0 {
            let number = self.log.next(self.number);
            let reply = client.exchange(&crate::cmd!["RPUSH", AckLog::key(self.number), number]).ok()?;
            if matches!(reply, Reply::Int(_)) {
                self.log.acknowledge(self.number, number);
            }
            return alive(&reply);
        }
        let command = self.next();
        let mut reply = Reply::Nil;
        // A transaction is a story of one moment: all of it goes out together.
        let words = if command[0] == b"MULTI" { split(&command) } else { vec![command] };
        for word in &words {
            reply = client.exchange(word).ok()?;
            alive(&reply)?;
        }
        alive(&reply)
    }

    /// The command whose time has come, of a story that is under way or of a new one.
    fn next(&mut self) -> Command {
        let now = Instant::now();
        if let Some(index) = (0..self.stories.len()).find(|index| self.stories[*index].0 <= now)
            && let Some((_, command)) = self.stories.remove(index)
        {
            return command;
        }
        self.told += 1;
        let names = (self.number, self.told);
        let mut at = now;
        for (wait, command) in story::new(&mut self.random, self.features, names) {
            at += wait;
            self.stories.push_back((at, command));
        }
        self.stories.pop_front().map_or_else(|| crate::cmd!["PING"], |(_, command)| command)
    }
}

/// A server that is going or loading ends the connection for us.
fn alive(reply: &Reply) -> Option<()> {
    let gone = ["LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "MISCONF"];
    let text = if reply.is_error() { format!("{reply:?}") } else { String::new() };
    (!gone.iter().any(|word| text.contains(word))).then_some(())
}

/// `MULTI`, what follows the separators, `EXEC`.
fn split(command: &Command) -> Vec<Command> {
    let parts = command[1..].split(|word| word == story::NEXT).map(<[Vec<u8>]>::to_vec);
    [vec![crate::cmd!["MULTI"]], parts.collect(), vec![crate::cmd!["EXEC"]]].concat()
}
