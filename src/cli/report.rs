//! `plan report`.

use std::path::PathBuf;

use super::apply::default_state_dir;
use super::evidence::Evidence;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::report::{run_html, run_json, run_markdown};
use crate::step::Outcome;
use std::io::IsTerminal as _;

/// Show the evidence of a run
///
/// What was planned, between which servers, what was checked, what ran when, how fast and how far behind it was, what
/// went over which link, what was changed and put back, how it was cut over, which keys failed, how it ended: of the
/// newest run of the plan, finished or not.
///
/// `plan apply` leaves the same as `report.html` in the state directory, however it ends; this makes it again, also after
/// a crash.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan's name
    name: String,

    /// How to show it
    #[arg(long, value_enum, default_value = "auto")]
    format: Format,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Markdown on a terminal, HTML elsewhere
    Auto,
    /// One HTML file that needs nothing else
    Html,
    /// Markdown, for a ticket
    Md,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let folder = args.state.clone().unwrap_or_else(|| default_state_dir(&args.name));
    let Evidence { graph, events, samples } = Evidence::read(&folder)?;
    let reads = args.format == Format::Auto && std::io::stdout().is_terminal();
    out.print(&match args.format {
        Format::Auto | Format::Html if !reads => run_html(&events, &samples, &graph),
        Format::Auto | Format::Html | Format::Md => run_markdown(&events, &graph),
        Format::Json => run_json(&events, &graph),
    })?;
    Ok(Exit::Outcome(Outcome::Done))
}
