//! What moved, over which links, and how long that took.

use super::markup::{Html, code, element, facts, table};
use crate::report::run::RunSummary;
use crate::report::text::{byte_rate, grouped, spoken};
use crate::step::{LinkBytes, Traffic};
use crate::unit::ByteSize;

pub(super) fn data(run: &RunSummary) -> Html {
    let mut rows: Vec<(&'static str, Html)> = vec![];
    if let Some(dump) = &run.dump {
        let history = dump.replid.zip(dump.offset);
        rows.extend(
            history.map(|(replid, offset)| ("dump of", code(&replid.to_string()).and(format!(" at offset {offset}")))),
        );
        rows.extend(dump.bytes.map(|bytes| {
            let received = dump.seconds.map_or_else(String::new, |seconds| {
                let rate = byte_rate(bytes, seconds).map_or_else(String::new, |rate| format!(" ({rate})"));
                format!(", received in {}{rate}", spoken(seconds))
            });
            ("dump size", format!("{}{received}", ByteSize(bytes)).into())
        }));
    }
    if let Some(progress) = &run.progress {
        let counts = [
            ("keys confirmed by the destination", progress.keys),
            ("keys left out by the plan's rules", progress.filtered),
            ("keys of this tool's own left out", progress.own),
            ("keys whose time had passed", progress.expired),
            ("keys that existed already and stayed", progress.skipped),
            ("keys that failed", progress.failed),
        ];
        rows.extend(counts.map(|(name, count)| (name, grouped(count).into())));
    }
    if let Some(following) = &run.following {
        rows.extend(following.replid.map(|replid| ("stream of", code(&replid.to_string()))));
        rows.push(("stream applied up to offset", following.applied.to_string().into()));
        let counts = [
            ("commands applied by the last process that followed", following.commands),
            ("commands left out by the plan's rules", following.filtered),
            ("commands reported", following.failed),
        ];
        rows.extend(counts.map(|(name, count)| (name, grouped(count).into())));
    }
    facts(rows)
}

/// Bytes over each link and run time, by step and in all: what a metered service would bill.
pub(super) fn links(run: &RunSummary) -> Html {
    let phases = run.phases();
    if phases.is_empty() {
        return Html::none();
    }
    let mut rows: Vec<Vec<Html>> = phases
        .iter()
        .map(|phase| {
            let name = element("span", "", phase.step.name());
            row(name, &grouped(phase.runs.into()), phase.seconds, phase.traffic)
        })
        .collect();
    let seconds = run.attempts.iter().map(|attempt| crate::report::run::between(attempt.at, attempt.until)).sum();
    rows.push(row(element("strong", "", "all processes"), &grouped(run.attempts.len() as u64), seconds, run.traffic()));
    table(
        "Bytes over each link, encryption included, and run time",
        &["step", "begun", "run time", "from the source", "to the source", "to the destination", "from the destination"],
        rows,
    )
    .and(element(
        "p",
        "class=\"note\"",
        "Counted at this process's sockets. For a process that was killed, its last report counts: up to a second is missing, \
         more where it ran for long.",
    ))
}

fn row(name: Html, runs: &str, seconds: f64, traffic: Traffic) -> Vec<Html> {
    let Traffic { source, destination } = traffic;
    let bytes = |bytes: u64| Html::from(ByteSize(bytes).to_string());
    let LinkBytes { sent, received } = source;
    vec![
        name,
        runs.into(),
        spoken(seconds).into(),
        bytes(received),
        bytes(sent),
        bytes(destination.sent),
        bytes(destination.received),
    ]
}
