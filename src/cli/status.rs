//! `plan status`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apply::default_state_dir;
use super::evidence::Evidence;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::engine::{AskError, ControlClient};
use crate::report::{RunSummary, idle_json, idle_text, status_json, status_text};
use crate::step::{Order, Outcome, Status};
use crate::store::own::OwnFolder;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);

/// Show how runs stand
///
/// The step under way, how far behind the destination is, why nothing moves when it does not, how the stop conditions
/// stand, how long the source's backlog and the spool would last, and what blocks a cutover.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan's name [default: every run in .plan]
    name: Option<String>,

    /// How to show it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Show it again every second until the process ends
    #[arg(long, requires = "name")]
    watch: bool,

    /// Where the run keeps its files [default: .plan/NAME]
    #[arg(long, value_name = "DIR", requires = "name")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

/// How one run stands.
enum Stand {
    /// A process works on it.
    Works(Box<Status>),
    /// None does; this is what it left.
    Left(Box<RunSummary>),
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let runs = match &args.name {
        Some(name) => vec![(name.clone(), args.state.clone().unwrap_or_else(|| default_state_dir(name)))],
        None => all()?,
    };
    let rewrites = args.watch && args.format == Format::Human && std::io::stdout().is_terminal();
    let mut lines = 0;
    loop {
        let mut text = String::new();
        let mut works = false;
        for (name, folder) in &runs {
            let stand = stand(folder)?;
            works |= matches!(stand, Stand::Works(_));
            text.push_str(&shown(name, &stand, args.format));
        }
        if rewrites && lines > 0 {
            // Back over what was shown, and clear what is longer than its successor.
            text.insert_str(0, &format!("\x1b[{lines}A\x1b[J"));
        }
        out.print(&text)?;
        lines = text.lines().count();
        if !args.watch || !works {
            return Ok(Exit::Outcome(Outcome::Done));
        }
        std::thread::sleep(EVERY);
    }
}

fn shown(name: &str, stand: &Stand, format: Format) -> String {
    match (stand, format) {
        (Stand::Works(status), Format::Human) => status_text(status),
        (Stand::Left(run), Format::Human) => idle_text(name, run),
        (Stand::Works(status), Format::Json) => format!("{}\n", status_json(status)),
        (Stand::Left(run), Format::Json) => format!("{}\n", idle_json(name, run)),
    }
}

fn stand(folder: &Path) -> Result<Stand, Failure> {
    match ControlClient::connect(folder).and_then(|mut steersman| steersman.ask(&Order::Status)) {
        Ok(answer) => match answer.status {
            Some(status) => Ok(Stand::Works(status)),
            None => Err(Failure::Unanswered(AskError::Broken(answer.text))),
        },
        Err(AskError::NotOurs(fault)) => Err(Failure::NotOurs { path: folder.to_owned(), fault }),
        // It ended, now or before.
        Err(AskError::Nobody | AskError::Broken(_)) => {
            Ok(Stand::Left(Box::new(RunSummary::of(&Evidence::read(folder)?.events))))
        }
    }
}

/// Every run in `.plan`, by name.
fn all() -> Result<Vec<(String, PathBuf)>, Failure> {
    let folder = default_state_dir("");
    let none = || {
        Failure::NoRun(format!(
            "there are no runs in {}\nhelp: runs are looked for in the folder `plan apply` was started in; say NAME and \
             --state DIR for others",
            folder.display()
        ))
    };
    let own = OwnFolder::open(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => none(),
        _ => Failure::of_state(&folder, error),
    })?;
    let entries = std::fs::read_dir(own.through("")).map_err(|_| none())?;
    let journalled = entries.filter_map(Result::ok).filter(|entry| entry.path().join("journal").exists());
    let mut runs: Vec<(String, PathBuf)> = journalled
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), folder.join(entry.file_name())))
        .collect();
    runs.sort();
    if runs.is_empty() { Err(none()) } else { Ok(runs) }
}
