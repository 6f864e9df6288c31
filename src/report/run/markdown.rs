//! The run report in Markdown.

use std::fmt::Write as _;

use super::summary::{Attempt, DumpFacts, RunSummary, StepState};
use crate::report::checks::check_table;
use crate::report::graph::endpoint;
use crate::report::text::{Clean, byte_rate, grouped, says_more, spoken};
use crate::step::{FullProgress, Graph, KeyFailure, Outcome, Stamped};
use crate::unit::ByteSize;

/// Failed keys listed one by one; the event log holds all of them.
const FAILURES_SHOWN: usize = 1000;

/// The report of a run: its plan, what was checked, what ran when, what moved, what failed, how it ended. `events` are
/// those of one run, oldest first.
pub fn run_markdown(events: &[Stamped], graph: &Graph) -> String {
    let run = RunSummary::of(events);
    let mut out = format!("# Run of {}\n\n{}\n\n", prose(&graph.name), outcome(&run));
    out.push_str(&plan_section(&run, graph));
    if !run.checks.is_empty() {
        _ = write!(out, "## Checks\n\n{}\n", check_table(&run.checks));
    }
    out.push_str(&timeline_section(&run));
    out.push_str(&data_section(&run));
    out.push_str(&stream_section(&run));
    out.push_str(&super::verified::section(&run));
    out.push_str(&failures_section(&run.failures));
    if !run.notices.is_empty() {
        out.push_str("## Notices\n\n");
        for notice in &run.notices {
            _ = writeln!(out, "- {} {}", notice.at, prose(&notice.text));
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn outcome(run: &RunSummary) -> String {
    let Some(attempt) = run.attempts.last() else { return "Outcome: **not started**".to_owned() };
    let Some(ending) = &attempt.ending else {
        return "Outcome: **unfinished**. The last process was killed or still runs; `plan apply` of the same plan \
                continues the run."
            .to_owned();
    };
    let more = says_more(ending.outcome, &ending.code);
    let code = if more { format!(" ({})", prose(&ending.code)) } else { String::new() };
    format!("Outcome: **{}**{code}. {}", outcome_word(ending.outcome), prose(&ending.summary))
}

pub(in crate::report) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Different => "different",
        Outcome::Failed => "failed",
        Outcome::Held => "held",
        Outcome::Locked => "locked",
        Outcome::Stale => "stale",
        Outcome::Sealed => "sealed",
        Outcome::Stopped => "stopped",
    }
}

fn plan_section(run: &RunSummary, graph: &Graph) -> String {
    let mut rows = vec![("plan", cell(&graph.name))];
    rows.extend(run.digest.as_ref().map(|digest| ("digest", format!("`{}`", cell(digest)))));
    rows.extend(graph.change.as_ref().map(|change| ("change", cell(change))));
    let labels: Vec<String> = graph.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    rows.extend((!labels.is_empty()).then(|| ("labels", cell(&labels.join(", ")))));
    rows.push(("source", cell(&endpoint(&graph.source))));
    rows.push(("destination", cell(&endpoint(&graph.destination))));
    rows.extend(run.run.as_ref().map(|id| ("run", cell(id))));
    format!("## Plan\n\n{}", table(["", ""], &pairs(rows)))
}

fn timeline_section(run: &RunSummary) -> String {
    let rows: Vec<[String; 4]> = run.attempts.iter().flat_map(attempt_rows).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("## Timeline\n\n{}", table(["at", "attempt", "step", "what came of it"], &rows))
}

fn attempt_rows(attempt: &Attempt) -> Vec<[String; 4]> {
    let number = attempt.number.to_string();
    let steps = attempt.steps.iter();
    let mut rows: Vec<[String; 4]> =
        steps.map(|step| [step.at.to_string(), number.clone(), step.step.to_string(), state(&step.state)]).collect();
    let (outcome, at) = match &attempt.ending {
        Some(ending) => {
            (format!("{} after {}", outcome_word(ending.outcome), spoken(ending.seconds)), ending.at.to_string())
        }
        None => ("no ending was recorded".to_owned(), "–".to_owned()),
    };
    rows.push([at, number, "–".to_owned(), outcome]);
    rows
}

fn state(state: &StepState) -> String {
    match state {
        StepState::Interrupted => "interrupted".to_owned(),
        StepState::Skipped { reason } => format!("skipped: {}", cell(reason)),
        StepState::Done { seconds } => format!("done in {}", spoken(*seconds)),
        StepState::Failed { reason } => format!("**failed**: {}", cell(reason)),
    }
}

fn data_section(run: &RunSummary) -> String {
    let mut rows = vec![];
    if let Some(dump) = &run.dump {
        rows.extend(dump_rows(dump));
    }
    if let Some(progress) = &run.progress {
        rows.extend(progress_rows(progress));
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("## Data\n\n{}", table(["", ""], &pairs(rows)))
}

fn stream_section(run: &RunSummary) -> String {
    let mut out = String::new();
    if let Some(following) = &run.following {
        let history = following.replid.map_or_else(|| "–".to_owned(), |replid| format!("`{replid}`"));
        let counts = [
            ("commands applied by the last process", following.commands),
            ("commands left out by the plan's rules", following.filtered),
            ("commands reported", following.failed),
        ];
        let mut rows = vec![("history", history), ("applied up to offset", following.applied.to_string())];
        rows.extend(counts.map(|(name, count)| (name, grouped(count))));
        _ = write!(out, "## Stream\n\n{}", table(["", ""], &pairs(rows)));
    }
    if !run.stream.is_empty() {
        let rows: Vec<[String; 2]> =
            run.stream.iter().map(|change| [change.at.to_string(), cell(&change.text)]).collect();
        out.push_str(&table(["at", "what happened"], &rows));
    }
    out
}

fn dump_rows(dump: &DumpFacts) -> Vec<(&'static str, String)> {
    let mut rows = vec![];
    let history = dump.replid.zip(dump.offset).map(|(replid, offset)| format!("`{replid}` at offset {offset}"));
    rows.extend(history.map(|history| ("dump of", history)));
    if let Some(bytes) = dump.bytes {
        let received = dump.seconds.map_or_else(String::new, |seconds| {
            let rate = byte_rate(bytes, seconds).map_or_else(String::new, |rate| format!(" ({rate})"));
            format!(", received in {}{rate}", spoken(seconds))
        });
        rows.push(("dump size", format!("{}{received}", ByteSize(bytes))));
    }
    rows
}

fn progress_rows(progress: &FullProgress) -> Vec<(&'static str, String)> {
    let FullProgress { applied, keys, filtered, own, expired, skipped, failed, .. } = progress;
    let counts = [
        ("keys confirmed by the destination", keys),
        ("keys left out by the plan's rules", filtered),
        ("keys of this tool's own left out", own),
        ("keys whose time had passed", expired),
        ("keys that existed already and stayed as they were", skipped),
        ("keys that failed", failed),
    ];
    let mut rows = vec![("dump applied", ByteSize(*applied).to_string())];
    rows.extend(counts.map(|(name, count)| (name, grouped(*count))));
    rows
}

fn failures_section(failures: &[KeyFailure]) -> String {
    if failures.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 5]> = failures
        .iter()
        .take(FAILURES_SHOWN)
        .map(|failure| {
            let size = ByteSize(failure.size).to_string();
            [cell(&failure.key), failure.db.to_string(), cell(&failure.kind), size, cell(&failure.reason)]
        })
        .collect();
    let mut out = format!("## Failed keys\n\n{}", table(["key", "db", "type", "size", "why"], &rows));
    if let Some(more) = failures.len().checked_sub(FAILURES_SHOWN).filter(|more| *more > 0) {
        _ = writeln!(out, "…and {more} more, all of them in the event log.\n");
    }
    out
}

/// Names and values as rows.
pub(super) fn pairs(rows: Vec<(&str, String)>) -> Vec<[String; 2]> {
    rows.into_iter().map(|(name, value)| [name.to_owned(), value]).collect()
}

/// A Markdown table; the cells are ready.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(N));
    for row in rows {
        _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
    out
}

/// Text that stands in a table's cell.
pub(in crate::report) fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

/// Text of a plan or a server that stands in Markdown: no line break, no HTML, no image that is loaded and no link.
fn prose(text: &str) -> String {
    let text = Clean(text).to_string();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '[' => out.push_str("&#91;"),
            ']' => out.push_str("&#93;"),
            ':' if is_linked(text.get(..at).unwrap_or_default()) => out.push_str("&#58;"),
            '.' if ends_with_word(text.get(..at).unwrap_or_default(), "www") => out.push_str("&#46;"),
            c => out.push(c),
        }
    }
    out
}

/// Whether pages make a link of what begins with this and a colon, without any mark around it.
fn is_linked(before: &str) -> bool {
    ["http", "https", "ftp", "mailto", "xmpp"].iter().any(|scheme| ends_with_word(before, scheme))
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let begin = text.len().checked_sub(word.len());
    begin.and_then(|begin| text.get(begin..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_is_neither_image_nor_link_nor_markup() {
        let said = "![x](https://evil.example/p.png) <img src=x> [a](b) HTTPS://c.d www.e.f mailto:g@h a\nb|c";
        let shown = cell(said);
        assert_eq!(
            shown,
            "!&#91;x&#93;(https&#58;//evil.example/p.png) &lt;img src=x> &#91;a&#93;(b) HTTPS&#58;//c.d www&#46;e.f \
             mailto&#58;g@h a\\u{a}b\\|c"
        );
        assert_eq!(prose("redis://10.0.0.5:6379 at 10:00"), "redis://10.0.0.5:6379 at 10:00");
    }
}
