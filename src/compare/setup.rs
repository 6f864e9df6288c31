//! What a comparison is given, and what it tells.

use std::{collections::HashSet, path::PathBuf};

use async_channel::Receiver;
use async_std::task::JoinHandle;

use super::{CompareFault, Recheck, scan::Pair, side::ComparedServer};
use crate::{
    step::{KeyDifference, Selection, VerifyMode, VerifyProgress, VerifyResult},
    unit::Db,
};

/// What is compared, and how.
pub struct Setup {
    /// Where the data is.
    pub source: ComparedServer,
    /// Where it goes.
    pub destination: ComparedServer,
    /// What moves where.
    pub selection: Selection,
    /// How thoroughly.
    pub mode: VerifyMode,
    /// What a sample is chosen by.
    pub seed: u64,
    /// Keys a second at most.
    pub rate: Option<u64>,
    /// Pairs of connections.
    pub workers: usize,
    /// Keys that the copy left as they were, as `db:key` of the destination.
    pub skipped: HashSet<Vec<u8>>,
    /// Databases of the destination that held keys when the run began.
    pub occupied: Vec<Db>,
    /// How it is judged whether a difference stays.
    pub recheck: Recheck,
    /// Where it notes how far it is, and what must be the same for another process to go on there.
    pub checkpoint: Option<(PathBuf, String)>,
    /// Compare these keys and no others.
    pub only: Option<Vec<Pair>>,
}

/// What a comparison tells.
#[derive(Debug)]
pub enum CompareEvent {
    /// How far it is.
    Progress(VerifyProgress),
    /// A key differs.
    Difference(Box<(Pair, KeyDifference)>),
    /// It is over. The last that is told.
    Done(Box<Result<VerifyResult, CompareFault>>),
}

/// A comparison under way.
pub struct Begun {
    /// What it tells.
    pub told: Receiver<CompareEvent>,
    pub(super) task: JoinHandle<()>,
}

impl Begun {
    /// Ends it, wherever it is.
    pub async fn end(self) {
        self.told.close();
        self.task.cancel().await;
    }
}
