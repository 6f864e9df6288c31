//! No secret leaves: a run whose passwords and key are known words, and everything it says, leaves and gives to others is
//! searched for them.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::Command as Process,
};

use crate::{
    cmd,
    faults::{await_told, begin, fill, told, until},
    harness::{Authority, Finished, Parrot, Plan, Running, Server, Tool},
};

const SOURCE: &str = "canary-of-the-source";
const DESTINATION: &str = "canary-of-the-destination";

/// A program that gives a password and tells what it was given itself.
const GIVES: &str = "#!/bin/sh\nenv > child-environment\ntr '\\0' ' ' < /proc/$PPID/cmdline > parent-argv\n\
                     cat /proc/$PPID/environ > parent-environment\nprintf '%s\\n' \
                     canary-of-the-destination\n";

/// Words that must not be anywhere: the passwords, and a line out of the middle of the private key.
fn canaries(key: &Path) -> Vec<String> {
    let key = fs::read_to_string(key).unwrap();
    let line = key.lines().nth(1).unwrap().to_owned();
    assert!(line.len() > 40, "{line}");
    vec![SOURCE.to_owned(), DESTINATION.to_owned(), line]
}

/// A password in the forms in which it can be told: with what is escaped in JSON and HTML, and as a list of bytes.
fn forms(password: &str) -> Vec<String> {
    let json = serde_json::to_string(password).unwrap();
    let bytes = format!("{:?}", password.as_bytes());
    let html = password.replace('&', "&amp;").replace('<', "&lt;");
    vec![password.to_owned(), json.trim_matches('"').to_owned(), bytes.trim_matches(['[', ']']).to_owned(), html]
}

fn assert_none(canaries: &[String], place: &str, bytes: &[u8]) {
    for canary in canaries {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!found, "{place} holds {canary}");
    }
}

fn assert_none_said(canaries: &[String], finished: &Finished) {
    assert_none(canaries, &format!("{finished}"), format!("{finished}").as_bytes());
}

/// Every file below a folder; what holds secrets by its nature is named in `except`.
fn assert_none_left(canaries: &[String], folder: &Path, except: &[&str]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            assert_none_left(canaries, &path, except);
        } else if kind.is_file() && !except.iter().any(|name| path.ends_with(name)) {
            assert_none(canaries, &path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

/// Whether the process's memory holds these bytes. It may hold a secret for as long as it needs it, but not the requests
/// that it was sent in.
fn in_memory(run: &Running, wanted: &[u8]) -> bool {
    count_in_memory(run, wanted) > 0
}

/// How often they are there.
fn count_in_memory(run: &Running, wanted: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", run.id())).unwrap();
    let mut memory = fs::File::open(format!("/proc/{}/mem", run.id())).unwrap();
    let areas = maps.lines().filter(|line| line.contains(" rw")).filter_map(|line| {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
    });
    let counts = areas.into_iter().map(|(from, to)| {
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        let read = memory.seek(SeekFrom::Start(from)).and_then(|_| memory.read_exact(&mut bytes));
        if read.is_ok() { memchr::memmem::find_iter(&bytes, wanted).count() } else { 0 }
    });
    counts.sum()
}

#[test]
fn no_secret_leaves() {
    let authority = Authority::new();
    let (server, client) = (authority.issue("server", ["127.0.0.1"], 2099), authority.issue("client", [], 2099));
    let canaries = canaries(&client.key);
    let source = Server::of("redis-7.2.4").password(SOURCE).tls(&server, "yes", &authority).start();
    let destination = Server::of("redis-7.2.4").password(DESTINATION).start();
    fill(&source, 2000, 100);
    let certificates = format!("{}, key: {}", client.cert.display(), client.key.display());
    let plan = Plan::between_urls(
        &format!("rediss://127.0.0.1:{}", source.tls_port()),
        &format!("redis://127.0.0.1:{}", destination.port()),
    )
    .following("{ any: [command: cutover] }")
    .source("username: default")
    .source("password: { env: CANARY }")
    .source(&format!("tls: {{ ca: {}, cert: {certificates} }}", authority.ca().display()))
    .destination("password: { command: [sh, ./gives] }");
    let tool =
        Tool::new().env("NO_COLOR", "1").env("CANARY", SOURCE).env("RUST_LOG", "trace").env("PATH", "/usr/bin:/bin");
    tool.write("plan.yaml", &plan.text());
    tool.write("gives", GIVES);

    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    source.client().command(&cmd!["INCR", "n"]);
    until("it is applied", || destination.client().command(&cmd!["EXISTS", "n"]).int() == 1);
    let arguments = fs::read(format!("/proc/{}/cmdline", run.id())).unwrap();
    assert_none(&canaries, "argv", &arguments);
    for secret in [SOURCE, DESTINATION] {
        let request = format!("${}\r\n{secret}\r\n", secret.len());
        assert!(!in_memory(&run, request.as_bytes()), "a request with {secret} was not wiped");
    }
    assert!(in_memory(&run, DESTINATION.as_bytes()), "the search finds nothing, not even what must be there");
    for said in [
        tool.run(["status", "move", "--format", "json"]).expect(0),
        tool.run(["status", "move"]).expect(0),
        tool.run(["set", "move", "limits.writes=fast"]).expect(1),
        tool.run(["check", "plan.yaml", "--format", "json"]),
        tool.run(["pause", "move"]).expect(0),
        tool.run(["resume", "move"]).expect(0),
        tool.run(["cutover", "move"]).expect(0),
        run.wait().expect(0),
        tool.run(["preview", "plan.yaml"]).expect(0),
        tool.run(["preview", "plan.yaml", "--format", "json"]).expect(0),
        tool.run(["validate", "plan.yaml", "--format", "json"]).expect(0),
        tool.run(["report", "move"]).expect(0),
    ] {
        assert_none_said(&canaries, &said);
    }
    for left in ["child-environment", "parent-argv"] {
        assert!(fs::metadata(tool.folder().join(left)).unwrap().len() > 0, "{left} was not written");
    }
    assert_none_left(&canaries, tool.folder(), &["gives"]);
}

/// A panic of the program as it is: with so little memory no thread can be started.
#[test]
fn a_panic_tells_what_to_do_and_no_secret() {
    let tool = Tool::new();
    let plan = Plan::between_ports(1, 2).source("password: { env: CANARY }").destination("password: { env: CANARY }");
    tool.write("plan.yaml", &plan.text());
    let mut panics = 0;
    for mebibytes in 20..400 {
        if panics == 3 {
            break;
        }
        let script = format!("ulimit -v {}; exec \"$PLAN\" apply plan.yaml --events events", mebibytes << 10);
        let mut process = Process::new("sh");
        process.args(["-c", &script]).current_dir(tool.folder()).env_clear();
        process.env("PLAN", env!("CARGO_BIN_EXE_plan")).env("CANARY", SOURCE).env("RUST_BACKTRACE", "1");
        let said = process.output().unwrap();
        if said.status.code() != Some(70) {
            continue;
        }
        panics += 1;
        let text = [said.stdout, said.stderr].concat();
        assert_none(&[SOURCE.to_owned()], "what a panic prints", &text);
        let text = String::from_utf8(text).unwrap();
        for word in ["error: plan went wrong at ", "run the same command again", "help: report these lines"] {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }
    assert_eq!(panics, 3, "under no limit of memory the program panicked: nothing is proved");
    assert_none_left(&[SOURCE.to_owned()], tool.folder(), &[]);
}

#[test]
fn refused_passwords_and_broken_connections_tell_nothing_either() {
    let authority = Authority::new();
    let client = authority.issue("client", [], 2099);
    let canaries = canaries(&client.key);
    let (source, destination) = (Server::start("redis-7.2.4"), Server::of("redis-7.2.4").password("another").start());
    let tool = Tool::new().env("NO_COLOR", "1").env("CANARY", SOURCE).env("RUST_LOG", "trace");
    let pem = fs::read_to_string(&client.key).unwrap();
    tool.write("cut.key", &pem[..pem.len() - 40]);
    let mut said = vec![];
    let mut check = |plan: &Plan| {
        tool.write("plan.yaml", &plan.text());
        said.push(tool.run(["check", "plan.yaml"]));
        said.push(tool.run(["apply", "plan.yaml"]));
    };
    // A wrong password, one that is not wanted, and one sent to what is no Redis.
    check(&Plan::between(&source, &destination).destination("password: { env: CANARY }"));
    check(&Plan::between(&source, &destination).source("password: { env: CANARY }"));
    check(&Plan::between_ports(1, 2).source("password: { env: CANARY }"));
    let tls =
        |key: &str| format!("tls: {{ ca: {}, cert: {}, key: {key} }}", authority.ca().display(), client.cert.display());
    let encrypted = Plan::between_urls(&format!("rediss://127.0.0.1:{}", source.port()), "redis://127.0.0.1:2");
    check(&encrypted.source(&tls("cut.key")));
    for finished in &said {
        assert_ne!(finished.code(), Some(0), "{finished}");
        assert_none_said(&canaries, finished);
    }
    assert_none_left(&canaries, tool.folder(), &["cut.key"]);
}

#[test]
fn a_secret_that_others_can_read_gets_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let (source, destination) = (Server::of("redis-7.2.4").password("s3cret").start(), Server::start("redis-7.2.4"));
    let tool = Tool::new().env("NO_COLOR", "1");
    tool.write("plan.yaml", &Plan::between(&source, &destination).source("password: { file: secret }").text());
    let path = tool.write("secret", "s3cret\n");
    for (mode, warned) in [(0o644, true), (0o660, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let checked = tool.run(["check", "plan.yaml"]).expect(0);
        assert_eq!(checked.stderr.contains("secret holds a secret and has mode"), warned, "{mode:o}: {checked}");
    }
}

#[test]
fn names_of_keys_do_not_steer_a_terminal() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let hostile: &[u8] = b"k\x1b[2J\x1b]0;title\x07\r\n\x9b31m\xc2\x9b\xe2\x80\xaegnp\x00";
    for server in [&source, &destination] {
        server.client().command(&cmd!["SET", hostile, "value"]);
    }
    destination.client().command(&cmd!["APPEND", hostile, "s differ"]);
    let tool = Tool::new().env("NO_COLOR", "1").env("RUST_LOG", "trace");
    tool.write("plan.yaml", &Plan::between(&source, &destination).line("on_conflict: skip").text());
    let applied = tool.run(["apply", "plan.yaml", "--events", "events", "--progress", "plain"]).expect(0);
    let report = tool.run(["report", "move"]).expect(0);
    // Not of that run, which knows that the key was left as it was.
    tool.write("other.yaml", &Plan::between(&source, &destination).name("other").text());
    let verified = tool.run(["verify", "other.yaml", "--differences", "differences"]).expect(1);
    let files = ["events", "differences"].map(|name| fs::read_to_string(tool.folder().join(name)).unwrap()).concat();
    for told in [format!("{applied}{report}{files}"), verified.to_string()] {
        assert!(told.contains("k\\u{1b}[2J") || told.contains("k\\\\u{1b}[2J"), "the key is not named: {told}");
        let steers = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}');
        assert_eq!(told.chars().find(|c| steers(*c)), None, "{told:?}");
    }
}

/// What a run says and leaves with this plan, by every command that signs in.
fn assert_told_nowhere(plan: &Plan, password: &str, log_format: &str) {
    let tool = Tool::new().env("NO_COLOR", "1").env("CANARY", password).env("RUST_LOG", "trace");
    let tool = tool.env("PATH", "/usr/bin:/bin");
    tool.write("plan.yaml", &plan.text());
    for said in [
        tool.run(["check", "plan.yaml", "--output", "json=check.json", "--output", "github=check.txt"]),
        tool.run(["apply", "plan.yaml", "--log-format", log_format, "--events", "events", "--progress", "json"]),
        tool.run(["verify", "plan.yaml", "--log-format", log_format, "--differences", "differences"]),
        tool.run(["cleanup", "plan.yaml"]),
        tool.run(["abort", "move", "--plan", "plan.yaml"]),
        tool.run(["report", "move", "--format", "md"]),
        tool.run(["report", "move", "--format", "json"]),
        tool.run(["status", "move", "--format", "json"]),
    ] {
        assert_none_said(&forms(password), &said);
    }
    assert_none_left(&forms(password), tool.folder(), &[]);
}

/// As long as a message is shown, so that it would be cut within what comes behind it.
const LONG: &str = "................................................................................................................\
                    ........................................";

#[test]
fn a_password_that_a_peer_says_back_is_told_nowhere() {
    let good = Server::start("redis-7.2.4");
    for (index, parrot) in [
        Parrot::Echo,
        Parrot::WrongPassword,
        Parrot::Bare,
        Parrot::Decimal,
        Parrot::Bulk,
        Parrot::Later("what is "),
        Parrot::Later(LONG),
        Parrot::Name,
    ]
    .into_iter()
    .enumerate()
    {
        let log_format = ["text", "json"][index % 2];
        let password = "canary of \"the\" <source> & 100%";
        let peer = parrot.start();
        assert_told_nowhere(
            &Plan::between_ports(peer.port(), good.port()).source("password: { env: CANARY }"),
            password,
            log_format,
        );
        let asked = peer.heard();
        assert_told_nowhere(
            &Plan::between_ports(good.port(), peer.port()).destination("password: { env: CANARY }"),
            password,
            log_format,
        );
        assert!(asked > 0 && peer.heard() > asked, "{parrot:?} was not given the password: nothing is proved");
    }
}

#[test]
fn a_program_finds_no_password_and_what_it_says_is_masked() {
    let (source, destination) =
        (Server::of("redis-7.2.4").password(SOURCE).start(), Server::of("redis-7.2.4").password(DESTINATION).start());
    let tool =
        Tool::new().env("NO_COLOR", "1").env("CANARY", SOURCE).env("RUST_LOG", "trace").env("PATH", "/usr/bin:/bin");
    let plan = Plan::between(&source, &destination)
        .source("password: { env: CANARY }")
        .destination("password: { command: [sh, ./gives] }")
        .line("hooks: [ { at: full.started, run: [./spies] , on_error: fail }, { at: run.failed, run: [./hears] } ]");
    tool.write("plan.yaml", &plan.text());
    tool.write("gives", GIVES);
    // It knows the password from elsewhere, and says it so that the end that is kept begins within it.
    let padding = "x".repeat((4 << 10) - 10);
    tool.script(
        "spies",
        &format!(
            "env > its-environment\ncat /proc/$PPID/environ > parents-environment\n\
                                   echo {SOURCE}{padding}; exit 3"
        ),
    );
    tool.script("hears", "printf '%s' \"$PLAN_REASON\" > reason");
    let canaries = [SOURCE.to_owned(), DESTINATION.to_owned()];
    let failed = tool.run(["apply", "plan.yaml", "--events", "events"]).expect(3).says("it ended with 3");
    assert_none_said(&canaries, &failed);
    assert!(!failed.to_string().contains("the-source"), "a part is left: {failed}");
    for left in ["its-environment", "reason"] {
        assert!(fs::metadata(tool.folder().join(left)).unwrap().len() > 0, "{left} was not written");
    }
    assert_none_left(&canaries, tool.folder(), &["gives", "spies"]);
}

#[test]
fn the_memory_of_a_run_is_closed_and_holds_a_password_once() {
    let (source, destination) = (Server::of("redis-7.2.4").password(SOURCE).start(), Server::start("redis-7.2.4"));
    let tool = Tool::new().env("NO_COLOR", "1").env("CANARY", SOURCE);
    let plan = Plan::between(&source, &destination)
        .following("{ any: [command: cutover] }")
        .source("password: { env: CANARY }");
    tool.write("plan.yaml", &plan.text());
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    assert_eq!(count_in_memory(&run, SOURCE.as_bytes()), 1);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
}

/// The system gives the files of a process whose memory is closed to root; so this one runs as somebody else.
#[test]
fn no_other_process_of_its_user_reads_the_memory_of_a_run() {
    use std::os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    };
    const NOBODY: u32 = 65534;
    let (source, destination) = (Server::of("redis-7.2.4").password(SOURCE).start(), Server::start("redis-7.2.4"));
    let tool = Tool::new();
    let plan = Plan::between(&source, &destination)
        .following("{ any: [command: cutover] }")
        .source("password: { env: CANARY }");
    tool.write("plan.yaml", &plan.text());
    let program = tool.folder().join("plan");
    fs::copy(env!("CARGO_BIN_EXE_plan"), &program).unwrap();
    let mut process = Process::new(&program);
    process.args(["apply", "plan.yaml", "--events", "events", "--progress", "none"]).current_dir(tool.folder());
    process.env_clear().env("CANARY", SOURCE);
    if rustix::process::geteuid().is_root() {
        chown(tool.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
        process.uid(NOBODY).gid(NOBODY);
    }
    let mut process = process.spawn().unwrap();
    until("it follows", || {
        assert_eq!(process.try_wait().unwrap(), None);
        !told(&tool, "\"event\":\"following\"").is_empty()
    });
    let files = ["environ", "mem"].map(|name| format!("/proc/{}/{name}", process.id()));
    let owners = files.map(|file| fs::metadata(file).unwrap().uid());
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(owners, [0, 0], "they belong to its user");
}

#[test]
fn each_level_of_the_log_shows_what_its_help_says_and_no_value() {
    let source = Server::of("redis-7.2.4").password(SOURCE).start();
    let destination = Server::of("redis-7.2.4").password(DESTINATION).start();
    source.client().command(&cmd!["SET", "key", "a value of a customer"]);
    let plan = Plan::between(&source, &destination)
        .source("password: { env: SOURCE_PASSWORD }")
        .destination("password: { env: DESTINATION_PASSWORD }")
        .following("{ any: [source_idle: { for: 1s }] }");
    for (flag, shows, hides) in [
        ("-v", [" INFO ", "step_done", "the lease is taken"], " DEBUG "),
        ("-vv", [" INFO ", " DEBUG ", "connected"], " TRACE "),
        ("-vvv", [" DEBUG ", " TRACE ", "command=\"INFO\""], "a value of a customer"),
    ] {
        let tool = Tool::new().env("SOURCE_PASSWORD", SOURCE).env("DESTINATION_PASSWORD", DESTINATION);
        destination.client().command(&cmd!["FLUSHALL"]);
        tool.write("plan.yaml", &plan.text());
        let run = tool.run(["apply", "plan.yaml", flag, "--progress", "none"]).expect(0);
        for text in shows {
            assert!(run.stderr.contains(text), "{flag} does not show {text:?}: {}", run.stderr);
        }
        for text in [hides, SOURCE, DESTINATION] {
            assert!(!run.stderr.contains(text), "{flag} shows {text:?}: {}", run.stderr);
        }
    }
}
