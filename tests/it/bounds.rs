//! Peers that send without an end: memory is bounded by what is asked, on every connection. What each comes to stands in
//! `book/src/explanation/limits.md`.

use std::{fs, io::Write, os::unix::net::UnixListener, time::Duration};

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool},
    harness::{Finished, Flood, Plan, Server, Tool, flooding_answer, flooding_source},
};

/// What the tool may take, in bytes, whatever a peer sends.
const MOST: u64 = 256 << 20;

/// Runs against such a peer: it must end by itself, not well, and within the memory.
fn is_bounded(what: &str, tool: Tool, arguments: [&str; 2]) -> Finished {
    let ended = tool.limit(Duration::from_secs(110)).run(arguments);
    println!("| {what} | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{what}: {} MiB\n{ended}", ended.peak_memory >> 20);
    assert!(matches!(ended.code(), Some(1 | 3 | 75)), "{what}: {ended}");
    ended
}

/// One side answers one command without an end, in every form.
fn answers_are_bounded(side: &str, command: &'static str, verb: &str) {
    for flood in Flood::answers() {
        answer_is_bounded(side, command, verb, flood);
    }
}

fn answer_is_bounded(side: &str, command: &'static str, verb: &str, flood: Flood) {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 10, 10);
    // A key that is there makes the destination's keys be walked.
    destination.client().command(&cmd!["SET", "there", 1]);
    let what = format!("{side}, `{command}`: {}", flood.name);
    let real = if side == "source" { &source } else { &destination };
    let port = flooding_answer(real, command, flood);
    let plan = match side {
        "source" => Plan::between_ports(port, destination.port()),
        _ => Plan::between_ports(source.port(), port),
    };
    is_bounded(&what, tool(&plan.line("on_conflict: replace")), [verb, "plan.yaml"]);
}

#[test]
fn an_info_without_an_end_is_not_read_on() {
    answers_are_bounded("source", "INFO", "apply");
    answers_are_bounded("destination", "INFO", "apply");
    let many = Flood::of("an array of 260,000", "*260000\r\n", "$1\r\nx\r\n");
    answer_is_bounded("source", "INFO", "apply", many);
}

#[test]
fn a_list_of_commands_without_an_end_is_not_read_on() {
    answers_are_bounded("destination", "COMMAND", "apply");
}

#[test]
fn a_transaction_answered_without_an_end_is_not_read_on() {
    answers_are_bounded("destination", "EXEC", "apply");
}

#[test]
fn names_without_an_end_are_not_read_on() {
    answers_are_bounded("destination", "SCAN", "apply");
    answers_are_bounded("source", "SCAN", "verify");
}

/// The longest answer that is taken, and one that never ends.
fn long_and_endless() -> [Flood; 2] {
    let string = vec![b'x'; 1 << 20];
    [Flood::of("a string of 64 MiB", "$67108000\r\n", &string), Flood::of("a line without an end", "+", &string)]
}

#[test]
fn a_greeting_without_an_end_is_not_read_on() {
    for flood in long_and_endless() {
        answer_is_bounded("source", "PING", "apply", flood.clone());
        answer_is_bounded("destination", "PING", "apply", flood);
    }
}

#[test]
fn an_answer_to_a_password_without_an_end_is_not_read_on() {
    for flood in long_and_endless() {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        let what = format!("source, `AUTH`: {}", flood.name);
        let plan = Plan::between_ports(flooding_answer(&source, "AUTH", flood), destination.port())
            .source("password: { env: PASSWORD }");
        is_bounded(&what, tool(&plan).env("PASSWORD", "secret"), ["apply", "plan.yaml"]);
    }
}

#[test]
fn settings_and_libraries_without_an_end_are_not_read_on() {
    for command in ["CONFIG", "FUNCTION"] {
        for flood in long_and_endless() {
            answer_is_bounded("source", command, "apply", flood.clone());
            answer_is_bounded("destination", command, "apply", flood);
        }
    }
}

#[test]
fn sentinels_without_an_end_are_not_read_on() {
    for flood in long_and_endless() {
        answer_is_bounded("source", "PUBSUB", "apply", flood);
    }
}

/// It ends with one of these codes, within the memory.
fn ends_bounded(what: &str, ended: Finished, code: i32) -> Finished {
    println!("| {what} | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{what}: {} MiB\n{ended}", ended.peak_memory >> 20);
    ended.expect(code)
}

#[test]
fn a_control_socket_that_answers_without_an_end_is_not_read_on() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination));
    tool.run(["apply", "plan.yaml"]).expect(0);
    let listener = UnixListener::bind(tool.folder().join(".plan/move/control.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut link, _) = listener.accept().unwrap();
        while link.write_all(&[b'x'; 1 << 12]).is_ok() {}
    });
    ends_bounded("control socket, to `plan pause`: a line without an end", tool.run(["pause", "move"]), 3)
        .says("a line that does not end");
}

#[test]
fn an_order_without_an_end_is_not_read_on() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    let mut link = std::os::unix::net::UnixStream::connect(tool.folder().join(".plan/move/control.sock")).unwrap();
    let piece = vec![b'x'; 1 << 20];
    // It closes; a process that took all of it would take 1 GiB.
    assert!((0..1024).any(|_| link.write_all(&piece).is_err()), "1 GiB of an order was taken");
    tool.run(["abort", "move", "--yes"]);
    let ended = run.kill9();
    println!("| a client of the control socket: a line without an end | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{} MiB\n{ended}", ended.peak_memory >> 20);
}

#[test]
fn programs_that_print_without_an_end_are_not_held() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let hook = "hooks: [{ at: full.started, run: [./prints], on_error: fail, timeout: 2s }]";
    let hooked = tool(&Plan::between(&source, &destination).line(hook)).env("PATH", "/usr/bin:/bin");
    hooked.script("prints", "exec cat /dev/zero");
    let ended = hooked.run(["apply", "plan.yaml"]);
    println!("| a hook: zeros without an end | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{} MiB\n{ended}", ended.peak_memory >> 20);
    ended.says("it was ended after 2 s");
    let plan = Plan::between(&source, &destination).source("password: { command: [sh, ./prints] }");
    let asking = tool(&plan).env("PATH", "/usr/bin:/bin");
    asking.script("prints", "exec cat /dev/zero");
    let ended = asking.run(["apply", "plan.yaml"]);
    println!("| a password command: zeros without an end | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{} MiB\n{ended}", ended.peak_memory >> 20);
    ended.says("it is longer than 64 KiB");
}

/// Makes a file this long without writing it.
fn lengthen(path: &std::path::Path, bytes: u64) {
    fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn files_of_many_gigabytes_are_not_read_whole() {
    let tool_of_nothing = Tool::new();
    lengthen(&tool_of_nothing.folder().join("plan.yaml"), 10 << 30);
    let ended = tool_of_nothing.run(["validate", "plan.yaml"]);
    println!("| a plan file: 10 GiB of zeros | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST && ended.code() != Some(0), "{} MiB\n{ended}", ended.peak_memory >> 20);
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination));
    tool.run(["apply", "plan.yaml"]).expect(0);
    let folder = tool.folder().join(".plan/move");
    // One that is too long, and one with a line that is.
    for (bytes, size) in [(1 << 30, "1 GiB"), (10 << 30, "10 GiB")] {
        lengthen(&folder.join("events.jsonl"), bytes);
        for verb in ["status", "report"] {
            let ended = tool.run([verb, "move"]);
            println!("| the events of a run: {size}, `plan {verb}` | {} MiB |", ended.peak_memory >> 20);
            assert!(ended.peak_memory < MOST, "{verb}: {} MiB\n{ended}", ended.peak_memory >> 20);
            assert!(ended.stderr.contains("longer than") || ended.stderr.contains("larger than"), "{ended}");
        }
    }
    lengthen(&folder.join("journal"), 10 << 30);
    let ended = tool.run(["apply", "plan.yaml"]);
    println!("| the journal of a run: 10 GiB, `plan apply` | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST && ended.code() != Some(0), "{} MiB\n{ended}", ended.peak_memory >> 20);
    ended.says("larger than");
}

const EMPTY: &[u8] = b"REDIS0010\xff\0\0\0\0\0\0\0\0";

fn nothing_more() -> Flood {
    Flood { name: "", head: vec![], again: vec![] }
}

fn stream_is_bounded(stream: Flood) -> Finished {
    let destination = Server::start("redis-7.2.4");
    let what = format!("source, its stream: {}", stream.name);
    let dump = Flood { name: "", head: EMPTY.to_vec(), again: vec![] };
    let plan = Plan::between_ports(flooding_source(dump, stream), destination.port())
        .following("{ any: [command: cutover] }")
        .line("limits: { spool: 2 GiB }");
    is_bounded(&what, tool(&plan), ["apply", "plan.yaml"])
}

#[test]
fn a_command_without_an_end_is_refused_at_its_head() {
    let string = vec![b'x'; 1 << 20];
    let argument = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967296\r\n";
    stream_is_bounded(Flood::of("an argument of 4 GiB", argument, &string)).because("R321").says("4294967296");
    let many = Flood::of("a command of 2^28 arguments", "*268435456\r\n", "$1\r\nx\r\n");
    stream_is_bounded(many).because("R321").says("268435456");
    // Each argument may be, and all together may not.
    let whole = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1073741824\r\n";
    stream_is_bounded(Flood::of("a command of more than 1 GiB", whole, &string)).because("R321").says("1073741824");
}

fn dump_is_bounded(name: &'static str, dump: Vec<u8>, again: Vec<u8>) -> Finished {
    let destination = Server::start("redis-7.2.4");
    let dump = Flood { name, head: dump, again };
    let what = format!("source, its dump: {name}");
    let plan = Plan::between_ports(flooding_source(dump, nothing_more()), destination.port());
    is_bounded(&what, tool(&plan.line("limits: { spool: 2 GiB }")), ["apply", "plan.yaml"])
}

#[test]
fn a_name_of_512_megabytes_is_refused_at_its_head() {
    let string = vec![b'k'; 1 << 20];
    let name = b"REDIS0010\xfe\x00\x00\x80\x20\x00\x00\x00".to_vec();
    dump_is_bounded("a key with a name of 512 MiB", name, string.clone()).because("R321").says("536870912");
    let text = b"REDIS0010\xfa\x03lua\x80\x20\x00\x00\x00".to_vec();
    dump_is_bounded("a script of 512 MiB", text, string).because("R321").says("536870912");
}

/// A length of the dump format in 32 bits.
fn length(length: u32) -> Vec<u8> {
    [&[0x80][..], &length.to_be_bytes()].concat()
}

/// A string of zeros, compressed: 3 bytes for 264.
fn zeros(times: u32) -> Vec<u8> {
    let compressed = [&[0, b'0'][..], &[0xe0, 0xff, 0x00].repeat(times as usize)].concat();
    let (packed, expanded) = (u32::try_from(compressed.len()).unwrap(), 1 + 264 * times);
    [vec![0xc3], length(packed), length(expanded), compressed].concat()
}

/// As an older destination gets them: element by element, each of 90 MB.
#[test]
fn compressed_elements_are_expanded_one_at_a_time() {
    let destination = Server::start("redis-5.0.10");
    let mut dump = b"REDIS0010\xfe\x00".to_vec();
    let element = zeros(340_000);
    for key in 0..4 {
        // A list of one node that holds one element as it is.
        dump.extend([18, 1, b'a' + key, 1, 1]);
        dump.extend(&element);
    }
    dump.extend(b"\xff\0\0\0\0\0\0\0\0");
    println!("a dump of {} MB", dump.len() / 1_000_000);
    let dump = Flood { name: "", head: dump, again: vec![] };
    let plan = Plan::between_ports(flooding_source(dump, nothing_more()), destination.port())
        .line("limits: { connections: 4 }");
    let ended = tool(&plan).run(["apply", "plan.yaml"]).expect(0);
    println!("| source, its dump: four compressed elements of 86 MiB | {} MiB |", ended.peak_memory >> 20);
    assert!(ended.peak_memory < MOST, "{} MiB\n{ended}", ended.peak_memory >> 20);
    let mut client = destination.client();
    for key in 0..4 {
        let key = char::from(b'a' + key).to_string();
        assert_eq!(client.command(&cmd!["LLEN", &key]).int(), 1);
        assert_eq!(client.command(&cmd!["LINDEX", &key, 0]).bytes().len(), 1 + 264 * 340_000);
    }
}
