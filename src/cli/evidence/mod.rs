//! The evidence of a run in its state directory: `events.jsonl`, every event as a line of JSON, `graph-<digest>.json`,
//! the graph that was run, and `samples.jsonl`, its figures over time. `plan report` reads them; `report.html` is made of
//! them whenever a process ends.
//!
//! Figures and reasons to wait come many times a second and only the newest count. One in five seconds is kept, fewer the
//! longer the process runs, and the last before any other event: the log of a long run stays small.

mod samples;

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::watch::EventFile;
use crate::planner::{Digest, digest};
use crate::report::{Sample, run_html};
use crate::step::{Event, Graph, Stamped};
use crate::store::own::OwnFolder;
use crate::store::{open_bounded, read_bounded, write_whole};
use crate::unit::UnixMillis;
use samples::SampleFile;

const EVENTS: &str = "events.jsonl";
const PAGE: &str = "report.html";

/// The most that is read of either: beyond it something else wrote the file.
const MAX_EVENTS: u64 = 1 << 30;
const MAX_GRAPH: u64 = 16 << 20;
/// The longest line that can be an event.
const MAX_LINE: u64 = 16 << 20;

/// Figures are kept this often, milliseconds.
const FIGURES_EVERY: i64 = 5_000;

/// And not more often than this part of the process's time.
const OF_ALL: i64 = 100;

/// Writes the evidence of one process's work on a run.
pub(super) struct Recorder {
    folder: PathBuf,
    graph: Graph,
    log: Option<EventFile>,
    samples: Option<SampleFile>,
    began: Option<UnixMillis>,
    figures: Thinned,
    waiting: Thinned,
    traffic: Thinned,
}

/// Events of which only the newest counts.
#[derive(Default)]
struct Thinned {
    kept_at: Option<UnixMillis>,
    held: Option<Stamped>,
}

impl Thinned {
    /// Whether this one is to be kept; it is held when not.
    fn keeps(&mut self, event: &Stamped, every: i64) -> bool {
        if self.kept_at.is_some_and(|last| event.at.0.saturating_sub(last.0) < every) {
            self.held = Some(event.clone());
            return false;
        }
        self.kept_at = Some(event.at);
        self.held = None;
        true
    }
}

impl Recorder {
    /// A recorder of a run of `graph` whose state is in `folder`. Touches nothing before the run has started: a runner
    /// that was turned away leaves no mark.
    pub(super) fn new(folder: PathBuf, graph: Graph) -> Self {
        let [figures, waiting, traffic] = std::array::from_fn(|_| Thinned::default());
        Self { folder, graph, log: None, samples: None, began: None, figures, waiting, traffic }
    }

    /// Takes one event.
    pub(super) fn take(&mut self, event: &Stamped) {
        if let Event::RunStarted { run, .. } = &event.event {
            self.start(run);
        }
        if let Some(samples) = &mut self.samples {
            samples.take(event);
        }
        let began = *self.began.get_or_insert(event.at);
        let every = FIGURES_EVERY.max(event.at.0.saturating_sub(began.0) / OF_ALL);
        let is_kept = match event.event {
            Event::Progress { .. } | Event::Following { .. } | Event::VerifyProgress { .. } => {
                self.figures.keeps(event, every)
            }
            Event::Waiting { .. } => self.waiting.keeps(event, every),
            Event::Traffic { .. } => self.traffic.keeps(event, every),
            _ => true,
        };
        if !is_kept {
            return;
        }
        let thinned = [&mut self.figures, &mut self.waiting, &mut self.traffic];
        let mut held: Vec<Stamped> = thinned.into_iter().filter_map(|thinned| thinned.held.take()).collect();
        held.sort_by_key(|held| held.at);
        if let Some(log) = &mut self.log {
            held.iter().chain([event]).for_each(|event| log.write(event));
        }
    }

    /// Keeps the page of a run that began; answers where.
    pub(super) fn keep_page(self) -> Option<PathBuf> {
        self.log.as_ref()?;
        match keep_page(&self.folder) {
            Ok(path) => Some(path),
            Err(failure) => {
                tracing::error!("there is no report of this run: {failure}");
                None
            }
        }
    }

    fn start(&mut self, run: &str) {
        let ready = keep_graph(&self.folder, &self.graph).and_then(|()| EventFile::own(&self.folder.join(EVENTS)));
        match ready {
            Ok(log) => {
                self.log = Some(log);
                self.samples = Some(SampleFile::open(&self.folder, run));
            }
            Err(failure) => tracing::error!("there will be no report of this run: {failure}"),
        }
    }
}

fn keep_graph(folder: &Path, graph: &Graph) -> Result<(), Failure> {
    let path = graph_path(folder, &digest(graph).to_string());
    if path.exists() {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(graph).map_err(std::io::Error::from);
    text.and_then(|text| write_whole(&path, text.as_bytes()))
        .map_err(|source| Failure::Write { path: path.clone(), source })
}

fn graph_path(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("graph-{}.json", digest.get(..12).unwrap_or(digest)))
}

/// Makes the page of the newest run in `folder` anew and keeps it there; answers where.
fn keep_page(folder: &Path) -> Result<PathBuf, Failure> {
    let Evidence { graph, events, samples } = Evidence::read(folder)?;
    let path = folder.join(PAGE);
    match write_whole(&path, run_html(&events, &samples, &graph).as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(Failure::Write { path, source }),
    }
}

/// What a state directory tells of its newest run.
pub(super) struct Evidence {
    /// The graph that was run.
    pub(super) graph: Graph,
    /// The run's events, oldest first.
    pub(super) events: Vec<Stamped>,
    /// Its figures over time.
    pub(super) samples: Vec<Sample>,
}

impl Evidence {
    /// Reads the evidence in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        ours(folder)?;
        let path = folder.join(EVENTS);
        let events =
            match open_bounded(&path, MAX_EVENTS).and_then(|file| file.map(|file| events(file, &path)).transpose()) {
                Ok(Some(events)) => events,
                Ok(None) => return Err(no_run(folder)),
                Err(source) => return Err(Failure::Read { path, source }),
            };
        // A digest is part of a path: nothing but digits gets there.
        let newest = newest_run(events).filter(|(_, digest, _)| digest.parse::<Digest>().is_ok());
        let (run, digest, events) = newest.ok_or_else(|| no_run(folder))?;
        let path = graph_path(folder, &digest);
        let bytes = read_bounded(&path, MAX_GRAPH).map(Option::unwrap_or_default);
        let graph = bytes.and_then(|bytes| Ok(serde_json::from_slice::<Graph>(&bytes)?));
        let graph = graph.map_err(|source| Failure::Read { path: path.clone(), source })?;
        if self::digest(&graph).to_string() != digest {
            return Err(Failure::NoRun(format!("{} is not the graph that was run: it was changed", path.display())));
        }
        let samples = samples::read(folder, &run).unwrap_or_default();
        Ok(Self { graph, events, samples })
    }
}

/// What anybody else could have written is no evidence.
fn ours(folder: &Path) -> Result<(), Failure> {
    match OwnFolder::open(folder).and_then(|folder| folder.inspect()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(no_run(folder)),
        Err(error) => Err(Failure::of_state(folder, error)),
        Ok(()) => Ok(()),
    }
}

fn no_run(folder: &Path) -> Failure {
    Failure::NoRun(format!(
        "no run has left its events in {}\nhelp: the files of a run are in .plan/NAME; pass --state DIR if the run used another directory",
        folder.display()
    ))
}

/// The events of a log, read line by line. A line that a crash cut off is left out, and said.
fn events(log: impl Read, path: &Path) -> std::io::Result<Vec<Stamped>> {
    let mut log = BufReader::new(log.take(MAX_EVENTS));
    let (mut events, mut line) = (vec![], vec![]);
    for number in 1.. {
        line.clear();
        if log.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 == MAX_LINE {
            let what = format!("line {number} is longer than {MAX_LINE} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
        }
        match serde_json::from_str(&String::from_utf8_lossy(&line)) {
            Ok(event) => events.push(event),
            Err(error) => tracing::warn!("{}:{number}: not an event, left out: {error}", path.display()),
        }
    }
    Ok(events)
}

/// The id, the digest and the events of the run that started last, all its attempts.
fn newest_run(events: Vec<Stamped>) -> Option<(String, String, Vec<Stamped>)> {
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
    let kept = kept.collect();
    Some((newest, digest, kept))
}
