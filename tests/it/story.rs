//! The whole story: eight clients write at the source; they are moved over while they write; nothing that was acknowledged
//! to them is lost or there twice. Told once without trouble, and once for each of twenty points at which the tool is killed.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    cmd,
    faults::{begin, fill, told, tool, until},
    harness::{Comparer, Plan, Running, Server, Tool},
};

const CLIENTS: usize = 8;
/// How long a client waits for an answer before it looks where to write.
const LOOK: Duration = Duration::from_millis(20);

/// What a client was told.
struct Written {
    /// The elements that were acknowledged, in order.
    acknowledged: Vec<u64>,
    /// The longest time without an acknowledgement.
    longest: Duration,
}

/// A client: appends numbers to a list of its own, at the source until the switch is there, then at the destination.
struct Writer {
    key: String,
    ports: [u16; 2],
    switch: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Writer {
    fn run(self) -> Written {
        let mut written = Written { acknowledged: vec![], longest: Duration::ZERO };
        let mut last = Instant::now();
        let mut moved = false;
        let mut link = connect(self.ports[0]);
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let command = format!(
                "*3\r\n$5\r\nRPUSH\r\n${}\r\n{}\r\n${}\r\n{number}\r\n",
                self.key.len(),
                self.key,
                number.to_string().len()
            );
            // What is not acknowledged when the switch comes is written again, there.
            while !self.acknowledged(&mut link, &command, moved) {
                moved = true;
                link = connect(self.ports[1]);
            }
            written.acknowledged.push(number);
            written.longest = written.longest.max(last.elapsed());
            last = Instant::now();
        }
        written
    }

    /// Sends a command; `false` when the switch came before its answer.
    fn acknowledged(&self, link: &mut TcpStream, command: &str, moved: bool) -> bool {
        link.write_all(command.as_bytes()).unwrap();
        let mut answer = [0; 64];
        loop {
            let switched = !moved && self.switch.exists();
            match link.read(&mut answer) {
                Ok(0) => panic!("{}: the server closed the connection", self.key),
                Ok(count) => {
                    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
                    assert!(answer.starts_with(':'), "{}: {answer}", self.key);
                    return true;
                }
                // Nothing came although it was looked for behind the switch.
                Err(_) if switched => return false,
                Err(_) => {}
            }
        }
    }
}

fn connect(port: u16) -> TcpStream {
    let link = TcpStream::connect(("127.0.0.1", port)).unwrap();
    link.set_nodelay(true).unwrap();
    link.set_read_timeout(Some(LOOK)).unwrap();
    link
}

/// A story under way.
struct Story {
    source: Server,
    destination: Server,
    tool: Tool,
    writers: Vec<JoinHandle<Written>>,
    stop: Arc<AtomicBool>,
}

const MOMENTS: [&str; 7] = [
    "precheck.passed",
    "full.started",
    "full.done",
    "incremental.caught_up",
    "cutover.fenced",
    "cutover.sealed",
    "cleanup.done",
];

impl Story {
    fn begin() -> Self {
        let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
        fill(&source, 20_000, 100);
        let hooks: Vec<String> =
            MOMENTS.iter().map(|moment| format!("{{ at: {moment}, run: [./hook.sh, \"{moment}\"] }}")).collect();
        let plan = Plan::between(&source, &destination)
            .following("{ any: [command: cutover] }")
            .line("cutover: { mode: manual, timeout: 2s, max_lag: 10s }")
            .line("on_stream_lost: recopy")
            .line(&format!("hooks: [{}]", hooks.join(", ")));
        let tool = tool(&plan).env("PATH", "/usr/bin:/bin");
        // A hook kills the tool when it is told to, once; the one behind the seal moves the writers.
        tool.script(
            "hook.sh",
            "if test -e \"kill-at-$1\"; then rm \"kill-at-$1\"; kill -9 $PPID; fi\n\
             if test \"$1\" = cutover.sealed; then touch switch; fi",
        );
        let stop = Arc::new(AtomicBool::new(false));
        let writers = (0..CLIENTS)
            .map(|client| {
                let writer = Writer {
                    key: format!("story:{client}"),
                    ports: [source.port(), destination.port()],
                    switch: tool.folder().join("switch"),
                    stop: Arc::clone(&stop),
                };
                thread::spawn(move || writer.run())
            })
            .collect();
        Self { source, destination, tool, writers, stop }
    }

    /// Whether this was told so far, by any process.
    fn was_told(&self, text: &str) -> bool {
        let log = self.tool.folder().join(".plan/move/events.jsonl");
        fs::read_to_string(log).unwrap_or_default().contains(text)
    }

    /// Applies and cuts over until it is sealed and done, however often that takes.
    fn to_the_end(&self) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            let mut run = begin(&self.tool);
            self.cut_over(&mut run);
            let ended = run.wait();
            match ended.code() {
                Some(0 | 7) => return,
                // A cutover that is undone leaves a run that follows on; it is killed here, which is one more kill.
                Some(75 | 5) | None => {}
                _ => panic!("{ended}"),
            }
        }
        panic!("no end");
    }

    /// Orders the cutover again and again until the run ends.
    fn cut_over(&self, run: &mut Running) {
        while run.is_running() {
            self.tool.run(["cutover", "move", "--confirm", "move"]);
            thread::sleep(LOOK);
        }
    }

    /// Stops the clients and compares what they were told with what is there.
    fn ends_well(self) -> Vec<Duration> {
        let switch = self.tool.folder().join("switch");
        until("the writers are to move", || switch.exists());
        // Some writes at the destination, after which nobody may still be waiting for the source.
        let length = |client: usize| self.destination.client().command(&cmd!["LLEN", format!("story:{client}")]).int();
        let before: Vec<i64> = (0..CLIENTS).map(length).collect();
        until("every client writes at the destination", || {
            (0..CLIENTS).zip(&before).all(|(client, before)| length(client) > *before)
        });
        self.stop.store(true, Ordering::Relaxed);
        let mut longest = vec![];
        for (client, writer) in self.writers.into_iter().enumerate() {
            let written = writer.join().unwrap();
            let list = self.destination.client().command(&cmd!["LRANGE", format!("story:{client}"), 0, -1]);
            let there: Vec<u64> = list.items().iter().map(|item| item.text().parse().unwrap()).collect();
            assert_eq!(there, written.acknowledged, "client {client}: there and acknowledged");
            longest.push(written.longest);
        }
        let clients = |_: u32, key: &[u8]| !key.starts_with(b"story:");
        let compared = Comparer::of(&self.source, &self.destination).only(clients).run();
        let differences: Vec<_> =
            compared.differences.iter().filter(|difference| !difference.key.starts_with(b"story:")).collect();
        assert!(differences.is_empty(), "{differences:?}");
        self.tool.run(["apply", "plan.yaml"]).expect(7);
        self.tool.run(["report", "move"]).expect(0).says("sealed at offset");
        longest
    }
}

#[test]
fn writers_are_moved_over_with_nothing_lost_and_nothing_twice() {
    let story = Story::begin();
    let mut run = begin(&story.tool);
    until("it follows", || !told(&story.tool, "\"event\":\"following\"").is_empty() || !run.is_running());
    until("nothing stands against it", || {
        story.tool.run(["cutover", "move", "--dry-run"]).code() == Some(0) || !run.is_running()
    });
    story.tool.run(["cutover", "move", "--confirm", "move"]).expect(0).says("sealed at offset");
    run.wait().expect(0);
    let longest = story.ends_well();
    println!("longest times without an acknowledgement: {longest:?}");
    assert!(longest.iter().all(|longest| *longest < Duration::from_secs(1)), "{longest:?}");
}

/// Kills the tool at the moment of a hook.
fn killed_in_hook(moment: &str) {
    let story = Story::begin();
    let mark: &Path = Path::new(story.tool.folder());
    let mark = mark.join(format!("kill-at-{moment}"));
    fs::write(&mark, "").unwrap();
    let mut run = begin(&story.tool);
    story.cut_over(&mut run);
    let killed = run.wait();
    assert_eq!(killed.signal(), Some(9), "{killed}");
    assert!(!mark.exists());
    story.to_the_end();
    story.ends_well();
}

/// Kills the tool as soon as it tells this.
fn killed_when_told(text: &str) {
    let story = Story::begin();
    let mut run = begin(&story.tool);
    let mut orders = None;
    until(text, || {
        // The orders of the cutover come from a thread of their own: the kill is not to wait for them.
        if orders.is_none() && story.was_told("\"event\":\"following\"") {
            orders = Some(story.tool.start(["cutover", "move", "--confirm", "move"]));
        }
        if orders.as_mut().is_some_and(|order| !order.is_running()) {
            orders = None;
        }
        story.was_told(text) || !run.is_running()
    });
    if run.is_running() {
        run.kill9();
    } else {
        // It came to its end before the kill: only the last points may be missed so.
        run.wait().expect(0);
    }
    drop(orders);
    story.to_the_end();
    story.ends_well();
}

macro_rules! points {
    ($($name:ident: $kill:ident $point:literal;)+) => {$(
        #[test]
        fn $name() {
            $kill($point);
        }
    )+};
}

points! {
    killed_when_the_precheck_has_passed: killed_in_hook "precheck.passed";
    killed_when_the_copy_begins: killed_in_hook "full.started";
    killed_when_the_copy_is_done: killed_in_hook "full.done";
    killed_when_it_has_caught_up: killed_in_hook "incremental.caught_up";
    killed_when_the_source_is_fenced: killed_in_hook "cutover.fenced";
    killed_when_the_destination_is_sealed: killed_in_hook "cutover.sealed";
    killed_when_the_cleanup_is_done: killed_in_hook "cleanup.done";
    killed_when_the_run_starts: killed_when_told "\"event\":\"run_started\"";
    killed_when_the_buffer_is_set: killed_when_told "\"step\":\"buffer\"";
    killed_in_the_precheck: killed_when_told "\"event\":\"checked\"";
    killed_when_the_dump_starts: killed_when_told "\"event\":\"dump_started\"";
    killed_when_the_dump_is_whole: killed_when_told "\"event\":\"dump_received\"";
    killed_when_following_starts: killed_when_told "\"event\":\"follow_started\"";
    killed_while_following: killed_when_told "\"event\":\"following\"";
    killed_when_the_fence_is_put_up: killed_when_told "\"part\":\"fence\"";
    killed_while_draining: killed_when_told "\"part\":\"drain\"";
    killed_while_sealing: killed_when_told "\"part\":\"seal\"";
    killed_when_the_seal_is_told: killed_when_told "\"event\":\"sealed\"";
    killed_when_the_cutover_step_starts: killed_when_told "\"step\":\"cutover\"";
    killed_when_the_cleanup_starts: killed_when_told "\"step\":\"cleanup\"";
}
