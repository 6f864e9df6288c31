//! Plans from the outside: every sample is valid, every mistake has its pinned message, nothing hostile panics.
//!
//! A case is a file: `tests/data/plans/invalid/<mistake>.yaml`. Its message for people (100 columns, no colour) and for
//! programs is pinned in `tests/snapshots`; after a change on purpose, run `INSTA_UPDATE=always cargo test --test plan`
//! and read the difference. What cannot lie in a file of a repository is built in [`HOSTILE`].

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::test_runner::Config;
use redis_plan::plan::fault::catalogue;
use redis_plan::plan::{About, Fault, ProgramPlace, Report, judge, schema_text};
use redis_plan::report::diagnostics::{Style, human, json};

const STYLE: Style = Style { width: 100, colour: false };

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder, sorted by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Programs of the cases are there unless their name says otherwise.
fn look(program: &str) -> ProgramPlace {
    match program {
        name if name.contains("missing") => ProgramPlace::Missing,
        name if name.contains("not-executable") => ProgramPlace::NotExecutable,
        _ => ProgramPlace::Ready,
    }
}

fn report(name: &str, bytes: &[u8]) -> Report {
    judge(name, bytes, Some(&look))
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.problems().iter().map(|problem| problem.fault.code).collect()
}

/// The codes that each sample plan gives: what this version does not execute yet, and nothing else.
const SAMPLES: [(&str, &[&str]); 4] =
    [("everything.yaml", &[]), ("full-incremental.yaml", &[]), ("full-only.yaml", &[]), ("minimal.yaml", &[])];

#[test]
fn every_sample_plan_is_valid_but_for_what_this_version_does_not_execute() {
    let found: Vec<(String, Vec<&str>)> =
        files("plans").iter().map(|path| (name(path), codes(&report(&name(path), &fs::read(path).unwrap())))).collect();
    let expected: Vec<(String, Vec<&str>)> =
        SAMPLES.iter().map(|(name, codes)| ((*name).to_owned(), codes.to_vec())).collect();
    assert_eq!(found, expected, "a sample without a row here, or a row without its sample");
}

#[test]
fn a_password_over_plain_text_is_warned_of_unless_it_stays_on_this_host_or_is_accepted() {
    let with = |url: &str, keys: &str| {
        let text = format!(
            "version: 1\nname: a\nmigration: [full]\nsource: {{ url: \"{url}\"{keys} }}\n\
             destination: {{ url: redis://b }}\n"
        );
        codes(&report("plan.yaml", text.as_bytes()))
    };
    let password = ", password: { env: A }";
    let accepted = ", password: { env: A }, plaintext: accepted";
    for other in ["redis://10.0.0.5", "redis://a.internal:1", "redis://[2001:db8::1]", "redis://localhost.example.com"]
    {
        assert_eq!(with(other, password), ["P430"], "{other}");
        assert_eq!(with(other, accepted), [""; 0], "{other}");
        assert_eq!(with(other, ""), [""; 0], "{other}");
        assert_eq!(with(&other.replace("redis:", "rediss:"), password), [""; 0], "{other}");
    }
    for here in ["redis://127.0.0.1", "redis://127.9.9.9:1", "redis://[::1]", "redis://LocalHost.:1", "unix:///run/a"] {
        assert_eq!(with(here, password), [""; 0], "{here}");
    }
    for encrypted in ["rediss://a.internal", "unix:///run/a"] {
        assert_eq!(with(encrypted, accepted), ["P431"], "{encrypted}");
    }
}

#[test]
fn the_checked_in_schema_is_the_one_of_the_types() {
    let checked_in = fs::read_to_string(root().join("schemas/plan.v1.json")).unwrap();
    assert!(checked_in == schema_text(), "stale: run `cargo run -- schema > schemas/plan.v1.json`");
}

/// Documents that are built, with the fault they must come to.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let minimal = fs::read_to_string(root().join("plans/minimal.yaml")).unwrap();
    let bomb = (0..30).fold("labels:\n  a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |mut text, level| {
        let items = [(); 8].map(|()| format!("*a{level} ")).join(", ");
        _ = writeln!(text, "  a{}: &a{} [{items}]", level + 1, level + 1);
        text
    });
    let wide = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), "*a , ".repeat(5000));
    let deep_by_alias = (0..200).fold("labels:\n  a0: &a0 [x]\n".to_owned(), |mut text, level| {
        _ = writeln!(text, "  a{}: &a{} [*a{level} ]", level + 1, level + 1);
        text
    });
    vec![
        ("10 MB", format!("{minimal}# {}", "x".repeat(10 << 20)).into_bytes(), "P001"),
        (
            "1000 deep blocks",
            (0..1000)
                .fold(String::new(), |mut text, level| {
                    _ = writeln!(text, "{}a:", " ".repeat(level));
                    text
                })
                .into_bytes(),
            "P009",
        ),
        ("100 000 brackets", "[".repeat(100_000).into_bytes(), "P009"),
        ("20 000 braces", "{a: ".repeat(20_000).into_bytes(), "P009"),
        ("deep by aliases", deep_by_alias.into_bytes(), "P009"),
        ("150 000 values", "- a\n".repeat(150_000).into_bytes(), "P010"),
        ("alias bomb", bomb.into_bytes(), "P011"),
        ("wide aliases", wide.into_bytes(), "P011"),
        ("a line of 900 kB", format!("{minimal}change: \"{}\"\nlimit: 3\n", "x".repeat(900_000)).into_bytes(), "P101"),
        ("a key of 900 kB", format!("{minimal}{}: 3\n", "x".repeat(900)).into_bytes(), "P101"),
        (
            "fault inside a line of 900 kB",
            format!("{minimal}labels: {{ a: \"{}\", b: 3, c: \"{}\" }}\n", "x".repeat(400_000), "y".repeat(400_000))
                .into_bytes(),
            "P103",
        ),
        ("nul bytes", vec![0; 1000], "P003"),
        ("only a byte order mark", "\u{feff}".as_bytes().to_vec(), "P004"),
        (
            "8 000 unknown keys",
            (0..8_000)
                .fold(minimal, |mut text, number| {
                    _ = writeln!(text, "key{number}: 1");
                    text
                })
                .into_bytes(),
            "P101",
        ),
    ]
}

#[test]
fn hostile_documents_have_a_clear_fault() {
    for (what, bytes, code) in hostile() {
        let report = report("hostile.yaml", &bytes);
        let first = report.problems().first().unwrap_or_else(|| panic!("{what}: no fault"));
        assert_eq!(first.fault.code, code, "{what}");
        let shown = human(&report, STYLE);
        assert!(shown.contains(code) && shown.len() < 100_000, "{what}: {} bytes shown", shown.len());
        assert!(!shown.contains("Failed to read"), "{what}: {shown}");
        assert!(json(&[&report])["files"][0]["problems"][0]["code"] == code, "{what}");
    }
}

#[test]
fn at_most_fifty_problems_are_shown_and_the_rest_is_counted() {
    let (_, bytes, _) = hostile().pop().unwrap();
    let shown = human(&report("many.yaml", &bytes), STYLE);
    assert_eq!(shown.matches("P101 (").count(), 50);
    assert!(shown.contains("… and 7950 more"), "{}", &shown[shown.len() - 200..]);
}

#[test]
fn every_mistake_has_its_pinned_message() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/plan");
    let _guard = settings.bind_to_scope();
    let mut names = BTreeSet::new();
    for path in files("tests/data/plans/invalid") {
        let mistake = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let report = report(&name(&path), &fs::read(&path).unwrap());
        assert!(!report.problems().is_empty(), "{mistake} is no mistake");
        let both = format!("{}\n{:#}", human(&report, STYLE), json(&[&report]));
        insta::assert_snapshot!(mistake.clone(), both);
        names.insert(mistake);
    }
    let pinned: BTreeSet<String> = files("tests/snapshots/plan")
        .iter()
        .filter_map(|path| Some(name(path).strip_suffix(".snap")?.to_owned()))
        .collect();
    assert_eq!(pinned, names, "a snapshot without its case");
}

/// Nobody needs the documents to know what to do.
#[test]
fn every_problem_says_where_what_and_the_way_out() {
    for path in files("tests/data/plans/invalid") {
        let report = report(&name(&path), &fs::read(&path).unwrap());
        for problem in report.problems() {
            let what = format!("{}: {} {}", path.display(), problem.fault.code, problem.message);
            assert!(problem.help.as_ref().is_some_and(|help| help.len() > 8), "{what}: no way out");
            assert!(problem.labels.iter().all(|label| !label.text.is_empty()), "{what}: a label without words");
            assert!(!problem.labels.is_empty() || problem.fault.code == "P004", "{what}: no place");
            let said = [problem.message.as_str(), problem.help.as_deref().unwrap_or_default()];
            assert!(said.iter().all(|text| !text.ends_with('.') && !text.contains('\n')), "{what}");
        }
    }
}

/// Two problems at the same place would be one fault told twice, unless their codes are known to meet.
#[test]
fn no_fault_is_told_twice() {
    for path in files("tests/data/plans/invalid") {
        let report = report(&name(&path), &fs::read(&path).unwrap());
        let executed = |code: &str| !code.starts_with("P9");
        let problems: Vec<_> = report.problems().iter().filter(|problem| executed(problem.fault.code)).collect();
        for (index, one) in problems.iter().enumerate() {
            for other in problems.iter().take(index) {
                let same = one.span() == other.span() && (&one.path, one.fault.code) == (&other.path, other.fault.code);
                let twice = same && one.labels == other.labels;
                let meet = one.span() == other.span() && one.fault.code != other.fault.code;
                let around = one.fault.code != "P102"
                    && one.fault.code == other.fault.code
                    && one.path != other.path
                    && (one.path.is_within(&other.path) || other.path.is_within(&one.path));
                assert!(!twice && !meet && !around, "{}: {} and {}", path.display(), other.message, one.message);
            }
        }
    }
}

#[test]
fn every_code_has_a_case() {
    let mut met: BTreeSet<&str> = SAMPLES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    met.extend(hostile().iter().map(|(_, _, code)| *code));
    for path in files("tests/data/plans/invalid") {
        met.extend(codes(&report("case.yaml", &fs::read(&path).unwrap())));
    }
    let missing: Vec<&str> = catalogue::plan().map(|fault| fault.code).filter(|code| !met.contains(code)).collect();
    assert!(missing.is_empty(), "no case in tests/data/plans/invalid for {missing:?}");
}

#[test]
fn every_item_of_the_precheck_has_a_code() {
    let items = redis_plan::engine::check_items();
    let missing: Vec<_> = items.iter().filter(|item| catalogue::checks::of_item(item).is_none()).collect();
    assert!(missing.is_empty(), "no row in src/plan/fault/catalogue/checks.rs for {missing:?}");
    let rows = catalogue::checks::rows().count();
    assert_eq!(items.len(), rows, "a row in src/plan/fault/catalogue/checks.rs is of no item");
}

/// The text of every test of the folder.
fn tests_of(folder: &str) -> String {
    files(folder)
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// An item counts as tested only where a real server that is set up wrong makes it fail or warn, or hides what it needs; an
/// ending where a run comes to it, or the error that it stands for does.
#[test]
fn every_code_of_a_check_and_of_an_ending_has_a_case() {
    let tests = tests_of("tests/it");
    let pinned = fs::read_to_string(root().join(ENDINGS)).unwrap();
    let has_case = |fault: &&Fault| match fault.about {
        About::Item(item) if NOTES.contains(&item) => tests.contains(&format!("\"{item}\"")),
        About::Item(_) => CHECKS.iter().any(|verdict| {
            let call = format!(".{verdict}(");
            let calls = tests.split(&call).skip(1);
            calls.map(str::trim_start).any(|call| call.starts_with(&format!("\"{}\"", fault.code)))
        }),
        About::Ending(_) => {
            tests.contains(&format!(".because(\"{}\")", fault.code))
                || tests.contains(&format!("[\"code\"], \"{}\")", fault.code))
                || tests.contains(&format!("({}): ", fault.code))
                || pinned.contains(&format!("\n{} exit ", fault.code))
        }
        About::Plan(_) => true,
    };
    let missing: Vec<&str> = catalogue::all().filter(|fault| !has_case(fault)).map(|fault| fault.code).collect();
    assert!(missing.is_empty(), "no case in tests/it or {ENDINGS} for {missing:?}");
    let shown: Vec<String> = files("tests/snapshots/check").iter().map(|path| name(path)).collect();
    let items = catalogue::checks::rows().map(|fault| format!("{}.snap", fault.code));
    assert_eq!(
        shown,
        items.collect::<Vec<_>>(),
        "one case of each item is pinned: `Found::pinned` in tests/it/check.rs"
    );
}

/// Where the endings of all kinds of errors are pinned.
const ENDINGS: &str = "src/engine/snapshots/redis_plan__engine__ending__tests__every_kind_of_error_has_its_page.snap";
/// How a test of an item says that it does not pass.
const CHECKS: [&str; 3] = ["fails", "warns", "is_unknown"];

/// Items that only say something and always pass.
const NOTES: [&str; 1] = ["destination-expiry"];

/// Every secret in the cases starts with this word, or with a piece of it.
const SECRETS: [&str; 4] = ["hunter", "hun/t", "er2", "unter"];

#[test]
fn no_secret_of_any_case_is_shown() {
    let mut holding = 0;
    for path in files("tests/data/plans/invalid") {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        holding += usize::from(SECRETS.iter().any(|secret| text.contains(secret)));
        let report = report("case.yaml", &bytes);
        for shown in [human(&report, STYLE), json(&[&report]).to_string(), format!("{:?}", report.problems())] {
            assert!(!SECRETS.iter().any(|secret| shown.contains(secret)), "{}: {shown}", path.display());
        }
    }
    assert!(holding >= 10, "only {holding} cases hold a secret");
}

#[test]
fn nothing_that_is_shown_steers_the_terminal() {
    for path in files("tests/data/plans/invalid") {
        let report = report("a\u{1b}[2J.yaml", &fs::read(&path).unwrap());
        let shown = human(&report, STYLE);
        let steers = |c: char| c.is_control() && !matches!(c, '\n');
        assert!(!shown.contains(steers), "{}: {shown:?}", path.display());
    }
}

#[test]
fn narrow_terminals_and_colours_lose_nothing() {
    let bytes = fs::read(root().join("tests/data/plans/invalid/many_faults_at_once.yaml")).unwrap();
    let report = report("many.yaml", &bytes);
    for width in [0, 20, 40, 80, 200] {
        for colour in [false, true] {
            let shown = human(&report, Style { width, colour });
            assert!(report.problems().iter().all(|problem| shown.contains(problem.fault.code)), "{width} {colour}");
            assert_eq!(shown.contains("\u{1b}["), colour);
        }
    }
}

/// A sample plan with some of its lines and bytes changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let sources: Vec<Vec<u8>> =
        files("plans").iter().chain(&files("tests/data/plans/invalid")).map(|path| fs::read(path).unwrap()).collect();
    let words = [
        "*a",
        "&a ",
        "<<: *a",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "|\n",
        "\t",
        "---\n",
        "!!x ",
        "~",
        ".nan",
        "\u{202e}",
        "#",
        "password: ",
        "redis://u:p@",
    ];
    let piece = prop::sample::select(words.map(str::as_bytes).map(<[u8]>::to_vec).to_vec());
    let edit = (any::<prop::sample::Index>(), 0..12usize, piece);
    (prop::sample::select(sources), prop::collection::vec(edit, 1..6)).prop_map(|(mut bytes, edits)| {
        for (at, length, piece) in edits {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        bytes
    })
}

/// Reads and renders; what is shown must fit the text.
fn survives(bytes: &[u8]) {
    let report = report("fuzz.yaml", bytes);
    let shown = human(&report, STYLE);
    assert!(!shown.contains("Failed to read"), "{shown}");
    assert!(json(&[&report])["format"] == 1);
    for problem in report.problems() {
        assert!(problem.labels.iter().all(|label| report.shown().get(label.span.start..label.span.end).is_some()));
    }
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[ -~\n\t{}\\[\\]:#&*!|>'\"%@`é\u{202e}-]{0,200}") {
        survives(text.as_bytes());
    }

    #[test]
    fn mutated_plans_never_panic(bytes in mutated()) {
        survives(&bytes);
    }
}

/// The files that are the most work for their size, as a program would meet them.
fn laborious() -> Vec<(&'static str, String)> {
    let minimal = fs::read_to_string(root().join("plans/minimal.yaml")).unwrap();
    let following = minimal.replace("[full]", "[full, incremental]");
    let many = |head: &str, count: usize, item: &dyn Fn(usize) -> String| {
        (0..count).fold(head.to_owned(), |mut text, number| {
            text.push_str(&item(number));
            text
        })
    };
    vec![
        ("ten megabytes", format!("{minimal}# {}", "x".repeat(10 << 20))),
        ("bad labels", many(&format!("{minimal}labels:\n"), 40_000, &|n| format!("  \"bad {n}\": x\n"))),
        (
            "bad labels, as many as are read",
            many(&format!("{minimal}labels:\n"), 9900, &|n| format!("  \"b {n}\": 1\n")),
        ),
        (
            "wrong hooks, as many as are read",
            many(&format!("{minimal}hooks:\n"), 3300, &|_| "  - { at: nowhere, run: [] }\n".to_owned()),
        ),
        (
            "wrong conditions",
            many(&format!("{following}stop:\n  any:\n"), 2800, &|n| format!("    - lag: {{ below: {n}, for: 5 }}\n")),
        ),
        (
            "the same condition",
            many(&format!("{following}stop:\n  any:\n"), 6600, &|_| "    - command: cutover\n".to_owned()),
        ),
        ("unknown keys", many(&minimal, 9900, &|n| format!("key{n}: 1\n"))),
        (
            "colliding databases",
            many(&format!("{minimal}databases:\n"), 1024, &|n| format!("  - {{ from: {n}, to: 0 }}\n")),
        ),
        ("duplicate keys", many("", 9900, &|_| "name: a\n".to_owned())),
    ]
}

/// Under a second of processor time, and within 200 MiB of address space, in every format at once; the system ends what takes
/// more. The build for tests is some ten times slower than the one that is shipped, and gets that much longer.
#[test]
fn no_file_takes_long_or_much_memory() {
    let allowed = if cfg!(debug_assertions) { 10 } else { 1 };
    let folder = tempfile::tempdir().unwrap();
    for (what, text) in laborious() {
        fs::write(folder.path().join("plan.yaml"), &text).unwrap();
        let outputs =
            ["concise", "json", "sarif", "github", "junit"].map(|format| format!("--output {format}=out.{format}"));
        for asked in [outputs.join(" "), "--diff".to_owned()] {
            let line = format!("ulimit -v 204800 -t {allowed}; exec \"$PLAN\" validate plan.yaml {asked}");
            let output = std::process::Command::new("bash")
                .args(["-c", &line])
                .current_dir(folder.path())
                .env("PLAN", env!("CARGO_BIN_EXE_plan"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{what}, {asked}: {:?} {said}", output.status);
            assert!(output.stdout.len() < 400_000, "{what}, {asked}: {} bytes shown", output.stdout.len());
        }
    }
}
