//! A lane: one connection that writes guarded batches.
//!
//! On the wire a batch is `MULTI`, its commands, the lane's mark and `EXEC`; behind the `EXEC` go the `WATCH` and `GET`
//! of the token for the next batch. The next batch's commands are sent while the `EXEC` is carried out, but its own
//! `EXEC` only after the `GET` showed that the token is still ours. A takeover between `GET` and `EXEC` makes the `EXEC`
//! do nothing, so a lane costs no round trip for its guard and a process that lost its lease cannot write.
//!
//! A lane has a thread of its own, which it holds while it waits for jobs or replies, and asks to be woken only when the
//! replies to a batch are there: being woken for each piece of them cost more than sending it.

mod big;
mod connection;
mod deadline_reads;
mod deadline_writes;
mod deadlines;
mod emptied;
mod erase;
mod fallback;
mod fault;
mod observed;
mod part;
mod probe;
mod run;
mod settle;
mod size;
mod turns;
mod wire;

pub use fault::LaneFault;
pub use part::Part;
pub use run::{Lane, LaneReport, LaneSetup};
pub use size::TooLarge;
pub use turns::LargeValuePermits;
