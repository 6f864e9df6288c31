//! One source and one destination, and every operation between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    case::Case,
    known::Known,
    table::{CASES, LAST, WIPING},
};
use crate::{
    cmd,
    faults::{await_told, begin, told, tool, until},
    harness::{Client, Comparer, Plan, Reply, Running, Server, Tool},
};

/// When a trial's run ends: some time after the last write.
const STOP: &str = "{ all: [ { lag: { below: 1s, for: 1s } }, { source_idle: { for: 3s } } ] }";

/// A key as it is at a moment: what DUMP says and when it ends.
type Keys = BTreeMap<(u32, Vec<u8>), (Reply, Option<i64>)>;

/// A run that follows a source while operations are said to it.
pub struct Trial {
    source: Server,
    destination: Server,
    known: Known,
    tool: Tool,
    run: Running,
    markers: u32,
    faults: Faults,
}

/// What was found, by the id of the case whose key it is: what differs, and what the run itself reported.
pub type Faults = BTreeMap<String, BTreeSet<String>>;

/// Says every operation that the source has while a run follows it, and judges each.
pub fn trial(source: &str, destination: &str) -> (Vec<Case>, Faults) {
    let (source, destination) = (Server::start(source), Server::start(destination));
    let known = Known::of(&source);
    let of = |cases: &[Case]| -> Vec<Case> { cases.iter().filter(|case| case.is_for(&known)).copied().collect() };
    let (cases, wiping, last) = (of(CASES), of(WIPING), of(LAST));
    let all: Vec<Case> = cases.iter().chain(&wiping).chain(&last).copied().collect();
    let mut client = source.client();
    for case in &all {
        case.say(case.setup, &mut client);
    }
    let plan = Plan::between(&source, &destination).following(STOP).line("on_unsupported: report");
    let tool = tool(&plan);
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    let mut trial = Trial { source, destination, known, tool, run, markers: 0, faults: Faults::new() };
    let mut hears = trial.subscriber();
    trial.round(&cases);
    Trial::heard(&mut hears);
    trial.round(&wiping);
    trial.round(&last);
    trial.run.wait().expect(0);
    (all, trial.faults)
}

impl Trial {
    /// Says these cases, waits until the destination has all of it, and compares.
    fn round(&mut self, cases: &[Case]) {
        let before = keys(&self.source);
        let mut client = self.source.client();
        for case in cases {
            match case.blocked {
                None => case.say(case.during, &mut client),
                Some(line) => self.wait_and_say(case, line, &mut client),
            }
        }
        let after = keys(&self.source);
        for case in cases.iter().filter(|case| case.unseen.is_none()) {
            assert!(changed(&before, &after, case.prefix().as_bytes()), "{}: nothing changed", case.id());
        }
        self.markers += 1;
        let marker = self.markers;
        client.select(0);
        client.command(&cmd!["SET", "marker", marker]);
        let mut there = self.destination.client();
        let run = &mut self.run;
        let arrived = Reply::Bulk(marker.to_string().into_bytes());
        until("the marker arrives", || there.command(&cmd!["GET", "marker"]) == arrived || !run.is_running());
        self.judge(told(&self.tool, "key_failed").as_slice());
    }

    /// Another client waits while a case is said.
    fn wait_and_say(&self, case: &Case, line: &str, client: &mut Client) {
        let mut waiting = self.source.client();
        waiting.send(&case.command(line, client));
        until("the client is blocked", || {
            client.command(&cmd!["INFO", "clients"]).info("blocked_clients") == Some("1")
        });
        case.say(case.during, client);
        let reply = waiting.receive();
        assert!(!reply.is_error(), "{}: {reply:?}", case.id());
    }

    /// Compares both sides, and notes what differs and what was reported.
    fn judge(&mut self, reported: &[serde_json::Value]) {
        let compared = Comparer::of(&self.source, &self.destination).while_followed().run();
        for difference in compared.differences {
            let text = format!("differs: {}: {}", difference.key.escape_ascii(), difference.what);
            self.note(&difference.key.escape_ascii().to_string(), text);
        }
        for event in reported {
            let failure = &event["failure"];
            let text = |name: &str| failure[name].as_str().unwrap().to_owned();
            self.note(&text("key"), format!("reported: {}", text("reason")));
        }
    }

    fn note(&mut self, key: &str, text: String) {
        let id = key.strip_prefix("op/").and_then(|rest| rest.split('/').next()).unwrap_or(key);
        self.faults.entry(id.to_owned()).or_default().insert(text);
    }

    /// Somebody at the destination who wants to hear what is published.
    fn subscriber(&self) -> Vec<(&'static str, Client)> {
        let ways = [("PUBLISH", "SUBSCRIBE"), ("SPUBLISH", "SSUBSCRIBE")];
        let mut subscribers = vec![];
        for (operation, way) in ways.into_iter().filter(|(operation, _)| self.known.has(operation)) {
            // A message for one shard is for all where there are no shards yet.
            let way = if Known::of(&self.destination).has(way) { way } else { "SUBSCRIBE" };
            let mut client = self.destination.client();
            client.command(&cmd![way, format!("op/{operation}/channel")]);
            subscribers.push((operation, client));
        }
        subscribers
    }

    /// What was published must have been heard.
    fn heard(subscribers: &mut [(&'static str, Client)]) {
        for (operation, client) in subscribers {
            let message = client.receive();
            assert_eq!(message.items()[2].text(), "message", "{operation}");
        }
    }
}

/// The keys of all cases, in all databases.
fn keys(server: &Server) -> Keys {
    let mut client = server.client();
    let mut found = Keys::new();
    for db in 0..16 {
        client.select(db);
        let names = client.command(&cmd!["KEYS", "op/*"]).items().to_vec();
        let asked: Vec<_> =
            names.iter().flat_map(|name| [cmd!["DUMP", name.bytes()], cmd!["PTTL", name.bytes()]]).collect();
        let replies = client.pipeline_ok(&asked);
        for (name, told) in names.iter().zip(replies.chunks(2)) {
            let left = told[1].int();
            let ends = (left >= 0).then(|| left + now());
            found.insert((db, name.bytes().to_vec()), (told[0].clone(), ends));
        }
    }
    found
}

/// Whether something of a case's keys is not as it was.
fn changed(before: &Keys, after: &Keys, prefix: &[u8]) -> bool {
    let own = |keys: &Keys| -> Keys {
        keys.iter()
            .filter(|((_, name), _)| name.starts_with(prefix))
            .map(|(key, seen)| (key.clone(), seen.clone()))
            .collect()
    };
    let (before, after) = (own(before), own(after));
    let same = |key: &(u32, Vec<u8>), seen: &(Reply, Option<i64>)| {
        after.get(key).is_some_and(|other| other.0 == seen.0 && !crate::harness::apart(other.1, seen.1))
    };
    before.len() != after.len() || !before.iter().all(|(key, seen)| same(key, seen))
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
