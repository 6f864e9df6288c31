//! `plan validate`.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::load::{name, read};
use super::target::{Target, plain};
use crate::plan::{self, ProgramPlace, Report};
use crate::report::diagnostics::{self, Style};
use crate::store::own::write_regular;
use crate::unit::Clean;

/// Judge plan files without touching any server
///
/// Checks the YAML, the schema and what the values mean together, and shows everything that is wrong at once. Exits with 0
/// when every plan is valid, 1 when one is not, and 2 when a file cannot be read or written.
#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// Plan files; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How to show what is wrong
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Write it to a file as well, such as `sarif=plan.sarif`; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<Target<Format>>,

    /// Take warnings for errors
    #[arg(long)]
    deny_warnings: bool,

    /// Fix what can be fixed for certain (units, quotes, misspelt keys) in the files; the rest of a file stays as it is
    #[arg(long)]
    fix: bool,

    /// Show what `--fix` would change, and change nothing
    #[arg(long)]
    diff: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, with the lines of the file
    Human,
    /// One line a problem, as compilers print them
    Concise,
    /// One JSON object for all files
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
    /// `JUnit` XML, for GitLab, Jenkins and others
    Junit,
}

impl Format {
    fn render(self, reports: &[&Report], style: Style) -> String {
        match self {
            Self::Human => reports.iter().map(|report| diagnostics::human(report, style)).collect(),
            Self::Concise => diagnostics::concise(reports),
            Self::Json => format!("{:#}\n", diagnostics::json(reports)),
            Self::Sarif => format!("{:#}\n", diagnostics::sarif(reports)),
            Self::Github => diagnostics::github(reports),
            Self::Junit => diagnostics::junit(reports),
        }
    }
}

/// Runs `plan validate`; answers the exit code. Results go to `out`, unreadable files to `err`.
///
/// # Errors
/// When `out` or `err` cannot be written.
pub(super) fn validate(args: &ValidateArgs, style: Style, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut reports = vec![];
    let mut trouble = false;
    for file in &args.files {
        match judge(args, file, out, err) {
            Ok(report) => reports.push(report),
            Err(what) => {
                trouble = true;
                writeln!(err, "error: {}", Clean(&what))?;
            }
        }
    }
    let shown: Vec<&Report> = reports.iter().collect();
    if !args.diff {
        out.write_all(args.format.render(&shown, style).as_bytes())?;
    }
    out.flush()?;
    for target in &args.output {
        if let Err(error) = write_regular(&target.file, target.format.render(&shown, plain(style)).as_bytes()) {
            trouble = true;
            writeln!(err, "error: cannot write {}: {error}", target.file.display())?;
        }
    }
    let refused = |report: &Report| report.errors() > 0 || (args.deny_warnings && report.warnings() > 0);
    Ok(match (trouble, reports.iter().any(refused)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    })
}

/// Judges a file as it is, or as it is after mending.
fn judge(args: &ValidateArgs, file: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Result<Report, String> {
    let bytes = read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let look = |program: &str| find(program, file.parent().unwrap_or(Path::new("")));
    if !args.fix && !args.diff {
        return Ok(plan::judge(&name(file), &bytes, Some(&look)));
    }
    let fixed = plan::fix(&name(file), &bytes, Some(&look));
    let say = |error: io::Error| format!("cannot write the result: {error}");
    if args.diff {
        out.write_all(diagnostics::changes(&fixed.before, &fixed.after).as_bytes()).map_err(say)?;
        return Ok(fixed.before);
    }
    if fixed.mended > 0 {
        write_in_place(file, &fixed.bytes).map_err(|error| format!("cannot fix {}: {error}", file.display()))?;
        let problems = if fixed.mended == 1 { "problem" } else { "problems" };
        writeln!(err, "{}: fixed {} {problems}", file.display(), fixed.mended).map_err(say)?;
    }
    Ok(fixed.after)
}

/// Looks for a program as a run would: by its path from the plan's folder, or by its name in `PATH`.
fn find(program: &str, folder: &Path) -> ProgramPlace {
    let in_path = || std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let folders: Vec<PathBuf> = if program.contains('/') { vec![folder.to_owned()] } else { in_path() };
    let found: Vec<std::fs::Metadata> = folders
        .into_iter()
        .filter_map(|folder| std::fs::metadata(folder.join(program)).ok())
        .filter(std::fs::Metadata::is_file)
        .collect();
    match found.iter().any(|file| file.permissions().mode() & 0o111 != 0) {
        true => ProgramPlace::Ready,
        false if found.is_empty() => ProgramPlace::Missing,
        false => ProgramPlace::NotExecutable,
    }
}

/// Replaces a file's content: written aside with the file's own permissions, then renamed, through links.
fn write_in_place(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if file == Path::new("-") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "standard input is no file; `--diff` shows the changes",
        ));
    }
    let file = file.canonicalize()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    aside.write_all(bytes)?;
    aside.as_file().set_permissions(std::fs::metadata(&file)?.permissions())?;
    aside.as_file().sync_all()?;
    aside.persist(&file)?;
    Ok(())
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

    /// A folder of plans: code, standard output and standard error of `plan validate` on them.
    struct Plans(tempfile::TempDir);

    impl Plans {
        fn of(texts: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (number, text) in texts.iter().enumerate() {
                std::fs::write(folder.path().join(format!("{number}.yaml")), text).unwrap();
            }
            Self(folder)
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        fn text(&self, name: &str) -> String {
            std::fs::read_to_string(self.path(name)).unwrap()
        }

        fn validate(&self, arguments: &[&str]) -> (u8, String, String) {
            let mut files: Vec<_> =
                std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
            files.sort();
            let files = files.into_iter().map(|file| file.display().to_string());
            let line = std::iter::once("validate".to_owned()).chain(files);
            let app = App::try_parse_from(line.chain(arguments.iter().map(|argument| (*argument).to_owned())))
                .unwrap_or_else(|error| panic!("{error}"));
            let (mut out, mut err) = (vec![], vec![]);
            let code = validate(&app.args, Style { width: 80, colour: false }, &mut out, &mut err).unwrap();
            (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
        }
    }

    fn run(texts: &[&str], arguments: &[&str]) -> (u8, String, String) {
        Plans::of(texts).validate(arguments)
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

    #[test]
    fn one_run_writes_several_formats() {
        let plans = Plans::of(&[VALID, &VALID.replace("name", "nam")]);
        let outputs = ["human", "concise", "json", "sarif", "github", "junit"];
        let outputs = outputs.map(|format| format!("--output={format}={}", plans.path(&format!("out.{format}"))));
        let (code, out, err) = plans.validate(&outputs.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((code, err.as_str()), (1, ""));
        assert!(out.contains("─ nothing") || out.contains("P101"), "{out}");
        assert!(plans.text("out.human").contains("did you mean `name`?"));
        assert!(plans.text("out.concise").contains("1.yaml:2:1: error[P101] a plan has no key `nam`"));
        assert!(plans.text("out.github").starts_with("::error file="));
        assert!(plans.text("out.junit").contains("<failure type=\"P101\""));
        for format in ["json", "sarif"] {
            let value: serde_json::Value = serde_json::from_str(&plans.text(&format!("out.{format}"))).unwrap();
            assert!(value.is_object());
        }
        assert_eq!(plans.validate(&["--output=json=/no/such/folder/x"]).0, 2);
        for wrong in ["xml=a", "json", "json="] {
            assert!(App::try_parse_from(["validate", "a.yaml", "--output", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mending_writes_the_file_and_a_diff_does_not() {
        let wrong = format!("{}change: 42 # the ticket\n", VALID.replace("migration: [full]", "migration: full"));
        let right = wrong.replace("migration: full", "migration: [full]").replace("42", "\"42\"");
        let plans = Plans::of(&[&wrong]);
        let file = plans.path("0.yaml");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();

        let (code, out, _) = plans.validate(&["--diff"]);
        assert_eq!((code, plans.text("0.yaml")), (1, wrong.clone()));
        assert!(
            out.contains("-migration: full\n-change: 42 # the ticket\n+migration: [full]\n+change: \"42\" # the"),
            "{out}"
        );

        let (code, out, err) = plans.validate(&["--fix"]);
        assert_eq!((code, plans.text("0.yaml")), (0, right));
        assert!(out.contains("0.yaml: valid") && err.contains("fixed 2 problems"), "{out}{err}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(plans.validate(&["--fix", "--diff"]).1, "");
    }

    #[test]
    fn programs_are_looked_for_beside_the_plan_and_in_the_path() {
        let hooks = "\nhooks:\n  - { at: full.done, run: [./there.sh] }\n  - { at: full.done, run: [./text.sh] }\n  \
                     - { at: full.done, run: [ops/gone.sh] }\n  - { at: full.done, run: [sh, -c, x] }\n  \
                     - { at: full.done, run: [no-such-program-anywhere] }\n";
        let plans = Plans::of(&[&format!("{VALID}{hooks}")]);
        for (name, mode) in [("there.sh", 0o755), ("text.sh", 0o644)] {
            std::fs::write(plans.path(name), "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(plans.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let out = plans.validate(&["--format", "concise"]).1;
        let found: Vec<&str> = out
            .lines()
            .filter_map(|line| line.split_once("warning[")?.1.split_once(']'))
            .map(|(code, _)| code)
            .collect();
        assert_eq!(found, ["P420", "P419", "P419"], "{out}");
    }

    #[test]
    fn a_diff_shows_no_secret() {
        let wrong = VALID.replace("url: redis://a", "url: redis://a, passwrd: hunter2");
        let (_, out, _) = run(&[&wrong], &["--diff"]);
        assert!(out.contains("+source: { url: redis://a, password: *******"), "{out}");
        assert!(!out.contains("hunter2"), "{out}");
    }
}
