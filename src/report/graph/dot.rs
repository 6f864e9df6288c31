//! The graph for Graphviz.

use std::fmt::Write as _;

use super::describe::describe;
use crate::planner::Digest;
use crate::report::text::Clean;
use crate::step::Graph;

pub(super) fn render(graph: &Graph, digest: &Digest) -> String {
    let title = format!("{} {}", Clean(&graph.name), digest.short());
    let mut out = format!("digraph plan {{\n    label=\"{}\";\n    node [shape=box];\n", escaped(&title));
    for step in &graph.steps {
        let description = describe(step);
        let mut label = format!("{}\\n{}\\n", step.id, escaped(description.does));
        for (name, value) in &description.facts {
            _ = write!(label, "{name}: {}\\l", escaped(value));
        }
        _ = writeln!(out, "    {} [label=\"{label}\"];", step.id);
    }
    for step in &graph.steps {
        let style = if step.always { " [style=dashed]" } else { "" };
        for before in &step.after {
            _ = writeln!(out, "    {before} -> {}{style};", step.id);
        }
    }
    out.push_str("}\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
