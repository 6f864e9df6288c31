//! The graph as an aligned tree.

use std::fmt::Write as _;

use super::describe::{Description, describe, endpoint};
use crate::planner::Digest;
use crate::report::text::Clean;
use crate::step::{Graph, Step};

pub(super) fn render(graph: &Graph, digest: &Digest) -> String {
    let mut out = String::new();
    for (name, value) in head(graph, digest) {
        _ = writeln!(out, "{name:<12} {value}");
    }
    out.push('\n');
    for (index, step) in graph.steps.iter().enumerate() {
        let last = index + 1 == graph.steps.len();
        out.push_str(&branch(step, last));
    }
    out
}

fn head(graph: &Graph, digest: &Digest) -> Vec<(&'static str, String)> {
    let mut lines = vec![("plan", Clean(&graph.name).to_string()), ("digest", digest.to_string())];
    if let Some(change) = &graph.change {
        lines.push(("change", Clean(change).to_string()));
    }
    if !graph.labels.is_empty() {
        let labels: Vec<String> = graph.labels.iter().map(|(k, v)| format!("{}={}", Clean(k), Clean(v))).collect();
        lines.push(("labels", labels.join(", ")));
    }
    lines.push(("source", endpoint(&graph.source)));
    lines.push(("destination", endpoint(&graph.destination)));
    lines
}

fn branch(step: &Step, last: bool) -> String {
    let Description { does, facts, not_known } = describe(step);
    let (knot, trunk) = if last { ("└─", "  ") } else { ("├─", "│ ") };
    let mut lines = vec![format!("{knot} {:<9} {does}", step.id.name())];
    let facts = facts.into_iter().chain(order(step));
    let facts = facts.chain(not_known.iter().map(|text| ("not known yet", (*text).to_owned())));
    let mut before = "";
    for (name, value) in facts {
        let shown = if name == before { "" } else { name };
        lines.push(format!("{trunk}   {shown:<14} {value}"));
        before = name;
    }
    if !last {
        lines.push(trunk.trim_end().to_owned());
    }
    lines.join("\n") + "\n"
}

fn order(step: &Step) -> Option<(&'static str, String)> {
    let after: Vec<&str> = step.after.iter().map(|id| id.name()).collect();
    match (after.is_empty(), step.always) {
        (true, false) => None,
        (true, true) => Some(("runs", "on every ending".to_owned())),
        (false, false) => Some(("runs", format!("after {}", after.join(", ")))),
        (false, true) => Some(("runs", format!("after {}, and on every other ending", after.join(", ")))),
    }
}
