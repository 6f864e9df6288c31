//! Whatever happens, and however often: what was written at the source is at the destination in the end, exactly once.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    faults::{await_told, await_whole, begin, begin_slow, fill, fill_big, slow, until},
    harness::{Comparer, Plan, Proxy, Random, Running, Server, Tool, Workload},
};

/// What can happen to a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Kill,
    CutSource,
    CutDestination,
    /// The source goes down in order and comes back with its data.
    SourceSaved,
    /// The source is killed and comes back with what it has on disk.
    SourceKilled,
    DestinationKilled,
}

/// Two servers, what writes at one of them, and a run between them that is begun again whenever it ends.
struct World {
    source: Server,
    destination: Server,
    from: Proxy,
    to: Proxy,
    tool: Tool,
    random: Random,
    run: Option<Running>,
    /// Everything that all processes of the run have told.
    told: String,
    kills: BTreeMap<&'static str, u32>,
    ends: BTreeMap<i32, u32>,
}

impl World {
    fn new(source: Server, destination: Server, stop: &str) -> Self {
        fill(&source, 3000, 60);
        fill_big(&source, 6000);
        let (from, to) = (slow(&source, 0), slow(&destination, 0));
        let plan = Plan::between_ports(from.port(), to.port())
            .line("limits: { chunk_above: 64 KiB, connections: 3 }")
            .line("on_stream_lost: recopy")
            .following(stop);
        let tool = Tool::new().env("NO_COLOR", "1").limit(Duration::from_mins(5));
        tool.write("plan.yaml", &plan.text());
        let (random, told) = (Random::fresh(), String::new());
        let (kills, ends) = (BTreeMap::new(), BTreeMap::new());
        Self { source, destination, from, to, tool, random, run: None, told, kills, ends }
    }

    fn workload(&mut self, pause: Duration) -> Workload {
        Workload::start(self.source.flavour, self.source.port(), 8, pause, self.random.next())
    }

    fn events(&self) -> String {
        fs::read_to_string(self.tool.folder().join("events")).unwrap_or_default()
    }

    /// Begins a process; what the last one told is kept.
    fn begin(&mut self) {
        self.told += &self.events();
        self.run = Some(begin(&self.tool));
    }

    /// Begins another process when the last one ended because of what was done to it.
    fn keep_going(&mut self) {
        if self.run.as_mut().is_some_and(Running::is_running) {
            return;
        }
        if let Some(run) = self.run.take() {
            self.ended(run);
        }
        self.begin();
    }

    /// How a process may end in such a world: with a checkpoint, or at a precheck that met a server that was down.
    fn ended(&mut self, run: Running) {
        let ended = run.wait();
        let code = ended.code().unwrap();
        *self.ends.entry(code).or_default() += 1;
        let down = ["-reachable", "loading", "lost writes that it had confirmed"];
        let fine = match code {
            75 => true,
            1 | 3 => down.iter().any(|text| ended.to_string().contains(text)),
            _ => false,
        };
        assert!(fine, "{ended}");
    }

    /// What the process is at, by what it told.
    fn phase(&self) -> &'static str {
        let events = self.events();
        let has = |text: &str| events.contains(text);
        let steps = ["\"step_started\",\"step\":\"incremental\"", "\"step_started\",\"step\":\"full\""];
        match steps.map(has) {
            [true, _] if has("stop_met") => "draining",
            [true, _] => "following",
            [_, true] if has("dump_received") || has("continues at byte") => "copying",
            [_, true] => "receiving",
            _ => "before",
        }
    }

    fn kill(&mut self) {
        self.keep_going();
        let phase = self.phase();
        *self.kills.entry(phase).or_default() += 1;
        if let Some(run) = self.run.take() {
            run.kill9();
        }
        self.begin();
    }

    fn happens(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Kill => self.kill(),
            Trouble::CutSource => self.from.cut(),
            Trouble::CutDestination => self.to.cut(),
            Trouble::SourceSaved => self.source.restart_saved(),
            Trouble::SourceKilled => {
                drop(self.source.client().exchange(&cmd!["SAVE"]));
                thread::sleep(Duration::from_millis(self.random.between(0, 50)));
                self.source.restart();
            }
            Trouble::DestinationKilled => self.destination.restart(),
        }
        self.keep_going();
    }

    /// Kills while the dump is being received, and while it is copied.
    fn kills_of_the_copy(&mut self, times: u32) {
        for kill in 0..2 * times {
            let receiving = kill < times;
            self.from.throttle(if receiving { 1 << 20 } else { 0 });
            self.told += &self.events();
            let mut run = begin_slow(&self.tool, &self.to, if receiving { 1 << 20 } else { 400_000 });
            let alive = if receiving {
                await_told(&self.tool, &mut run, "dump_started")
            } else {
                await_whole(&self.tool, &mut run)
            };
            assert!(alive, "{}", run.wait());
            self.run = Some(run);
            thread::sleep(Duration::from_millis(self.random.between(0, 150)));
            self.kill();
            drop(self.run.take().map(Running::kill9));
        }
        self.from.throttle(0);
        self.to.throttle(0);
    }

    /// In any order, at any moment.
    fn storm(&mut self, counts: &[(Trouble, u32)]) {
        let mut all: Vec<Trouble> = counts.iter().flat_map(|(trouble, count)| (0..*count).map(|_| *trouble)).collect();
        for index in (1..all.len()).rev() {
            let other = usize::try_from(self.random.between(0, index as u64 + 1)).unwrap();
            all.swap(index, other);
        }
        for trouble in all {
            // Two of three meet a run that follows, the others whatever there is.
            if self.random.between(0, 3) > 0 {
                let since = Instant::now();
                while self.phase() != "following" && since.elapsed() < Duration::from_secs(5) {
                    self.keep_going();
                    thread::sleep(Duration::from_millis(5));
                }
            }
            thread::sleep(Duration::from_millis(self.random.between(0, 200)));
            self.happens(trouble);
        }
    }

    /// Lets the run end, by as many processes as it takes.
    fn end(&mut self) {
        loop {
            self.keep_going();
            let mut run = self.run.take().unwrap();
            until_ended(&mut run);
            self.told += &self.events();
            drop(fs::remove_file(self.tool.folder().join("events")));
            let ended = run.wait();
            if ended.code() == Some(0) {
                return;
            }
            assert_eq!(ended.code(), Some(75), "{ended}");
        }
    }

    fn count(&self, text: &str) -> usize {
        self.told.lines().filter(|line| line.contains(text)).count()
    }

    fn tell(&self) {
        let told = ["dump_started", "link_restored", "new full copy is needed", "It continues from the checkpoint"];
        let counts: Vec<_> = told.iter().map(|text| format!("{text}: {}", self.count(text))).collect();
        println!("kills {:?}, ends {:?}, {}", self.kills, self.ends, counts.join(", "));
    }
}

fn until_ended(run: &mut Running) {
    let since = Instant::now();
    while run.is_running() {
        assert!(since.elapsed() < Duration::from_mins(1), "the run does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

const IDLE: &str = "{ any: [source_idle: { for: 4s }] }";

/// Fifty kills, fifty cuts, ten restarts of the source and five of the destination.
fn everything(source: Server, destination: Server) {
    let mut world = World::new(source, destination, IDLE);
    let work = world.workload(Duration::from_millis(2));
    world.kills_of_the_copy(5);
    world.begin();
    world.storm(&[
        (Trouble::Kill, 40),
        (Trouble::CutSource, 25),
        (Trouble::CutDestination, 25),
        (Trouble::SourceSaved, 5),
        (Trouble::SourceKilled, 5),
        (Trouble::DestinationKilled, 5),
    ]);
    let acknowledged = work.stop();
    println!("{acknowledged:?}");
    world.end();
    world.tell();
    assert!(acknowledged.commands > 10_000, "hardly anything was written");
    assert!(world.kills.get("following").is_some_and(|kills| *kills > 10), "{:?}", world.kills);
    Comparer::of(&world.source, &world.destination).run().assert_equal();
}

fn durable(name: &str) -> Server {
    Server::of(name).arg("--appendonly", "yes").start()
}

#[test]
fn a_source_that_sends_scripts_survives_everything() {
    everything(durable("redis-3.2.9"), durable("redis-6.2.14"));
}

#[test]
fn a_modern_source_survives_everything() {
    everything(Server::start("redis-7.2.4"), durable("redis-8.2.3"));
}

/// A stop that is met while much is still to be applied: whoever is killed while draining leaves the next to drain on.
#[test]
fn kills_while_draining_change_nothing() {
    let source = Server::of("redis-7.2.4").arg("--repl-backlog-size", "64mb").start();
    let mut world = World::new(source, durable("redis-8.2.3"), "{ any: [duration: 3s] }");
    let work = world.workload(Duration::from_millis(1));
    world.begin();
    while world.kills.get("draining").copied().unwrap_or(0) < 5 {
        world.to.throttle(150_000);
        until("it drains or has ended", || world.phase() == "draining" || !world.run.as_mut().unwrap().is_running());
        thread::sleep(Duration::from_millis(world.random.between(0, 100)));
        // Nothing else than a kill ends it before the destination is fast again.
        assert!(world.run.as_mut().unwrap().is_running(), "{}", world.run.take().unwrap().wait());
        world.kill();
    }
    let acknowledged = work.stop();
    world.to.throttle(0);
    world.end();
    world.tell();
    println!("{acknowledged:?}");
    assert_eq!(world.count("dump_started"), 1);
    Comparer::of(&world.source, &world.destination).run().assert_equal();
}
