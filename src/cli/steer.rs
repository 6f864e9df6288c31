//! `plan pause`, `resume`, `set`, `cutover` and `abort`: orders to the process that works on a run.

use std::path::PathBuf;

use super::apply::default_state_dir;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::engine::{AskError, Steersman};
use crate::step::{Order, Outcome, Setting};

/// Which run.
#[derive(clap::Args)]
pub(super) struct Run {
    /// The plan's name
    name: String,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Stop writing to the destination
///
/// Answers once nothing is under way any more. What the source sends is still received and spooled, so nothing is lost
/// while the run is paused; `plan resume` goes on. The pause ends with the process: `plan apply` begins unpaused.
#[derive(clap::Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    run: Run,
}

/// Write again after `plan pause`
#[derive(clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    run: Run,
}

/// Change a limit of a running apply
///
/// It holds for as long as the process runs; the plan is unchanged. `limits.writes` is a rate such as `5000/s`,
/// `limits.bandwidth` one such as `40 MiB/s`; `unlimited` lifts either.
#[derive(clap::Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    run: Run,

    /// What to change: `limits.writes=5000/s`
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    setting: (Setting, String),
}

/// Meet the stop condition `command: cutover`
///
/// Answers once everything that the source had written at that moment is applied. Nothing happens when it cannot be
/// taken up: `plan status` shows what stands against it.
#[derive(clap::Args)]
pub(super) struct CutoverArgs {
    #[command(flatten)]
    run: Run,
}

/// End a run for good
///
/// The source gets its settings back and the run is sealed: no process writes to the destination through it again, and
/// `plan apply` of this plan exits with 7 from then on. What was written stays there.
#[derive(clap::Args)]
pub(super) struct AbortArgs {
    #[command(flatten)]
    run: Run,
}

fn setting(text: &str) -> Result<(Setting, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, such as limits.writes=5000/s")?;
    Ok((key.parse()?, value.to_owned()))
}

pub(super) fn pause(args: &PauseArgs, out: &mut Output) -> Result<Exit, Failure> {
    give(&args.run, &Order::Pause, out)
}

pub(super) fn resume(args: &ResumeArgs, out: &mut Output) -> Result<Exit, Failure> {
    give(&args.run, &Order::Resume, out)
}

pub(super) fn set(args: &SetArgs, out: &mut Output) -> Result<Exit, Failure> {
    let (key, value) = args.setting.clone();
    give(&args.run, &Order::Set { key, value }, out)
}

pub(super) fn cutover(args: &CutoverArgs, out: &mut Output) -> Result<Exit, Failure> {
    give(&args.run, &Order::Cutover, out)
}

pub(super) fn abort(args: &AbortArgs, out: &mut Output) -> Result<Exit, Failure> {
    give(&args.run, &Order::Abort, out)
}

/// Gives an order; prints the answer when the thing has happened, says on standard error why it has not.
fn give(run: &Run, order: &Order, out: &mut Output) -> Result<Exit, Failure> {
    let folder = run.state.clone().unwrap_or_else(|| default_state_dir(&run.name));
    let told = |error: AskError| match error {
        AskError::Nobody => Failure::NoRun(format!(
            "no process works on the run `{}` in {}\nhelp: `plan status` shows the runs there are; say --state DIR when the \
             run did",
            run.name,
            folder.display()
        )),
        AskError::Broken(_) => Failure::Unanswered(error),
    };
    let answer = Steersman::connect(&folder).and_then(|mut steersman| steersman.ask(order)).map_err(told)?;
    if answer.done {
        out.print(&format!("{}\n", answer.text))?;
        return Ok(Exit::Outcome(Outcome::Done));
    }
    Output::stderr().print(&format!("{}\n", answer.text))?;
    Ok(Exit::No)
}
