//! Mending a plan: applies the edits that problems offer, leaves every other byte as it is, and keeps only what proves to
//! help. An edit never reaches over the end of a line.

use std::{cell::Cell, collections::HashSet};

use super::fault::catalogue::shape::UNKNOWN_KEY;
use super::fault::{Edit, Problem, Report};
use super::text::Path;
use super::{Look, judge};

/// Rounds of mending; one may uncover what the next mends.
const MAX_ROUNDS: usize = 8;

/// Edits that are tried one by one when all together do not help.
const MAX_TRIES: usize = 50;

/// Problems that are found in all before mending ends: a file with very many is mended in parts, one by each run.
const MAX_FOUND: usize = 10_000;

/// A plan after mending.
#[derive(Clone, Debug)]
pub struct FixedPlan {
    /// The file's bytes now.
    pub bytes: Vec<u8>,
    /// How many problems were mended.
    pub mended: usize,
    /// What was wrong before.
    pub before: Report,
    /// What is still wrong.
    pub after: Report,
}

/// Mends what can be mended for certain in the bytes of a plan file. `name` is what messages call the file, `look` looks for
/// programs.
#[must_use]
pub fn fix(name: &str, bytes: &[u8], look: Option<Look<'_>>) -> FixedPlan {
    let found = Cell::new(0);
    let judge = |bytes: &[u8]| {
        let report = judge(name, bytes, look);
        found.set(found.get() + report.errors() + report.warnings());
        report
    };
    let before = judge(bytes);
    let goes_on = || found.get() < MAX_FOUND;
    let mut fixed = FixedPlan { bytes: bytes.to_vec(), mended: 0, after: before.clone(), before };
    for round in 0..MAX_ROUNDS {
        let offers: Vec<Problem> =
            fixed.after.problems().iter().filter(|problem| problem.edit.is_some()).cloned().collect();
        if offers.is_empty()
            || (round > 0 && !goes_on())
            || !(fixed.take(&judge, &offers) || fixed.take_some(&judge, &goes_on, &offers))
        {
            break;
        }
    }
    fixed
}

impl FixedPlan {
    /// Applies all of these edits if every one of them helps.
    fn take(&mut self, judge: &dyn Fn(&[u8]) -> Report, offers: &[Problem]) -> bool {
        let Some(bytes) = applied(&self.bytes, self.after.source().skipped(), offers) else { return false };
        let after = judge(&bytes);
        if !helps(&self.after, &after, offers) {
            return false;
        }
        (self.bytes, self.after) = (bytes, after);
        self.mended += offers.len();
        true
    }

    /// Applies the first of these edits that helps on its own: places of the others are other ones then.
    fn take_some(&mut self, judge: &dyn Fn(&[u8]) -> Report, goes_on: &dyn Fn() -> bool, offers: &[Problem]) -> bool {
        offers.iter().take(MAX_TRIES).any(|offer| goes_on() && self.take(judge, std::slice::from_ref(offer)))
    }
}

/// The bytes after these edits; `None` when two of them meet or one does not fit.
fn applied(bytes: &[u8], skipped: usize, offers: &[Problem]) -> Option<Vec<u8>> {
    let mut edits: Vec<&Edit> = offers.iter().filter_map(|offer| offer.edit.as_deref()).collect();
    edits.sort_unstable();
    edits.dedup();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for edit in edits {
        let (start, end) = (edit.span.start.checked_add(skipped)?, edit.span.end.checked_add(skipped)?);
        out.extend_from_slice(bytes.get(at..start)?);
        out.extend_from_slice(edit.text.as_bytes());
        at = end;
    }
    out.extend_from_slice(bytes.get(at..)?);
    Some(out)
}

/// Whether every one of these is gone, the text can still be read, and its shape has no new fault. What stands under a key
/// that was misspelt was not judged before, and faults of the meaning may have hidden behind those of the shape.
fn helps(before: &Report, after: &Report, mended: &[Problem]) -> bool {
    let is_shape = |problem: &&Problem| problem.fault.code < "P2";
    let known: HashSet<_> = before.problems().iter().filter(is_shape).map(|one| (one.fault.code, &one.path)).collect();
    let gone: HashSet<_> = mended.iter().map(|one| (one.fault.code, &one.path)).collect();
    let judged_now: Vec<Path> = mended.iter().filter_map(renamed).collect();
    // Behind the last problem that was kept there were others, which nobody knows; an edit leaves every line its number.
    let line = |report: &Report, one: &Problem| one.span().map(|span| report.source().position(span.start).line);
    let horizon = before.problems().last().filter(|_| before.omitted() > 0).and_then(|one| line(before, one));
    let is_known_of = |one: &&Problem| horizon.is_none_or(|horizon| line(after, one) < Some(horizon));
    after.problems().iter().filter(is_shape).filter(is_known_of).all(|one| {
        let fault = (one.fault.code, &one.path);
        (known.contains(&fault) && !gone.contains(&fault)) || judged_now.iter().any(|path| one.path.is_within(path))
    })
}

/// The path of a key under its right name.
fn renamed(problem: &Problem) -> Option<Path> {
    let right = problem.edit.as_ref().filter(|_| problem.fault.code == UNKNOWN_KEY.code)?;
    Some(problem.path.parent()?.key(&right.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        String::from_utf8(fix("plan.yaml", text.as_bytes(), None).bytes).unwrap()
    }

    const PLAN: &str = "\
version: \"1\"   # the format
name: a
change: 42317
source:    { urls: redis://a }   # old
destination: {url: redis://b,   expect: { empty: yes, free_memory: 120 }}
migration: full
stop:
  any:
  - lag: { below: 1, for: 300 }
  deadlin: { after: 3600, then: hold }
limits: { bandwidth: 40, spool: 64000000 }
";

    #[test]
    fn what_is_certain_is_mended_and_the_rest_stays_as_it_is() {
        let expected = PLAN
            .replace("\"1\"", "1")
            .replace("42317", "\"42317\"")
            .replace("urls", "url")
            .replace("yes", "true")
            .replace("120", "120%")
            .replace("migration: full", "migration: [full]")
            .replace("below: 1", "below: 1s")
            .replace("for: 300", "for: 300s")
            .replace("deadlin:", "deadline:")
            .replace("3600", "3600s")
            .replace("64000000", "64000000 B");
        assert_eq!(mended(PLAN), expected);
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_stay() {
        let text = "\u{feff}version: 1\r\nname: 7\r\nlimit: {}\r\n";
        assert_eq!(mended(text), "\u{feff}version: 1\r\nname: \"7\"\r\nlimits: {}\r\n");
    }

    #[test]
    fn a_correction_that_does_not_help_is_not_made() {
        // Renamed, it would be the second key of that name, and the anchor would be gone.
        for text in ["limits: {}\nlimit: {}\n", "version: &v \"1\"\nlabels: { a: *v }\n"] {
            assert_eq!(mended(text), text);
        }
    }

    #[test]
    fn mending_twice_changes_nothing_more() {
        let once = mended(PLAN);
        assert_eq!(mended(&once), once);
    }

    #[test]
    fn of_very_many_problems_a_part_is_mended() {
        let mut text =
            "version: 1\nname: a\nsource: { url: redis://a }\ndestination: { url: redis://b }\nmigration: [full, \
                        incremental]\nstop:\n  any:\n"
                .to_owned();
        text.extend((1..=1500).map(|second| format!("    - duration: {second}\n")));
        let once = fix("plan.yaml", text.as_bytes(), None);
        assert!(once.mended >= 900, "{}", once.mended);
        let twice = fix("plan.yaml", &once.bytes, None);
        assert_eq!((twice.mended + once.mended, twice.after.errors()), (1500, 0));
    }
}
