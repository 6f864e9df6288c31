//! What people and programs see of a plan and a run: the graph, the checks, the progress, the evidence afterwards.
//! Renders data into text and never runs anything. All text that came from a server or a plan is made harmless first.

mod checks;
pub mod diagnostics;
mod graph;
mod html;
mod metrics;
mod progress;
mod run;
#[cfg(test)]
mod sample;
mod status;
mod text;

pub use checks::{check_json, check_junit, check_list, check_problems, check_table};
pub use graph::{GraphFormat, render_graph};
pub use html::run_html;
pub use metrics::{METRICS, Metric, Metrics, OPEN_METRICS};
pub use progress::{Above, Progress, ProgressStyle};
pub use run::{
    Attempt, RunSummary, Sample, Sampled, Sampler, StepRun, StepState, run_json, run_markdown, run_result, verify_json,
    verify_text,
};
pub use status::{idle_json, idle_text, status_json, status_text};
