//! A host that others use too: what they can prepare, replace or ask is neither believed nor waited for.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    fs::{CWD, FileType, Mode},
    process::{Uid, geteuid},
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    faults::{fill, tool},
    harness::{Comparer, Finished, Parrot, Plan, Server, Tool},
};

/// A user who is not this one, on every system.
const NOBODY: u32 = 65534;

/// Some attacks need a second user, whom only root can be.
fn must_be_root(what: &str) {
    assert!(geteuid().is_root(), "only root can be another user: {what} is not proved here, run this test as root");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refused(finished: Finished, of: &str) {
    let said = finished.expect(3).says("is not trusted").says(of);
    assert!(said.took < Duration::from_secs(20), "{said}");
}

/// A copy that is done, and a destination that has lost it since: whoever believes the state directory says "finished".
fn finished_copy() -> (Server, Server, Tool) {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 100, 10);
    let tool = tool(&Plan::between(&source, &destination));
    tool.run(["apply", "plan.yaml"]).expect(0);
    (source, destination, tool)
}

#[test]
fn a_state_directory_that_others_can_write_to_is_not_believed() {
    let (source, destination, tool) = finished_copy();
    let root = tool.folder().join(".plan");
    let (folder, journal, events) = (root.join("move"), root.join("move/journal"), root.join("move/events.jsonl"));
    tool.run(["status", "move"]).expect(0);
    for (path, wide, own) in
        [(&root, 0o777, 0o700), (&folder, 0o770, 0o700), (&journal, 0o620, 0o600), (&events, 0o602, 0o600)]
    {
        mode(path, wide);
        let named = path.file_name().unwrap().to_str().unwrap().to_owned();
        refused(tool.run(["apply", "plan.yaml"]).because("R413"), &named);
        refused(tool.run(["cleanup", "plan.yaml"]).because("R413"), &named);
        for verb in ["status", "report"] {
            refused(tool.run([verb, "move"]), &named);
        }
        mode(path, own);
        tool.run(["status", "move"]).expect(0);
    }
    mode(&folder, 0o777);
    for verb in ["cutover", "pause", "abort"] {
        refused(tool.run([verb, "move"]), "move");
    }
    refused(tool.run(["verify", "plan.yaml"]), "move");
    mode(&folder, 0o700);
    mode(&root, 0o777);
    refused(tool.run(["status"]), ".plan");
    mode(&root, 0o700);
    // What is ours again is taken for what it is.
    tool.run(["apply", "plan.yaml"]).expect(0).because("R101");
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_journal_of_another_user_ends_no_run() {
    must_be_root("that a journal of another user is refused");
    let (_source, _destination, tool) = finished_copy();
    let root = tool.folder().join(".plan");
    for path in [root.clone(), root.join("move"), root.join("move/journal"), root.join("move/lock")] {
        chown(&path, Some(NOBODY), None).unwrap();
        let said = tool.run(["apply", "plan.yaml"]).because("R413");
        refused(said, &format!("belongs to user {NOBODY}"));
        refused(tool.run(["status", "move"]), &format!("belongs to user {NOBODY}"));
        chown(&path, Some(0), None).unwrap();
    }
    tool.run(["apply", "plan.yaml"]).expect(0);
}

#[test]
fn a_link_in_the_state_directory_overwrites_no_other_file() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 100, 10);
    for name in ["events.jsonl", "journal", "samples.jsonl", "lock", "report.html", "heard", "graph-0.json"] {
        let tool = tool(&Plan::between(&source, &destination));
        let victim = tool.write("victim", "precious");
        fs::create_dir_all(tool.folder().join(".plan/move")).unwrap();
        symlink(&victim, tool.folder().join(".plan/move").join(name)).unwrap();
        refused(tool.run(["apply", "plan.yaml"]).because("R413"), "is a symbolic link");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
    }
    // Nor does a link in place of the whole directory.
    let tool = tool(&Plan::between(&source, &destination));
    fs::create_dir_all(tool.folder().join("elsewhere")).unwrap();
    fs::create_dir(tool.folder().join(".plan")).unwrap();
    symlink("../elsewhere", tool.folder().join(".plan/move")).unwrap();
    symlink("elsewhere", tool.folder().join("state")).unwrap();
    refused(tool.run(["apply", "plan.yaml"]).because("R413"), "is a symbolic link");
    refused(tool.run(["apply", "plan.yaml", "--state", "state/"]).because("R413"), "is a symbolic link");
    assert_eq!(fs::read_dir(tool.folder().join("elsewhere")).unwrap().count(), 0);
    assert_eq!(destination.client().command(&crate::cmd!["DBSIZE"]).int(), 0, "something was copied");
}

/// Answers every order with success, as another user. The bound socket lies where an operator looks for it.
fn impostor(socket: &Path) -> mpsc::Receiver<String> {
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(socket).unwrap()).unwrap();
    let (heard, orders) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    thread::spawn(move || {
        // Of this thread alone; the system notes who listens.
        let nobody = Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        listener.listen(8).unwrap();
        ready.send(()).unwrap();
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = BufReader::new(stream);
            let mut order = String::new();
            while stream.read_line(&mut order).is_ok_and(|count| count > 0) {
                drop(heard.send(std::mem::take(&mut order)));
                drop(stream.get_mut().write_all(b"{\"done\":true,\"text\":\"Sealed.\",\"status\":null}\n"));
            }
        }
    });
    is_ready.recv().unwrap();
    orders
}

#[test]
fn an_answer_of_another_user_is_not_believed() {
    must_be_root("that an answer of another user is not believed");
    let tool = tool(&Plan::between_ports(1, 2));
    let folder = tool.folder().join(".plan/move");
    fs::create_dir_all(&folder).unwrap();
    mode(&folder, 0o755);
    let orders = impostor(&folder.join("control.sock"));
    // The way to the socket is open to it and all is ours: only who answers gives it away.
    mode(&folder.join("control.sock"), 0o700);
    for order in ["cutover", "pause", "resume", "abort", "status"] {
        let said = tool.run([order, "move"]).expect(3).says(&format!("belongs to user {NOBODY}"));
        assert!(!format!("{said}").contains("Sealed"), "{said}");
    }
    assert_eq!(orders.try_recv().ok(), None, "it was given an order");
}

#[test]
fn a_fifo_a_device_and_a_folder_are_refused_at_once() {
    let (source, destination) = (Server::of("redis-7.2.4").password("s3cret").start(), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).source("password: { file: secret }"));
    let fifo = |name: &str| {
        let path = tool.folder().join(name);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    };
    fifo("fifo");
    fs::create_dir(tool.folder().join("folder")).unwrap();
    let at_once = |said: Finished, kind: &str| {
        let said = said.says(kind);
        assert!(said.took < Duration::from_secs(20) && said.code() != Some(0), "{said}");
    };
    // As a secret and as a key.
    let secret = tool.folder().join("secret");
    for (target, kind) in [("fifo", "is a FIFO"), ("folder", "is a folder"), ("/dev/zero", "is a device")] {
        symlink(target, &secret).unwrap();
        at_once(tool.run(["check", "plan.yaml"]), kind);
        fs::remove_file(&secret).unwrap();
    }
    tool.write("secret", "s3cret");
    mode(&secret, 0o600);
    let tls = Plan::between_urls("rediss://127.0.0.1:1", "redis://127.0.0.1:2").source("tls: { ca: fifo }");
    tool.write("tls.yaml", &tls.text());
    at_once(tool.run(["check", "tls.yaml"]), "is a FIFO");
    // As a file for what happens and for what came out.
    for (path, kind) in [("fifo", "is a FIFO"), ("folder", "is a folder"), ("/dev/full", "is a device")] {
        at_once(tool.run(["apply", "plan.yaml", "--events", path]), kind);
        at_once(tool.run(["verify", "plan.yaml", "--differences", path]), kind);
        at_once(tool.run(["check", "plan.yaml", "--output", &format!("junit={path}")]), kind);
        at_once(tool.run(["validate", "plan.yaml", "--output", &format!("sarif={path}")]), kind);
    }
    assert!(!tool.folder().join(".plan").exists(), "a run began");
    tool.run(["check", "plan.yaml", "--output", "junit=check.xml"]).expect(0);
    assert!(fs::read_to_string(tool.folder().join("check.xml")).unwrap().contains("<testsuite"));
}

#[test]
fn a_secret_of_another_user_gets_a_warning() {
    must_be_root("that a secret of another user is warned about");
    let (source, destination) = (Server::of("redis-7.2.4").password("s3cret").start(), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).source("password: { file: secret }"));
    let path = tool.write("secret", "s3cret");
    mode(&path, 0o600);
    chown(&path, Some(NOBODY), None).unwrap();
    tool.run(["check", "plan.yaml"]).expect(0).says(&format!("holds a secret and belongs to user {NOBODY}"));
}

/// Text that does something wherever it is not taken for data.
const HOSTILE: &str =
    "\0\x1b[2J\x07\u{9b}31m\u{202e}\u{200b}![x](https://evil.example/x.png) <img src=//evil.example/y> ::error::z";

fn assert_harmless(text: &str) {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    assert_eq!(text.chars().find(|c| steers(*c)), None, "{text:?}");
    let commands = text.lines().filter(|line| line.trim_start().starts_with("::"));
    let own = ["::error file=", "::warning file="];
    let others: Vec<&str> = commands.filter(|line| !own.iter().any(|begin| line.starts_with(begin))).collect();
    assert!(others.is_empty(), "a pipeline obeys {others:?}");
}

#[test]
fn what_a_server_says_silences_no_alarm_and_is_data_everywhere() {
    let (parrot, server) = (Parrot::Later(HOSTILE).start(), Server::start("redis-7.2.4"));
    for (source, destination) in [(parrot.port(), server.port()), (server.port(), parrot.port())] {
        let plan = Plan::between_ports(source, destination)
            .line("hooks: [ { at: run.failed, run: [./alarm] } ]")
            .source("password: { env: WORD }")
            .destination("password: { env: WORD }");
        let plan =
            if source == server.port() { plan.text().replacen("password: { env: WORD }", "", 1) } else { plan.text() };
        let tool =
            Tool::new().env("NO_COLOR", "1").env("WORD", "word").env("PATH", "/usr/bin:/bin").env("RUST_LOG", "trace");
        tool.write("plan.yaml", &plan);
        tool.script("alarm", "printf '%s' \"$PLAN_REASON\" > reason");
        let applied = tool.run(["apply", "plan.yaml", "--progress", "plain"]);
        assert!(matches!(applied.code(), Some(1 | 3)), "{applied}");
        let reason = fs::read_to_string(tool.folder().join("reason")).expect("the alarm was not given");
        assert_harmless(&reason);
        for said in [
            applied,
            tool.run(["check", "plan.yaml"]),
            tool.run(["check", "plan.yaml", "--format", "github"]),
            tool.run(["check", "plan.yaml", "--format", "concise"]),
            tool.run(["verify", "plan.yaml"]),
            tool.run(["cleanup", "plan.yaml"]),
            tool.run(["abort", "move", "--plan", "plan.yaml"]),
            tool.run(["status", "move"]),
        ] {
            assert_harmless(&said.to_string());
        }
        let report = tool.run(["report", "move", "--format", "md"]).expect(0).stdout;
        assert_harmless(&report);
        for markup in ["](http", "https://evil", "<img"] {
            assert!(!report.contains(markup), "{markup} in {report}");
        }
    }
}

#[test]
fn an_answer_of_the_control_socket_is_data_too() {
    let tool = tool(&Plan::between_ports(1, 2));
    let folder = tool.folder().join(".plan/move");
    fs::create_dir_all(&folder).unwrap();
    mode(&folder, 0o700);
    for done in [true, false] {
        let path = folder.join("control.sock");
        drop(fs::remove_file(&path));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        mode(&path, 0o600);
        let answer = serde_json::json!({ "done": done, "text": HOSTILE, "status": null }).to_string() + "\n";
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let mut stream = BufReader::new(stream);
                let mut order = String::new();
                if stream.read_line(&mut order).is_ok_and(|count| count > 0) {
                    drop(stream.get_mut().write_all(answer.as_bytes()));
                }
            }
        });
        for order in ["cutover", "pause", "resume", "abort"] {
            let said = tool.run([order, "move"]).expect(i32::from(!done)).says("\\u{1b}[2J");
            assert_harmless(&said.to_string());
        }
    }
}

#[test]
fn a_file_name_is_no_command_of_a_pipeline() {
    let tool = Tool::new().env("NO_COLOR", "1");
    for name in ["::error::x.yaml", " ::warning::x.yaml", "a\n::error::x.yaml", "##[error]x.yaml"] {
        tool.write(name, "version: 1\nname: [\n");
        for format in ["human", "concise", "github"] {
            let said = tool.run(["validate", name, "--format", format]).expect(1).says("x.yaml");
            assert_harmless(&said.stdout);
            let commands = said.stdout.lines().filter(|line| line.trim_start().starts_with("##["));
            assert_eq!(commands.count(), 0, "{said}");
        }
        assert_harmless(&tool.run(["validate", &format!("missing{name}")]).expect(2).stderr);
        assert_harmless(&tool.run(["check", name]).expect(1).stderr);
    }
}
