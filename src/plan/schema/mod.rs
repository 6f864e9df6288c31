//! The JSON schema of the plan file, and what is wrong with a value by it.

mod annotate;
mod branch;
mod check;
mod formats;
mod generate;
mod mend;
mod prune;
mod suggest;
mod tree;
mod words;

pub(super) use check::{Checker, SchemaFinding};
pub use generate::{schema_json, schema_text};
pub(super) use prune::prune;
