//! `plan preview`.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::load::load;
use super::output::Output;
use crate::report::{GraphFormat, render_graph};
use crate::step::Outcome;

/// Show the steps of a plan, and their digest
///
/// Connects to nothing, runs nothing and reads no secret. The digest names all that decides what a run does; `plan apply --expect-digest` refuses
/// anything else.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` reads standard input
    file: PathBuf,

    /// How to show it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A tree for the terminal
    Human,
    /// One JSON object
    Json,
    /// A Mermaid flowchart
    Mermaid,
    /// A Graphviz digraph
    Dot,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let format = match args.format {
        Format::Human => GraphFormat::Human,
        Format::Json => GraphFormat::Json,
        Format::Mermaid => GraphFormat::Mermaid,
        Format::Dot => GraphFormat::Dot,
    };
    out.print(&render_graph(&loaded.graph, &loaded.digest, format))?;
    Ok(Exit::Outcome(Outcome::Done))
}
