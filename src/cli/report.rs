//! `plan report`.

use std::path::PathBuf;

use super::apply::default_state_dir;
use super::evidence::Evidence;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::report::{run_json, run_markdown};
use crate::step::Outcome;

/// Show the evidence of a run
///
/// What was planned, what was checked, what ran when, what moved, which keys failed, how it ended: of the newest run of
/// the plan, finished or not.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan's name
    name: String,

    /// How to show it
    #[arg(long, value_enum, default_value = "md")]
    format: Format,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Markdown
    Md,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let folder = args.state.clone().unwrap_or_else(|| default_state_dir(&args.name));
    let Evidence { graph, events } = Evidence::read(&folder)?;
    out.print(&match args.format {
        Format::Md => run_markdown(&events, &graph),
        Format::Json => run_json(&events, &graph),
    })?;
    Ok(Exit::Outcome(Outcome::Done))
}
