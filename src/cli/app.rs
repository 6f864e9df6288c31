//! The whole tool as a table of contents.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::{
    apply, check, completions, demo, explain, logging, man, panic, preview, report, schema, status, steer, validate,
    verify, version,
};

/// Redis migrations that are reviewed like code and run to the end
///
/// A plan file says what moves where. `plan validate` checks it, `plan preview` shows its steps, `plan apply` runs them;
/// after a stop or a crash the same command resumes the run.
///
/// Results go to standard output, everything else to standard error.
#[derive(Parser)]
#[command(name = "plan", version, long_version = version::facts(), max_term_width = 100, after_help = EXIT_CODES)]
struct App {
    #[command(subcommand)]
    command: Subcommands,

    #[command(flatten)]
    logging: logging::Args,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done                              6  stale: plan, graph or server changed
    1  check failed, or data differ      7  sealed
    2  the command line is wrong        70  a bug in plan
    3  failed, needs an operator        75  stopped, run the same command again
    4  held: window or operator   130, 143  as 75, after a signal
    5  another runner has the run";

#[derive(Subcommand)]
enum Subcommands {
    Validate(validate::ValidateArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
    Preview(preview::Args),
    Check(check::Args),
    Apply(apply::Args),
    Status(status::Args),
    Pause(steer::PauseArgs),
    Resume(steer::ResumeArgs),
    Set(steer::SetArgs),
    Cutover(steer::CutoverArgs),
    Abort(steer::AbortArgs),
    Cleanup(steer::CleanupArgs),
    Verify(verify::Args),
    Report(report::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the tool: reads `args` (the program's name first), does what they say, and answers with the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut out = Output::stdout();
    let app = match App::try_parse_from(args) {
        Ok(app) => app,
        Err(error) => return Exit::of_usage(&error).into(),
    };
    logging::start(&app.logging);
    panic::tell_properly();
    let ended = catch_unwind(AssertUnwindSafe(|| dispatch(app, &mut out)));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => Exit::of_failure(&failure),
        Err(_) => Exit::Bug,
    };
    exit.into()
}

/// The command line as clap knows it, for the pages that are generated from it.
pub fn command() -> clap::Command {
    App::command()
}

fn dispatch(app: App, out: &mut Output) -> Result<Exit, Failure> {
    let watched = app.logging.is_quiet();
    let style = out.style();
    let mut err = Output::stderr();
    match app.command {
        Subcommands::Validate(args) => Exit::of_answer(validate::validate(&args, style, out, &mut err)),
        Subcommands::Explain(args) => Exit::of_answer(explain::explain(&args, style.width, out, &mut err)),
        Subcommands::Schema(args) => Exit::of_answer(schema::schema(&args, out)),
        Subcommands::Preview(args) => preview::run(&args, out),
        Subcommands::Check(args) => check::run(&args, out),
        Subcommands::Apply(args) => apply::run(args, watched, out),
        Subcommands::Status(args) => status::run(&args, out),
        Subcommands::Pause(args) => steer::pause(&args, out),
        Subcommands::Resume(args) => steer::resume(&args, out),
        Subcommands::Set(args) => steer::set(&args, out),
        Subcommands::Cutover(args) => steer::cutover(&args, out),
        Subcommands::Abort(args) => steer::abort(&args, out),
        Subcommands::Cleanup(args) => steer::cleanup(&args, out),
        Subcommands::Verify(args) => verify::run(&args, watched, out),
        Subcommands::Report(args) => report::run(&args, out),
        Subcommands::Demo(args) => demo::run(&args, watched, out),
        Subcommands::Completions(args) => completions::run(&args, out),
        Subcommands::Man(args) => man::run(&args, out),
    }
}
