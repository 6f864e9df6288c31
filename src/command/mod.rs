//! What commands and their answers mean, without any I/O.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod info;
mod spec;
mod table;

pub use info::{Info, Keyspace, Mode, ServerRole};
pub use spec::{Class, Cross, KeySpec, Spec};
pub use table::{SpecSet, find};
