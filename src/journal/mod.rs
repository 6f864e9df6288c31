//! The local state of a run: an append-only file of checksummed records, and what they add up to.
//!
//! One record a line: 16 hex digits of CRC-64/NVME over the JSON, a space, the JSON. The first record names the format,
//! the run and the graph's digest. A record is synced to disk before what it says is relied upon. Only the last line
//! may be torn (the process died while writing it): it is dropped. A line that is damaged anywhere else refuses the
//! whole journal.

mod error;
mod file;
mod print;
mod record;
mod state;

pub use error::JournalError;
pub use file::Journal;
pub use print::Fingerprint;
pub use record::Record;
pub use state::{DumpState, RunState};
