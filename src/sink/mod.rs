//! Writing to the destination: who may write (the run record, its lease and token), what is written (the cheapest form
//! the destination accepts), and the lanes that write it.
//!
//! A lane is one connection. What it writes goes in guarded batches: one transaction holds the commands and the lane's
//! mark in the run record, and is carried out only while the fencing token is still ours. A batch whose reply was lost
//! is therefore settled by reading the mark; it is never written twice and never lost.

mod batch;
mod batch_size;
mod building;
mod checkpoint;
mod closing;
mod deadlines;
mod deal;
mod destination;
mod encode;
mod ghosts;
mod lane;
mod large;
mod lease;
mod libraries;
pub mod native;
mod neighbours;
mod noted;
mod position;
mod record;
mod removed;
mod replicas;
mod translate;
mod window;

pub use batch::{Batch, Job};
pub use batch_size::BatchSize;
pub use checkpoint::Checkpoint;
pub use deadlines::{DeadlineJob, DeadlinePass, DeadlineStep, Settled};
pub use deal::{DealCounts, DealFault, Dealer, Dealt};
pub use destination::{Destination, Form};
pub use ghosts::{Extent, UndoFault, clear_databases, undo};
pub use lane::{Lane, LaneFault, LaneReport, LaneSetup, LargeValuePermits, Part, TooLarge};
pub use large::Large;
pub use lease::{Claim, Claimant, Lease, LeaseFault, Written, claim, has_begun, peek, record, while_token};
pub use libraries::Libraries;
pub use neighbours::{Neighbour, neighbours, recorded};
pub use noted::NotedSettings;
pub use position::{Position, Upto};
pub use record::{ChangedSettings, DeadlineMode, Mark, RecordKeys, RecordState, RunRecord};
pub use removed::Removed;
pub use replicas::Replicas;
pub use translate::{
    CommandOutcome, Erase, Name, Outgoing, SourceDeadlines, Translator, TranslatorSetup, meets_deadlines,
};
pub use window::InFlight;
