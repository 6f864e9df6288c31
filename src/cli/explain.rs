//! `plan explain`.

use std::io::{self, Write};

use crate::plan::fault::catalogue;
use crate::report::diagnostics;

/// Say why a fault, a check or an ending matters and what to do
///
/// Codes that begin with P are faults of a plan file, with C items of `plan check`, with R ways in which a run ends.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The code of a message, such as `P101`, or the name of a check, such as `clocks`; without one, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Runs `plan explain`; answers the exit code.
///
/// # Errors
/// When `out` or `err` cannot be written.
pub(super) fn explain(args: &ExplainArgs, width: usize, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Some(code) = &args.code else {
        out.write_all(diagnostics::list().as_bytes())?;
        out.flush()?;
        return Ok(0);
    };
    let Some(fault) = catalogue::find(code).or_else(|| catalogue::checks::of_item(code)) else {
        writeln!(err, "error: unknown code `{}`; `plan explain` lists them all", code.escape_debug())?;
        return Ok(2);
    };
    out.write_all(diagnostics::explain(fault, width).as_bytes())?;
    out.flush()?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: Option<&str>) -> (u8, String, String) {
        let (mut out, mut err) = (vec![], vec![]);
        let args = ExplainArgs { code: code.map(str::to_owned) };
        let exit = explain(&args, 80, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_code_has_a_page_and_without_one_all_are_listed() {
        let (exit, page, _) = run(Some("p201"));
        assert_eq!(exit, 0);
        assert!(page.starts_with("P201 (error): a secret stands in the plan\n\n"), "{page}");
        assert!(run(Some("C301")).1.starts_with("C301 (check clocks): "));
        assert_eq!(run(Some("clocks")).1, run(Some("C301")).1);
        assert!(run(Some("r005")).1.starts_with("R005 (exit code 5): "));
        let (exit, list, _) = run(None);
        assert_eq!((exit, list.lines().count()), (0, catalogue::all().count()));
        let (exit, out, err) = run(Some("P000\u{1b}"));
        assert_eq!((exit, out.as_str()), (2, ""));
        assert!(err.contains("P000\\u{1b}"), "{err}");
    }
}
