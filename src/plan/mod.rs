//! The plan file: text, spans, schema, raw and checked types, and what is wrong with it.

mod checked;
pub mod fault;
mod fix;
mod load;
pub mod raw;
mod rules;
mod schema;
mod text;
mod yaml;

pub use checked::{
    Cleanup, DEFAULT_CHUNK_ABOVE, DEFAULT_KEEP_RUN_RECORD, DEFAULT_SPOOL, Migration, Plan, ReplicaBuffer, Verify,
};
pub use fault::{About, Edit, Fault, Label, Problem, Report, Severity};
pub use fix::{FixedPlan, fix};
pub use load::{LoadedPlan, judge, load};
pub use rules::{Look, ProgramPlace};
pub use schema::{schema_json, schema_text};
pub use text::{Path, PathSegment, SourceText, Span, TextPosition};
