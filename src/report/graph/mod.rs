//! The graph as text for people, JSON for programs, and two drawing languages.

mod describe;
mod dot;
mod human;
mod json;
mod mermaid;

pub(super) use describe::{describe, endpoint};

use crate::planner::Digest;
use crate::step::Graph;

/// A way to show a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// An aligned tree for a terminal or a pull request.
    Human,
    /// One JSON object: `format`, `digest`, `graph`, and what is `not_known` before the run.
    Json,
    /// A Mermaid flowchart, drawn by GitHub and GitLab.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
}

/// Shows `graph`; ends with a newline.
pub fn render_graph(graph: &Graph, digest: &Digest, format: GraphFormat) -> String {
    match format {
        GraphFormat::Human => human::render(graph, digest),
        GraphFormat::Json => json::render(graph, digest),
        GraphFormat::Mermaid => mermaid::render(graph, digest),
        GraphFormat::Dot => dot::render(graph, digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn shown(graph: &Graph, format: GraphFormat) -> String {
        render_graph(graph, &sample::DIGEST.parse().unwrap(), format)
    }

    #[test]
    fn human() {
        insta::assert_snapshot!("minimal", shown(&sample::minimal(), GraphFormat::Human));
        insta::assert_snapshot!("rich", shown(&sample::rich(), GraphFormat::Human));
    }

    #[test]
    fn json_reads_back_as_the_same_graph() {
        let text = shown(&sample::rich(), GraphFormat::Json);
        insta::assert_snapshot!("json", text);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_value::<Graph>(value["graph"].clone()).unwrap(), sample::rich());
    }

    #[test]
    fn drawings_escape_what_would_break_them() {
        insta::assert_snapshot!("mermaid", shown(&sample::rich(), GraphFormat::Mermaid));
        insta::assert_snapshot!("dot", shown(&sample::rich(), GraphFormat::Dot));
    }
}
