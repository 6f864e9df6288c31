//! Sessions with a source: what it says of itself ([`survey`]) and a replication connection that brings its dump
//! ([`Link`]). Nothing here writes to the source or retries by itself.

mod error;
mod facts;
mod link;

pub use error::SourceError;
pub use facts::{SourceFacts, survey};
pub use link::{DumpHeader, Link, Waiting, WaitingFor};
