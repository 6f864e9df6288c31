//! Running a step graph: the steps in order, each idempotent, with a journal that lets the same command go on.
//!
//! A run works in a state directory that it locks. What is done is in the journal there; what the destination holds is
//! in the run record at the destination. The two are compared at every start, and the destination is believed.

mod apply;
mod buffer;
mod cleanup;
mod ending;
mod full;
mod precheck;
mod request;
mod run;
mod servers;
mod teller;

pub use apply::{apply, check};
pub use request::{ApplyRequest, Passwords};
