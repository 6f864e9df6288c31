//! What the book tells people to copy works: the steps of its pipelines are taken from the page and run by a real shell, on valid
//! and on invalid plans, and so are the hooks of `.pre-commit-hooks.yaml`. Only installing the tool is left out: the one that
//! was just built is in `PATH`.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML block behind `<!-- name -->` of the page about pipelines.
fn snippet(name: &str) -> Value {
    let page = std::fs::read_to_string(root().join("book/src/how-to/check-in-ci.md")).unwrap();
    let (_, behind) = page.split_once(&format!("<!-- {name} -->\n```yaml\n")).unwrap();
    serde_yaml::from_str(behind.split_once("\n```").unwrap().0).unwrap()
}

/// A repository with plans.
struct Repository(tempfile::TempDir);

impl Repository {
    fn with(plans: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plans")).unwrap();
        for (name, text) in plans {
            std::fs::write(folder.path().join("plans").join(name), text).unwrap();
        }
        Self(folder)
    }

    fn valid() -> Self {
        Self::with(&[("a.yaml", sample()), ("b.yaml", sample().replace("sessions", "carts"))])
    }

    fn invalid() -> Self {
        Self::with(&[("a.yaml", sample()), ("b.yaml", format!("{}limit: {{}}\n", sample()))])
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs a line as pipelines do: a shell that stops at the first error.
    fn run(&self, line: &str) -> Output {
        let tools = PathBuf::from(env!("CARGO_BIN_EXE_plan"));
        let path = format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", line])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("GITHUB_STEP_SUMMARY", self.0.path().join("summary.md"))
            .output()
            .unwrap()
    }
}

fn sample() -> String {
    std::fs::read_to_string(root().join("plans/minimal.yaml")).unwrap()
}

/// The lines without the one that installs the tool, which must be there.
fn without_install(lines: Vec<String>) -> Vec<String> {
    let (install, rest): (Vec<String>, _) = lines.into_iter().partition(|line| line.starts_with("cargo install"));
    assert_eq!(install, ["cargo install --locked redis-plan"]);
    assert_eq!(env!("CARGO_PKG_NAME"), "redis-plan");
    rest
}

fn strings(values: &Value) -> Vec<String> {
    values.as_sequence().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn the_github_workflow_marks_lines_and_leaves_sarif() {
    let workflow = snippet("github");
    let steps = workflow["jobs"]["validate"]["steps"].as_sequence().unwrap();
    let lines: Vec<String> = steps.iter().filter_map(|step| step["run"].as_str()).map(str::to_owned).collect();
    let lines = without_install(lines);
    let upload = steps.iter().find_map(|step| step["with"]["sarif_file"].as_str()).unwrap();
    for (repository, code) in [(Repository::valid(), 0), (Repository::invalid(), 1)] {
        let outputs: Vec<Output> = lines.iter().map(|line| repository.run(line)).collect();
        let said = outputs.iter().map(out).collect::<String>();
        assert_eq!(outputs[0].status.code(), Some(code), "{said}");
        assert!(outputs[1..].iter().all(|output| output.status.success()), "{said}");
        assert_eq!(said.contains("::error file=plans/b.yaml,line=7,"), code == 1, "{said}");
        assert!(repository.text("summary.md").contains("    plans/a.yaml: valid"), "{said}");
        let sarif: serde_json::Value = serde_json::from_str(&repository.text(upload)).unwrap();
        assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), usize::from(code == 1));
    }
    // What runs behind a failed step says so, or it would not run.
    let conditions: Vec<bool> = steps.iter().map(|step| step["if"] == "always()").collect();
    assert_eq!(conditions, [false, false, false, true, true]);
}

#[test]
fn the_gitlab_job_leaves_a_report_of_tests() {
    let job = &snippet("gitlab")["validate-plans"];
    let lines = without_install([strings(&job["before_script"]), strings(&job["script"])].concat());
    let report = job["artifacts"]["reports"]["junit"].as_str().unwrap();
    for (repository, code) in [(Repository::valid(), 0), (Repository::invalid(), 1)] {
        let output = repository.run(&lines.join("\n"));
        assert_eq!(output.status.code(), Some(code), "{}", out(&output));
        let document = repository.text(report);
        assert!(document.contains(&format!("failures=\"{code}\"")), "{document}");
    }
}

#[test]
fn the_hooks_of_pre_commit_take_plans_and_judge_them() {
    let hooks: Value =
        serde_yaml::from_str(&std::fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap()).unwrap();
    let hooks = hooks.as_sequence().unwrap();
    let ids: Vec<&str> = hooks.iter().map(|hook| hook["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["redis-plan-validate", "redis-plan-fix"]);
    for hook in hooks {
        // pre-commit builds a hook in Rust by `cargo install` in this repository and runs its binary by name.
        assert_eq!(hook["language"], "rust");
        let entry = hook["entry"].as_str().unwrap();
        let takes = hook["files"].as_str().unwrap();
        let files = format!("git ls-files -o | grep -E '{takes}' | sort | xargs {entry}");
        for (repository, code) in [(Repository::valid(), 0), (Repository::invalid(), 1)] {
            std::fs::write(repository.0.path().join("values.yaml"), "no: plan\n").unwrap();
            let output = repository.run(&format!("git init -q . && {files}"));
            // `xargs` has 123 for every failure; `redis-plan-fix` mends this one.
            let mends = entry.ends_with("--fix");
            let expected = if code == 0 || mends { 0 } else { 123 };
            assert_eq!(output.status.code(), Some(expected), "{entry}: {}", out(&output));
            assert!(out(&output).contains("plans/a.yaml: valid") && !out(&output).contains("values.yaml"));
            assert_eq!(repository.text("plans/b.yaml").contains("limit:"), code == 1 && !mends);
        }
    }
    let page = std::fs::read_to_string(root().join("book/src/how-to/check-in-ci.md")).unwrap();
    assert!(ids.iter().all(|id| page.contains(*id)), "the page names both hooks");
}
