//! Values taken apart: a value's bytes in a dump, read as the elements a client would see, for a destination that
//! cannot take them as they are or should not take them at once.

mod atom;
mod blob;
#[cfg(test)]
mod goldens;
mod input;
mod intset;
mod item;
mod listpack;
mod nodes;
mod packed;
mod pending;
mod plain;
mod reader;
#[cfg(test)]
pub(crate) mod samples;
mod stream;
mod stream_id;
mod stream_node;
mod text;
mod text_parts;
mod ziplist;
mod zipmap;

pub use item::{Element, FieldPair, StreamCounters, StreamMeta};
pub use reader::ElementReader;
pub use stream_id::StreamId;
pub use text_parts::STRING_PART;
