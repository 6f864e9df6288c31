//! What the source acknowledged, as its writers know it: the one witness that no failover can change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex},
};

/// Numbers that writers append to a list of their own, each once.
#[derive(Clone, Default)]
pub struct AckLog(Arc<Mutex<BTreeMap<u64, Writes>>>);

/// Those of one writer.
#[derive(Default)]
struct Writes {
    /// The last number that was sent, acknowledged or not.
    sent: u64,
    acknowledged: BTreeSet<u64>,
}

impl AckLog {
    /// The list that a writer appends to.
    pub fn key(writer: u64) -> Vec<u8> {
        format!("acks:{writer}").into_bytes()
    }

    /// The next number of a writer: it is sent once, whatever becomes of it.
    pub fn next(&self, writer: u64) -> u64 {
        let mut all = self.0.lock().unwrap();
        let own = all.entry(writer).or_default();
        own.sent += 1;
        own.sent
    }

    pub fn acknowledge(&self, writer: u64, number: u64) {
        self.0.lock().unwrap().entry(writer).or_default().acknowledged.insert(number);
    }

    /// The source itself lost writes: what it acknowledged so far may be gone, and must still not be there twice.
    pub fn excuse(&self) {
        self.0.lock().unwrap().values_mut().for_each(|writes| writes.acknowledged.clear());
    }

    pub fn writers(&self) -> Vec<u64> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    /// What is wrong with the list of a writer; empty when each acknowledged number is there once and in its order.
    pub fn faults(&self, writer: u64, list: &[u64]) -> String {
        let all = self.0.lock().unwrap();
        let own = &all[&writer];
        let (mut faults, mut seen) = (String::new(), BTreeSet::new());
        if let Some(twice) = list.iter().find(|number| !seen.insert(**number)) {
            write!(faults, "number {twice} is there twice; ").unwrap();
        }
        let missing: Vec<&u64> = own.acknowledged.difference(&seen).collect();
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            let (count, total) = (missing.len(), own.sent);
            write!(faults, "{count} of {total} numbers are missing, from {first} to {last}; ").unwrap();
        }
        let in_order: Vec<&u64> = list.iter().filter(|number| own.acknowledged.contains(number)).collect();
        if let Some([first, second]) = in_order.array_windows().find(|[first, second]| first > second) {
            write!(faults, "number {first} comes before {second}; ").unwrap();
        }
        if let Some(unknown) = list.iter().find(|number| **number > own.sent) {
            write!(faults, "number {unknown} was never sent; ").unwrap();
        }
        faults
    }
}
