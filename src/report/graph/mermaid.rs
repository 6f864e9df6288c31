//! The graph as a Mermaid flowchart.

use std::fmt::Write as _;

use super::describe::{describe, endpoint};
use crate::planner::Digest;
use crate::report::text::Clean;
use crate::step::{Graph, Work};

pub(super) fn render(graph: &Graph, digest: &Digest) -> String {
    let mut out = format!("%% {} {digest}\nflowchart TD\n", Clean(&graph.name));
    _ = writeln!(out, "    source[({})]", quoted(&["source", &endpoint(&graph.source)]));
    _ = writeln!(out, "    destination[({})]", quoted(&["destination", &endpoint(&graph.destination)]));
    for step in &graph.steps {
        let description = describe(step);
        let facts = description.facts.iter().map(|(name, value)| format!("{name}: {value}"));
        let lines: Vec<String> =
            [step.id.name().to_owned(), description.does.to_owned()].into_iter().chain(facts).collect();
        _ = writeln!(out, "    {}[{}]", step.id, quoted(&lines));
    }
    for step in &graph.steps {
        let arrow = if step.always { "-.->" } else { "-->" };
        for before in &step.after {
            _ = writeln!(out, "    {before} {arrow} {}", step.id);
        }
    }
    for step in graph.steps.iter().filter(|step| matches!(step.work, Work::Full(_))) {
        _ = writeln!(out, "    source ==> {0} ==> destination", step.id);
    }
    out
}

/// A label in quotes; Mermaid reads `#quot;` and the like as characters, and HTML in labels.
fn quoted<T: AsRef<str>>(lines: &[T]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(line.as_ref())).collect();
    format!("\"{}\"", lines.join("<br/>"))
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '#' | '"' | '<' | '>' | '&' | '`' | '*' | '_' => _ = write!(out, "#{};", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}
