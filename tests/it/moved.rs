//! A migration by the real program, and what it told.

use std::{collections::BTreeMap, fs, time::Duration};

use serde_json::Value;

use crate::harness::{Finished, Plan, Tool};

/// A run that has ended, and its events.
pub struct Moved {
    pub run: Finished,
    events: Vec<Value>,
}

impl Moved {
    /// Applies a plan in a fresh state directory.
    pub fn by(plan: &Plan) -> Self {
        let tool = Tool::new().limit(Duration::from_mins(2));
        tool.write("plan.yaml", &plan.text());
        let run = tool.run(["apply", "plan.yaml", "--events", "events.jsonl"]);
        let lines = fs::read_to_string(tool.folder().join("events.jsonl")).unwrap_or_default();
        let events = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { run, events }
    }

    /// It must have ended with this code.
    pub fn expect(mut self, code: i32) -> Self {
        self.run = self.run.expect(code);
        self
    }

    /// The events of a name, in order.
    pub fn events(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// Whether the source streamed its dump without writing it to its disk: such a dump tells no length.
    pub fn was_diskless(&self) -> bool {
        self.events("dump_started").last().unwrap()["length"].is_null()
    }

    /// The figures it ended with.
    pub fn figure(&self, name: &str) -> u64 {
        self.events("progress").last().unwrap()["progress"][name].as_u64().unwrap()
    }

    /// The reasons of every key that was reported, by database and key.
    pub fn reported(&self) -> BTreeMap<(u32, String), Vec<String>> {
        let mut reported: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for event in self.events("key_failed") {
            let failure = &event["failure"];
            let text = |name: &str| failure[name].as_str().unwrap().to_owned();
            let db = u32::try_from(failure["db"].as_u64().unwrap()).unwrap();
            reported.entry((db, text("key"))).or_default().push(text("reason"));
        }
        reported
    }
}
