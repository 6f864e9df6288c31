//! The evidence of a run in its state directory: `events.jsonl`, every event as a line of JSON, and
//! `graph-<digest>.json`, the graph that was run. `plan report` reads both.
//!
//! Figures come many times a second and only the newest count, so one in five seconds is kept, and the last before any
//! other event.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::watch::EventFile;
use crate::planner::{Digest, digest};
use crate::step::{Event, Graph, Stamped};
use crate::store::read_bounded;
use crate::unit::UnixMillis;

const EVENTS: &str = "events.jsonl";

/// The most that is read of either: beyond it something else wrote the file.
const MAX_EVENTS: u64 = 1 << 30;
const MAX_GRAPH: u64 = 16 << 20;

/// Figures are kept this often, milliseconds.
const FIGURES_EVERY: i64 = 5_000;

/// Writes the evidence of one process's work on a run.
pub(super) struct Recorder {
    folder: PathBuf,
    graph: Graph,
    log: Option<EventFile>,
    figures_at: Option<UnixMillis>,
    held: Option<Stamped>,
}

impl Recorder {
    /// A recorder of a run of `graph` whose state is in `folder`. Touches nothing before the run has started: a runner
    /// that was turned away leaves no mark.
    pub(super) const fn new(folder: PathBuf, graph: Graph) -> Self {
        Self { folder, graph, log: None, figures_at: None, held: None }
    }

    /// Takes one event.
    pub(super) fn take(&mut self, event: &Stamped) {
        if let Event::RunStarted { .. } = event.event {
            self.start();
        }
        if let Event::Progress { .. } | Event::Following { .. } | Event::VerifyProgress { .. } = event.event {
            if self.figures_at.is_some_and(|last| event.at.0.saturating_sub(last.0) < FIGURES_EVERY) {
                self.held = Some(event.clone());
                return;
            }
            self.figures_at = Some(event.at);
            self.held = None;
        }
        let held = self.held.take();
        if let Some(log) = &mut self.log {
            held.iter().chain([event]).for_each(|event| log.write(event));
        }
    }

    fn start(&mut self) {
        let ready = keep_graph(&self.folder, &self.graph).and_then(|()| EventFile::open(&self.folder.join(EVENTS)));
        match ready {
            Ok(log) => self.log = Some(log),
            Err(failure) => tracing::error!("there will be no report of this run: {failure}"),
        }
    }
}

fn keep_graph(folder: &Path, graph: &Graph) -> Result<(), Failure> {
    let path = graph_path(folder, &digest(graph).to_string());
    if path.exists() {
        return Ok(());
    }
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".graph").tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, graph)?;
        file.as_file_mut().flush()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| Failure::Write { path: path.clone(), source })
}

fn graph_path(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("graph-{}.json", digest.get(..12).unwrap_or(digest)))
}

/// What a state directory tells of its newest run.
pub(super) struct Evidence {
    /// The graph that was run.
    pub(super) graph: Graph,
    /// The run's events, oldest first.
    pub(super) events: Vec<Stamped>,
}

impl Evidence {
    /// Reads the evidence in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(EVENTS);
        let text = match read_bounded(&path, MAX_EVENTS) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) => return Err(no_run(folder)),
            Err(source) => return Err(Failure::Read { path, source }),
        };
        // A digest is part of a path: nothing but digits gets there.
        let newest = newest_run(events(&text, &path)).filter(|(digest, _)| digest.parse::<Digest>().is_ok());
        let (digest, events) = newest.ok_or_else(|| no_run(folder))?;
        let path = graph_path(folder, &digest);
        let bytes = read_bounded(&path, MAX_GRAPH).map(Option::unwrap_or_default);
        let graph = bytes.and_then(|bytes| Ok(serde_json::from_slice::<Graph>(&bytes)?));
        let graph = graph.map_err(|source| Failure::Read { path: path.clone(), source })?;
        if self::digest(&graph).to_string() != digest {
            return Err(Failure::NoRun(format!("{} is not the graph that was run: it was changed", path.display())));
        }
        Ok(Self { graph, events })
    }
}

fn no_run(folder: &Path) -> Failure {
    Failure::NoRun(format!(
        "no run has left its events in {}\nhelp: `plan report NAME` looks in .plan/NAME; say --state DIR when the run did",
        folder.display()
    ))
}

/// The events of a log. A line that a crash cut off is left out, and said.
fn events(text: &str, path: &Path) -> Vec<Stamped> {
    let mut events = vec![];
    for (index, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(error) => tracing::warn!("{}:{}: not an event, left out: {error}", path.display(), index + 1),
        }
    }
    events
}

/// The digest and the events of the run that started last, all its attempts.
fn newest_run(events: Vec<Stamped>) -> Option<(String, Vec<Stamped>)> {
    let started = |stamped: &Stamped| match &stamped.event {
        Event::RunStarted { run, digest, .. } => Some((run.clone(), digest.clone())),
        _ => None,
    };
    let (newest, digest) = events.iter().rev().find_map(started)?;
    let mut is_of_newest = false;
    let kept = events.into_iter().filter(|event| {
        if let Some((run, _)) = started(event) {
            is_of_newest = run == newest;
        }
        is_of_newest
    });
    Some((digest, kept.collect()))
}
