//! The command line as a user meets it: exit codes, what goes to which stream, files it leaves.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

const MINIMAL: &str = "\
version: 1
name: sessions
source: { url: redis://127.0.0.1:1 }
destination: { url: redis://127.0.0.1:2 }
migration: [full]
";

/// One call of `plan` in a folder of its own, with nothing in its environment.
struct Plan {
    folder: tempfile::TempDir,
}

/// What a call printed and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Plan {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plan.yaml"), MINIMAL).unwrap();
        Self { folder }
    }

    fn with(plan: &str) -> Self {
        let tool = Self::new();
        std::fs::write(tool.path().join("plan.yaml"), plan).unwrap();
        tool
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plan"));
        command.args(arguments.split_whitespace()).current_dir(self.path()).env_clear().env("COLUMNS", "100");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &str) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    fn digest(&self) -> String {
        let preview = self.run("preview plan.yaml --format json").out;
        serde_json::from_str::<serde_json::Value>(&preview).unwrap()["digest"].as_str().unwrap().to_owned()
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self { code, out, err }
    }
}

#[test]
fn help_is_a_result_and_a_wrong_command_line_is_not() {
    let tool = Plan::new();
    for arguments in ["--help", "-h", "help apply", "--version", "apply --help"] {
        let said = tool.run(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments}");
        assert!(!said.out.is_empty());
    }
    for arguments in ["", "nonsense", "apply", "apply plan.yaml --until nonsense", "preview plan.yaml --format xml"] {
        let said = tool.run(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments}");
        assert!(!said.err.is_empty());
    }
}

#[test]
fn the_version_says_what_the_program_was_built_from() {
    let tool = Plan::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(tool.run("-V").out, format!("plan {version}\n"));
    let facts = tool.run("--version").out;
    let lines: Vec<&str> = facts.lines().collect();
    assert_eq!(lines.len(), 4, "{facts}");
    assert_eq!(lines[0], format!("plan {version}"));
    assert!(lines[1].starts_with("commit   ") && lines[3].starts_with("profile  "), "{facts}");
    assert!(lines[2].starts_with(&format!("target   {} linux", std::env::consts::ARCH)), "{facts}");
}

#[test]
fn the_help_names_every_command_and_every_exit_code() {
    insta::assert_snapshot!("help", Plan::new().run("--help").out);
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_command_line() {
    for verb in ["validate", "preview", "check", "apply"] {
        let said = Plan::new().run(&format!("{verb} nowhere.yaml"));
        assert_eq!(said.code, 2, "{verb}: {said:?}");
        assert!(said.err.contains("nowhere.yaml"), "{said:?}");
    }
}

#[test]
fn a_plan_with_faults_is_a_no_everywhere() {
    let tool = Plan::with("version: 1\nname: sessions\nsorce: {}\n");
    for verb in ["preview", "check", "apply"] {
        let said = tool.run(&format!("{verb} plan.yaml"));
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{verb}: {said:?}");
        assert!(said.err.contains("sorce"), "{said:?}");
    }
    assert_eq!(tool.run("validate plan.yaml").code, 1);
    assert!(!tool.path().join(".plan").exists(), "a plan with faults leaves no state");
}

#[test]
fn a_preview_has_the_same_digest_in_every_format_and_however_the_file_is_laid_out() {
    let tool = Plan::new();
    let digest = tool.digest();
    for format in ["human", "mermaid"] {
        let said = tool.run(&format!("preview plan.yaml --format {format}"));
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        assert!(said.out.contains(&digest), "{format}: {}", said.out);
    }
    assert!(tool.run("preview plan.yaml --format dot").out.contains(&digest[..12]));
    let other = Plan::with(
        "# a comment\nmigration:\n  - full\nname: \"sessions\"\nversion: 1\nsource:\n  url: redis://127.0.0.1:1\n\
         destination: {url: 'redis://127.0.0.1:2'}\n",
    );
    assert_eq!(other.digest(), digest);
    assert_ne!(Plan::with(&MINIMAL.replace("sessions", "session")).digest(), digest);
}

#[test]
fn a_plan_is_read_from_standard_input() {
    let tool = Plan::new();
    let mut child =
        tool.command("preview -").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MINIMAL.as_bytes()).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains(&tool.digest()));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let tool = Plan::new();
    let mut child = tool.command("man").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = Said::of(Plan::new().command("preview plan.yaml").stdout(full).output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("cannot write the result"), "{said:?}");
}

#[test]
fn only_the_approved_graph_is_run() {
    let tool = Plan::new();
    let digest = tool.digest();
    let other = digest.replace(&digest[..1], if digest.starts_with('0') { "1" } else { "0" });
    let said = tool.run(&format!("apply plan.yaml --expect-digest {other}"));
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains(&digest) && said.err.contains(&other), "{said:?}");
    assert!(!tool.path().join(".plan").exists(), "a refused plan leaves no state");
    let said = tool.run(&format!("apply plan.yaml --expect-digest {}", &digest[..12]));
    assert_eq!(said.code, 2, "a part of a digest approves nothing: {said:?}");
}

#[test]
fn a_step_that_the_plan_does_not_have_cannot_be_the_last() {
    let said = Plan::new().run("apply plan.yaml --until cutover");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("buffer, precheck, full, cleanup"), "{said:?}");
}

#[test]
fn a_password_that_cannot_be_read_stops_before_anything_is_done() {
    let plan = MINIMAL.replace("127.0.0.1:1 }\ndest", "127.0.0.1:1, password: { env: NOT_SET } }\ndest");
    let tool = Plan::with(&plan);
    for verb in ["check", "apply"] {
        let said = tool.run(&format!("{verb} plan.yaml"));
        assert_eq!(said.code, 3, "{verb}: {said:?}");
        assert!(said.err.contains("the source's password") && said.err.contains("NOT_SET"), "{said:?}");
    }
    assert!(!tool.path().join(".plan").exists());
}

/// The digest that version 0.1 gave this plan, before there were `plaintext` and `tls.crl`.
#[test]
fn an_approval_from_before_the_newest_keys_stays_valid() {
    let tool = Plan::with(
        "version: 1\nname: a\nmigration: [full]\n\
         source: { url: rediss://a, password: { env: A }, tls: { ca: ca.pem, cert: c.pem, key: k.pem, server_name: n } }\n\
         destination: { url: redis://b, password: { env: A } }\n",
    );
    assert_eq!(tool.digest(), "e420b1792d47b6f0b0088c1ea3f348560d48d09391ed3ea4861134aa1f274170");
}

#[test]
fn a_password_over_plain_text_fails_where_warnings_are_denied_unless_it_is_accepted() {
    let plan =
        |keys: &str| MINIMAL.replace("redis://127.0.0.1:2", &format!("redis://10.0.0.9, password: {{ env: A }}{keys}"));
    let tool = Plan::with(&plan(""));
    let before = tool.digest();
    assert_eq!(tool.run("validate plan.yaml").code, 0);
    let denied = tool.run("validate plan.yaml --deny-warnings --format concise");
    assert!(denied.code == 1 && denied.out.contains("P430"), "{denied:?}");
    let tool = Plan::with(&plan(", plaintext: accepted"));
    assert_eq!(tool.run("validate plan.yaml --deny-warnings").code, 0);
    assert_ne!(tool.digest(), before, "it is reviewed like everything else");
    assert!(tool.run("preview plan.yaml").out.contains("in plain text (accepted)"));
}

/// A plan whose every program leaves a file, and whose file with a password never ends.
const TRAP: &str = "\
version: 1
name: sessions
source: { url: redis://127.0.0.1:1, password: { file: endless } }
destination: { url: redis://127.0.0.1:2, password: { command: [./trap, password] } }
migration: [full, incremental]
stop: { any: [command: cutover] }
cutover: { mode: manual, fence: { hook: { run: [./trap, on], undo: [./trap, off] } } }
hooks: [{ at: full.started, run: [./trap, hook] }]
cleanup: { accounts: [{ side: source, run: [./trap, account] }] }
";

/// A plan that nobody has reviewed may be judged by anybody: no program of it runs, no secret of it is read.
#[test]
fn judging_a_plan_runs_nothing_and_reads_no_secret() {
    let tool = Plan::with(TRAP);
    let trap = tool.path().join("trap");
    std::fs::write(&trap, "#!/bin/sh\necho secret\ntouch \"$0-ran-$1\"\n").unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Command::new("mkfifo").arg(tool.path().join("endless")).status().unwrap().success());
    let ran = || -> Vec<String> {
        let entries = std::fs::read_dir(tool.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter_map(|name| name.into_string().ok()).filter(|name| name.contains("-ran-")).collect()
    };
    let judge = |arguments: &str| {
        let plan = tool.command(arguments);
        let mut command = Command::new("timeout");
        command.arg("20").arg(plan.get_program()).args(plan.get_args()).current_dir(tool.path()).env_clear();
        Said::of(command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap())
    };
    let formats = ["human", "concise", "json", "sarif", "github", "junit"].map(|format| format!("--format {format}"));
    let validates = formats.iter().map(String::as_str).chain(["--fix", "--diff", "--deny-warnings"]);
    let previews = ["human", "json", "mermaid", "dot"].map(|format| format!("preview plan.yaml --format {format}"));
    let calls = validates.map(|how| format!("validate plan.yaml {how}")).chain(previews).chain(["schema".to_owned()]);
    for call in calls {
        let said = judge(&call);
        assert_eq!(said.code, 0, "{call}: {said:?}");
        assert_eq!(ran(), [""; 0], "{call}");
    }
    // The trap is a trap: what may read secrets runs it, and waits for the file that never ends.
    std::fs::write(tool.path().join("plan.yaml"), TRAP.replace("{ file: endless }", "{ command: [./trap, source] }"))
        .unwrap();
    assert_eq!(judge("check plan.yaml").code, 1);
    assert_eq!(ran().len(), 2, "{:?}", ran());
}

/// What is judged is shown: a link in a pull request must not make that a file of the host, or its environment.
#[test]
fn a_plan_file_that_leads_elsewhere_is_neither_shown_nor_changed() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), MINIMAL.replace("sessions", "hunter2-hunter2") + "limits: { bandwidth: 40 }\n")
        .unwrap();
    let tool = Plan::new();
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, tool.path().join(name)).unwrap();
    link(secret.path(), "link.yaml");
    link(Path::new("link.yaml"), "twice.yaml");
    link(Path::new("/proc/self/environ"), "environment.yaml");
    link(Path::new("/dev/zero"), "device.yaml");
    link(secret.path().parent().unwrap(), "folder");
    assert!(Command::new("mkfifo").arg(tool.path().join("fifo.yaml")).status().unwrap().success());
    let within = format!("folder/{}", secret.path().file_name().unwrap().to_str().unwrap());
    let absolute = tool.path().join("link.yaml").display().to_string();
    let run = |arguments: &str| Said::of(tool.command(arguments).env("SECRET", "hunter2-hunter2").output().unwrap());
    let elsewhere = "outside the folder of the plan";
    for (file, why) in [
        ("link.yaml", elsewhere),
        ("twice.yaml", elsewhere),
        ("environment.yaml", elsewhere),
        ("device.yaml", elsewhere),
        (&within, elsewhere),
        (&absolute, elsewhere),
        ("fifo.yaml", "a FIFO"),
    ] {
        for call in ["validate --fix", "validate --diff", "validate --format json", "preview", "check"] {
            let said = run(&format!("{call} {file}"));
            assert_eq!(said.code, 2, "{call} {file}: {said:?}");
            assert!(said.err.contains(why) && !format!("{said:?}").contains("hunter2"), "{call} {file}: {said:?}");
        }
    }
    assert!(std::fs::read_to_string(secret.path()).unwrap().ends_with("40 }\n"));
    // As Kubernetes mounts a file, as a shell hands over a pipe, and by its own name.
    std::fs::create_dir(tool.path().join("..data")).unwrap();
    std::fs::write(tool.path().join("..data/mounted.yaml"), MINIMAL).unwrap();
    link(Path::new("..data/mounted.yaml"), "mounted.yaml");
    assert_eq!(run("validate mounted.yaml").code, 0);
    assert_eq!(run(&format!("validate {}", tool.path().join("mounted.yaml").display())).code, 0);
    assert_eq!(run(&format!("validate {}", secret.path().display())).code, 1);
    let mut shell = Command::new("bash");
    shell.args(["-c", "\"$PLAN\" validate <(cat plan.yaml)"]).current_dir(tool.path());
    assert_eq!(Said::of(shell.env("PLAN", env!("CARGO_BIN_EXE_plan")).output().unwrap()).code, 0);
}

#[test]
fn a_server_that_is_not_there_is_told_and_leaves_evidence() {
    let tool = Plan::new();
    let said = tool.run("apply plan.yaml --events events.jsonl --progress plain");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("outcome"), "{said:?}");
    let events = tool.path().join("events.jsonl");
    assert_eq!(std::fs::metadata(&events).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&events).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("run_started"), "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("run_finished"), "{kinds:?}");

    let report = tool.run("report sessions --format md");
    assert_eq!(report.code, 0, "{report:?}");
    assert!(report.out.contains("# Run of sessions") && report.out.contains("## Checks"), "{}", report.out);
    let page = std::fs::read_to_string(tool.path().join(".plan/sessions/report.html")).unwrap();
    assert!(said.out.contains("report   .plan/sessions/report.html") && page.contains("refused</span>"), "{said:?}");
    assert_eq!(tool.run("report sessions").out, page);
    let json: serde_json::Value = serde_json::from_str(&tool.run("report sessions --format json").out).unwrap();
    assert_eq!(json["graph"]["name"], "sessions");
}

#[test]
fn progress_none_says_nothing_but_the_result() {
    let said = Plan::new().run("apply plan.yaml --progress none");
    assert_eq!(said.err, "", "{said:?}");
    assert!(said.out.contains("outcome"), "{said:?}");
}

/// `script` gives it a real terminal.
#[test]
fn on_a_terminal_the_steps_are_drawn_and_what_failed_stays() {
    let tool = Plan::new();
    let command = format!("{} apply plan.yaml --progress tty", env!("CARGO_BIN_EXE_plan"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).current_dir(tool.path());
    let said = Said::of(script.stdin(Stdio::null()).env("TERM", "xterm").output().unwrap());
    assert_eq!(said.code, 1, "{said:?}");
    // What is behind the last redrawing is what stays.
    let last = said.out.rsplit("\u{1b}[?7l").next().unwrap();
    for line in ["✕ precheck     failed", "· cleanup", "refused after"] {
        assert!(last.contains(line), "`{line}` is not in {last}");
    }
    assert_eq!(said.out.matches("precheck: failed:").count(), 1, "{}", said.out);
    let plain = Plan::new().run("apply plan.yaml --progress tty");
    assert!(plain.err.contains("precheck: started") && !plain.err.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn progress_json_is_one_object_a_line() {
    let said = Plan::new().run("apply plan.yaml --progress json");
    assert!(said.err.lines().count() > 1);
    said.err.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
}

#[test]
fn a_check_of_servers_that_are_not_there_is_a_no() {
    let tool = Plan::new();
    let said = tool.run("check plan.yaml");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("FAIL"), "{said:?}");
    let json: serde_json::Value = serde_json::from_str(&tool.run("check plan.yaml --format json").out).unwrap();
    assert_eq!(json["outcome"], "refused");
    assert!(!tool.path().join(".plan").exists(), "a check leaves no state");
}

#[test]
fn a_report_of_a_run_that_never_was_says_where_it_looked() {
    let said = Plan::new().run("report nobody");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(".plan/nobody") && said.err.contains("--state"), "{said:?}");
}

#[test]
fn a_report_does_not_believe_a_graph_that_was_changed() {
    let tool = Plan::new();
    tool.run("apply plan.yaml");
    let state = tool.path().join(".plan/sessions");
    let graph = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("graph-"))
        .unwrap();
    let changed = std::fs::read_to_string(&graph).unwrap().replace("127.0.0.1", "127.0.0.2");
    std::fs::write(&graph, changed).unwrap();
    let said = tool.run("report sessions");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("not the graph that was run"), "{said:?}");
}

#[test]
fn every_shell_and_every_page_can_be_generated() {
    let tool = Plan::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(tool.run(&format!("completions {shell}")).out.contains("plan"), "{shell}");
    }
    for page in ["", "apply", "preview", "validate"] {
        let said = tool.run(&format!("man {page}"));
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(".SH NAME"), "{page}");
    }
    assert_eq!(tool.run("man nonsense").code, 2);
}

#[test]
fn logs_are_json_when_asked_and_hold_no_password() {
    let plan = MINIMAL.replace("127.0.0.1:1 }\ndest", "127.0.0.1:1, password: { env: SECRET } }\ndest");
    let tool = Plan::with(&plan);
    let mut command = tool.command("apply plan.yaml -vvv --log-format json --progress none --events events.jsonl");
    let said = Said::of(command.env("SECRET", "hunter2-and-more").output().unwrap());
    said.err.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
    let events = std::fs::read_to_string(tool.path().join("events.jsonl")).unwrap();
    let report = tool.run("report sessions --format json").out;
    for text in [said.out, said.err, events, report] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// A demo under way: its output up to now, and the processes that it started.
struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
    started: Vec<Process>,
}

impl Demo {
    fn command(tool: &Plan, keys: u32) -> Command {
        let mut command = tool.command(&format!("demo --keys {keys} --progress none"));
        for name in ["PATH", "HOME", "XDG_CACHE_HOME", "REDIS_PLAN_SERVERS"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("TMPDIR", tool.path());
        command
    }

    /// A demo that has printed a line with this text.
    fn until(tool: &Plan, keys: u32, text: &str) -> Self {
        let mut child = Self::command(tool, keys).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        assert!(out.by_ref().lines().map(Result::unwrap).any(|line| line.contains(text)), "{text} was never printed");
        let started = Process::descendants(child.id());
        // A shell and a server, twice.
        assert!(started.len() >= 4, "{started:?}");
        Self { child, out, started }
    }

    /// A demo whose data is loaded and whose run is about to begin.
    fn loaded(tool: &Plan) -> Self {
        Self::until(tool, 100_000, "keeps writing")
    }

    /// What else it prints, how it ends, and what it started.
    fn end(mut self) -> (String, ExitStatus, Vec<Process>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap(), self.started)
    }

    fn end_by(self, signal: Signal) -> (ExitStatus, Vec<Process>) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
        let (_, status, started) = self.end();
        (status, started)
    }
}

/// A process of this host, and what every user of the host can read of it.
#[derive(Debug)]
struct Process {
    id: u32,
    began: String,
}

impl Process {
    /// The fields of `/proc/PID/stat` behind the name, from the state on.
    fn stat(id: u32) -> Option<Vec<String>> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
    }

    fn descendants(of: u32) -> Vec<Self> {
        let ids =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let stats: Vec<(u32, Vec<String>)> = ids.filter_map(|id| Some((id, Self::stat(id)?))).collect();
        let mut family = vec![of];
        let mut found = vec![];
        while let Some(parent) = family.pop() {
            for (id, stat) in stats.iter().filter(|(_, stat)| stat[1] == parent.to_string()) {
                family.push(*id);
                found.push(Self { id: *id, began: stat[19].clone() });
            }
        }
        found
    }

    fn has_ended(&self) -> bool {
        Self::stat(self.id).is_none_or(|stat| stat[0] == "Z" || stat[19] != self.began)
    }

    fn arguments(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.id)).unwrap().replace('\0', " ")
    }

    fn environment(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{}/environ", self.id)).unwrap()).into_owned()
    }
}

fn all_end(started: &[Process]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Some(alive) = started.iter().find(|process| !process.has_ended()) {
        assert!(Instant::now() < deadline, "{alive:?} lives on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The folders of demos below `folder`.
fn demo_folders(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("redis-plan-demo-")).collect()
}

/// A real migration between two servers, compared key by key: the demo says 0 only when all are equal.
#[test]
fn the_demo_migrates_and_leaves_no_server_behind() {
    let tool = Plan::new();
    let (out, status, started) = Demo::until(&tool, 3_000, "keeps writing").end();
    assert!(status.success(), "{status}: {out}");
    assert!(out.contains("verified:  all 3005 keys are equal"), "{out}");
    let [folder] = demo_folders(tool.path()).try_into().unwrap();
    assert!(std::fs::read_to_string(folder.join("state/report.html")).unwrap().contains("</span> done</span>"));
    assert_eq!(out.lines().filter(|line| line.trim().starts_with("url: unix://")).count(), 2, "{out}");
    all_end(&started);
}

/// Another user of the host finds no password in what the processes show, no port to try, and no folder to enter.
#[test]
fn the_demo_hands_no_other_user_of_the_host_an_account() {
    let tool = Plan::new();
    let demo = Demo::until(&tool, 100_000, "$ plan apply");
    let folders = demo_folders(tool.path());
    let passwords: Vec<String> = ["source.secret", "destination.secret"]
        .iter()
        .filter_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.exists()))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(passwords.len(), 2, "{folders:?}");
    let plan = Process { id: demo.child.id(), began: String::new() };
    for process in demo.started.iter().chain([&plan]) {
        let shown = [process.arguments(), process.environment()].concat();
        assert!(!passwords.iter().any(|password| shown.contains(password.as_str())), "{shown}");
    }
    assert_eq!(folders.len(), 3, "{folders:?}");
    for folder in &folders {
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}: {mode:o}", folder.display());
    }
    let sockets: Vec<String> = demo.started.iter().flat_map(|process| listening(process.id)).collect();
    assert_eq!(sockets, [""; 0], "a port of the host");
    let (status, started) = demo.end_by(Signal::INT);
    assert_eq!(status.code(), Some(130), "{status}");
    all_end(&started);
}

/// The TCP sockets that a process listens on.
fn listening(id: u32) -> Vec<String> {
    let links =
        std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
    let own: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let tables =
        ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let fields = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    let listens = |fields: &Vec<&str>| fields[3] == "0A" && own.contains(&format!("socket:[{}]", fields[9]));
    fields.filter(listens).map(|fields| fields[1].to_owned()).collect()
}

#[test]
fn a_folder_with_a_long_path_is_named_before_a_server_cuts_it_off() {
    let tool = Plan::new();
    let long = tool.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let said = Said::of(Demo::command(&tool, 1_000).env("TMPDIR", &long).output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("longer than 107 bytes") && said.err.contains("`TMPDIR`"), "{said:?}");
}

#[test]
fn a_signal_stops_at_a_checkpoint_with_an_exit_code_of_its_own() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let tool = Plan::new();
        let (status, started) = Demo::loaded(&tool).end_by(signal);
        assert_eq!(status.code(), Some(code), "{status}");
        all_end(&started);
    }
}

#[test]
fn the_servers_of_a_killed_demo_do_not_live_on() {
    let tool = Plan::new();
    let (status, started) = Demo::loaded(&tool).end_by(Signal::KILL);
    assert_eq!(status.signal(), Some(9));
    all_end(&started);
}
