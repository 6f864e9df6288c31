//! What commands and their answers mean, without any I/O.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod info;

pub use info::{Info, Keyspace, Mode, Role};
