//! The RDB dump format, versions 1 to 13 and Valkey's 80, read as a stream: bytes in, items out, no I/O.

#![warn(clippy::indexing_slicing)]
// Tests compute with numbers of their own making.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod buffer;
mod crc64;
mod cursor;
mod decoder;
pub mod element;
mod error;
mod header;
mod item;
mod kind;
mod layout;
mod length;
mod limits;
mod lzf;
mod module_id;
mod opcode;
mod payload;
mod record;
mod safe_point;
mod short;
mod string;
mod unknown;
mod walk;

pub use crc64::Crc64;
pub use cursor::Cursor;
pub use decoder::Decoder;
pub use element::{Element, ElementReader, FieldPair, StreamCounters, StreamId, StreamMeta};
pub use error::{RdbError, RdbFault};
pub use header::Header;
pub use item::{Body, Checksum, Entry, Item, Usage, Value};
pub use kind::Kind;
pub use length::{Encoding, Length};
pub use limits::DumpLimits;
pub use lzf::{LzfStream, decompress};
pub use module_id::ModuleId;
pub use payload::{Payload, append_payload, footer, libraries, payload_len, verify};
pub use safe_point::SafePoint;
pub use string::{StringHead, read_string};
