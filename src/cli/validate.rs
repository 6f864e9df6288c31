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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    const VALID: &str =
        "version: 1\nname: a\nsource: { url: redis://a }\ndestination: { url: redis://b }\nmigration: [full]\n";

    #[derive(clap::Parser)]
    struct App {
        #[command(flatten)]
        args: ValidateArgs,
    }

    /// Code, standard output and standard error of `plan validate` on files of these texts and the arguments behind.
    fn run(texts: &[&str], arguments: &[&str]) -> (u8, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut line = vec!["validate".to_owned()];
        for (number, text) in texts.iter().enumerate() {
            let file = folder.path().join(format!("{number}.yaml"));
            std::fs::write(&file, text).unwrap();
            line.push(file.display().to_string());
        }
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let app = App::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
        let (mut out, mut err) = (vec![], vec![]);
        let code = validate(&app.args, Style { width: 80, colour: false }, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn the_code_tells_valid_from_invalid_from_unreadable() {
        let warned = format!("{VALID}databases: [{{ from: all, to: 0 }}]\n");
        let wrong = VALID.replace("name", "nam");
        assert_eq!(run(&[VALID], &[]).0, 0);
        assert_eq!(run(&[&warned], &[]).0, 0);
        assert_eq!(run(&[&warned], &["--deny-warnings"]).0, 1);
        assert_eq!(run(&[VALID, &wrong], &[]).0, 1);
        let (code, out, err) = run(&[&wrong], &["/no/such/file"]);
        assert_eq!(code, 2);
        assert!(out.contains("P101") && err.contains("cannot read /no/such/file"), "{out}{err}");
        assert_eq!(run(&[], &["/"]).0, 2);
    }

    #[test]
    fn json_holds_every_file_and_only_json() {
        let (code, out, err) = run(&[VALID, ""], &["--format", "json"]);
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, err.as_str()), (1, ""));
        assert_eq!(value["files"][0]["valid"], true);
        assert_eq!(value["files"][1]["problems"][0]["code"], "P004");
    }
}
