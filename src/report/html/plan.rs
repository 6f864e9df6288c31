//! What was planned, between which servers, and what the precheck said.

use super::markup::{Html, Tone, code, element, facts, mark, prose, table};
use crate::report::checks::word;
use crate::report::graph::{describe, endpoint};
use crate::report::run::RunSummary;
use crate::step::{Endpoint, Graph, Side, Verdict};

pub(super) fn plan(run: &RunSummary, graph: &Graph) -> Html {
    let mut rows = vec![("plan", Html::from(graph.name.as_str()))];
    rows.extend(run.digest.as_ref().map(|digest| ("digest", code(digest))));
    rows.extend(graph.change.as_ref().map(|change| ("change", change.as_str().into())));
    let labels: Vec<String> = graph.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    rows.extend((!labels.is_empty()).then(|| ("labels", labels.join(", ").into())));
    rows.push(("source", endpoint(&graph.source).into()));
    rows.push(("destination", endpoint(&graph.destination).into()));
    let steps = graph.steps.iter().map(|step| {
        let description = describe(step);
        let facts: Html = description
            .facts
            .into_iter()
            .map(|(name, value)| element("div", "", element("em", "", name).and(" ").and(prose(&value))))
            .collect();
        vec![step.id.name().into(), description.does.into(), facts]
    });
    facts(rows).and(table("Steps", &["step", "does", "as the plan says"], steps.collect()))
}

/// What both servers were when the run took them for fit.
pub(super) fn servers(run: &RunSummary, graph: &Graph) -> Html {
    let row = |side: Side, endpoint: &Endpoint| {
        let known = run.servers.iter().find(|server| server.side == side);
        let of = |value: Option<&String>| value.map_or_else(|| Html::from("not known"), |value| value.as_str().into());
        let id = |value: Option<&String>| value.map_or_else(|| Html::from("not known"), |value| code(value));
        let tls = if endpoint.tls.is_some() { "TLS" } else { "not encrypted" };
        let policy = match (side, known.and_then(|server| server.eviction.as_ref())) {
            (Side::Source, None) => Html::from("–"),
            (_, policy) => of(policy),
        };
        vec![
            side.to_string().into(),
            endpoint.address.to_string().into(),
            tls.into(),
            of(known.and_then(|server| server.version.as_ref())),
            of(known.and_then(|server| server.role.as_ref())),
            policy,
            id(known.and_then(|server| server.run_id.as_ref())),
            id(known.and_then(|server| server.replid.as_ref())),
        ]
    };
    table(
        "Both servers when the precheck found them fit",
        &["", "address", "connection", "version", "role", "eviction", "run id", "replication id"],
        vec![row(Side::Source, &graph.source), row(Side::Destination, &graph.destination)],
    )
}

pub(super) fn checks(run: &RunSummary) -> Html {
    if run.checks.is_empty() {
        return Html::none();
    }
    let of = |verdict: Verdict| run.checks.iter().filter(|check| check.verdict == verdict).count();
    let counts = [
        (Verdict::Pass, "passed"),
        (Verdict::Warn, "with a risk"),
        (Verdict::Fail, "failed"),
        (Verdict::Unknown, "not found out"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .map(|(verdict, text)| (of(verdict), text))
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{count} {text}"))
        .collect();
    let rows = run.checks.iter().map(|check| {
        let tone = match check.verdict {
            Verdict::Pass => Tone::Good,
            Verdict::Warn => Tone::Risky,
            Verdict::Fail => Tone::Bad,
            Verdict::Unknown => Tone::Plain,
        };
        vec![
            check.item.as_str().into(),
            mark(tone, word(check.verdict)),
            prose(&check.seen),
            prose(&check.remedy),
            code(&check.code),
        ]
    });
    element("p", "", format!("{}.", told.join(", "))).and(table(
        "Items of the precheck, each as it was judged last",
        &["item", "verdict", "seen", "why it matters, what to do", "code"],
        rows.collect(),
    ))
}
