//! What the engine is asked.

use std::{ffi::OsString, path::PathBuf};

use crate::{
    net::Access,
    step::{Graph, Side, StepId},
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
    /// How both servers are entered.
    pub servers: Servers,
    /// Closed when the run is to stop at its next durable checkpoint.
    pub stop: async_channel::Receiver<()>,
}

/// How both servers are entered.
#[derive(Clone)]
pub struct Servers {
    /// The source.
    pub source: Access,
    /// The destination.
    pub destination: Access,
}

impl Servers {
    /// The server of one side.
    pub const fn of(&self, side: Side) -> &Access {
        match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
        }
    }
}
