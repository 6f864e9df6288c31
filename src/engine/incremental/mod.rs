//! Following the source: the stream is read from its spool, translated, and applied in transactions that hold the
//! checkpoint, until a stop condition is met.
//!
//! A thread reads and translates; one lane writes, since commands keep their order; the step's own loop takes signals one
//! after another, decides, and tells. What is applied is what the checkpoint at the destination says, and nothing else:
//! after a crash the stream goes on exactly behind it.

mod answers;
mod beside;
mod comparing;
mod comparison;
mod cutting;
mod deadlines;
mod doubts;
mod emptied;
mod feed;
mod figures;
mod follow;
mod forecast;
mod gauge;
mod heard;
mod operator;
mod poll;
mod scripted;
mod sealing;
mod settle_at_once;
mod settler;
mod settling;
mod setup;
mod signal;
mod silence;
mod stop;
mod taking_up;
mod unended;

pub(super) use answers::note_loss;
pub(super) use follow::incremental;
pub(super) use settle_at_once::settle_at_once;
