//! Comparing both sides: as a step of a run, as a stop condition while the source is followed, and by itself.

mod alone;
mod begin;
mod guard;
mod repair;
mod step;

pub use alone::{VerifyRequest, verify};
pub(super) use begin::beside;
pub(super) use step::step;
#[cfg(test)]
pub(super) use step::verdict;
