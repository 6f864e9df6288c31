//! `plan pause`, `resume`, `set`, `cutover` and `abort`: orders to the process that works on a run; `plan cleanup`, and
//! `abort` of a run that no process works on.

use std::path::{Path, PathBuf};

use super::apply::{default_state_dir, hook_environment};
use super::evidence::Recorder;
use super::exit::{Exit, Failure};
use super::load::load;
use super::output::Output;
use super::secrets::servers;
use super::signals::StopSignal;
use crate::engine::{ApplyRequest, AskError, ControlClient};
use crate::step::{Event, Order, Outcome, Setting, Stamped};
use crate::unit::{Clean, Period};

/// Which run.
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// The plan's name
    name: String,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl RunArgs {
    fn folder(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| default_state_dir(&self.name))
    }

    /// Whether a name that was said again is this run's.
    fn confirmed_by(&self, name: Option<&str>) -> Result<(), Failure> {
        match name.filter(|name| *name != self.name) {
            None => Ok(()),
            Some(other) => {
                Err(Failure::Usage(format!("`--confirm {other}` is not the name of the run, `{}`", self.name)))
            }
        }
    }
}

/// Stop writing to the destination
///
/// Answers once nothing is under way any more. What the source sends is still received and spooled, so nothing is lost
/// while the run is paused; `plan resume` ends the pause. The pause ends with the process: `plan apply` begins unpaused.
#[derive(clap::Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// Write again after `plan pause`
#[derive(clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// Change a limit of a running apply
///
/// It holds for as long as the process runs; the plan is unchanged. `limits.writes` is a rate such as `5000/s`,
/// `limits.bandwidth` one such as `40 MiB/s`; `unlimited` lifts either.
#[derive(clap::Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    run: RunArgs,

    /// What to change: `limits.writes=5000/s`
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    setting: (Setting, String),
}

/// Cut over, or end following
///
/// In a plan with a `cutover`: blocks writes at the source, applies the last of them, seals the destination, and answers
/// once it is sealed. When anything fails before that, clients write to the source again and the run continues to follow it.
///
/// In a plan without one: meets the stop condition `command: cutover`, and answers once everything that the source had
/// written at that moment is applied.
///
/// If the cutover is blocked, nothing changes; `plan status` lists the blockers.
#[derive(clap::Args)]
pub(super) struct CutoverArgs {
    #[command(flatten)]
    run: RunArgs,

    /// The plan's name once more: writes at the source are about to be blocked
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,

    /// Undo it when it is not sealed within this time [default: the plan's `cutover.timeout`]
    #[arg(long, value_name = "TIME")]
    timeout: Option<Period>,

    /// Report whether anything blocks it, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Undo the cutover that is under way
    #[arg(long, conflicts_with_all = ["confirm", "timeout", "dry_run"])]
    cancel: bool,
}

/// Abort a run permanently
///
/// The source gets its settings back and the run is sealed: no process writes to the destination through it again, and
/// `plan apply` of this plan exits with 7 from then on. What was written stays there, unless `--delete` says otherwise.
#[derive(clap::Args)]
pub(super) struct AbortArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Delete what the run has written, and nothing else; where that cannot be verified, nothing is deleted and the run
    /// is not aborted
    #[arg(long, requires = "confirm")]
    delete: bool,

    /// The plan's name once more: keys are about to be deleted
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,

    /// The plan file; needed when the run is not active
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// Put back what a run has changed at the source
///
/// For a run that was killed and must not continue now: its settings at the source are put back, unless somebody else has
/// changed them meanwhile; those that a process on another host has changed too, as the run record at the destination says.
/// Refused while a process works on the run, which needs them. No key is touched, `plan apply` continues as before, and the
/// report shows it.
#[derive(clap::Args)]
pub(super) struct CleanupArgs {
    /// The plan file
    file: PathBuf,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
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
    if args.cancel {
        return give(&args.run, &Order::Cancel, out);
    }
    args.run.confirmed_by(args.confirm.as_deref())?;
    let order = Order::Cutover { dry_run: args.dry_run, confirmed: args.confirm.is_some(), timeout: args.timeout };
    give(&args.run, &order, out)
}

pub(super) fn abort(args: &AbortArgs, out: &mut Output) -> Result<Exit, Failure> {
    args.run.confirmed_by(args.confirm.as_deref())?;
    let folder = args.run.folder();
    match &args.plan {
        Some(file) if matches!(ControlClient::connect(&folder), Err(AskError::Nobody)) => {
            let idle = IdleRun::open(file, Some(folder))?;
            let name = &idle.request.graph.name;
            if *name != args.run.name {
                let message = format!("{} is the plan `{name}`, not `{}`", file.display(), args.run.name);
                return Err(Failure::Usage(message));
            }
            idle.carry_out(out, |request, tell| crate::engine::abort_idle(request, args.delete, tell))
        }
        _ => give(&args.run, &Order::Abort { delete: args.delete }, out),
    }
}

pub(super) fn cleanup(args: &CleanupArgs, out: &mut Output) -> Result<Exit, Failure> {
    IdleRun::open(&args.file, args.state.clone())?.carry_out(out, crate::engine::put_back)
}

/// A run that was begun before, and no process works on.
struct IdleRun {
    request: ApplyRequest,
    recorder: Recorder,
    /// Must live as long as the work.
    _stop: StopSignal,
}

impl IdleRun {
    fn open(file: &Path, state: Option<PathBuf>) -> Result<Self, Failure> {
        let loaded = load(file)?;
        let stop = StopSignal::listen()?;
        let state_dir = state.unwrap_or_else(|| default_state_dir(&loaded.graph.name));
        if !state_dir.join("journal").exists() {
            return Err(Failure::NoRun(format!("no run has left its journal in {}", state_dir.display())));
        }
        let request = ApplyRequest {
            servers: servers(&loaded.graph, &loaded.folder)?,
            digest: loaded.digest.to_string(),
            environment: hook_environment(&loaded.graph),
            state_dir: state_dir.clone(),
            folder: loaded.folder,
            no_wait: true,
            recopy: None,
            until: None,
            stop: stop.asked(),
            graph: loaded.graph.clone(),
        };
        Ok(Self { request, recorder: Recorder::new(state_dir, loaded.graph), _stop: stop })
    }

    /// Does something, which the run's evidence has afterwards, and prints what it says of its end; what else it says
    /// goes to standard error.
    fn carry_out(
        mut self,
        out: &mut Output,
        work: impl FnOnce(ApplyRequest, &mut dyn FnMut(&Stamped)) -> Outcome,
    ) -> Result<Exit, Failure> {
        let (mut ended, mut page) = (String::new(), String::new());
        let outcome = work(self.request, &mut |event| {
            self.recorder.take(event);
            match &event.event {
                Event::RunFinished { summary, code, .. } => (ended, page) = (summary.clone(), code.clone()),
                Event::Notice { text } => tracing::warn!("{text}"),
                _ => {}
            }
        });
        self.recorder.keep_page();
        if outcome == Outcome::Done {
            out.print(&format!("{}\n", Clean(&ended)))?;
        } else {
            Output::stderr().print(&format!("error: {}\nhelp: `plan explain {page}` says more\n", Clean(&ended)))?;
        }
        Ok(Exit::Outcome(outcome))
    }
}

/// Gives an order; prints the answer when the thing has happened, says on standard error why it has not.
fn give(run: &RunArgs, order: &Order, out: &mut Output) -> Result<Exit, Failure> {
    let folder = run.folder();
    let told = |error: AskError| match error {
        AskError::Nobody => Failure::NoRun(format!(
            "no process works on the run `{}` in {}\nhelp: `plan status` shows the runs there are; say --state DIR when the \
             run did",
            run.name,
            folder.display()
        )),
        AskError::NotOurs(fault) => Failure::NotOurs { path: folder.clone(), fault },
        AskError::Broken(_) => Failure::Unanswered(error),
    };
    let answer = ControlClient::connect(&folder).and_then(|mut steersman| steersman.ask(order)).map_err(told)?;
    if answer.done {
        out.print(&format!("{}\n", Clean(&answer.text)))?;
        return Ok(Exit::Outcome(Outcome::Done));
    }
    Output::stderr().print(&format!("{}\n", Clean(&answer.text)))?;
    Ok(Exit::No)
}
