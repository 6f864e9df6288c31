//! `plan apply`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::evidence::Recorder;
use super::exit::{Exit, Failure};
use super::load::{ExpandedPlan, load};
use super::logging;
use super::metrics::MetricsPage;
use super::output::Output;
use super::secrets::servers;
use super::signals::StopSignal;
use super::watch::{EventFile, ProgressArg};
use crate::engine::ApplyRequest;
use crate::planner::Digest;
use crate::report::{Progress, RunSummary, run_result};
use crate::step::{Event, Graph, Outcome, Stamped, StepId};
use crate::store::own::ROOT;

/// Run a plan, or continue its run
///
/// The same command resumes after a stop, a crash or a reboot: what the destination has confirmed is not done again. A
/// run that is finished is finished; applying it again changes nothing.
///
/// Sends the plan's passwords to the servers that it names and runs its programs: only for a plan that has been reviewed,
/// which `--expect-digest` makes sure of.
///
/// Ctrl-C stops at the next durable checkpoint (exit 130); a second one stops at once, as safely.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` reads standard input
    file: PathBuf,

    /// Run nothing but the graph with this digest, as `plan preview` shows it
    #[arg(long, value_name = "DIGEST")]
    expect_digest: Option<Digest>,

    /// Stop when this step is done
    #[arg(long, value_name = "STEP", value_parser = step)]
    until: Option<StepId>,

    /// Append every event to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// How to show the run
    #[arg(long, value_enum, default_value = "auto", value_name = "STYLE")]
    progress: ProgressArg,

    /// Serve the figures of the run to Prometheus and its like, by HTTP
    ///
    /// A bare port listens on 127.0.0.1 only: `9187` is `http://127.0.0.1:9187/metrics`. To expose it, give an address
    /// such as `0.0.0.0:9187`. There is no authentication; only counters and the plan's name are served.
    #[arg(long, value_name = "ADDR", value_parser = super::metrics::address)]
    metrics: Option<SocketAddr>,

    /// End with exit code 4 where the run would wait for a window
    #[arg(long)]
    no_wait: bool,

    /// Delete up to so many keys at the destination and copy the source again
    ///
    /// For a run that cannot continue from what it has written, and ended with exit code 4 and this number. Where the new
    /// copy would delete more keys than that, nothing is deleted.
    #[arg(long, value_name = "KEYS")]
    recopy: Option<u64>,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// All that one process needs to work on a run.
pub(super) struct ApplyRun<'a> {
    /// What to run.
    pub(super) loaded: ExpandedPlan,
    /// Where its files are.
    pub(super) state_dir: PathBuf,
    /// Whether to end where the run would wait for a window.
    pub(super) no_wait: bool,
    /// The step to stop after.
    pub(super) until: Option<StepId>,
    /// How many keys at the destination may be deleted for a new copy.
    pub(super) recopy: Option<u64>,
    /// The file of `--events`.
    pub(super) events: Option<EventFile>,
    /// The page of `--metrics`.
    pub(super) metrics: Option<MetricsPage>,
    /// What is shown meanwhile.
    pub(super) progress: Progress,
    /// Who may ask for a stop.
    pub(super) stop: &'a StopSignal,
}

pub(super) fn run(args: Args, alone: bool, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    expect_digest(args.expect_digest, loaded.digest)?;
    expect_step(args.until, &loaded.graph)?;
    let stop = StopSignal::listen()?;
    let state_dir = args.state.unwrap_or_else(|| default_state_dir(&loaded.graph.name));
    let events = args.events.as_deref().map(EventFile::open).transpose()?;
    let progress = args.progress.renderer(alone);
    let metrics = args.metrics.map(|address| MetricsPage::open(address, &loaded.graph)).transpose()?;
    if let (Some(page), true) = (&metrics, args.progress.is_for_people()) {
        Output::stderr().print(&format!("metrics at {}\n", page.url()))?;
    }
    let (no_wait, until, recopy) = (args.no_wait, args.until, args.recopy);
    let run = ApplyRun { loaded, state_dir, no_wait, until, recopy, events, metrics, progress, stop: &stop };
    let ran = perform(run)?;
    out.print(&run_result(&ran.summary))?;
    if let Some(report) = &ran.report {
        out.print(&format!("report   {}\n", report.display()))?;
    }
    Ok(match (ran.outcome, stop.signal()) {
        (Outcome::Stopped, Some(signal)) => Exit::Signal(signal),
        _ => Exit::Outcome(ran.outcome),
    })
}

/// What came of it.
pub(super) struct RunResult {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What its events say.
    pub(super) summary: RunSummary,
    /// The page that tells of it; `None` when it never began, or could not be written.
    pub(super) report: Option<PathBuf>,
}

/// Runs it, and leaves its report however it ends.
pub(super) fn perform(run: ApplyRun<'_>) -> Result<RunResult, Failure> {
    let ApplyRun { loaded, state_dir, no_wait, until, recopy, mut events, metrics, mut progress, stop } = run;
    let request = ApplyRequest {
        servers: servers(&loaded.graph, &loaded.folder)?,
        digest: loaded.digest.to_string(),
        environment: hook_environment(&loaded.graph),
        state_dir: state_dir.clone(),
        folder: loaded.folder.clone(),
        no_wait,
        until,
        recopy,
        stop: stop.asked(),
        graph: loaded.graph.clone(),
    };
    progress = progress.expecting(&loaded.graph);
    logging::print_above(progress.above());
    let mut recorder = Recorder::new(state_dir, loaded.graph);
    let mut summary = RunSummary::default();
    let outcome = crate::engine::apply(request, &mut |event: &Stamped| {
        progress.show(event);
        recorder.take(event);
        if !matches!(event.event, Event::KeyFailed { .. } | Event::Differs { .. }) {
            summary.take(event); // The failed keys are counted in the figures; there may be too many to hold.
        }
        if let Some(file) = &mut events {
            file.write(event);
        }
        if let Some(page) = &metrics {
            page.take(event);
        }
    });
    logging::print_above(None);
    Ok(RunResult { outcome, summary, report: recorder.keep_page() })
}

/// Where the run of a plan keeps its files when nobody says otherwise.
pub(super) fn default_state_dir(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// What programs of the plan get of this process's environment: all but the variables that hold its passwords.
pub(super) fn hook_environment(graph: &Graph) -> Vec<(OsString, OsString)> {
    let secrets = graph.secret_variables();
    std::env::vars_os().filter(|(name, _)| !secrets.iter().any(|secret| **name == **secret)).collect()
}

fn expect_digest(expected: Option<Digest>, actual: Digest) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != actual => {
            Err(Failure::Digest { expected: expected.to_string(), actual: actual.to_string() })
        }
        _ => Ok(()),
    }
}

fn expect_step(until: Option<StepId>, graph: &Graph) -> Result<(), Failure> {
    let Some(until) = until.filter(|until| graph.steps.iter().all(|step| step.id != *until)) else { return Ok(()) };
    let steps: Vec<&str> = graph.steps.iter().map(|step| step.id.name()).collect();
    Err(Failure::Usage(format!("this plan has no step `{until}`: it has {}", steps.join(", "))))
}

fn step(text: &str) -> Result<StepId, String> {
    const ALL: [StepId; 7] = [
        StepId::Buffer,
        StepId::Precheck,
        StepId::Full,
        StepId::Incremental,
        StepId::Verify,
        StepId::Cutover,
        StepId::Cleanup,
    ];
    ALL.into_iter().find(|id| id.name() == text).ok_or_else(|| {
        let names = ALL.map(StepId::name);
        format!("no such step; there are {}", names.join(", "))
    })
}
