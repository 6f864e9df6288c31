//! The spool of the stream: damaged, too small, on a full disk.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::Duration,
};

use crate::{
    cmd,
    faults::{await_told, begin, fill, told, tool, until},
    following::{IDLE, await_applied, began_anew, figure, follow, offset, segments},
    harness::{Comparer, Plan, Proxy, Random, Running, Server, Tool, Workload},
};

/// A run that can be made to spool what it does not apply.
struct Behind {
    source: Server,
    destination: Server,
    to: Proxy,
    tool: Tool,
    random: Random,
}

const STATE: &str = ".plan/move";

impl Behind {
    /// A quarter of the spool's bound is the size of its segments.
    fn new(source: &str, backlog: &str) -> Self {
        let source = Server::of(source).arg("--repl-backlog-size", backlog).start();
        let destination = Server::start("redis-8.2.3");
        fill(&source, 300, 60);
        let to = Proxy::to(destination.port());
        let plan = Plan::between_ports(source.port(), to.port())
            .line("limits: { spool: 4 MiB, chunk_above: 64 KiB }")
            .line("on_stream_lost: recopy")
            .following(IDLE);
        Self { source, destination, to, tool: tool(&plan), random: Random::fresh() }
    }

    /// Writes some hundred kilobytes that are not idempotent.
    fn write(&mut self) {
        let words: Vec<_> = (0..500)
            .flat_map(|index| {
                let (word, key) = (self.random.word(700), self.random.between(0, 40));
                [cmd!["INCR", format!("n:{}", index % 7)], cmd!["LPUSH", format!("l:{key}"), word]]
            })
            .collect();
        self.source.client().pipeline_ok(&words);
    }

    /// Makes the run spool some segments that it cannot apply.
    fn fall_behind(&mut self, run: &mut Running) {
        await_applied(&self.tool, run, &self.source);
        self.to.stall(true);
        let before = segments(&self.tool, STATE).last().cloned();
        while segments(&self.tool, STATE).iter().filter(|path| Some(*path) >= before.as_ref()).count() < 3 {
            self.write();
            let written = offset(&self.source);
            until("it is received", || figure(&self.tool, "received").is_some_and(|received| received >= written));
        }
    }

    /// Lets the destination go on; with `forget` what was under way to it does not arrive any more.
    fn catch_up(&self, forget: bool) {
        if forget {
            self.to.cut();
        }
        self.to.stall(false);
    }

    fn is_equal(&self) {
        Comparer::of(&self.source, &self.destination).run().assert_equal();
    }
}

/// Turns over one bit in the middle of a file.
fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn shorten(path: &Path, by: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len().saturating_sub(by)).unwrap();
}

/// Does something to segments.
type Damage = fn(&[PathBuf]);

/// Ways in which a spool can be damaged while nobody looks.
const DAMAGES: [(&str, Damage); 10] = [
    ("a byte in the first segment", |all| flip(&all[0], |length| length / 2)),
    ("a byte in each segment", |all| all.iter().for_each(|path| flip(path, |length| length / 2))),
    ("a segment's header", |all| flip(&all[all.len() / 2], |_| 9)),
    ("a frame's header", |all| flip(&all[0], |_| 33)),
    ("a byte in the last segment", |all| flip(all.last().unwrap(), |length| length - 20)),
    ("a torn last frame", |all| shorten(all.last().unwrap(), 7)),
    ("an empty last segment", |all| shorten(all.last().unwrap(), 1 << 30)),
    ("a torn middle segment", |all| shorten(&all[all.len() / 2], 7)),
    ("a missing middle segment", |all| fs::remove_file(&all[all.len() / 2]).unwrap()),
    ("a missing first segment", |all| fs::remove_file(&all[0]).unwrap()),
];

#[test]
fn a_damaged_spool_is_asked_for_anew() {
    let mut behind = Behind::new("redis-7.2.4", "64mb");
    let mut run = follow(&behind.tool);
    for (what, damage) in DAMAGES {
        println!("{what}");
        behind.fall_behind(&mut run);
        run.kill9();
        behind.catch_up(true);
        let all = segments(&behind.tool, STATE);
        assert!(all.len() > 2, "{what}: {} segments", all.len());
        damage(&all);
        run = begin(&behind.tool);
        await_applied(&behind.tool, &mut run, &behind.source);
        assert!(run.is_running(), "{what}: {}", run.wait());
        assert!(!began_anew(&behind.tool), "{what}");
        behind.is_equal();
    }
    run.wait().expect(0);
    behind.is_equal();
}

#[test]
fn a_spool_that_is_damaged_under_the_run_is_asked_for_anew() {
    let mut behind = Behind::new("redis-7.2.4", "64mb");
    let mut run = follow(&behind.tool);
    for (what, damage) in [DAMAGES[1], DAMAGES[9]] {
        behind.fall_behind(&mut run);
        let all = segments(&behind.tool, STATE);
        // What is in the first one was read before; the reader has it open.
        damage(&all[1..]);
        behind.catch_up(false);
        assert!(await_told(&behind.tool, &mut run, "It continues from the checkpoint"), "{what}: {}", run.wait());
        await_applied(&behind.tool, &mut run, &behind.source);
        assert!(run.is_running(), "{what}: {}", run.wait());
    }
    run.wait().expect(0).says("The spool of the source's stream cannot be used");
    assert_eq!(told(&behind.tool, "dump_started").len(), 1);
    behind.is_equal();
}

#[test]
fn a_damaged_spool_that_nobody_can_send_again_means_a_new_copy() {
    let mut behind = Behind::new("redis-7.2.4", "16kb");
    let mut run = follow(&behind.tool);
    behind.fall_behind(&mut run);
    run.kill9();
    behind.catch_up(true);
    let damage = DAMAGES[0].1;
    damage(&segments(&behind.tool, STATE));
    begin(&behind.tool).wait().expect(0).says("backlog is too short").says("A new full copy is needed");
    assert!(began_anew(&behind.tool));
    behind.is_equal();
}

#[test]
fn a_disk_without_room_for_the_stream_is_named_and_the_next_process_goes_on() {
    let source = Server::of("redis-7.2.4").arg("--repl-backlog-size", "64mb").start();
    let destination = Server::start("redis-8.2.3");
    fill(&source, 300, 60);
    let mut random = Random::fresh();
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    // 600 blocks of 512 bytes is the most a file may have; the signal that usually tells so is ignored.
    let script = "trap '' XFSZ; ulimit -f 600; exec \"$0\" apply plan.yaml";
    let mut process = Process::new("sh");
    process.args(["-c", script, env!("CARGO_BIN_EXE_plan")]).current_dir(tool.folder()).stdin(Stdio::null());
    let process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it follows", || !segments(&tool, STATE).is_empty());
    let work = Workload::start(source.flavour, source.port(), 8, Duration::from_millis(1), random.next());
    let ended = process.wait_with_output().unwrap();
    work.stop();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let told = [".plan/move/stream-1/", "The spool cannot be used", "rerun the command"];
    assert!(told.iter().all(|text| said.contains(text)), "{said}");
    begin(&tool).wait().expect(0);
    assert!(!began_anew(&tool));
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_small_spool_holds_the_source_and_nothing_is_lost() {
    let mut behind = Behind::new("redis-7.2.4", "64mb");
    let mut run = follow(&behind.tool);
    await_applied(&behind.tool, &mut run, &behind.source);
    behind.to.throttle(100_000);
    for _ in 0..30 {
        behind.write();
    }
    // A value and a transaction that are each larger than the whole spool.
    let mut client = behind.source.client();
    client.command(&cmd!["SET", "large", behind.random.word(3_000_000)]);
    let mut transaction = vec![cmd!["MULTI"]];
    transaction.extend((0..40).map(|index| cmd!["APPEND", format!("t:{}", index % 3), "y".repeat(100_000)]));
    transaction.push(cmd!["EXEC"]);
    client.pipeline_ok(&transaction);
    assert!(await_told(&behind.tool, &mut run, "the bound of `limits.spool`"), "{}", run.wait());
    let spooled: Vec<u64> = told(&behind.tool, "\"event\":\"following\"")
        .iter()
        .filter_map(|line| line["progress"]["spooled"].as_u64())
        .collect();
    println!("at most {:?} bytes were spooled", spooled.iter().max());
    // The bound, and what cannot be cut: the transaction.
    assert!(spooled.iter().all(|bytes| *bytes < 8 << 20), "{spooled:?}");
    behind.to.throttle(0);
    run.wait().expect(0).says("the source is read again");
    behind.is_equal();
}

/// A state directory on a small disk of its own, for two processes one after another. Needs a user namespace, or `sudo`.
fn on_a_small_disk(tool: &Tool, script: &str) -> std::process::Child {
    tool.script("both", &format!("mkdir -p .plan && mount -t tmpfs -o size=24m,mode=700 none .plan && {script}"));
    let can = |words: &[&str]| Process::new(words[0]).args(&words[1..]).arg("true").status().is_ok_and(|s| s.success());
    let ways: [&[&str]; 2] = [&["unshare", "-rm"], &["sudo", "-n", "unshare", "-m"]];
    let way = ways.into_iter().find(|way| can(way));
    assert!(
        way.is_some(),
        "no small disk can be mounted: neither `unshare -rm` nor `sudo -n unshare -m` is allowed here"
    );
    let way = way.unwrap();
    let mut process = Process::new(way[0]);
    process.args(&way[1..]).args(["./both", env!("CARGO_BIN_EXE_plan")]).current_dir(tool.folder());
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_small_disk_holds_the_source_and_keeps_room_for_the_next_process() {
    let mut behind = Behind::new("redis-7.2.4", "64mb");
    let tool = &behind.tool;
    let plan = fs::read_to_string(tool.folder().join("plan.yaml")).unwrap();
    let plan =
        plan.replace("spool: 4 MiB", "spool: 1 GiB") + "buffer: { replica_output: unlimited, restore: always }\n";
    tool.write("plan.yaml", &plan);
    // The first process is killed while the disk is low.
    let first = "\"$1\" apply plan.yaml --events events & echo $! > pid; wait $!; echo first $?";
    let next = "df -k .plan; \"$1\" apply plan.yaml --events events; echo next $?";
    let process = on_a_small_disk(tool, &format!("{{ {first}; {next}; }} 2>&1"));
    let mut process = process;
    until("it follows", || !told(tool, "follow_started").is_empty() || process.try_wait().unwrap().is_some());
    behind.to.throttle(200_000);
    for _ in 0..90 {
        behind.write();
    }
    until("the disk is low", || !told(&behind.tool, "are kept for the journal").is_empty());
    let pid = fs::read_to_string(behind.tool.folder().join("pid")).unwrap();
    let killed = Process::new("kill").args(["-9", pid.trim()]).status().unwrap();
    assert!(killed.success());
    until("the next process holds the source as well", || told(&behind.tool, "are kept for the journal").len() > 1);
    behind.to.throttle(0);
    let ended = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(said.contains("first 137") && said.contains("next 0"), "{said}");
    assert!(!said.contains("No space left") && !said.contains("A new full copy"), "{said}");
    behind.is_equal();
}
