//! Whatever goes wrong is told, with what to do, and nothing is lost or doubled.

use std::{
    fs,
    io::{self, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Command as Process, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    cmd,
    faults::{
        assert_equal_but, await_told, await_whole, begin, begin_slow, fill, fill_big, keys, made, slow, tool, until,
    },
    harness::{Comparer, Direction, Fault, Plan, Proxy, Random, Reply, Running, Server, Tool},
};

/// A run that takes its time, so that something can happen to it.
struct Slow {
    source: Server,
    destination: Server,
    to: Proxy,
    rate: u64,
    tool: Tool,
}

impl Slow {
    /// Small keys and values in chunks, some seconds' worth.
    fn new(destination: Server) -> Self {
        Self::with(destination, |plan| plan)
    }

    fn with(destination: Server, change: impl FnOnce(Plan) -> Plan) -> Self {
        let source = Server::start("redis-5.0.10");
        fill(&source, 10_000, 60);
        fill_big(&source, 20_000);
        let to = slow(&destination, 0);
        let plan =
            Plan::between_ports(source.port(), to.port()).line("limits: { chunk_above: 64 KiB, connections: 4 }");
        let tool = tool(&change(plan));
        Self { source, destination, to, rate: 500_000, tool }
    }

    /// A run in the middle of its copy, with the whole dump in its spool.
    fn copying(&self) -> Running {
        let before = keys(&self.destination);
        let mut run = begin_slow(&self.tool, &self.to, self.rate);
        assert!(await_whole(&self.tool, &mut run), "{}", run.wait());
        until("some keys are there", || keys(&self.destination) > before + 300 || !run.is_running());
        run
    }

    /// Lets the run end well and compares.
    fn ends_equal(&self, run: Running) {
        self.to.throttle(0);
        run.wait().expect(0);
        self.is_equal();
    }

    /// The same command ends well.
    fn goes_on(&self) {
        self.to.throttle(0);
        begin(&self.tool).wait().expect(0);
        self.is_equal();
    }

    /// The same command deletes nothing until an operator says how much may go.
    fn holds(&self) {
        // What a dead process has sent is on its way still: nothing of it comes once its connections are gone.
        self.to.cut();
        let is_there = || self.destination.client().command(&cmd!["CLIENT", "LIST"]).text().contains("name=redis-plan");
        until("the connections of the dead process are gone", || !is_there());
        self.to.throttle(0);
        let there = keys(&self.destination);
        begin(&self.tool).wait().expect(4).because("R309");
        assert_eq!(keys(&self.destination), there);
        self.tool.run(["apply", "plan.yaml", "--recopy", &there.to_string()]).expect(0);
        self.is_equal();
    }

    fn is_equal(&self) {
        Comparer::of(&self.source, &self.destination).run().assert_equal();
    }

    fn state(&self, file: &str) -> std::path::PathBuf {
        self.tool.folder().join(".plan/move").join(file)
    }
}

fn modern() -> Server {
    Server::start("redis-7.0.15")
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = modern();
    let source = tool(&Plan::between_ports(1, server.port()));
    begin(&source).wait().expect(1).says("source-reachable").says("127.0.0.1:1");
    let destination = tool(&Plan::between_ports(server.port(), 1));
    begin(&destination).wait().expect(1).says("destination-reachable").says("127.0.0.1:1");
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = Server::of("redis-5.0.10").password("right").start();
    let other = modern();
    let sides = [("source", server.port(), other.port()), ("destination", other.port(), server.port())];
    for (side, from, to) in sides {
        let secret = "password: { env: SECRET }";
        let plan = Plan::between_ports(from, to);
        let plan = if side == "source" { plan.source(secret) } else { plan.destination(secret) };
        let tool = tool(&plan).env("SECRET", "hunter2");
        let ended = begin(&tool).wait().expect(1).says(&format!("{side}-reachable")).says("password");
        assert!(!ended.to_string().contains("hunter2"), "{ended}");
    }
}

#[test]
fn a_user_who_may_not_is_told_what_to_grant() {
    let (source, destination) = (modern(), modern());
    fill(&source, 10, 10);
    for (server, missing) in [(&source, "-psync"), (&destination, "-restore")] {
        server.client().command(&cmd!["ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", missing]);
    }
    let secret = |plan: Plan, source: bool| {
        let lines = ["username: limited", "password: { env: SECRET }"];
        lines.into_iter().fold(plan, |plan, line| if source { plan.source(line) } else { plan.destination(line) })
    };
    let reading = tool(&secret(Plan::between(&source, &destination), true)).env("SECRET", "secret");
    begin(&reading).wait().expect(1).says("source-replication").says("psync").says("ACL SETUSER");
    let writing = tool(&secret(Plan::between(&source, &destination), false)).env("SECRET", "secret");
    begin(&writing).wait().expect(1).says("destination-writable").says("restore").says("ACL SETUSER");
    assert_eq!(destination.client().command(&cmd!["DBSIZE"]).int(), 0);
}

#[test]
fn a_source_that_is_loading_is_waited_for_by_the_operator() {
    let (source, destination) = (modern(), modern());
    fill(&source, 3000, 1000);
    source.client().command(&cmd!["CONFIG", "SET", "loading-process-events-interval-bytes", 1024]);
    source.client().command(&cmd!["CONFIG", "SET", "key-load-delay", 2000]);
    let tool = tool(&Plan::between(&source, &destination));
    thread::scope(|scope| {
        scope.spawn(|| source.client().command(&cmd!["DEBUG", "RELOAD"]));
        let mut client = source.client();
        until("it loads", || client.reply(&cmd!["INFO", "persistence"]).info("loading") == Some("1"));
        begin(&tool).wait().expect(1).says("loading");
        client.command(&cmd!["CONFIG", "SET", "key-load-delay", 0]);
    });
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_replica_without_its_master_is_no_source() {
    let source = Server::of("redis-5.0.10").replica_of(1).start();
    let destination = modern();
    let tool = tool(&Plan::between(&source, &destination));
    begin(&tool).wait().expect(1).says("link to its master is down").says("copy from the master");
}

#[test]
fn a_source_that_goes_during_its_dump_is_asked_again_by_the_same_command() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    fill(&source, 10_000, 100);
    let from = Proxy::to(source.port()).with(Fault::cut(Direction::ToClient, 500_000).once_sent("PSYNC"));
    let tool = tool(&Plan::between_ports(from.port(), destination.port()));
    begin(&tool).wait().expect(75).because("R201").says("bytes of its dump").says("a new full copy begins");
    begin(&tool).wait().expect(0).says("was not received to its end");
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_byte_that_was_changed_on_the_way_is_found_and_the_next_dump_replaces_it() {
    for name in ["redis-5.0.10", "redis-7.0.15"] {
        let (source, destination) = (Server::start(name), modern());
        let noise = Random::seeded(5).bytes(300_000);
        source.client().command(&cmd!["SET", "noise", noise]);
        fill(&source, 100, 100);
        let from = Proxy::to(source.port()).with(Fault::flip(Direction::ToClient, 150_000).once_sent("PSYNC"));
        let tool = tool(&Plan::between_ports(from.port(), destination.port()));
        begin(&tool).wait().expect(3).because("R205").says("checksum").says("byte").says("Apply again for a new dump");
        assert_eq!(from.struck(), 1);
        begin(&tool).wait().expect(0).says("damaged");
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

/// Speaks as much of the protocol as a replica needs, and sends this dump.
pub fn scripted_source(dump: &[u8]) -> u16 {
    let dump: std::sync::Arc<[u8]> = dump.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for link in listener.incoming().map(Result::unwrap) {
            let dump = std::sync::Arc::clone(&dump);
            thread::spawn(move || drop(play(&link, &dump)));
        }
    });
    port
}

fn play(mut link: &TcpStream, dump: &[u8]) -> io::Result<()> {
    let mut requests = BufReader::new(link.try_clone()?);
    loop {
        let request = Reply::read(&mut requests)?;
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let answer = match request.items()[0].text().to_uppercase().as_str() {
            "PING" => "+PONG\r\n".to_owned(),
            "REPLCONF" | "SELECT" => "+OK\r\n".to_owned(),
            "INFO" => bulk("redis_version:5.0.10\r\nrole:master\r\nloading:0\r\nused_memory:1000\r\n"),
            "PSYNC" => format!("+FULLRESYNC {} 1\r\n${}\r\n", "a".repeat(40), dump.len()),
            _ => "-ERR unknown command\r\n".to_owned(),
        };
        link.write_all(answer.as_bytes())?;
        if answer.starts_with("+FULLRESYNC") {
            link.write_all(dump)?;
        }
    }
}

#[test]
fn a_type_and_an_opcode_that_nobody_knows_are_named_with_their_place() {
    let dumps: [(&'static [u8], &str, &str); 2] = [
        (b"REDIS0009\xfe\x00\x00\x01a\x01b\x6f\x01k\x01v\xff\0\0\0\0\0\0\0\0", "111 of the key `k`", "16"),
        (b"REDIS0009\xfe\x00\x00\x01a\x01b\xf1\x01\xff\0\0\0\0\0\0\0\0", "241", "16"),
    ];
    for (dump, number, place) in dumps {
        let destination = modern();
        let tool = tool(&Plan::between_ports(scripted_source(dump), destination.port()));
        begin(&tool)
            .wait()
            .expect(3)
            .because("R205")
            .says(number)
            .says(place)
            .says("The dump is damaged")
            .says("RDB version 13");
    }
}

#[test]
fn a_full_destination_is_waited_for() {
    let slow = Slow::new(modern());
    let mut run = slow.copying();
    slow.destination.client().command(&cmd!["CONFIG", "SET", "maxmemory", 1]);
    assert!(await_told(&slow.tool, &mut run, "OOM"));
    slow.destination.client().command(&cmd!["CONFIG", "SET", "maxmemory", 0]);
    slow.ends_equal(run);
}

#[test]
fn a_destination_that_stays_full_ends_the_run_until_it_has_room() {
    let slow = Slow::new(modern());
    let run = slow.copying();
    slow.destination.client().command(&cmd!["CONFIG", "SET", "maxmemory", 1]);
    let ended = run.wait().expect(3).because("R302").says("OOM").says("maxmemory");
    assert!(ended.took < Duration::from_secs(45), "{ended}");
    slow.destination.client().command(&cmd!["CONFIG", "SET", "maxmemory", 0]);
    slow.goes_on();
}

#[test]
fn a_destination_that_becomes_a_replica_is_waited_for() {
    let slow = Slow::new(modern());
    let mut run = slow.copying();
    slow.destination.client().command(&cmd!["REPLICAOF", "127.0.0.1", 1]);
    assert!(await_told(&slow.tool, &mut run, "READONLY"));
    slow.destination.client().command(&cmd!["REPLICAOF", "NO", "ONE"]);
    slow.ends_equal(run);
}

#[test]
fn a_destination_that_runs_a_script_is_waited_for() {
    let slow = Slow::new(modern());
    let mut run = slow.copying();
    let mut client = slow.destination.client();
    client.command(&cmd!["CONFIG", "SET", "lua-time-limit", 100]);
    thread::scope(|scope| {
        scope.spawn(|| slow.destination.client().reply(&cmd!["EVAL", "while true do end", 0]));
        let told = await_told(&slow.tool, &mut run, "BUSY");
        until("the script is gone", || !client.reply(&cmd!["SCRIPT", "KILL"]).is_error());
        assert!(told);
    });
    slow.ends_equal(run);
}

#[test]
fn connections_that_break_again_and_again_change_nothing() {
    let slow = Slow::new(modern());
    let mut run = begin_slow(&slow.tool, &slow.to, 3 << 20);
    let mut random = Random::fresh();
    for _ in 0..15 {
        thread::sleep(Duration::from_millis(random.between(50, 250)));
        slow.to.cut();
        if random.between(0, 2) == 0 {
            slow.destination.client().command(&cmd!["CLIENT", "KILL", "TYPE", "normal"]);
        }
    }
    // A cut of the control connection ends the run with a checkpoint; cuts of lanes do not.
    if run.is_running() {
        slow.to.throttle(0);
        let ended = run.wait();
        assert!(matches!(ended.code(), Some(0 | 75)), "{ended}");
    }
    slow.goes_on();
}

#[test]
fn lanes_that_break_do_not_end_the_run() {
    let mut slow = Slow::new(modern());
    slow.rate = 1 << 20;
    let mut run = slow.copying();
    let mut client = slow.destination.client();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(100));
        let list = client.command(&cmd!["CLIENT", "LIST"]);
        let lanes = list.text().lines().filter(|line| line.contains("name=redis-plan-lane"));
        for id in lanes.filter_map(|line| line.strip_prefix("id=")?.split(' ').next().map(str::to_owned)) {
            client.reply(&cmd!["CLIENT", "KILL", "ID", id]);
        }
    }
    assert!(run.is_running(), "{}", run.wait());
    slow.ends_equal(run);
}

#[test]
fn a_destination_that_restarts_with_its_data_is_waited_for() {
    let mut slow = Slow::new(Server::of("redis-7.0.15").arg("--appendonly", "yes").start());
    let run = slow.copying();
    slow.destination.restart();
    slow.ends_equal(run);
}

#[test]
fn a_destination_that_restarts_without_its_newest_data_is_noticed() {
    let mut slow = Slow::new(modern());
    let run = slow.copying();
    slow.destination.client().command(&cmd!["SAVE"]);
    let before = keys(&slow.destination);
    until("more keys are there", || keys(&slow.destination) > before + 500);
    slow.destination.restart();
    run.wait().expect(3).because("R304").says("has lost writes that it had confirmed");
    slow.goes_on();
}

#[test]
fn a_destination_that_was_emptied_is_noticed() {
    let slow = Slow::new(modern());
    let run = slow.copying();
    slow.destination.client().command(&cmd!["FLUSHALL"]);
    run.wait().expect(3).because("R303").says("run record at the destination is gone").says("apply again");
    slow.goes_on();
}

#[test]
fn a_disk_without_room_for_the_spool_is_named() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    fill(&source, 20_000, 100);
    let tool = tool(&Plan::between(&source, &destination));
    // 200 blocks of 512 bytes is the most a file may have; the signal that usually tells so is ignored.
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" apply plan.yaml";
    let mut process = Process::new("sh");
    process.args(["-c", script, env!("CARGO_BIN_EXE_plan")]).current_dir(tool.folder()).stdin(Stdio::null());
    let ended = process.output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let told = [".plan/move/spool-1/", "The spool cannot be used", "rerun the command"];
    assert!(told.iter().all(|text| said.contains(text)), "{said}");
    begin(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_bound_of_the_spool_that_cannot_be_kept_is_told() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    fill(&source, 20_000, 100);
    destination.client().command(&cmd!["SET", "foreign", 1]);
    let plan = Plan::between(&source, &destination)
        .line("on_conflict: skip")
        .line("limits: { spool: 100 KiB, chunk_above: 64 KiB }");
    let tool = tool(&plan);
    begin(&tool).wait().expect(3).because("R402").says("limits.spool").says("Raise");
}

#[test]
fn the_state_directory_of_another_plan_and_a_changed_plan_are_refused() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    fill(&source, 10, 10);
    let plan = || Plan::between(&source, &destination);
    let tool = tool(&plan());
    tool.run(["apply", "plan.yaml", "--until", "precheck"]).expect(75).because("R103");
    tool.write("other.yaml", &plan().name("other").text());
    let other = tool.run(["apply", "other.yaml", "--state", ".plan/move"]).expect(6);
    other.because("R503").says("belongs to the plan `move`").says("--state");
    tool.write("plan.yaml", &plan().line("on_conflict: replace").text());
    tool.run(["apply", "plan.yaml"])
        .expect(6)
        .because("R502")
        .says("a run continues only with the plan it began with".trim_start_matches("a "));
    tool.run(["apply", "plan.yaml", "--expect-digest", &"0".repeat(64)]).expect(6).because("R006").says("digest");
    assert_eq!(destination.client().command(&cmd!["DBSIZE"]).int(), 0);
}

#[test]
fn a_changed_plan_is_refused_from_an_empty_state_directory_too() {
    let slow = Slow::new(modern());
    slow.copying().kill9();
    slow.tool.write("other.yaml", &Plan::between_ports(slow.source.port(), slow.to.port()).text());
    slow.tool
        .run(["apply", "other.yaml", "--state", "empty"])
        .expect(6)
        .because("R501")
        .says("unfinished run of this name");
    slow.goes_on();
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    let (source, destination) = (Server::start("redis-5.0.10"), modern());
    let tool = tool(&Plan::between(&source, &destination));
    let state = "/sys/redis-plan-state";
    tool.run(["apply", "plan.yaml", "--state", state]).expect(3).because("R405").says(state).says("Make it writable");
    tool.run(["apply", "plan.yaml", "--state", "plan.yaml"]).expect(3).says("plan.yaml").says("Make it writable");
}

#[test]
fn a_journal_that_was_cut_off_anywhere_is_enough_to_end_equal() {
    let slow = Slow::new(modern());
    for cut in [1, 4, 6] {
        drop(fs::remove_dir_all(slow.tool.folder().join(".plan")));
        slow.destination.client().command(&cmd!["FLUSHALL"]);
        slow.copying().kill9();
        let journal = slow.state("journal");
        let content = fs::read(&journal).unwrap();
        let ends: Vec<usize> =
            content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        // Behind some whole lines and a half one.
        let lines = ends.len().min(cut);
        let half = ends.get(lines).map_or(0, |next| (next - ends[lines - 1]) / 2);
        fs::write(&journal, &content[..ends[lines - 1] + half]).unwrap();
        // Who had the lease may be lost with the rest; then its heartbeat has to end first.
        slow.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
        slow.goes_on();
    }
}

#[test]
fn a_journal_with_a_changed_byte_or_without_its_first_line_is_refused() {
    let slow = Slow::new(modern());
    slow.copying().kill9();
    let journal = slow.state("journal");
    let good = fs::read(&journal).unwrap();
    let second = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut bad = good.clone();
    bad[second + 30] ^= 1;
    fs::write(&journal, &bad).unwrap();
    let ended = begin(&slow.tool).wait().expect(3).because("R404").says(".plan/move/journal");
    ended.says(&format!("at byte {second}")).says("Move the state directory away");
    fs::write(&journal, &good[..second / 2]).unwrap();
    begin(&slow.tool).wait().expect(3).says("at byte 0");
    // What the message says helps.
    fs::rename(slow.tool.folder().join(".plan"), slow.tool.folder().join("away")).unwrap();
    slow.destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    slow.holds();
}

/// Changes a byte of the spool, so far from its end, and applies again.
fn damaged_spool(mode: &str, from_end: usize, code: i32) {
    let slow = Slow::with(modern(), |plan| plan.line(&format!("on_conflict: {mode}")));
    slow.copying().kill9();
    let spool = fs::read_dir(slow.state("spool-1")).unwrap().next().unwrap().unwrap().path();
    let mut content = fs::read(&spool).unwrap();
    let at = content.len() - from_end.min(content.len() - 100);
    content[at] ^= 1;
    fs::write(&spool, &content).unwrap();
    slow.to.throttle(0);
    let before = keys(&slow.destination);
    let ended = begin(&slow.tool).wait().expect(code).says("The spool holds");
    if code == 0 {
        return slow.is_equal();
    }
    ended.because("R309").says("so nothing was deleted");
    assert!(keys(&slow.destination) >= before, "nothing was deleted");
    slow.holds();
}

#[test]
fn a_damaged_spool_is_not_written_from_and_what_was_empty_is_not_emptied() {
    damaged_spool("fail", usize::MAX, 4);
}

#[test]
fn a_spool_that_is_damaged_behind_what_was_written_says_what_to_take_back() {
    damaged_spool("replace", 1000, 0);
}

#[test]
fn a_damaged_spool_does_not_say_what_to_take_back_and_nothing_is_deleted() {
    damaged_spool("replace", usize::MAX, 4);
}

#[test]
fn a_second_process_is_turned_away() {
    let slow = Slow::new(modern());
    let run = slow.copying();
    slow.tool
        .run(["apply", "plan.yaml"])
        .expect(5)
        .because("R603")
        .says("works in the state directory")
        .says(".plan/move");
    slow.tool
        .run(["apply", "plan.yaml", "--state", "other"])
        .expect(5)
        .because("R601")
        .says("Another process works on this run");
    slow.ends_equal(run);
}

#[test]
fn a_process_that_was_taken_over_writes_nothing_more() {
    let slow = Slow::new(modern());
    let run = slow.copying();
    run.signal(Signal::STOP);
    slow.tool.run(["apply", "plan.yaml", "--state", "other"]).expect(5);
    until("the heartbeat ends", || {
        slow.destination.client().command(&cmd!["EXISTS", "redis-plan:{move}:heartbeat"]).int() == 0
    });
    slow.to.throttle(0);
    let other = ["apply", "plan.yaml", "--state", "other", "--recopy", "100000"];
    slow.tool.run(other).expect(0).says("begun from another state directory");
    slow.is_equal();
    slow.source.client().command(&cmd!["SET", "later", 1]);
    let before = made(&slow.destination, 0);
    run.signal(Signal::CONT);
    run.wait().expect(5).because("R602").says("taken this run over");
    assert_eq!(made(&slow.destination, 0), before);
    assert_equal_but(&slow.source, &slow.destination, |key| key == b"later");
}

#[test]
fn the_source_has_its_settings_back_after_every_ending() {
    let buffer = |plan: Plan| plan.line("buffer: { replica_output: unlimited, restore: always }");
    let slow = Slow::with(modern(), buffer);
    let setting = || format!("{:?}", slow.source.client().command(&cmd!["CONFIG", "GET", "*"]));
    let before = setting();
    let stopped = slow.copying();
    assert_ne!(setting(), before, "the buffer is unlimited meanwhile");
    stopped.signal(Signal::TERM);
    stopped.wait().expect(143).because("R102");
    assert_eq!(setting(), before, "after a signal");

    let mut run = begin(&slow.tool);
    assert!(await_told(&slow.tool, &mut run, "continues at byte"));
    slow.destination.client().command(&cmd!["FLUSHALL"]);
    run.wait().expect(3);
    assert_eq!(setting(), before, "after a failure");

    slow.copying().kill9();
    slow.goes_on();
    assert_eq!(setting(), before, "after a kill and its end");

    let full = Plan::between(&slow.source, &slow.destination).name("refused");
    slow.tool.write("refused.yaml", &buffer(full).text());
    slow.tool.run(["apply", "refused.yaml"]).expect(1).says("on_conflict");
    assert_eq!(setting(), before, "after a precheck that said no");
}
