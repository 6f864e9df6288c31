//! The RDB dump format, versions 1 to 13 and Valkey's 80, read as a stream: bytes in, items out, no I/O.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod cursor;
mod error;
mod kind;

pub use cursor::Cursor;
pub use error::{RdbError, RdbFault};
pub use kind::Kind;
