//! `plan explain`.

use std::io::{self, Write};

use crate::plan::fault::catalogue;
use crate::report::diagnostics;

/// Say why a fault matters and what to do
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The code of a message, such as `P101`; without one, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Runs `plan explain`; answers the exit code.
///
/// # Errors
/// When `out` or `err` cannot be written.
pub(super) fn explain(args: &ExplainArgs, width: usize, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Some(code) = &args.code else {
        for fault in catalogue::all() {
            writeln!(out, "{}  {:7}  {}", fault.code, fault.severity.to_string(), fault.title)?;
        }
        out.flush()?;
        return Ok(0);
    };
    let Some(fault) = catalogue::find(code) else {
        writeln!(err, "error: there is no code `{}`; `plan explain` lists them all", code.escape_debug())?;
        return Ok(2);
    };
    out.write_all(diagnostics::explain(fault, width).as_bytes())?;
    out.flush()?;
    Ok(0)
}
