//! The rules that no schema can state: what the values mean together.

mod contradictions;
mod databases;
mod endpoint;
mod later;
mod programs;
mod steps;
mod url;

use super::fault::{Fault, Problem};
use super::raw::PlanFile;
use super::text::{Path, Span};
use super::yaml::{Located, Tree};

pub use programs::{Look, ProgramPlace};
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
    /// Looks for programs, when anybody can.
    pub(super) look: Option<Look<'a>>,
    /// What was taken out because its shape is wrong.
    unknown: &'a [Path],
    found: Vec<Problem>,
}

/// Everything that is wrong with a plan of the right shape. `unknown` lists what was taken out because its shape is
/// wrong.
pub(super) fn judge<'a>(
    raw: &'a PlanFile,
    (places, text): (&'a Tree, &'a str),
    unknown: &'a [Path],
    look: Option<Look<'a>>,
) -> Vec<Problem> {
    let mut checking = Checking { raw, places, text, look, unknown, found: vec![] };
    let rules = [endpoint::RULES, databases::RULES, steps::RULES, programs::RULES, contradictions::RULES, later::RULES];
    for rule in rules.into_iter().flatten() {
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

    /// Whether a side is expected to have a version, and only versions before `bound`.
    fn expects_only_before(&self, side: &str, bound: [u16; 3]) -> bool {
        let version = match side {
            "source" => self.raw.source.expect.as_ref().and_then(|expect| expect.version.as_ref()),
            _ => self.raw.destination.expect.as_ref().and_then(|expect| expect.version.as_ref()),
        };
        version.is_some_and(|range| range.is_possible() && range.is_before(bound))
    }

    fn report(&mut self, problem: Problem) {
        self.found.push(problem);
    }
}
