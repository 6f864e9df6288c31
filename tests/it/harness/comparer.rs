//! Proves two servers equal, key by key, with the servers' own read commands.

use std::{
    collections::{BTreeMap, HashSet},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Client, Command, Comparison, Difference, Flavour, Reply, Server,
    value::{self, Group, Pending, Stream, Value, Vector},
};
use crate::cmd;

/// Keys looked at in one round trip.
const CHUNK: usize = 500;
/// Elements of a list, sorted set or stream read in one answer.
const PART: usize = 10_000;
/// What the tool keeps for itself at the destination.
const OWN: &[u8] = b"redis-plan:";

/// One server as the comparer reads it.
struct Side {
    client: Client,
    flavour: Flavour,
    /// Its deadlines are deferred.
    defers: bool,
}

/// A key as one side has it.
struct Seen {
    kind: String,
    /// Unix milliseconds.
    deadline: Option<i64>,
    value: Value,
}

type Wanted<'a> = Box<dyn Fn(u32, &[u8]) -> bool + 'a>;

/// What is to be compared; see [`Comparer::of`].
pub struct Comparer<'a> {
    source: Side,
    destination: Side,
    databases: Vec<(u32, u32)>,
    wanted: Wanted<'a>,
}

impl<'a> Comparer<'a> {
    /// Every key of all 16 databases, each with the database of the same number.
    pub fn of(source: &Server, destination: &Server) -> Self {
        let side = |server: &Server| Side { client: server.client(), flavour: server.flavour, defers: false };
        let databases = (0..16).map(|db| (db, db)).collect();
        Self { source: side(source), destination: side(destination), databases, wanted: Box::new(|_, _| true) }
    }

    /// The source is still followed: every deadline at the destination must be deferred.
    pub fn while_followed(mut self) -> Self {
        self.destination.defers = true;
        self
    }

    /// Compares these source databases with those destination databases; the destination's others must be empty.
    pub fn databases(mut self, pairs: &[(u32, u32)]) -> Self {
        self.databases = pairs.to_vec();
        self
    }

    /// Only the source's keys for which this is true are expected at the destination.
    pub fn only(mut self, wanted: impl Fn(u32, &[u8]) -> bool + 'a) -> Self {
        self.wanted = Box::new(wanted);
        self
    }

    pub fn run(mut self) -> Comparison {
        let mut report = Comparison::default();
        for db in 0..16 {
            let sources: Vec<u32> = self.databases.iter().filter(|pair| pair.1 == db).map(|pair| pair.0).collect();
            self.database(&sources, db, &mut report);
        }
        self.functions(&mut report);
        report
    }

    fn database(&mut self, sources: &[u32], db: u32, report: &mut Comparison) {
        self.destination.client.select(db);
        let mut left = self.destination.keys();
        for &from in sources {
            self.source.client.select(from);
            let mut keys: Vec<Vec<u8>> =
                self.source.keys().into_iter().filter(|key| (self.wanted)(from, key)).collect();
            keys.sort();
            for chunk in keys.chunks(CHUNK) {
                self.chunk(from, chunk, report);
            }
            for key in &keys {
                left.remove(key);
            }
        }
        let mut extra: Vec<Vec<u8>> = left.into_iter().filter(|key| !key.starts_with(OWN)).collect();
        extra.sort();
        // The destination's keys were listed before the source's: one whose time was up in between is no difference.
        let seen = self.destination.read(&extra, false);
        for (key, seen) in extra.into_iter().zip(seen) {
            if seen.is_none_or(|seen| seen.deadline.is_some_and(|end| end <= now() + value::TOLERANCE)) {
                report.expired += 1;
                continue;
            }
            report.differences.push(Difference { db, key, what: "only at the destination".to_owned() });
        }
    }

    fn chunk(&mut self, db: u32, keys: &[Vec<u8>], report: &mut Comparison) {
        let both = self.source.flavour.has_field_expiry();
        let here = self.source.read(keys, both);
        let there = self.destination.read(keys, both && self.destination.flavour.has_field_expiry());
        for ((key, here), there) in keys.iter().zip(here).zip(there) {
            let found = compare(here.as_ref(), there.as_ref());
            let ends = [&here, &there].into_iter().filter_map(|seen| seen.as_ref()?.deadline).min();
            if here.is_none() || (!found.is_empty() && ends.is_some_and(|end| end <= now() + value::TOLERANCE)) {
                report.expired += 1;
                continue;
            }
            let fault = |what| Difference { db, key: key.clone(), what };
            report.differences.extend(found.into_iter().map(fault));
            *report.keys.entry(here.unwrap().kind).or_default() += 1;
        }
    }

    fn functions(&mut self, report: &mut Comparison) {
        if !(self.source.flavour.has_functions() && self.destination.flavour.has_functions()) {
            return;
        }
        let (here, there) = (self.source.functions(), self.destination.functions());
        if here != there {
            let what = format!("functions {:?} against {:?}", here.keys(), there.keys());
            report.differences.push(Difference { db: 0, key: b"FUNCTION".to_vec(), what });
        }
        report.keys.insert("function".to_owned(), here.len());
    }
}

fn compare(here: Option<&Seen>, there: Option<&Seen>) -> Vec<String> {
    let (here, there) = match (here, there) {
        (Some(here), Some(there)) => (here, there),
        (Some(here), None) => return vec![format!("a {} is missing", here.kind)],
        _ => return vec![],
    };
    if here.kind != there.kind {
        return vec![format!("a {} against a {}", here.kind, there.kind)];
    }
    let mut found = here.value.differences(&there.value);
    if value::apart(here.deadline, there.deadline) {
        found.push(format!("ends {:?} against {:?}", here.deadline, there.deadline));
    }
    found
}

impl Side {
    fn keys(&mut self) -> HashSet<Vec<u8>> {
        let (mut keys, mut cursor) = (HashSet::new(), b"0".to_vec());
        loop {
            let reply = self.client.command(&cmd!["SCAN", cursor, "COUNT", 5000]);
            keys.extend(reply.items()[1].items().iter().map(|key| key.bytes().to_vec()));
            cursor = reply.items()[0].bytes().to_vec();
            if cursor == b"0" {
                return keys;
            }
        }
    }

    fn functions(&mut self) -> BTreeMap<String, String> {
        let reply = self.client.command(&cmd!["FUNCTION", "LIST", "WITHCODE"]);
        let text = |library: &Reply, name: &str| library.field(name).unwrap().text().to_owned();
        reply.items().iter().map(|library| (text(library, "library_name"), text(library, "library_code"))).collect()
    }

    /// The deadline that one read here stands for.
    fn exact(&self, deadline: i64) -> i64 {
        if self.defers { deadline - (1 << 45) } else { deadline }
    }

    /// Reads keys in few round trips; `None` for one that is not there (any more).
    fn read(&mut self, keys: &[Vec<u8>], field_expiry: bool) -> Vec<Option<Seen>> {
        let asked: Vec<Command> = keys.iter().flat_map(|key| [cmd!["TYPE", key], cmd!["PTTL", key]]).collect();
        let before = now();
        let heads = self.client.pipeline_ok(&asked);
        let read_at = i64::midpoint(before, now());
        let kinds: Vec<String> = heads.chunks(2).map(|head| head[0].text().to_owned()).collect();
        let bodies: Vec<Command> =
            keys.iter().zip(&kinds).flat_map(|(key, kind)| reads(kind, key, field_expiry)).collect();
        let mut replies = self.client.pipeline_ok(&bodies).into_iter();
        let mut seen = vec![];
        for ((key, kind), head) in keys.iter().zip(kinds).zip(heads.chunks(2)) {
            let body: Vec<Reply> = replies.by_ref().take(reads(&kind, key, field_expiry).len()).collect();
            let left = head[1].int();
            let deadline = (left >= 0).then(|| self.exact(read_at + left));
            let value = (kind != "none").then(|| self.value(&kind, key, &body));
            seen.push(value.map(|value| Seen { kind, deadline, value }));
        }
        seen
    }

    fn value(&mut self, kind: &str, key: &[u8], body: &[Reply]) -> Value {
        match kind {
            "string" if body[0] == Reply::Nil => Value::Unknown("nothing: it expired".to_owned()),
            "string" => Value::Text(body[0].bytes().to_vec()),
            "list" => Value::List(self.rest(&body[0], 1, |from, to| cmd!["LRANGE", key, from, to])),
            "set" => Value::Set(words(&body[0]).into_iter().collect()),
            "hash" => self.hash(key, body),
            "zset" => {
                let flat = self.rest(&body[0], 2, |from, to| cmd!["ZRANGE", key, from, to, "WITHSCORES"]);
                let score = |text: &[u8]| std::str::from_utf8(text).unwrap().parse::<f64>().unwrap().to_bits();
                Value::Sorted(flat.chunks(2).map(|pair| (pair[0].clone(), score(&pair[1]))).collect())
            }
            "stream" => Value::Stream(self.stream(key, body)),
            "vectorset" => {
                Value::Vectors(body[0].items().iter().map(|element| self.vector(key, element.bytes())).collect())
            }
            other => Value::Unknown(other.to_owned()),
        }
    }

    /// A first part and all that follow it.
    fn rest(&mut self, first: &Reply, width: usize, more: impl Fn(usize, usize) -> Command) -> Vec<Vec<u8>> {
        let mut all = words(first);
        let mut last = all.len();
        while last == PART * width {
            let from = all.len() / width;
            let part = words(&self.client.command(&more(from, from + PART - 1)));
            last = part.len();
            all.extend(part);
        }
        all
    }

    fn hash(&mut self, key: &[u8], body: &[Reply]) -> Value {
        let flat = words(&body[0]);
        let mut deadlines = vec![None; flat.len() / 2];
        if body.len() > 1 && !flat.is_empty() {
            let mut command = cmd!["HPEXPIRETIME", key, "FIELDS", flat.len() / 2];
            command.extend(flat.chunks(2).map(|pair| pair[0].clone()));
            let reply = self.client.command(&command);
            let exact = |deadline: &Reply| (deadline.int() >= 0).then(|| self.exact(deadline.int()));
            deadlines = reply.items().iter().map(exact).collect();
        }
        let fields =
            flat.chunks(2).zip(deadlines).map(|(pair, deadline)| (pair[0].clone(), (pair[1].clone(), deadline)));
        Value::Hash(fields.collect())
    }

    fn stream(&mut self, key: &[u8], body: &[Reply]) -> Stream {
        let mut names = vec!["length", "last-generated-id"];
        if self.flavour.has_stream_counters() {
            names.extend(["max-deleted-entry-id", "entries-added", "recorded-first-entry-id"]);
        }
        let mut entries = entries(&body[1]);
        let mut last = entries.len();
        while last == PART {
            let after = next_id(&entries.last().unwrap().0);
            let part = self::entries(&self.client.command(&cmd!["XRANGE", key, after, "+", "COUNT", PART]));
            last = part.len();
            entries.extend(part);
        }
        let groups = body[2].items().iter().map(|info| self.group(key, info)).collect();
        Stream { facts: facts(&body[0], &names), entries, groups }
    }

    fn vector(&mut self, key: &[u8], element: &[u8]) -> (Vec<u8>, Vector) {
        let replies = self.client.pipeline_ok(&[cmd!["VEMB", key, element], cmd!["VGETATTR", key, element]]);
        let attributes = if replies[1] == Reply::Nil { vec![] } else { replies[1].bytes().to_vec() };
        (element.to_vec(), Vector { components: words(&replies[0]), attributes })
    }

    fn group(&mut self, key: &[u8], info: &Reply) -> (Vec<u8>, Group) {
        let name = info.field("name").unwrap().bytes();
        let before = now();
        let replies = self
            .client
            .pipeline_ok(&[cmd!["XINFO", "CONSUMERS", key, name], cmd!["XPENDING", key, name, "-", "+", 1_000_000]]);
        let read_at = i64::midpoint(before, now());
        let pending = |entry: &Reply| Pending {
            id: entry.items()[0].text().to_owned(),
            consumer: entry.items()[1].bytes().to_vec(),
            delivered: read_at - entry.items()[2].int(),
            deliveries: entry.items()[3].int(),
        };
        let mut names = vec!["pending", "last-delivered-id"];
        if self.flavour.has_stream_counters() {
            names.push("entries-read");
        }
        let group = Group {
            facts: facts(info, &names),
            consumers: replies[0].items().iter().map(|info| info.field("name").unwrap().bytes().to_vec()).collect(),
            pending: replies[1].items().iter().map(pending).collect(),
        };
        (name.to_vec(), group)
    }
}

/// The commands that read a key of a type; two for a hash whose fields may expire, the second a mark to ask for that.
fn reads(kind: &str, key: &[u8], field_expiry: bool) -> Vec<Command> {
    match kind {
        "string" => vec![cmd!["GET", key]],
        "list" => vec![cmd!["LRANGE", key, 0, PART - 1]],
        "set" => vec![cmd!["SMEMBERS", key]],
        "hash" if field_expiry => vec![cmd!["HGETALL", key], cmd!["HLEN", key]],
        "hash" => vec![cmd!["HGETALL", key]],
        "zset" => vec![cmd!["ZRANGE", key, 0, PART - 1, "WITHSCORES"]],
        "stream" => vec![
            cmd!["XINFO", "STREAM", key],
            cmd!["XRANGE", key, "-", "+", "COUNT", PART],
            cmd!["XINFO", "GROUPS", key],
        ],
        // Asked for so many different ones it gives all.
        "vectorset" => vec![cmd!["VRANDMEMBER", key, PART]],
        _ => vec![],
    }
}

fn words(reply: &Reply) -> Vec<Vec<u8>> {
    reply.items().iter().map(|item| item.bytes().to_vec()).collect()
}

fn entries(reply: &Reply) -> Vec<(String, Vec<Vec<u8>>)> {
    let entry = |entry: &Reply| (entry.items()[0].text().to_owned(), words(&entry.items()[1]));
    reply.items().iter().map(entry).collect()
}

fn facts(reply: &Reply, names: &[&str]) -> BTreeMap<String, String> {
    names.iter().map(|name| ((*name).to_owned(), format!("{:?}", reply.field(name)))).collect()
}

/// The smallest id above one.
fn next_id(id: &str) -> String {
    let (time, number) = id.split_once('-').unwrap();
    format!("{time}-{}", number.parse::<u64>().unwrap() + 1)
}

/// Unix milliseconds.
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
