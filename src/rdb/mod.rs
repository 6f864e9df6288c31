//! The RDB dump format, versions 1 to 13 and Valkey's 80, read as a stream: bytes in, items out, no I/O.

#![warn(clippy::indexing_slicing)]
// Tests compute with numbers of their own making.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod cursor;
pub mod element;
mod error;
mod kind;
mod length;
mod lzf;

pub use cursor::Cursor;
pub use element::{Element, ElementReader, Pair, StreamCounters, StreamId, StreamMeta};
pub use error::{RdbError, RdbFault};
pub use kind::Kind;
pub use length::{Encoding, Length};
pub use lzf::{LzfStream, decompress};
