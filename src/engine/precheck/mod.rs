//! The precheck: judges both servers and the disk before anything is written. Read-only: what may be written is asked
//! by queueing commands in a transaction that is then discarded.
//!
//! Three parts. Both servers are asked at the same time, each all it can tell ([`server`], [`probe`], [`rate`],
//! [`sample`]); what they said is one [`scene`]; the [`items`] are a table, each row a plain function from the scene to
//! a finding. Which rows count depends on the graph: a run that follows its source needs more of it.

mod destination;
mod disk;
mod finding;
mod items;
mod judge;
mod link;
mod memory;
mod pair;
mod probe;
mod rate;
mod rules;
mod runs;
mod sample;
mod scene;
mod server;
mod source;
mod stream;

pub use items::check_items;
pub(super) use judge::{alone, precheck};
pub(super) use server::heard;
