//! The graph for programs.

use serde_json::{Map, Value, json};

use super::describe::describe;
use crate::planner::Digest;
use crate::step::Graph;

/// Version of the JSON preview's own structure.
const FORMAT: u32 = 1;

pub(super) fn render(graph: &Graph, digest: &Digest) -> String {
    let not_known: Map<String, Value> =
        graph.steps.iter().map(|step| (step.id.name().to_owned(), json!(describe(step).not_known))).collect();
    let preview = json!({
        "format": FORMAT,
        "digest": digest.to_string(),
        "graph": graph,
        "not_known": not_known,
    });
    format!("{preview:#}\n")
}
