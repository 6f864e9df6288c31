//! The full copy: one dump of the source, received into the spool, decoded behind the receiver, dealt to lanes.
//!
//! Receiving, decoding and writing run side by side and send signals; the step's own loop takes them one after another,
//! decides, and tells. What can be continued after a crash is continued: a dump that is whole in the spool goes on from
//! the lanes' marks; any other is taken back and begun again.

mod answers;
mod attempt;
mod deal;
mod recopy;
mod start;
mod tally;

pub(super) use attempt::full;
pub(super) use start::{claim, take_back_all};
