//! What people and programs see of a plan and a run.

pub mod diagnostics;
