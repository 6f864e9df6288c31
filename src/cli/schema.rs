//! `plan schema`.

use std::io::{self, Write};

use crate::plan::schema_text;

/// Print the JSON schema of the plan file
///
/// The same text as `schemas/plan.v1.json`; editors that read it complete and check plans while they are written.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {}

/// Runs `plan schema`; answers the exit code.
///
/// # Errors
/// When `out` cannot be written.
pub(super) fn schema(_args: &SchemaArgs, out: &mut dyn Write) -> io::Result<u8> {
    out.write_all(schema_text().as_bytes())?;
    out.flush()?;
    Ok(0)
}
