//! `plan check`.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::load::load;
use super::output::Output;
use super::secrets::passwords;
use super::signals::StopSignal;
use crate::report::check_list;
use crate::step::{Check, Event, Outcome, Stamped};

/// Judge both servers without changing anything
///
/// Runs the precheck alone, read-only: can both be reached and signed in to, may a replica follow the source, does the
/// destination take what the plan moves. Each item says what was seen and what to do about it.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` reads standard input
    file: PathBuf,

    /// How to show the items
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A list
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let stop = StopSignal::listen()?;
    let graph = loaded.located();
    let passwords = passwords(&graph)?;
    let mut checks: Vec<Check> = vec![];
    let outcome = crate::engine::check(&graph, &passwords, &stop.asked(), &mut |Stamped { event, .. }| match event {
        Event::Checked { check } => checks.push(check.clone()),
        Event::RunFinished { outcome, summary, .. } if *outcome != Outcome::Done => tracing::error!("{summary}"),
        _ => {}
    });
    out.print(&match args.format {
        Format::Human => check_list(&checks, out.style().colour),
        Format::Json => json(outcome, &checks),
    })?;
    Ok(match (outcome, stop.signal()) {
        (Outcome::Stopped, Some(signal)) => Exit::Signal(signal),
        _ => Exit::Outcome(outcome),
    })
}

fn json(outcome: Outcome, checks: &[Check]) -> String {
    format!("{:#}\n", serde_json::json!({ "format": 1, "outcome": outcome, "checks": checks }))
}
