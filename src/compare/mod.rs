//! Comparing two servers, key by key, with their own read commands.
//!
//! Each key is read on either side by itself, in steps of bounded cost, into a canonical form that does not depend on
//! version or encoding: a digest for each part of the value (members, scores, field expiries, a group's pending entries).
//! Two readings are then judged. A large value never stands in memory: it is read window by window.
//!
//! While writes go on, a key that seems to differ is a suspect and no more. It is read again: at the source, then at the
//! destination once that has applied all that the source had written by then, then at the source once more. Only what
//! differs although the source did not change in between, twice, is a difference.

mod batch;
mod caps;
mod checkpoint;
mod fault;
mod judge;
mod link;
mod names;
mod pool;
mod progress;
mod reader;
mod reading;
mod recheck;
mod run;
mod sample;
mod scan;
mod setup;
mod side;
mod stream;
mod sum;
mod tally;
mod verdicts;
mod windows;

pub use fault::CompareFault;
pub use recheck::{Applied, AppliedOffset, Recheck};
pub use run::{begin, tell_to};
pub use scan::Pair;
pub use setup::{Begun, CompareEvent, Setup};
pub use side::ComparedServer;
