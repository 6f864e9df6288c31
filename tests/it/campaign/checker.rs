//! Compares a destination with its source as a replica would be compared: values and deadlines, to the millisecond where the
//! source sends deadlines.
//!
//! Both sides rest, so between two reads a key or a field can only end. The destination is read before and after the source:
//! what the source has, the first read has, and what the second read has, the source has.

use std::collections::{BTreeMap, BTreeSet};

use super::ack_log::AckLog;
use crate::{
    cmd,
    harness::{Client, Command, Flavour, Reply, Server},
};

/// Keys in one transaction.
const CHUNK: usize = 400;
/// How far two deadlines may be apart where the source sends how long a key lives, not until when; in milliseconds: a receipt
/// that is no later than 1.5 s is taken for the moment of the command. A replica that is promoted counts from its own receipt.
const RELATIVE: i64 = 2000;
/// How far two servers' clocks of one host are apart, as they are read once a command.
const SAME: i64 = 5;

/// A deadline in Unix milliseconds, not known better than this.
type Deadline = Option<(i64, i64)>;

/// A key as one side has it.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    kind: String,
    deadline: Deadline,
    /// When it was read.
    read_at: i64,
    value: Reply,
    /// Of a hash: field, value and deadline.
    fields: BTreeMap<Vec<u8>, (Vec<u8>, i64)>,
}

type Dataset = BTreeMap<(u32, Vec<u8>), Entry>;

/// What a comparison came to.
pub struct Checked {
    pub keys: usize,
    /// Keys that differ from the source and are the same at its own replica.
    pub as_replica: usize,
    pub differences: Vec<String>,
}

/// A source, its own replica and the destination, all at rest.
pub struct Checker<'a> {
    pub source: &'a Server,
    pub control: &'a Server,
    pub destination: &'a Server,
    /// How often a replica became the source.
    pub promotions: i64,
}

impl Checker<'_> {
    pub fn run(&self) -> Checked {
        let fields = self.source.flavour.has_field_expiry() && self.destination.flavour.has_field_expiry();
        let early = read(self.destination, fields);
        let source = read(self.source, fields);
        let late = read(self.destination, fields);
        let control = read(self.control, fields);
        let apart = RELATIVE * (1 + self.promotions);
        let (slack, exact) = if self.source.flavour.sends_deadlines() { (SAME, 0) } else { (apart, apart) };
        let mut checked = Checked { keys: source.len(), as_replica: 0, differences: vec![] };
        let names: BTreeSet<_> = early.keys().chain(source.keys()).chain(late.keys()).collect();
        for name in names {
            let sides = Sides { early: early.get(name), source: source.get(name), late: late.get(name), slack, exact };
            let Some(difference) = sides.difference() else { continue };
            let replica = Sides { source: control.get(name), ..sides };
            if control.get(name) != source.get(name) && replica.difference().is_none() {
                checked.as_replica += 1;
                continue;
            }
            let (db, key) = (name.0, name.1.escape_ascii());
            checked.differences.push(format!("db {db} \"{key}\": {difference}"));
        }
        checked
    }

    /// What is wrong with the lists of acknowledged writes at the destination.
    pub fn acknowledged(&self, log: &AckLog, db: impl Fn(u64) -> u32) -> Vec<String> {
        let mut client = self.destination.client();
        let mut faults = vec![];
        for writer in log.writers() {
            client.select(db(writer));
            let reply = client.command(&cmd!["LRANGE", AckLog::key(writer), 0, -1]);
            let list: Vec<u64> = reply.items().iter().map(|item| item.text().parse().unwrap()).collect();
            let fault = log.faults(writer, &list);
            if !fault.is_empty() {
                faults.push(format!("acknowledged writes of writer {writer}: {fault}"));
            }
        }
        faults
    }
}

/// One key on both sides.
#[derive(Clone, Copy)]
struct Sides<'a> {
    early: Option<&'a Entry>,
    source: Option<&'a Entry>,
    late: Option<&'a Entry>,
    /// A key that ends within so many milliseconds may have ended on one side only.
    slack: i64,
    /// So far may deadlines be apart.
    exact: i64,
}

impl Sides<'_> {
    fn difference(&self) -> Option<String> {
        let ends = |entry: &Entry| entry.deadline.is_some_and(|(_, end)| end <= entry.read_at + self.slack);
        match (self.early, self.source, self.late) {
            (None, Some(source), _) if !ends(source) => {
                Some(format!("a {} is missing that {}", source.kind, lives(source)))
            }
            (_, None, Some(late)) if !ends(late) => {
                Some(format!("a {} is only at the destination and {}", late.kind, lives(late)))
            }
            (Some(early), Some(source), late) => self.values(early, source, late),
            _ => None,
        }
    }

    fn values(&self, early: &Entry, source: &Entry, late: Option<&Entry>) -> Option<String> {
        if early.kind != source.kind {
            return Some(format!("a {} at the source, a {}", source.kind, early.kind));
        }
        if early.value != source.value {
            return Some(format!("{:?} at the source, {:?}", source.value, early.value));
        }
        if self.apart(early.deadline, source.deadline) {
            return Some(format!("ends {:?} at the source, {:?}", source.deadline, early.deadline));
        }
        self.fields(early, source, late.unwrap_or(early))
    }

    fn apart(&self, one: Deadline, two: Deadline) -> bool {
        match (one, two) {
            (Some(one), Some(two)) => one.0 - self.exact > two.1 || two.0 - self.exact > one.1,
            (one, two) => one.is_some() != two.is_some(),
        }
    }

    fn fields(&self, early: &Entry, source: &Entry, late: &Entry) -> Option<String> {
        let ends = |(_, end): &(Vec<u8>, i64), read_at: i64| *end >= 0 && *end <= read_at + self.slack;
        for (field, here) in &source.fields {
            let name = field.escape_ascii();
            match early.fields.get(field) {
                None if !ends(here, source.read_at) => return Some(format!("field {name} is missing, {here:?}")),
                Some(there) if there.0 != here.0 || (there.1 - here.1).abs() > self.exact => {
                    return Some(format!("field {name} is {here:?} at the source, {there:?}"));
                }
                _ => {}
            }
        }
        let extra = late.fields.iter().find(|(field, there)| {
            early.fields.contains_key(*field) && !source.fields.contains_key(*field) && !ends(there, late.read_at)
        });
        extra.map(|(field, there)| format!("field {} is only at the destination, {there:?}", field.escape_ascii()))
    }
}

fn lives(entry: &Entry) -> String {
    match entry.deadline {
        Some((end, _)) => format!("lives {} ms more", end - entry.read_at),
        None => "has no end".to_owned(),
    }
}

/// Every key of a server but those of the tool and of another application.
fn read(server: &Server, fields: bool) -> Dataset {
    let mut client = server.client();
    let mut all = Dataset::new();
    for db in 0..16 {
        client.select(db);
        let keys = keys(&mut client);
        for keys in keys.chunks(CHUNK) {
            let entries = chunk(&mut client, server.flavour, keys, fields);
            all.extend(keys.iter().zip(entries).filter_map(|(key, entry)| Some(((db, key.clone()), entry?))));
        }
    }
    all
}

fn keys(client: &mut Client) -> Vec<Vec<u8>> {
    let (mut keys, mut cursor) = (BTreeSet::new(), b"0".to_vec());
    loop {
        let reply = client.command(&cmd!["SCAN", cursor, "COUNT", 2000]);
        keys.extend(reply.items()[1].items().iter().map(|key| key.bytes().to_vec()));
        cursor = reply.items()[0].bytes().to_vec();
        if cursor == b"0" {
            break;
        }
    }
    let ours = |key: &[u8]| key.starts_with(b"redis-plan:") || key.starts_with(super::world::OTHER);
    keys.into_iter().filter(|key| !ours(key)).collect()
}

/// Reads keys in one transaction, so that a value and its deadline belong together.
fn chunk(client: &mut Client, flavour: Flavour, keys: &[Vec<u8>], fields: bool) -> Vec<Option<Entry>> {
    let asked: Vec<Command> = keys.iter().map(|key| cmd!["TYPE", key]).collect();
    let kinds: Vec<String> = client.pipeline_ok(&asked).iter().map(|kind| kind.text().to_owned()).collect();
    let names = field_names(client, keys, &kinds, fields);
    let deadline = if flavour.sends_deadlines() { "PEXPIRETIME" } else { "PTTL" };
    let mut commands = vec![cmd!["MULTI"], cmd!["TIME"]];
    for ((key, kind), names) in keys.iter().zip(&kinds).zip(&names) {
        commands.extend([cmd![deadline, key], body(kind, key), field_deadlines(key, names)]);
    }
    commands.extend([cmd!["TIME"], cmd!["EXEC"]]);
    let replies = client.pipeline_ok(&commands).pop().unwrap();
    let replies = replies.items();
    let (before, after) = (millis(&replies[0]), millis(replies.last().unwrap()));
    // What `PTTL` answers counts from a moment between the two.
    let from = if flavour.sends_deadlines() { (0, 0) } else { (before, after) };
    let parts = replies[1..replies.len() - 1].chunks(3);
    let heads = kinds.into_iter().zip(names);
    heads.zip(parts).map(|((kind, names), part)| entry(kind, &names, part, from, before)).collect()
}

fn entry(kind: String, names: &[Vec<u8>], part: &[Reply], from: (i64, i64), read_at: i64) -> Option<Entry> {
    let end = part[0].int();
    let gone = matches!(&part[1], Reply::Nil) || matches!(&part[1], Reply::Array(items) if items.is_empty());
    if kind == "none" || end == -2 || (gone && kind != "stream") {
        return None;
    }
    let deadline = (end >= 0).then(|| (from.0 + end, from.1 + end));
    let mut entry = Entry { kind, deadline, read_at, value: part[1].clone(), fields: BTreeMap::new() };
    if let ("set", Reply::Array(items)) = (entry.kind.as_str(), &mut entry.value) {
        items.sort();
    }
    if entry.kind == "hash" {
        let ends: BTreeMap<&Vec<u8>, i64> = match &part[2] {
            Reply::Array(ends) => names.iter().zip(ends.iter().map(Reply::int)).collect(),
            _ => BTreeMap::new(),
        };
        let pairs = part[1].items().chunks(2).map(|pair| (pair[0].bytes().to_vec(), pair[1].bytes().to_vec()));
        entry.fields = pairs
            .map(|(field, value)| {
                let end = ends.get(&field).copied().unwrap_or(-1);
                (field, (value, end))
            })
            .collect();
        entry.value = Reply::Nil;
    }
    Some(entry)
}

fn body(kind: &str, key: &[u8]) -> Command {
    match kind {
        "string" => cmd!["GET", key],
        "list" => cmd!["LRANGE", key, 0, -1],
        "set" => cmd!["SMEMBERS", key],
        "hash" => cmd!["HGETALL", key],
        "zset" => cmd!["ZRANGE", key, 0, -1, "WITHSCORES"],
        "stream" => cmd!["XRANGE", key, "-", "+"],
        _ => cmd!["EXISTS", key],
    }
}

/// By key: the fields whose deadlines are to be asked for.
fn field_names(client: &mut Client, keys: &[Vec<u8>], kinds: &[String], fields: bool) -> Vec<Vec<Vec<u8>>> {
    let is_hash = |kind: &String| fields && kind == "hash";
    let asked: Vec<Command> =
        keys.iter().zip(kinds).filter(|(_, kind)| is_hash(kind)).map(|(key, _)| cmd!["HKEYS", key]).collect();
    let mut replies = client.pipeline_ok(&asked).into_iter();
    let words = |reply: Reply| reply.items().iter().map(|name| name.bytes().to_vec()).collect();
    kinds.iter().map(|kind| if is_hash(kind) { replies.next().map_or_else(Vec::new, words) } else { vec![] }).collect()
}

fn field_deadlines(key: &[u8], names: &[Vec<u8>]) -> Command {
    if names.is_empty() {
        return cmd!["EXISTS", key];
    }
    [cmd!["HPEXPIRETIME", key, "FIELDS", names.len()], names.to_vec()].concat()
}

/// Unix milliseconds of a `TIME`.
fn millis(reply: &Reply) -> i64 {
    let part = |index: usize| reply.items()[index].text().parse::<i64>().unwrap();
    part(0) * 1000 + part(1) / 1000
}
