//! What the engine is asked.

use std::path::PathBuf;

use crate::{
    step::{Graph, StepId},
    unit::Secret,
};

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
#[derive(Clone, Default)]
pub struct Passwords {
    /// The source's.
    pub source: Option<Secret>,
    /// The destination's.
    pub destination: Option<Secret>,
}
