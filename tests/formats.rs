//! What `plan validate` prints for programs: each format is pinned on one plan with many faults, and holds to the rules of
//! its format on every case there is.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::fs;
use std::path::{Path, PathBuf};

use redis_plan::plan::{Report, fix, judge};
use redis_plan::report::diagnostics::{Style, changes, concise, github, human, json, junit, sarif};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(root().join("tests/data/plans/invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn report(path: &Path) -> Report {
    judge(path.file_name().unwrap().to_str().unwrap(), &fs::read(path).unwrap(), None)
}

/// A report for every case, one for a valid plan, and one whose name is made to break a format.
fn reports() -> Vec<Report> {
    let valid = fs::read(root().join("plans/minimal.yaml")).unwrap();
    let wrong = fs::read(root().join("tests/data/plans/invalid/unknown_key.yaml")).unwrap();
    let mut reports: Vec<Report> = cases().iter().map(|path| report(path)).collect();
    reports.extend([judge("minimal.yaml", &valid, None), judge("a,b:<c>&\"%\n\u{1b}.yaml", &wrong, None)]);
    reports
}

#[test]
fn each_format_is_pinned() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/formats");
    settings.add_filter(env!("CARGO_PKG_VERSION"), "[version]");
    let _guard = settings.bind_to_scope();
    let faults = report(&root().join("tests/data/plans/invalid/many_faults_at_once.yaml"));
    let conflict = report(&root().join("tests/data/plans/invalid/tls_without_rediss.yaml"));
    let valid = judge("minimal.yaml", &fs::read(root().join("plans/minimal.yaml")).unwrap(), None);
    let reports = [&faults, &conflict, &valid];
    insta::assert_snapshot!("concise", concise(&reports));
    insta::assert_snapshot!("github", github(&reports));
    insta::assert_snapshot!("junit", junit(&reports));
    insta::assert_snapshot!("sarif", format!("{:#}", sarif(&reports)));
    insta::assert_snapshot!("json", format!("{:#}", json(&reports)));
}

#[test]
fn every_report_is_sarif_by_its_schema() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(root().join("tests/data/schemas/sarif-2.1.0.json")).unwrap()).unwrap();
    let validator = jsonschema::draft4::options().build(&schema).unwrap();
    let reports = reports();
    let all: Vec<&Report> = reports.iter().collect();
    for some in all.chunks(1).chain([all.as_slice(), &[]]) {
        let sarif = sarif(some);
        let errors: Vec<String> =
            validator.iter_errors(&sarif).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{sarif:#}");
    }
    // The schema is in force: without its version it is no SARIF.
    let mut wrong = sarif(&[]);
    wrong["version"] = "2.0.0".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn the_places_of_sarif_are_those_of_the_text() {
    for path in cases() {
        let report = report(&path);
        let sarif = sarif(&[&report]);
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), report.problems().len());
        let lines: Vec<&str> = report.source().text().split('\n').collect();
        for (result, problem) in results.iter().zip(report.problems()) {
            let Some(span) = problem.span() else { continue };
            let region = &result["locations"][0]["physicalLocation"]["region"];
            let number = |key: &str| usize::try_from(region[key].as_u64().unwrap()).unwrap();
            if number("startLine") == number("endLine") && !span.of(report.source().text()).contains('\n') {
                let line: Vec<char> = lines[number("startLine") - 1].chars().collect();
                let found: String = line[number("startColumn") - 1..number("endColumn") - 1].iter().collect();
                assert_eq!(found, span.of(report.source().text()), "{}", path.display());
            }
        }
    }
}

/// The names of elements that are open at the end, or what is wrong with the document.
fn xml(document: &str) -> Result<Vec<&str>, String> {
    let mut open = vec![];
    let mut rest = document;
    while let Some((text, tag)) = rest.split_once('<') {
        for entity in text.split('&').skip(1) {
            let name = entity.split(';').next().unwrap();
            if !["amp", "lt", "gt", "quot", "apos"].contains(&name) {
                return Err(format!("&{name}"));
            }
        }
        let (tag, behind) = tag.split_once('>').ok_or("a tag without an end")?;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes another"));
            }
        } else if !tag.starts_with('?') && !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().unwrap());
        }
        if tag.matches('"').count() % 2 == 1 {
            return Err(format!("<{tag}> has an open quote"));
        }
        rest = behind;
    }
    Ok(open)
}

#[test]
fn every_report_is_well_formed_junit() {
    assert!(xml("<a><b></a>").is_err() && xml("<a>&x;</a>").is_err() && xml("<a b=\"></a>").is_err());
    let reports = reports();
    let all: Vec<&Report> = reports.iter().collect();
    let document = junit(&all);
    assert_eq!(xml(&document), Ok(vec![]), "{document}");
    let failures: usize = reports.iter().map(Report::errors).sum();
    assert_eq!(document.matches("<failure ").count(), failures);
    assert!(!document.contains(|c: char| c.is_control() && c != '\n'), "{document:?}");
}

#[test]
fn every_github_command_and_every_concise_problem_is_one_line() {
    for report in reports() {
        let commands = github(&[&report]);
        assert_eq!(commands.lines().count(), report.problems().len());
        assert!(commands.lines().all(|line| line.starts_with("::error file=") || line.starts_with("::warning file=")));
        let lines = concise(&[&report]);
        assert_eq!(lines.lines().count(), report.problems().len() + 1, "{lines}");
    }
}

#[test]
fn no_format_shows_a_secret_or_steers_a_terminal() {
    for path in cases() {
        let report = report(&path);
        let all = [&report];
        let fixed = fix("case.yaml", &fs::read(&path).unwrap(), None);
        for shown in [
            concise(&all),
            github(&all),
            junit(&all),
            sarif(&all).to_string(),
            human(&report, Style { width: 100, colour: false }),
            changes(&fixed.before, &fixed.after),
        ] {
            let secret = ["hunter", "hun/t", "er2", "unter"].iter().any(|secret| shown.contains(secret));
            assert!(!secret, "{}: {shown}", path.display());
            assert!(
                !shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')),
                "{}: {shown:?}",
                path.display()
            );
        }
    }
}

#[test]
fn the_same_text_gives_the_same_report_to_the_byte() {
    for path in cases() {
        let [one, other] = [(); 2].map(|()| report(&path));
        assert_eq!(json(&[&one]), json(&[&other]), "{}", path.display());
        assert_eq!(sarif(&[&one]).to_string(), sarif(&[&other]).to_string());
    }
}

#[test]
fn mending_a_case_never_makes_it_worse_and_ends() {
    let mut mended = 0;
    for path in cases() {
        let fixed = fix("case.yaml", &fs::read(&path).unwrap(), None);
        mended += fixed.mended;
        let is_text = |report: &Report| report.problems().iter().any(|problem| problem.fault.code.starts_with("P0"));
        assert!(is_text(&fixed.before) || !is_text(&fixed.after), "{}", path.display());
        if fixed.mended == 0 {
            assert_eq!(fixed.bytes, fs::read(&path).unwrap());
        }
        let again = fix("case.yaml", &fixed.bytes, None);
        assert_eq!(again.bytes, fixed.bytes, "{}", path.display());
    }
    assert!(mended >= 15, "only {mended} problems of the cases can be mended");
}
