//! Running a step graph: the steps in order, each idempotent, with a journal that lets the same command go on.
//!
//! A run works in a state directory that it locks. What is done is in the journal there; what the destination holds is
//! in the run record at the destination. The two are compared at every start, and the destination is believed.

mod accounts;
mod admission;
mod aftermath;
mod apply;
mod background;
mod buffer;
mod cleanup;
mod drift;
mod ending;
mod fence;
mod full;
mod gate;
mod hooks;
mod idle;
mod incremental;
mod intake;
mod orders;
mod pace;
mod precheck;
mod quiet;
mod request;
mod run;
mod sentinels;
mod servers;
mod settings;
mod steering;
mod teller;
mod traffic;
mod verify;
mod windows;

pub use apply::{apply, check};
pub use idle::{abort_idle, put_back};
pub use precheck::check_items;
pub use request::{ApplyRequest, Servers};
pub use steering::{AskError, ControlClient};
pub use verify::{VerifyRequest, verify};
