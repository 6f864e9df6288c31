//! `plan validate`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::load::{name, read};
use crate::plan::{self, Report};
use crate::report::diagnostics::{Style, human, json};

/// Judge plan files without touching any server
///
/// Checks the YAML, the schema and what the values mean together, and shows everything that is wrong at once. Exits with 0
/// when every plan is valid, 1 when one is not, and 2 when a file cannot be read.
#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// Plan files; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How to show what is wrong
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, with the lines of the file
    Human,
    /// One JSON object for all files
    Json,
}

/// Runs `plan validate`; answers the exit code. Results go to `out`, unreadable files to `err`.
///
/// # Errors
/// When `out` or `err` cannot be written.
pub(super) fn validate(args: &ValidateArgs, style: Style, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut reports = vec![];
    let mut code = 0;
    for file in &args.files {
        match read(file) {
            Ok(bytes) => reports.push(judge(file, &bytes)),
            Err(error) => {
                code = 2;
                writeln!(err, "error: cannot read {}: {error}", file.display())?;
            }
        }
    }
    let refused = |report: &Report| report.errors() > 0 || (args.deny_warnings && report.warnings() > 0);
    if code == 0 && reports.iter().any(refused) {
        code = 1;
    }
    match args.format {
        Format::Human => {
            for report in &reports {
                out.write_all(human(report, style).as_bytes())?;
            }
        }
        Format::Json => writeln!(out, "{:#}", json(&reports.iter().collect::<Vec<_>>()))?,
    }
    out.flush()?;
    Ok(code)
}

fn judge(file: &Path, bytes: &[u8]) -> Report {
    match plan::load(&name(file), bytes) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    }
}
