//! Collecting verdicts.

use std::path::PathBuf;

use crate::step::{Check, Verdict};

/// What the verdicts depend on beside the servers.
pub(super) struct Where {
    /// The plan's name.
    pub(super) name: String,
    /// Where the spool will be.
    pub(super) state_dir: PathBuf,
    /// Whether the source is still needed.
    pub(super) source_needed: bool,
    /// Whether this run has written to the destination before.
    pub(super) begun: bool,
}

/// The verdicts so far.
#[derive(Default)]
pub(super) struct Checks {
    all: Vec<Check>,
    told: usize,
}

impl Checks {
    pub(super) fn pass(&mut self, item: &str, seen: impl Into<String>) {
        self.add(item, Verdict::Pass, seen.into(), String::new());
    }

    pub(super) fn warn(&mut self, item: &str, seen: impl Into<String>, remedy: impl Into<String>) {
        self.add(item, Verdict::Warn, seen.into(), remedy.into());
    }

    pub(super) fn fail(&mut self, item: &str, seen: impl Into<String>, remedy: impl Into<String>) {
        self.add(item, Verdict::Fail, seen.into(), remedy.into());
    }

    pub(super) fn unknown(&mut self, item: &str, seen: impl Into<String>, remedy: impl Into<String>) {
        self.add(item, Verdict::Unknown, seen.into(), remedy.into());
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.all.iter().filter(|check| check.verdict == verdict).count()
    }

    /// The verdicts that were not taken yet.
    pub(super) fn take_new(&mut self) -> Vec<Check> {
        let new = self.all.get(self.told..).unwrap_or_default().to_vec();
        self.told = self.all.len();
        new
    }

    fn add(&mut self, item: &str, verdict: Verdict, seen: String, remedy: String) {
        self.all.push(Check { item: item.to_owned(), verdict, seen, remedy });
    }
}
