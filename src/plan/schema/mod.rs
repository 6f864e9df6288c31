//! The JSON schema of the plan file.

mod generate;

pub use generate::{schema_json, schema_text};
