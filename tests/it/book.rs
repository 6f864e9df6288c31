//! What the book tells people to type works: the consoles of its pages, command by command, in one shell a page, with what
//! they print compared with what the page shows.
//!
//! In a console, a line behind `$ ` is a command, and those below it, if there are any, are all that it prints: `…` stands for any
//! text, and alone on a line for any number of lines. A command ends with 0 unless the next one is `echo $?`. A block
//! behind `<!-- file: NAME -->` is written to that file. A comment `<!-- before` … `-->` is a script that brings about what the
//! page takes for granted. Ports, addresses and the folder are replaced by those of the test: `10.0.0.5:6379` and
//! `10.0.0.9:6379` are servers that it starts; 7001 and 7002 are free ports for those that the page starts.

use std::{
    fmt::Write as _,
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    cmd,
    harness::{Client, Flavour, Server, Tool, free_port},
};

/// How long all of a page may take.
const LIMIT: Duration = Duration::from_mins(4);

/// What is to be done, in order.
enum Part {
    File { name: String, text: String },
    Before(String),
    Console(Vec<Typed>),
}

/// A command and what the page shows below it.
#[derive(Debug)]
struct Typed {
    command: String,
    shown: Vec<String>,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src")
}

/// What a page has to be done.
fn parts(page: &str) -> Vec<Part> {
    let mut parts = vec![];
    let mut lines = page.lines();
    let mut name = None;
    while let Some(line) = lines.next() {
        let upto = |lines: &mut std::str::Lines<'_>, end: &str| -> Vec<String> {
            lines.take_while(|line| *line != end).map(str::to_owned).collect()
        };
        if line == "<!-- before" {
            parts.push(Part::Before(upto(&mut lines, "-->").join("\n")));
        } else if line == "```console" {
            parts.push(Part::Console(typed(&upto(&mut lines, "```"))));
        } else if line.starts_with("```") {
            let text = upto(&mut lines, "```");
            if let Some(name) = name.take() {
                parts.push(Part::File { name, text: text.join("\n") + "\n" });
            }
        } else if !line.is_empty() {
            let named = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
            name = named.map(str::to_owned);
        }
    }
    parts
}

fn typed(lines: &[String]) -> Vec<Typed> {
    let mut typed: Vec<Typed> = vec![];
    for line in lines {
        match line.strip_prefix("$ ") {
            Some(command) => typed.push(Typed { command: command.to_owned(), shown: vec![] }),
            None => typed.last_mut().expect("a console begins with a command").shown.push(line.clone()),
        }
    }
    typed
}

/// Whether these lines were printed; `…` is any text, and alone any number of lines.
fn is_shown(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => (0..=printed.len()).any(|skipped| is_shown(rest, &printed[skipped..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, printed)| is_like(first, line) && is_shown(rest, printed))
        }
    }
}

fn is_like(shown: &str, printed: &str) -> bool {
    let Some((head, rest)) = shown.split_once('…') else { return shown == printed.trim_end() };
    let Some(mut left) = printed.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = rest.split('…').collect();
    let tail = pieces.pop().unwrap();
    for piece in pieces {
        let Some((_, behind)) = left.split_once(piece) else { return false };
        left = behind;
    }
    left.trim_end().ends_with(tail)
}

/// Ends with the test, whatever the page has started.
struct Started {
    shell: Option<u32>,
    ports: Vec<u16>,
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(group) = self.shell.and_then(|id| Pid::from_raw(id.try_into().unwrap())) {
            // It has ended already when all went well.
            _ = kill_process_group(group, Signal::KILL);
        }
        for port in &self.ports {
            if let Ok(mut client) = Client::connect(*port) {
                drop(client.exchange(&cmd!["SHUTDOWN", "NOSAVE"]));
            }
        }
    }
}

/// Does what a page says, with these programs for its servers.
fn follow(page: &str, flavours: [&str; 2]) {
    let text = fs::read_to_string(source().join(page)).unwrap();
    let servers = text.contains("10.0.0.5:6379").then(|| flavours.map(Server::start));
    let tool = Tool::new();
    let ports = [free_port(), free_port()];
    let mut started = Started { shell: None, ports: ports.to_vec() };
    let replaced = |text: &str| {
        let mut text = text.replace("7001", &ports[0].to_string()).replace("7002", &ports[1].to_string());
        text = text.replace("/tmp/first", tool.folder().join("first").to_str().unwrap());
        for (address, server) in ["10.0.0.5:6379", "10.0.0.9:6379"].iter().zip(servers.iter().flatten()) {
            text = text.replace(address, &format!("127.0.0.1:{}", server.port()));
        }
        text
    };
    let mut typed = vec![];
    let script = script(parts(&replaced(&text)), &mut typed);
    let output = tool.write("output", "");
    let output_file = File::options().append(true).open(&output).unwrap();
    let programs = [Path::new(env!("CARGO_BIN_EXE_plan")).to_owned(), Flavour::of(flavours[0]).program()];
    let path: Vec<&str> = programs.iter().map(|program| program.parent().unwrap().to_str().unwrap()).collect();
    let mut shell = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .arg(tool.write("script", &script))
        .current_dir(tool.folder())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", path.join(":")))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .stdin(Stdio::null())
        .stdout(output_file.try_clone().unwrap())
        .stderr(output_file)
        .process_group(0)
        .spawn()
        .unwrap();
    started.shell = Some(shell.id());
    let deadline = Instant::now() + LIMIT;
    while shell.try_wait().unwrap().is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    compare(page, &typed, &fs::read_to_string(&output).unwrap());
}

/// One script of all parts, which marks the beginning and the end of each command in what it prints.
fn script(parts: Vec<Part>, typed: &mut Vec<Typed>) -> String {
    let mut script = String::new();
    for part in parts {
        match part {
            Part::File { name, text } => {
                write!(script, "cat > {name} <<'END OF FILE'\n{text}END OF FILE\n").unwrap();
            }
            Part::Before(text) => writeln!(script, "{text}").unwrap(),
            Part::Console(console) => {
                for one in console {
                    // The marks leave `$?` and `$!` as they are.
                    let number = typed.len();
                    writeln!(script, "echo '@@ {number}'; (exit ${{ended:-0}})\n{}", one.command).unwrap();
                    writeln!(script, "ended=$?; echo; echo \"@@ {number} ended $ended\"").unwrap();
                    typed.push(one);
                }
            }
        }
    }
    script
}

fn compare(page: &str, typed: &[Typed], printed: &str) {
    assert!(!typed.is_empty(), "{page} has no console");
    for (number, one) in typed.iter().enumerate() {
        let piece = printed.split_once(&format!("@@ {number}\n")).map(|(_, behind)| behind);
        let piece = piece.and_then(|behind| behind.split_once(&format!("\n@@ {number} ended ")));
        let Some((piece, behind)) = piece else {
            panic!("{page}: `{}` did not come to its end:\n{printed}", one.command)
        };
        let code = behind.lines().next().unwrap();
        let is_asked_for = typed.get(number + 1).is_some_and(|next| next.command == "echo $?");
        assert!(code == "0" || is_asked_for, "{page}: `{}` ended with {code}:\n{printed}", one.command);
        // The shell tells of a job that was killed whenever it notices.
        let is_told = |line: &&str| !(line.contains("script: line ") && line.contains(" Killed "));
        let piece = piece.trim_end_matches('\n');
        let lines: Vec<&str> = piece.lines().filter(is_told).collect();
        let is_right = one.shown.is_empty() || is_shown(&one.shown, &lines);
        assert!(is_right, "{page}: `{}` printed\n{piece}\nand the page shows\n{}", one.command, one.shown.join("\n"));
    }
}

#[test]
fn what_is_shown_is_compared_line_by_line() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(is_shown(&shown(&["a … c", "…", "z"]), &["a b c", "y", "z"]));
    assert!(is_shown(&shown(&["a", "…"]), &["a"]));
    assert!(!is_shown(&shown(&["a"]), &["a", "b"]));
    assert!(!is_shown(&shown(&["a … d"]), &["a b c"]));
    assert!(!is_shown(&shown(&["…", "a"]), &["a", "b"]));
    let caught = std::panic::catch_unwind(|| {
        let typed = [Typed { command: "false".to_owned(), shown: vec![] }];
        compare("a page", &typed, "@@ 0\n\n@@ 0 ended 1\n");
    });
    assert!(caught.is_err(), "a command that fails is told");
}

/// The commands of the pipelines and of cron, with a plan, servers and folders of their own.
struct Unattended {
    tool: Tool,
    digest: String,
    _servers: [Server; 2],
}

impl Unattended {
    fn new(rest: &str) -> Self {
        let servers = ["redis-7.0.15", "redis-7.2.4"].map(Server::start);
        servers[0].client().command(&cmd!["SET", "cart:1", "full"]);
        let tool = Tool::new();
        for folder in ["plans", "state", "log"] {
            fs::create_dir(tool.folder().join(folder)).unwrap();
        }
        let [source, destination] = servers.each_ref().map(Server::port);
        let plan = format!(
            "version: 1\nname: cart\nsource: {{ url: redis://127.0.0.1:{source} }}\n\
             destination: {{ url: redis://127.0.0.1:{destination} }}\n{rest}\n"
        );
        tool.write("plans/cart.yaml", &plan);
        let preview = tool.run(["preview", "plans/cart.yaml", "--format", "json"]).expect(0).stdout;
        let preview: serde_json::Value = serde_json::from_str(&preview).unwrap();
        Self { tool, digest: preview["digest"].as_str().unwrap().to_owned(), _servers: servers }
    }

    /// A command of the page, as a runner starts it.
    fn command(&self, line: &str) -> Command {
        let folder = self.tool.folder().to_str().unwrap();
        let line = line
            .replace("/var/lib/redis-plan", &format!("{folder}/state"))
            .replace("/var/log/redis-plan", &format!("{folder}/log"))
            .replace("/srv/plans", &format!("{folder}/plans"));
        let program = Path::new(env!("CARGO_BIN_EXE_plan")).parent().unwrap().display().to_string();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &line]).current_dir(folder).env_clear();
        command.env("PATH", format!("{program}:/usr/bin:/bin")).env("GITHUB_STEP_SUMMARY", "summary.md");
        command.env("DIGEST", &self.digest).env("CART_DIGEST", &self.digest).stdin(Stdio::null());
        command
    }

    fn code(&self, line: &str) -> i32 {
        self.command(line).status().unwrap().code().unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.tool.folder().join(file)).unwrap()
    }
}

/// The block behind `<!-- name -->` of the page about pipelines.
fn unattended(name: &str) -> String {
    let page = fs::read_to_string(source().join("how-to/run-unattended.md")).unwrap();
    let (_, behind) = page.split_once(&format!("<!-- {name} -->\n```")).unwrap();
    behind.split_once('\n').unwrap().1.split_once("\n```").unwrap().0.to_owned()
}

fn yaml(name: &str) -> serde_yaml::Value {
    serde_yaml::from_str(&unattended(name)).unwrap()
}

/// The commands of the steps, or of a list.
fn commands(steps: &serde_yaml::Value) -> Vec<String> {
    let steps = steps.as_sequence().unwrap().iter();
    steps.filter_map(|step| step["run"].as_str().or(step.as_str())).map(str::to_owned).collect()
}

#[test]
fn the_workflows_of_the_book_apply_and_cut_over() {
    let host = Unattended::new(
        "migration: [full, incremental]\nstop: { any: [command: cutover] }\n\
         cutover: { mode: manual, fence: client_pause, max_lag: 1s, timeout: 10s }",
    );
    let apply = commands(&yaml("github")["jobs"]["apply"]["steps"]);
    let cutover = commands(&yaml("github-cutover")["jobs"]["cutover"]["steps"]);
    assert_eq!([apply.len(), cutover.len()], [2, 1]);
    let mut applying = host.command(&apply[0]).spawn().unwrap();
    let dry_run = cutover[0].replace("--confirm cart", "--dry-run");
    let deadline = Instant::now() + LIMIT;
    while host.code(&dry_run) != 0 {
        assert!(Instant::now() < deadline && applying.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(host.code(&cutover[0]), 0);
    assert_eq!(applying.wait().unwrap().code(), Some(0));
    assert_eq!(host.code(&apply[1]), 0);
    assert!(host.read("summary.md").starts_with("# Run of cart"));
    assert_eq!(host.code(&apply[0]), 7, "the schedule goes on until somebody takes it out");
}

#[test]
fn the_jobs_of_the_book_for_gitlab_run() {
    let host = Unattended::new("migration: [full]");
    let jobs = yaml("gitlab");
    let lines = [commands(&jobs["apply-cart"]["script"]), commands(&jobs["apply-cart"]["after_script"])].concat();
    assert_eq!(lines.len(), 2);
    for line in lines.iter().chain(&lines) {
        assert_eq!(host.code(line), 0, "{line}");
    }
    let report = jobs["apply-cart"]["artifacts"]["paths"][0].as_str().unwrap();
    assert!(host.read(report).starts_with("<!doctype html>"), "{}", host.read(report));
    assert_eq!(
        commands(&jobs["cutover-cart"]["script"]),
        commands(&yaml("github-cutover")["jobs"]["cutover"]["steps"])
    );
}

#[test]
fn the_line_of_the_book_for_cron_may_run_twice_at_once() {
    let host = Unattended::new("migration: [full]");
    let line = unattended("cron").replace("*/5 * * * * ", "");
    let both = [(); 2].map(|()| host.command(&line).spawn().unwrap());
    let mut codes = both.map(|mut one| one.wait().unwrap().code().unwrap());
    codes.sort_unstable();
    // The second comes while the first works, or behind it.
    assert!(codes == [0, 5] || codes == [0, 0], "{codes:?}: {}", host.read("log/cart.log"));
    assert_eq!(host.code(&line), 0);
    assert!(host.read("log/cart.log").contains("keys copied"));
}

macro_rules! pages {
    ($($name:ident: $page:literal, $servers:expr;)+) => {
        const PAGES: &[&str] = &[$($page),+];

        $(
            #[test]
            fn $name() {
                follow($page, $servers);
            }
        )+
    };
}

pages! {
    the_tutorial_succeeds_word_by_word: "tutorial/first-migration.md", ["redis-7.0.15", "redis-7.0.15"];
    the_tutorial_succeeds_with_the_oldest_servers_that_it_names: "tutorial/first-migration.md", ["redis-5.0.10", "redis-5.0.10"];
    checking_before_a_run: "how-to/check.md", ["redis-5.0.10", "redis-7.2.4"];
    comparing_both_sides: "how-to/verify.md", ["redis-5.0.10", "redis-7.2.4"];
    resuming_after_a_crash: "how-to/resume.md", ["redis-7.0.15", "redis-8.2.3"];
    rolling_back: "how-to/roll-back.md", ["redis-7.0.15", "redis-7.2.4"];
    giving_passwords_to_a_run: "how-to/secrets.md", ["redis-5.0.10", "redis-7.2.4"];
    coming_from_another_tool: "how-to/from-another-tool.md", ["redis-5.0.10", "redis-7.2.4"];
}

#[test]
fn every_page_with_a_console_is_followed() {
    let mut folders = vec![source()];
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().contains("```console\n") {
                found.push(path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let forgotten: Vec<&String> = found.iter().filter(|page| !PAGES.contains(&page.as_str())).collect();
    assert!(forgotten.is_empty() && found.len() >= 7, "{forgotten:?} of {found:?}");
}
