//! What the book tells people to copy works: the steps of its pipelines are taken from the page and run by a real shell, on valid
//! and on invalid plans, and so are the hooks of `.pre-commit-hooks.yaml`; and what packs a release packs what it says. Only installing the tool is left out: the one that
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
    assert_eq!(install, [concat!("cargo install --locked redis-plan --version ", env!("CARGO_PKG_VERSION"))]);
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

/// The files of a folder and of those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A person who moves a tag, or publishes another version under a name, would otherwise run in the reader's pipeline.
#[test]
fn workflows_and_recipes_name_what_they_run_by_commit_or_version() {
    let (mut actions, mut images) = (0, 0);
    for path in ["book/src", ".github"].iter().flat_map(|folder| files(&root().join(folder))) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for line in text.lines().map(|line| line.trim().trim_start_matches("- ")) {
            let what = format!("{}: {line}", path.display());
            if let Some(action) = line.strip_prefix("uses: ") {
                let commit = action.split(' ').next().unwrap().rsplit_once('@').unwrap().1;
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{what}");
                assert!(action.contains(" # v"), "{what}");
                actions += 1;
            } else if let Some(image) = line.strip_prefix("image: ") {
                let version = image.rsplit_once(':').unwrap().1;
                assert!(version.split('.').count() == 3 && !version.contains("latest"), "{what}");
                images += 1;
            }
            let installs = line.strip_prefix("cargo install ").or_else(|| line.strip_prefix("run: cargo install "));
            assert!(installs.is_none_or(|rest| rest.contains(" --version ") || rest.contains("--path ")), "{what}");
        }
    }
    assert!(actions >= 10 && images >= 1, "{actions} actions, {images} images");
}

/// A pull request's author chooses the address that a password goes to.
#[test]
fn no_recipe_for_pull_requests_reads_a_secret() {
    for name in ["github", "gitlab"] {
        let text = serde_yaml::to_string(&snippet(name)).unwrap();
        for word in ["plan check", "plan apply", "plan verify", "secrets.", "pull_request_target", "self-hosted"] {
            assert!(!text.contains(word), "{name}: {word}");
        }
        assert!(text.contains("plan validate --deny-warnings"), "{name}");
    }
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

/// Packs the program that was just built, by a program of a few bytes that stands for it.
fn packed(folder: &Path) -> PathBuf {
    let program = folder.join("plan");
    std::fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_plan"))).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let out = folder.join("dist");
    let output = Command::new("bash").arg(root().join(".ci/package")).arg(&program).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", self::out(&output));
    out
}

fn lines_of(program: &str, arguments: &[&str], folder: &Path) -> Vec<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", out(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The libraries of a `CycloneDX` document, each with its checksum, its licence and its place among what depends on what.
fn components(document: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["bomFormat"], "CycloneDX");
    assert_eq!(
        document["metadata"]["component"]["bom-ref"],
        concat!("pkg:cargo/redis-plan@", env!("CARGO_PKG_VERSION"))
    );
    let places = document["dependencies"].as_array().unwrap();
    let components = document["components"].as_array().unwrap();
    assert_eq!(places.len(), components.len() + 1);
    let describe = |component: &serde_json::Value| {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        assert_eq!(component["hashes"][0]["content"].as_str().unwrap().len(), 64, "{name}");
        assert!(component["licenses"][0]["expression"].is_string(), "{name}");
        assert!(places.iter().any(|place| place["ref"] == component["bom-ref"]), "{name}");
        format!("{name} v{version}")
    };
    let mut names: Vec<String> = components.iter().map(describe).collect();
    names.sort();
    names
}

/// What cargo compiles into the released program, beside the program itself.
fn compiled_in() -> Vec<String> {
    let line = "tree --locked -p redis-plan -e normal,build --target x86_64-unknown-linux-musl --prefix none -f {p}";
    let lines = lines_of(env!("CARGO"), &line.split(' ').collect::<Vec<_>>(), root());
    let mut names: Vec<String> = lines.iter().map(|line| line.split(" (").next().unwrap().to_owned()).collect();
    names.retain(|name| !name.starts_with("redis-plan "));
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_release_has_the_program_its_pages_and_its_completions_and_is_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let dist = packed(folder.path());
    let version = env!("CARGO_PKG_VERSION");
    let archive = format!("redis-plan-{version}-x86_64-linux");
    let package = format!("redis-plan_{version}_amd64.deb");
    let inside = lines_of("tar", &["tzf", &format!("{archive}.tar.gz")], &dist);
    let of_package = lines_of("dpkg-deb", &["--contents", &package], &dist);
    let mut commands: Vec<String> =
        redis_plan::cli::command().get_subcommands().map(|command| format!("plan-{}", command.get_name())).collect();
    commands.push("plan".to_owned());
    for page in &commands {
        assert!(inside.contains(&format!("{archive}/man/{page}.1")), "{page}: {inside:?}");
        assert!(of_package.iter().any(|line| line.ends_with(&format!("/man1/{page}.1.gz"))), "{page}: {of_package:?}");
    }
    for file in ["plan", "LICENSE-MIT", "LICENSE-APACHE", "completions/bash", "completions/zsh", "completions/fish"] {
        assert!(inside.contains(&format!("{archive}/{file}")), "{file}: {inside:?}");
    }
    let program = of_package.iter().find(|line| line.ends_with("./usr/bin/plan")).unwrap();
    assert!(program.starts_with("-rwxr-xr-x root/root"), "{program}");
    let listed = std::fs::read_to_string(dist.join(format!("{archive}.cdx.json"))).unwrap();
    assert_eq!(components(&listed), compiled_in());

    let field = |name: &str| lines_of("dpkg-deb", &["--field", &package, name], &dist).concat();
    assert_eq!([field("Package"), field("Version"), field("Depends")], ["redis-plan", version, ""]);
    lines_of("sha256sum", &["--check", "SHA256SUMS"], &dist);

    let again = tempfile::tempdir().unwrap();
    // The program that stands for the real one is the same in both.
    let read = |dist: &Path| std::fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    assert_eq!(read(&dist), read(&packed(again.path())));
}

#[test]
fn the_release_builds_what_it_packs_and_the_image_is_for_nobody() {
    let workflow = std::fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let workflow: Value = serde_yaml::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["build"]["steps"].as_sequence().unwrap();
    let lines: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let built = lines.iter().find(|line| line.starts_with("cargo build")).unwrap();
    assert!(built.contains("--locked --profile dist --target \"$TARGET\""), "{built}");
    assert!(lines.contains(&"bash .ci/package \"target/$TARGET/dist/plan\" dist"), "{lines:?}");
    assert_eq!(workflow["jobs"]["sign"]["needs"], serde_yaml::from_str::<Value>("[test, build]").unwrap());
    assert_eq!(workflow["jobs"]["release"]["needs"], "sign");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("[profile.dist]"));
    let image = std::fs::read_to_string(root().join(".github/Containerfile")).unwrap();
    let words: Vec<&str> = image.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(words.starts_with(&["FROM scratch"]) && words.contains(&"USER 65532:65532"), "{words:?}");
}

/// What signs may not publish, what publishes may not sign, and what builds may do neither.
#[test]
fn a_release_is_attested_and_signed_and_no_job_may_do_more_than_its_part() {
    let workflow = std::fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let workflow: Value = serde_yaml::from_str(&workflow).unwrap();
    let permissions = |job: &str| serde_yaml::to_string(&workflow["jobs"][job]["permissions"]).unwrap();
    assert_eq!(permissions("sign"), "contents: read\nid-token: write\nattestations: write\n");
    assert_eq!(permissions("release"), "contents: write\n");
    assert_eq!(serde_yaml::to_string(&workflow["permissions"]).unwrap(), "contents: read\n");
    let jobs = workflow["jobs"].as_mapping().unwrap();
    for job in jobs.keys().map(|job| job.as_str().unwrap()).filter(|job| !["sign", "release"].contains(job)) {
        assert_eq!(permissions(job), "null\n", "{job}");
    }
    let changes = std::fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
    let changes: Value = serde_yaml::from_str(&changes).unwrap();
    assert_eq!(serde_yaml::to_string(&changes["permissions"]).unwrap(), "contents: read\n", "every change");
    assert!(changes["jobs"].as_mapping().unwrap().values().all(|job| job["permissions"].is_null()), "every change");
    let steps = workflow["jobs"]["sign"]["steps"].as_sequence().unwrap();
    let attested: Vec<&Value> = steps
        .iter()
        .filter(|step| step["uses"].as_str().is_some_and(|action| action.starts_with("actions/attest@")))
        .map(|step| &step["with"])
        .collect();
    assert_eq!(attested.len(), 2);
    assert_eq!(attested[0]["subject-checksums"], "dist/SHA256SUMS");
    assert_eq!(attested[1]["sbom-path"], "${{ env.SBOM }}");
    let lines: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert!(lines[0].contains("sha256sum --check SHA256SUMS") && lines[0].contains("dist/*.cdx.json"), "{lines:?}");
    assert_eq!(lines[1], "cosign sign-blob --yes --bundle dist/SHA256SUMS.sigstore.json dist/SHA256SUMS");
}

/// A database of advisories with one, about every version of a crate that this program depends on.
fn advisories(folder: &Path, package: &str, id: &str, kind: &str) -> PathBuf {
    let database = folder.join(id);
    let place = database.join("crates").join(package);
    std::fs::create_dir_all(&place).unwrap();
    let text = format!(
        "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"2026-01-01\"\n{kind}\n\
         [versions]\npatched = []\n```\n\n# A title\n\nA text.\n"
    );
    std::fs::write(place.join(format!("{id}.md")), text).unwrap();
    database
}

/// A hole, and a crate that nobody maintains any more, fail the check; what is accepted is named in `deny.toml`.
#[test]
fn an_advisory_about_a_dependency_fails_unless_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let judge = |database: &Path| {
        let output = Command::new("bash").arg(root().join(".ci/advisories")).arg(database).output().unwrap();
        (output.status.code(), out(&output))
    };
    let unmaintained = "informational = \"unmaintained\"";
    let cases = [
        ("rustls", "RUSTSEC-2026-9001", "", 1),
        ("serde", "RUSTSEC-2026-9002", unmaintained, 1),
        ("no-such-dependency", "RUSTSEC-2026-9003", "", 0),
        ("async-std", "RUSTSEC-2025-0052", unmaintained, 0),
    ];
    for (package, id, kind, code) in cases {
        let (found, said) = judge(&advisories(folder.path(), package, id, kind));
        assert_eq!(found, Some(code), "{package}: {said}");
        assert_eq!(said.contains(&format!("ID:        {id}")), code == 1, "{said}");
    }
    assert_eq!(judge(&folder.path().join("nowhere")).0, Some(2));
    assert_eq!(judge(folder.path()).0, Some(2), "a folder without advisories is no database");
    let run = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(run.contains("\nbash .ci/advisories\n"));
}

/// The programs of a machine: a script each, or the real one where the script is empty.
type Programs = &'static [(&'static str, &'static str)];

/// A machine on which nothing else is found.
fn machine(folder: &Path, programs: Programs) -> PathBuf {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, script) in programs {
        let path = bin.join(name);
        if script.is_empty() {
            let real = lines_of("bash", &["-c", &format!("command -v {name}")], folder).concat();
            std::os::unix::fs::symlink(real, path).unwrap();
        } else {
            std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    bin
}

/// A fresh Debian has no C compiler, and cargo says so only after minutes, in the words of a linker.
#[test]
fn a_machine_without_a_c_compiler_gets_one_or_one_line_says_what_to_install() {
    const INSTALLS: &str =
        "echo apt-get \"$@\"; [ $1 = update ] || { printf '#!/bin/bash\\nexit 0\\n' > $BIN/cc; chmod 755 $BIN/cc; }";
    const ROOT: (&str, &str) = ("id", "echo 0");
    const CASES: [(Programs, i32, &[&str]); 4] = [
        (&[("cc", "exit 0"), ROOT], 0, &[]),
        (
            &[("apt-get", INSTALLS), ("chmod", ""), ROOT],
            0,
            &["apt-get update -qq", "apt-get install -qq -y --no-install-recommends gcc libc6-dev"],
        ),
        (
            &[("apt-get", INSTALLS), ("chmod", ""), ("id", "echo 1000")],
            1,
            &["tests/compiler: a C compiler is missing: sudo apt-get install -y --no-install-recommends gcc libc6-dev"],
        ),
        (
            &[ROOT],
            1,
            &[
                "tests/compiler: a C compiler is missing: install gcc and the headers of the C library with your package manager",
            ],
        ),
    ];
    for (programs, code, lines) in CASES {
        let folder = tempfile::tempdir().unwrap();
        let bin = machine(folder.path(), programs);
        let bash = lines_of("bash", &["-c", "command -v bash"], folder.path()).concat();
        let output = Command::new(bash)
            .arg(root().join("tests/compiler"))
            .env_clear()
            .envs([("PATH", &bin), ("BIN", &bin)])
            .output()
            .unwrap();
        let said = out(&output);
        assert_eq!(output.status.code(), Some(code), "{programs:?}: {said}");
        assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{programs:?}");
    }
    for script in ["tests/run", "tests/demo"] {
        let text = std::fs::read_to_string(root().join(script)).unwrap();
        let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("{script} has no {line}"));
        assert!(at("\nbash tests/compiler\n") < at("tests/servers/install"), "{script}");
        assert!(at("\nbash tests/compiler\n") < at("--locked"), "{script}");
    }
}
