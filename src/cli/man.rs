//! `plan man`.

use super::app::command;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::step::Outcome;

/// Print the manual page, or that of a subcommand
///
/// To read one: `plan man apply | man -l -`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The subcommand; the tool's own page without it
    subcommand: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let mut tool = command();
    tool.build();
    let page = match &args.subcommand {
        None => Some(tool),
        Some(name) => tool.find_subcommand(name).cloned(),
    };
    let Some(page) = page else {
        let name = args.subcommand.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!("there is no subcommand `{name}`: see `plan help`")));
    };
    let mut text = vec![];
    clap_mangen::Man::new(page).render(&mut text).map_err(Failure::Output)?;
    out.print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Outcome(Outcome::Done))
}
