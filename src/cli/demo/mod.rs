//! `plan demo`: a real migration between two throw-away servers on this machine, while a client keeps writing.

mod compare;
mod dataset;
mod error;
mod install;
mod server;
mod traffic;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use compare::compare;
use dataset::Dataset;
pub(super) use error::DemoError;
use install::Installed;
use server::{DemoServer, private_folder};
use traffic::DemoTraffic;

use super::apply::{ApplyRun, RunResult, perform};
use super::exit::{Exit, Failure};
use super::load::load;
use super::output::Output;
use super::signals::StopSignal;
use super::watch::ProgressArg;
use crate::planner::Digest;
use crate::report::{GraphFormat, RunSummary, render_graph, run_result};
use crate::step::{Outcome, StepId};

/// Migrate between two throw-away servers on this machine, while a client keeps writing
///
/// Starts two Redis servers on Unix sockets that only this user can open, fills one with some 200,000 keys of every type, and migrates them to the other
/// by a plan file, through validate, preview and apply as for any plan. Then compares every key, value and expiry. Both
/// servers are gone afterwards; the plan, the run's files and its report stay.
///
/// Takes two different versions of those in `$REDIS_PLAN_SERVERS` (default: ~/.cache/redis-plan/servers), else the
/// `redis-server` of the PATH twice.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How many keys, about
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    keys: u32,

    /// How to show the run
    #[arg(long, value_enum, default_value = "auto", value_name = "STYLE")]
    progress: ProgressArg,
}

pub(super) fn run(args: &Args, alone: bool, out: &mut Output) -> Result<Exit, Failure> {
    let stop = StopSignal::listen()?;
    let folder = private_folder("redis-plan-demo-")?.keep();
    let installed = Installed::find()?;
    let source = DemoServer::start(&installed.source)?;
    let destination = DemoServer::start(&installed.destination)?;
    out.print(&format!("{source} -> {destination}\n"))?;

    let started = Instant::now();
    let dataset = Dataset::new(args.keys, source.version());
    dataset.load(&mut source.connect()?)?;
    let seconds = started.elapsed().as_secs_f64();
    out.print(&format!("{} keys loaded in {seconds:.1} s; a client keeps writing\n", dataset.keys()))?;
    if let Some(signal) = stop.signal() {
        return Ok(Exit::Signal(signal));
    }
    let traffic = DemoTraffic::start(source.connect()?);

    let file = folder.join("plan.yaml");
    let plan = plan(&source, &destination, &folder)?;
    std::fs::write(&file, &plan).map_err(DemoError::from)?;
    out.print(&format!("\n# {}\n{plan}\n$ plan preview plan.yaml\n", file.display()))?;
    let loaded = load(&file)?;
    out.print(&render_graph(&loaded.graph, &loaded.digest, GraphFormat::Human))?;
    out.print(&format!("\n$ plan apply plan.yaml --expect-digest {}\n", short(&loaded.digest)))?;

    let state_dir = folder.join("state");
    let progress = args.progress.renderer(alone);
    let RunResult { outcome, summary, report } = perform(ApplyRun {
        loaded,
        state_dir,
        no_wait: false,
        until: None,
        recopy: None,
        events: None,
        metrics: None,
        progress,
        stop: &stop,
    })?;
    let written = traffic.end()?;
    out.print(&run_result(&summary))?;
    if outcome != Outcome::Done {
        return Ok(stop.signal().map_or(Exit::Outcome(outcome), Exit::Signal));
    }

    let compared = compare(&dataset, &source, &destination)?;
    out.print(&ending(&summary, &compared, written, report.as_deref()))?;
    Ok(if compared.is_equal() { Exit::Outcome(Outcome::Done) } else { Exit::No })
}

fn short(digest: &Digest) -> String {
    format!("{}…", digest.short())
}

/// The plan of the demo: a full copy, its passwords in a file of their own.
fn plan(source: &DemoServer, destination: &DemoServer, folder: &Path) -> Result<String, DemoError> {
    let password = |name: &str, server: &DemoServer| {
        let path = folder.join(name);
        server.keep_password(&path).map(|()| path.display().to_string())
    };
    let (source_password, destination_password) =
        (password("source.secret", source)?, password("destination.secret", destination)?);
    Ok(format!(
        "version: 1\n\
         name: demo\n\
         source:\n  url: {}\n  password: {{ file: {source_password} }}\n\
         destination:\n  url: {}\n  password: {{ file: {destination_password} }}\n\
         migration: [full]\n",
        source.url(),
        destination.url(),
    ))
}

fn ending(summary: &RunSummary, compared: &compare::DemoComparison, written: u64, report: Option<&Path>) -> String {
    let mut text = format!("\n{compared}\n");
    if let Some(seconds) = summary.seconds_of(StepId::Full) {
        let progress = summary.progress.clone().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = progress.applied as f64 / 1e6 / seconds.max(0.001);
        _ = writeln!(text, "full copy: {} keys in {seconds:.2} s, {rate:.1} MB/s of dump", progress.keys);
    }
    _ = writeln!(
        text,
        "meanwhile: {written} commands were written at the source; a full copy alone does not follow them"
    );
    if let Some(report) = report {
        _ = writeln!(text, "report:    {}", report.display());
    }
    text
}
