//! What a comparison of both sides came to.

use std::fmt::Write as _;

use super::{
    markdown::{cell, outcome_word, pairs, table},
    summary::RunSummary,
};
use crate::report::text::{Clean, grouped, per_second, spoken};
use crate::step::{JudgedBy, KeyDifference, SideOfKey, VerifyResult, VerifyVerdict};

/// The verdict in words.
pub(in crate::report) const fn word(verdict: VerifyVerdict) -> &'static str {
    match verdict {
        VerifyVerdict::Equal => "both sides are equal",
        VerifyVerdict::Different => "both sides differ",
        VerifyVerdict::Unsettled => "some keys could not be verified",
    }
}

/// Names and values for the terminal.
pub(super) fn rows_of(result: &VerifyResult) -> Vec<(&'static str, String)> {
    let rate = per_second(result.keys_per_second(), "keys");
    let mut rows = vec![
        ("verify", format!("{}, {} in {} ({rate})", word(result.verdict()), mode(result), spoken(result.seconds))),
        ("compared", format!("{} keys", grouped(result.keys()))),
    ];
    let counts = [
        ("differ", result.different),
        ("repaired", result.repaired),
        ("unproved", result.unsettled),
        ("expired", result.expired),
        ("skipped", result.skipped),
    ];
    rows.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name, grouped(count))));
    rows.extend(result.foreign.iter().map(|foreign| {
        (
            "foreign",
            format!("{} in database {} of the destination: {}", grouped(foreign.keys), foreign.db, foreign.rule),
        )
    }));
    rows
}

/// How thorough it was.
pub(in crate::report) fn mode(result: &VerifyResult) -> String {
    let mode = result.mode.map_or_else(String::new, |mode| mode.to_string());
    result.seed.map_or(mode.clone(), |seed| format!("{mode} with seed {seed}"))
}

/// What `plan verify` came to, in a few aligned lines.
pub fn verify_text(run: &RunSummary) -> String {
    let mut rows: Vec<(&str, String)> = vec![];
    if let Some(ending) = run.attempts.last().and_then(|attempt| attempt.ending.as_ref()) {
        rows.push(("outcome", format!("{} after {}", outcome_word(ending.outcome), spoken(ending.seconds))));
        rows.push(("", Clean(&ending.summary).to_string()));
    }
    rows.extend(run.verified.iter().flat_map(rows_of));
    rows.iter().fold(String::new(), |mut out, (name, value)| {
        _ = writeln!(out, "{name:<8} {value}");
        out
    })
}

/// The same as one JSON object; ends with a newline.
pub fn verify_json(run: &RunSummary) -> String {
    let ending = run.attempts.last().and_then(|attempt| attempt.ending.as_ref());
    let verify = serde_json::json!({
        "format": 1,
        "outcome": ending.map(|ending| ending.outcome),
        "summary": ending.map(|ending| &ending.summary),
        "verdict": run.verified.as_ref().map(VerifyResult::verdict),
        "result": run.verified,
        "differences": run.differences,
    });
    format!("{verify:#}\n")
}

/// The section of the report; empty when nothing was compared.
pub(super) fn section(run: &RunSummary) -> String {
    let Some(result) = &run.verified else { return String::new() };
    let judged = match result.judged_by {
        JudgedBy::RechecksAlone => "looking again",
        JudgedBy::AppliedOffset => "looking again once what the source had written was applied",
    };
    let counts = [
        ("keys compared", result.keys()),
        ("keys that differ", result.different),
        ("keys copied again", result.repaired),
        (
            "keys that could not be verified: they changed all the time, or the destination was too far behind",
            result.unsettled,
        ),
        ("keys whose time was up", result.expired),
        ("keys gone on both sides meanwhile", result.gone),
        ("keys left out by the plan's rules", result.filtered),
        ("keys that existed already and stayed as they were", result.skipped),
    ];
    let mut rows = vec![
        ("verdict", format!("**{}**", word(result.verdict()))),
        ("mode", mode(result)),
        ("judged by", judged.to_owned()),
        ("took", format!("{} ({})", spoken(result.seconds), per_second(result.keys_per_second(), "keys"))),
    ];
    rows.extend(counts.map(|(name, count)| (name, grouped(count))));
    let mut out = format!("## Comparison\n\n{}", table(["", ""], &pairs(rows)));
    let counts: Vec<[String; 4]> = result
        .counts
        .iter()
        .map(|count| [count.db.to_string(), cell(&count.kind), grouped(count.keys), grouped(count.different)])
        .collect();
    if !counts.is_empty() {
        out.push_str(&table(["db", "type", "keys", "differ"], &counts));
    }
    if !result.foreign.is_empty() {
        let foreign: Vec<[String; 4]> = result
            .foreign
            .iter()
            .map(|foreign| {
                let example = foreign.example.as_ref().map_or_else(|| "–".to_owned(), |key| cell(key));
                [foreign.db.to_string(), grouped(foreign.keys), foreign.rule.to_string(), example]
            })
            .collect();
        out.push_str(&table(["db of the destination", "foreign keys", "why", "such as"], &foreign));
    }
    out.push_str(&differences(&run.differences, result));
    out
}

fn differences(found: &[KeyDifference], result: &VerifyResult) -> String {
    if found.is_empty() {
        return String::new();
    }
    let side = |side: Option<&SideOfKey>| {
        side.map_or_else(
            || "–".to_owned(),
            |side| format!("{} {}", cell(&side.kind), side.digest.as_deref().unwrap_or_default()).trim_end().to_owned(),
        )
    };
    let rows: Vec<[String; 6]> = found
        .iter()
        .map(|found| {
            let kinds: Vec<&str> = found.kinds.iter().map(|kind| kind.name()).collect();
            let repaired = match found.repaired {
                None => "",
                Some(true) => "repaired",
                Some(false) => "**not repaired**",
            };
            [
                cell(&found.key),
                found.db.to_string(),
                kinds.join(", "),
                side(found.source.as_ref()),
                side(found.destination.as_ref()),
                repaired.to_owned(),
            ]
        })
        .collect();
    let mut out = table(["key", "db", "what differs", "source", "destination", ""], &rows);
    let all = result.different.saturating_add(result.repaired);
    if let Some(more) = all.checked_sub(found.len() as u64).filter(|more| *more > 0) {
        _ = writeln!(out, "…and {} more, all of them in the event log.\n", grouped(more));
    }
    out
}
