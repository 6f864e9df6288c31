//! Sessions with a source: what it says of itself ([`survey`]) and a replication connection that brings its dump and its stream
//! ([`Link`]). Nothing here writes to the source or retries by itself.

mod error;
mod facts;
mod gap;
mod link;
mod stream;

pub use error::SourceError;
pub use facts::{SourceFacts, survey};
pub use gap::Gap;
pub use link::{DumpHeader, Link, Waiting, WaitingFor};
pub use stream::{Acks, Resumed};
