//! What a lane is given to write.

use super::{Checkpoint, DeadlineJob, Erase, Large, Mark};
use crate::{
    rdb::{Kind, ModuleId},
    unit::{Db, UnixMillis},
};

/// Commands that go to the destination in one transaction, with the mark that says they are done.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The commands, as a client sends them; SELECTs included. What is large is shortened in them.
    pub bytes: Vec<u8>,
    /// What is sent in the place of shortened parts, in their order.
    pub large: Vec<Large>,
    /// How many commands these are.
    pub commands: u32,
    /// How many keys they complete.
    pub keys: u32,
    /// Where the lane stands once they are done.
    pub mark: Mark,
    /// The same, for commands of the stream; its offset is `mark.at`.
    pub checkpoint: Option<Checkpoint>,
    /// Keys that must not exist yet; empty where the commands themselves refuse to overwrite, or may.
    pub probes: Vec<Probe>,
    /// Where the lane stands instead if a probed key exists: behind the value that would have been written to it.
    pub mark_if_left_alone: Option<Mark>,
    /// Commands, by their place, whose answer of nothing means that they did nothing, though they did at the source.
    pub watched: Vec<u32>,
    /// Bytes of the window that the batch holds.
    pub charged: u64,
    /// Databases that it empties, each once.
    pub empties: Vec<Db>,
    /// Databases that it swaps.
    pub swaps: Vec<(Db, Db)>,
    /// Whether it was put together while far deadlines were written exact.
    pub settles: bool,
    /// Whether it puts the run record back, as that was when this process began.
    pub restores_record: bool,
}

/// A key that is written only if it does not exist.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its database at the destination.
    pub db: Db,
    /// The key.
    pub key: Vec<u8>,
    /// The commands that write it, as a range of the batch's bytes. Begins after a SELECT of `db`.
    pub bytes: std::ops::Range<usize>,
    /// How many commands these are.
    pub commands: u32,
}

/// One thing for a lane to do.
#[derive(Debug)]
pub enum Job {
    /// Write a batch.
    Batch(Box<Batch>),
    /// Erase keys at the destination.
    Erase(Box<Erase>),
    /// Make deadlines exact, or defer them.
    Deadlines(Box<DeadlineJob>),
    /// Write a value that is too large to be held, reading it back from the spool.
    Big(Box<BigEntry>),
}

impl Job {
    /// What a job that is no batch takes of the window, so that it is known to be under way.
    pub const UNIT: u64 = 1;
}

/// An entry whose value stays in the spool.
#[derive(Clone, Debug)]
pub struct BigEntry {
    /// Byte offset of the entry in the dump.
    pub at: u64,
    /// Byte offset behind it.
    pub end: u64,
    /// Its database at the source.
    pub from: Db,
    /// Its database at the destination.
    pub to: Db,
    /// The key.
    pub key: Vec<u8>,
    /// Its expiry.
    pub expires_at: Option<UnixMillis>,
    /// Type and encoding.
    pub kind: Kind,
    /// The module, for a module value.
    pub module: Option<ModuleId>,
    /// Byte offset of the value in the dump.
    pub value_at: u64,
    /// Bytes of the value in the dump.
    pub size: u64,
    /// Elements that are written already.
    pub done: u64,
}
