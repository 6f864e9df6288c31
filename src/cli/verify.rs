//! `plan verify`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::apply::default_state_dir;
use super::exit::{Exit, Failure};
use super::load::load;
use super::logging;
use super::output::Output;
use super::secrets::servers;
use super::signals::StopSignal;
use super::watch::ProgressArg;
use crate::engine::VerifyRequest;
use crate::report::{RunSummary, verify_json, verify_text};
use crate::step::{Event, Graph, KeyDifference, Outcome, Stamped, VerifyMode, VerifyWork, Work};
use crate::store::own::{OpenMode, open_regular};
use crate::unit::CountRate;

/// Compare source and destination
///
/// Reads both sides with their own read commands and changes nothing without `--repair`. Works with both servers at rest, and
/// beside a run that follows the source: a key that changes meanwhile is looked at again until it is known whether it
/// differs. Exits with 0 when everything compared is equal, with 1 when keys differ, and with 3 when some could not be
/// verified, because they changed all the time or the destination was too far behind.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` reads standard input
    file: PathBuf,

    /// How thoroughly: keys, sample:N or full [default: the plan's mode, or full]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<VerifyMode>,

    /// What a sample is chosen by: the same number chooses the same keys of the same data
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Keys a second that are read, such as 20000/s
    #[arg(long, value_name = "RATE")]
    rate: Option<CountRate>,

    /// Copy again what differs
    ///
    /// The source's value takes the place of the destination's, and keys that only the destination has are deleted. Not
    /// while a run of the plan is under way, and never once it is sealed.
    #[arg(long)]
    repair: bool,

    /// Write every difference to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    differences: Option<PathBuf>,

    /// How to show what came out
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// How to show the progress of the comparison
    #[arg(long, value_enum, default_value = "auto", value_name = "STYLE")]
    progress: ProgressArg,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, alone: bool, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let stop = StopSignal::listen()?;
    let state_dir = args.state.clone().unwrap_or_else(|| default_state_dir(&loaded.graph.name));
    let request = VerifyRequest {
        work: work(&loaded.graph, args),
        seed: args.seed.unwrap_or_else(fresh_seed),
        repair: args.repair,
        servers: servers(&loaded.graph, &loaded.folder)?,
        digest: loaded.digest.to_string(),
        graph: loaded.graph,
        stop: stop.asked(),
        state_dir,
    };
    let mut file = args.differences.as_deref().map(DifferenceFile::open).transpose()?;
    let mut progress = args.progress.renderer(alone);
    logging::print_above(progress.above());
    let mut summary = RunSummary::default();
    let outcome = crate::engine::verify(&request, &mut |event: &Stamped| {
        progress.show(event);
        if let (Event::Differs { difference }, Some(file)) = (&event.event, &mut file) {
            file.write(difference);
        }
        summary.take(event);
    });
    logging::print_above(None);
    if let Some(file) = file {
        file.close()?;
    }
    out.print(&match args.format {
        Format::Human => verify_text(&summary),
        Format::Json => verify_json(&summary),
    })?;
    Ok(match (outcome, stop.signal()) {
        (Outcome::Stopped, Some(signal)) => Exit::Signal(signal),
        _ => Exit::Outcome(outcome),
    })
}

/// What the plan says, and in its place what the command line says.
fn work(graph: &Graph, args: &Args) -> VerifyWork {
    let planned = graph.steps.iter().find_map(|step| match &step.work {
        Work::Verify(work) => Some(work.clone()),
        _ => None,
    });
    let copied = graph.steps.iter().find_map(|step| match &step.work {
        Work::Full(work) => Some(work.selection.clone()),
        _ => None,
    });
    let selection = copied.unwrap_or_else(crate::step::Selection::all);
    let planned = planned.unwrap_or(VerifyWork { selection, mode: VerifyMode::Full, rate: None });
    VerifyWork { mode: args.mode.unwrap_or(planned.mode), rate: args.rate.or(planned.rate), ..planned }
}

fn fresh_seed() -> u64 {
    u64::try_from(crate::unit::UnixMillis::now().0).unwrap_or(1) % 1_000_000_007
}

fn mode(text: &str) -> Result<VerifyMode, String> {
    let sample = |keys: &str| keys.parse().ok().filter(|keys| *keys > 0).map(|keys| VerifyMode::Sample { keys });
    match text.split_once(':') {
        None if text == "keys" => Ok(VerifyMode::Keys),
        None if text == "full" => Ok(VerifyMode::Full),
        Some(("sample", keys)) => sample(keys).ok_or_else(|| format!("`{keys}` is no number of keys")),
        _ => Err("write keys, sample:10000 or full".to_owned()),
    }
}

/// The file of `--differences`. Only its owner may read it: keys have names.
struct DifferenceFile {
    path: PathBuf,
    file: File,
    broken: Option<std::io::Error>,
}

impl DifferenceFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file =
            open_regular(path, OpenMode::Replace).map_err(|source| Failure::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, broken: None })
    }

    fn write(&mut self, difference: &KeyDifference) {
        if self.broken.is_some() {
            return;
        }
        let line = serde_json::to_string(difference).map_err(std::io::Error::from);
        self.broken = line.and_then(|line| self.file.write_all(format!("{line}\n").as_bytes())).err();
    }

    fn close(self) -> Result<(), Failure> {
        match self.broken {
            Some(source) => Err(Failure::Write { path: self.path, source }),
            None => Ok(()),
        }
    }
}
