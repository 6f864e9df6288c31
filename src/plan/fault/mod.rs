//! What can be wrong with a plan: the catalogue of faults, and the problems found in one file.

pub mod catalogue;
mod problem;
mod report;

pub use catalogue::{About, Fault, Severity};
pub use problem::{Edit, Label, Problem};
pub use report::Report;
