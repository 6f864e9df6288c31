//! What the engine is asked.

use std::{ffi::OsString, path::PathBuf};

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
    /// The folder that the plan's relative paths are relative to.
    pub folder: PathBuf,
    /// What hooks get as their environment, beside what they are told of the run.
    pub environment: Vec<(OsString, OsString)>,
    /// End where the run would wait for a window.
    pub no_wait: bool,
    /// Stop after this step, with a durable checkpoint.
    pub until: Option<StepId>,
    /// So many keys at the destination may be deleted for a new full copy: an operator was shown the number.
    pub recopy: Option<u64>,
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
