//! What `--fix` changes, as a unified diff. Secrets are masked on both sides.

use std::fmt::Write as _;

use crate::plan::Report;
use crate::unit::KeyText;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

/// The lines in which two reports on one file differ. The texts have the same number of lines: an edit stays within one.
#[must_use]
pub fn changes(before: &Report, after: &Report) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.shown().lines().collect(), after.shown().lines().collect());
    let changed: Vec<usize> = (0..old.len().max(new.len())).filter(|line| old.get(*line) != new.get(*line)).collect();
    if changed.is_empty() {
        return String::new();
    }
    let name = KeyText(before.source().name().as_bytes()).to_string();
    let mut out = format!("--- {name}\n+++ {name}\n");
    for hunk in changed.chunk_by(|one, next| next - one <= 2 * CONTEXT) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let start = first.saturating_sub(CONTEXT);
        let lines = start..(last + CONTEXT + 1).min(old.len());
        _ = writeln!(out, "@@ -{0},{1} +{0},{1} @@", start + 1, lines.len());
        for (sign, line) in hunk_lines(lines, hunk, (&old, &new)) {
            _ = writeln!(out, "{sign}{line}");
        }
    }
    out
}

/// The lines of a hunk: of neighbours that change, first all old ones, then all new ones.
fn hunk_lines<'a>(
    lines: std::ops::Range<usize>,
    changed: &[usize],
    (old, new): (&[&'a str], &[&'a str]),
) -> Vec<(char, &'a str)> {
    let mut shown = vec![];
    let mut added = vec![];
    for line in lines {
        let (old, new) = (old.get(line).copied().unwrap_or_default(), new.get(line).copied().unwrap_or_default());
        if changed.contains(&line) {
            shown.push(('-', old));
            added.push(('+', new));
        } else {
            shown.append(&mut added);
            shown.push((' ', old));
        }
    }
    shown.append(&mut added);
    shown
}
