//! The result of `apply` in a few aligned lines.

use std::fmt::Write as _;

use super::markdown::outcome_word;
use super::summary::RunSummary;
use crate::report::status::commands;
use crate::report::text::{Clean, grouped, says_more, spoken};
use crate::step::FullProgress;
use crate::unit::ByteSize;

/// How this process's work on a run ended.
pub fn run_result(run: &RunSummary) -> String {
    let mut rows = vec![];
    if let Some(ending) = run.attempts.last().and_then(|attempt| attempt.ending.as_ref()) {
        rows.push(("outcome", format!("{} after {}", outcome_word(ending.outcome), spoken(ending.seconds))));
        rows.push(("", Clean(&ending.summary).to_string()));
        if says_more(ending.outcome, &ending.code) {
            rows.push(("", format!("`plan explain {}` says more.", Clean(&ending.code))));
        }
    }
    if let Some(progress) = &run.progress {
        rows.push(("keys", keys(progress)));
        rows.push(("dump", format!("{} applied", ByteSize(progress.applied))));
    }
    if let Some(following) = &run.following {
        rows.push(("stream", format!("applied up to offset {}", following.applied)));
        rows.push(("commands", commands(following)));
    }
    if let Some(result) = &run.verified {
        rows.extend(super::verified::rows_of(result));
    }
    rows.retain(|(_, value)| !value.is_empty());
    rows.iter().fold(String::new(), |mut out, (name, value)| {
        _ = writeln!(out, "{name:<8} {value}");
        out
    })
}

fn keys(progress: &FullProgress) -> String {
    let FullProgress { keys, filtered, own, expired, skipped, failed, .. } = progress;
    let mut text = grouped(*keys);
    let others = [
        (filtered, "left out by rule"),
        (own, "of this tool's own"),
        (expired, "expired"),
        (skipped, "existed already"),
        (failed, "failed"),
    ];
    for (count, word) in others.into_iter().filter(|(count, _)| **count > 0) {
        _ = write!(text, ", {} {word}", grouped(*count));
    }
    text
}
