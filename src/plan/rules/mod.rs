//! The rules that no schema can state: what the values mean together.

mod databases;
mod endpoint;
mod later;
mod steps;
mod url;

use super::fault::{Fault, Problem};
use super::raw::PlanFile;
use super::text::{Path, Span};
use super::yaml::{Located, Tree};

pub(super) use url::Url;

/// A rule and what it reads.
struct Rule {
    /// Paths whose absence means something to the rule. When one of them was taken out as wrong, the rule has nothing
    /// to judge.
    reads: &'static [&'static str],
    check: fn(&mut Checking<'_>),
}

/// A plan under examination.
pub(super) struct Checking<'a> {
    pub(super) raw: &'a PlanFile,
    pub(super) places: &'a Tree,
    pub(super) text: &'a str,
    found: Vec<Problem>,
}

/// Everything that is wrong with a plan of the right shape. `unknown` lists what was taken out because its shape is
/// wrong.
pub(super) fn judge(raw: &PlanFile, places: &Tree, text: &str, unknown: &[Path]) -> Vec<Problem> {
    let mut checking = Checking { raw, places, text, found: vec![] };
    let rules = endpoint::RULES.iter().chain(databases::RULES).chain(steps::RULES).chain(later::RULES);
    for rule in rules {
        let blind =
            rule.reads.iter().map(|path| Path::parse(path)).any(|path| unknown.iter().any(|gone| path.is_within(gone)));
        if !blind {
            (rule.check)(&mut checking);
        }
    }
    checking.found
}

impl Checking<'_> {
    /// Where the value at `path` is.
    fn at(&self, path: &str) -> Located {
        self.places.locate_nearest(&Path::parse(path))
    }

    /// The place of a value: its own when it is short, that of its key otherwise.
    fn value(&self, path: &str) -> Span {
        self.at(path).short()
    }

    /// The place of a key.
    fn key(&self, path: &str) -> Span {
        self.at(path).key_or_value()
    }

    /// A problem with the value at `path`, labelled there.
    fn problem(&self, fault: &'static Fault, path: &str, message: impl Into<String>, label: &str) -> Problem {
        Problem::new(fault, Path::parse(path), message).label(self.value(path), label)
    }

    fn report(&mut self, problem: Problem) {
        self.found.push(problem);
    }
}
