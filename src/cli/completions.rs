//! `plan completions`.

use super::app::command;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::step::Outcome;

/// Print a completion script for a shell
///
/// For bash: `plan completions bash > ~/.local/share/bash-completion/completions/plan`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut command(), "plan", &mut script);
    out.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Outcome(Outcome::Done))
}
