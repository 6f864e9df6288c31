//! Faults while the source is followed: lost replies, flushes, a destination that forgets.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    faults::{await_told, begin, fill, told, tool, until},
    following::{IDLE, await_applied, began_anew, follow, offset, record},
    harness::{Comparer, Plan, Proxy, Random, Server, Workload},
};

fn source(name: &str) -> Server {
    let source = Server::of(name).arg("--repl-backlog-size", "64mb").start();
    fill(&source, 1000, 60);
    source
}

fn workload(server: &Server, random: &mut Random) -> Workload {
    Workload::start(server.flavour, server.port(), 6, Duration::from_millis(2), random.next())
}

/// When a connection breaks at an EXEC.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The server never gets it.
    Before,
    /// The server carries it out, and its reply is lost.
    Behind,
    /// The server gets it when the client has long connected anew.
    Late,
}

/// A relay that breaks the connection of the lane that applies the stream, at every so many EXECs.
struct Relay {
    port: u16,
    struck: [Arc<AtomicU32>; 3],
}

const STRIKES: u32 = 30;

fn relay(server: u16, seed: u64) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let struck = [0; 3].map(|_| Arc::new(AtomicU32::new(0)));
    let counts = struck.clone();
    let random = Arc::new(Mutex::new(Random::seeded(seed)));
    thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let link = Link { muted: AtomicBool::new(false), heard: Mutex::new(vec![]) };
            let (link, counts, random) = (Arc::new(link), counts.clone(), Arc::clone(&random));
            let (client_too, server_too, link_too) =
                (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&link));
            thread::spawn(move || {
                drop(link_too.pass_back(&server_too, &client_too));
                drop(client_too.shutdown(Shutdown::Both));
            });
            thread::spawn(move || {
                drop(link.pass_on(&client, &server, &counts, &random));
                drop(client.shutdown(Shutdown::Both));
                drop(server.shutdown(Shutdown::Both));
            });
        }
    });
    Relay { port, struck }
}

/// One connection.
struct Link {
    /// Replies are taken and not passed back.
    muted: AtomicBool,
    /// Those.
    heard: Mutex<Vec<u8>>,
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

impl Link {
    fn pass_back(&self, mut server: &TcpStream, mut client: &TcpStream) -> std::io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = server.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            if self.muted.load(SeqCst) {
                self.heard.lock().unwrap().extend_from_slice(&buffer[..count]);
            } else {
                client.write_all(&buffer[..count])?;
            }
        }
    }

    fn pass_on(
        &self,
        mut client: &TcpStream,
        mut server: &TcpStream,
        counts: &[Arc<AtomicU32>; 3],
        random: &Mutex<Random>,
    ) -> std::io::Result<()> {
        let (mut is_lane, mut buffer) = (false, vec![0; 1 << 16]);
        loop {
            let count = client.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            let bytes = &buffer[..count];
            is_lane |= has(bytes, b"redis-plan-lane-stream");
            let all: u32 = counts.iter().map(|count| count.load(SeqCst)).sum();
            let strikes = is_lane && all < STRIKES && has(bytes, b"\nEXEC\r") && {
                let mut random = random.lock().unwrap();
                random.between(0, 6) == 0
            };
            if !strikes {
                server.write_all(bytes)?;
                continue;
            }
            let which = usize::try_from(random.lock().unwrap().between(0, 3)).unwrap();
            counts[which].fetch_add(1, SeqCst);
            match [Moment::Before, Moment::Behind, Moment::Late][which] {
                Moment::Before => {}
                Moment::Behind => {
                    self.muted.store(true, SeqCst);
                    server.write_all(bytes)?;
                    // What follows the EXEC is WATCH and GET: their replies come when it is carried out. Behind that of the lane's
                    // fence, whose one command answers OK, there is nothing.
                    let carried_out = || {
                        let heard = self.heard.lock().unwrap();
                        has(&heard, b"+OK\r\n$") || has(&heard, b"*1\r\n+OK\r\n")
                    };
                    let since = Instant::now();
                    while !carried_out() && since.elapsed() < Duration::from_secs(5) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                Moment::Late => {
                    client.shutdown(Shutdown::Both)?;
                    thread::sleep(Duration::from_millis(300));
                    server.write_all(bytes)?;
                    thread::sleep(Duration::from_millis(100));
                }
            }
            return Ok(());
        }
    }
}

#[test]
fn a_lost_reply_is_found_out_and_nothing_is_applied_twice() {
    let mut random = Random::fresh();
    let (source, destination) = (source("redis-7.2.4"), Server::start("redis-8.2.3"));
    let relay = relay(destination.port(), random.next());
    let tool = tool(&Plan::between_ports(source.port(), relay.port).following(IDLE));
    let run = follow(&tool);
    let work = workload(&source, &mut random);
    let struck = || relay.struck.each_ref().map(|count| count.load(SeqCst));
    until("all of it happened", || struck().iter().sum::<u32>() >= STRIKES);
    let acknowledged = work.stop();
    let ended = run.wait().expect(0);
    println!("before, behind, late: {:?}", struck());
    assert!(struck().iter().all(|count| *count > 2), "{:?}", struck());
    ended.says("the connection broke before it answered");
    for (client, own) in acknowledged.own.iter().enumerate() {
        let there = destination.client().command(&cmd!["GET", format!("own:{client}")]);
        let there: u64 = there.text().parse().unwrap();
        assert!((*own..=own + 1).contains(&there), "client {client}: {own} answered, {there} there");
    }
    Comparer::of(&source, &destination).run().assert_equal();
}

/// Flushes and swaps at the source, each followed by a kill at once.
fn flushes(from: &str, to: &str, swaps: bool) {
    let mut random = Random::fresh();
    let (source, destination) = (source(from), Server::start(to));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut run = follow(&tool);
    let work = workload(&source, &mut random);
    let mut client = source.client();
    for round in 0..25 {
        thread::sleep(Duration::from_millis(random.between(0, 80)));
        let command = match random.between(0, if swaps { 6 } else { 3 }) {
            0 => vec![cmd!["FLUSHALL"]],
            1 => vec![cmd!["SELECT", 0], cmd!["FLUSHDB"]],
            2 => vec![cmd!["MULTI"], cmd!["INCR", "n"], cmd!["FLUSHALL"], cmd!["INCR", "n"], cmd!["EXEC"]],
            3 => vec![cmd!["SWAPDB", 0, 1]],
            4 => vec![cmd!["SWAPDB", 9, 0]],
            _ => vec![cmd!["MULTI"], cmd!["FLUSHDB"], cmd!["SWAPDB", 0, 1], cmd!["LPUSH", "l", 1], cmd!["EXEC"]],
        };
        client.pipeline_ok(&command);
        thread::sleep(Duration::from_millis(random.between(0, 30)));
        assert!(run.is_running(), "{}", run.wait());
        run.kill9();
        run = follow(&tool);
        assert!(!began_anew(&tool), "round {round}");
        assert!(record(&destination, "token").is_some());
    }
    work.stop();
    run.wait().expect(0);
    assert!(!began_anew(&tool));
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn the_run_record_survives_flushes_and_swaps() {
    flushes("redis-7.2.4", "redis-8.2.3", true);
}

#[test]
fn the_run_record_survives_flushes_of_an_old_source() {
    flushes("redis-3.2.9", "redis-5.0.10", false);
}

#[test]
fn a_flush_fences_off_another_process_no_less() {
    let mut random = Random::fresh();
    let (source, destination) = (source("redis-7.2.4"), Server::start("redis-8.2.3"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut run = follow(&tool);
    let work = workload(&source, &mut random);
    source.client().command(&cmd!["FLUSHALL"]);
    await_applied(&tool, &mut run, &source);
    assert!(record(&destination, "heartbeat").is_some());
    tool.run(["apply", "plan.yaml", "--state", "elsewhere"]).expect(5).says("Another process works on this run");
    work.stop();
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// A destination that is restarted with what it had some time ago; `early` makes it forget the process's lease as well.
fn forgets(early: bool, spool: &str, backlog: &str, anew: bool) {
    let mut random = Random::fresh();
    let source = Server::of("redis-7.2.4").arg("--repl-backlog-size", backlog).start();
    fill(&source, 1000, 60);
    let mut destination = Server::start("redis-8.2.3");
    let plan = Plan::between(&source, &destination).line(&format!("limits: {{ spool: {spool}, chunk_above: 64 KiB }}"));
    let tool = tool(&plan.following(IDLE).line("on_stream_lost: recopy"));
    let mut run = follow(&tool);
    let work = workload(&source, &mut random);
    await_applied(&tool, &mut run, &source);
    destination.client().command(&cmd!["SAVE"]);
    if early {
        run.kill9();
        run = follow(&tool);
    }
    let words: Vec<_> =
        (0..3000).map(|index| cmd!["APPEND", format!("more:{}", index % 10), "x".repeat(1000)]).collect();
    source.client().pipeline_ok(&words);
    await_applied(&tool, &mut run, &source);
    destination.restart();
    let text = if anew { "new full copy is needed" } else { "It continues from the checkpoint" };
    assert!(await_told(&tool, &mut run, text), "{}", run.wait());
    work.stop();
    let ended = run.wait().expect(0).says("has lost writes that it had confirmed");
    let dumps = told(&tool, "dump_started").len() + usize::from(early);
    assert_eq!(dumps, if anew { 2 } else { 1 }, "{ended}");
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_destination_that_forgets_gets_it_again() {
    forgets(false, "1 GiB", "64mb", false);
}

#[test]
fn a_destination_that_forgets_what_is_not_spooled_any_more_gets_it_from_the_backlog() {
    forgets(false, "1 MiB", "64mb", false);
}

#[test]
fn a_destination_that_forgets_the_process_too_gets_it_again() {
    forgets(true, "1 GiB", "64mb", false);
}

#[test]
fn a_destination_that_forgets_what_nobody_has_gets_a_new_copy() {
    forgets(false, "1 MiB", "16kb", true);
}

#[test]
fn a_destination_that_lost_everything_is_copied_to_anew_by_the_next_process() {
    let mut random = Random::fresh();
    let (source, mut destination) = (source("redis-7.2.4"), Server::start("redis-8.2.3"));
    let to = Proxy::to(destination.port());
    let tool = tool(&Plan::between_ports(source.port(), to.port()).following(IDLE));
    let mut run = follow(&tool);
    let work = workload(&source, &mut random);
    await_applied(&tool, &mut run, &source);
    destination.restart();
    run.wait().expect(3).says("run record at the destination is gone").says("apply again");
    let run = begin(&tool);
    until("it copies", || !told(&tool, "dump_started").is_empty());
    work.stop();
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// What the next process says of answers that nobody read.
const UNHEARD: &str = "for a process that ended before it had noted the answers";

#[test]
fn answers_that_a_dead_process_had_not_read_are_told() {
    let (source, destination) = (source("redis-7.2.4"), Server::start("redis-8.2.3"));
    let to = Proxy::to(destination.port());
    let tool = tool(&Plan::between_ports(source.port(), to.port()).following(IDLE));
    let mut run = follow(&tool);
    let mut client = source.client();
    client.command(&cmd!["INCR", "heard"]);
    await_applied(&tool, &mut run, &source);
    let noted = tool.folder().join(".plan/move/heard");
    let upto = format!("{:020}", offset(&source));
    until("it is noted", || fs::read_to_string(&noted).is_ok_and(|text| text.contains(&upto)));
    run.kill9();
    let mut run = follow(&tool);
    client.command(&cmd!["INCR", "heard"]);
    await_applied(&tool, &mut run, &source);
    assert!(told(&tool, UNHEARD).is_empty(), "it was heard");
    // Carried out, and the answer never comes.
    to.mute(true);
    client.command(&cmd!["INCR", "unheard"]);
    let mut there = destination.client();
    until("it is carried out", || there.command(&cmd!["EXISTS", "unheard"]).int() == 1);
    run.kill9();
    to.cut();
    to.mute(false);
    follow(&tool).wait().expect(0);
    assert_eq!(told(&tool, UNHEARD).len(), 1);
    Comparer::of(&source, &destination).run().assert_equal();
}
