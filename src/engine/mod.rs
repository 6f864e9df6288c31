//! PLACEHOLDER: the signatures the command line is written against. It refuses to run anything.

use std::path::PathBuf;

use crate::step::{Event, Graph, Outcome, Stamped, StepId};
use crate::unit::{Secret, UnixMillis};

/// What a run needs beside the graph.
pub struct ApplyRequest {
    /// What to do.
    pub graph: Graph,
    /// The graph's digest: 64 hexadecimal digits.
    pub digest: String,
    /// Where the run keeps its files.
    pub state_dir: PathBuf,
    /// Stop after this step, with a durable checkpoint.
    pub until: Option<StepId>,
    /// The passwords, already read from where the plan says.
    pub passwords: Passwords,
    /// Closed when the run is to stop at its next durable checkpoint.
    pub stop: async_channel::Receiver<()>,
}

/// The passwords of both servers; `None` where no AUTH is sent.
#[derive(Default)]
pub struct Passwords {
    /// The source's.
    pub source: Option<Secret>,
    /// The destination's.
    pub destination: Option<Secret>,
}

/// Runs a graph, or continues its run.
pub fn apply(_request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    refuse(on_event)
}

/// Runs the precheck alone.
pub fn check(
    _graph: Graph,
    _passwords: Passwords,
    _stop: async_channel::Receiver<()>,
    on_event: &mut dyn FnMut(&Stamped),
) -> Outcome {
    refuse(on_event)
}

fn refuse(on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let summary = "This build has no engine.".to_owned();
    let event = Event::RunFinished { outcome: Outcome::Failed, summary, seconds: 0.0 };
    on_event(&Stamped { at: UnixMillis::now(), event });
    Outcome::Failed
}
