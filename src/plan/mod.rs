//! The plan file: text, spans, schema, raw and checked types, and what is wrong with it.

mod checked;
pub mod raw;
mod schema;

pub use checked::{
    Buffer, Cleanup, DEFAULT_CHUNK_ABOVE, DEFAULT_CONNECTIONS, DEFAULT_KEEP_RUN_RECORD, DEFAULT_SPOOL, Migration, Plan,
};
pub use schema::{schema_json, schema_text};
