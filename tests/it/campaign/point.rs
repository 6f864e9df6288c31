//! One random history: servers, writers, faults, an end, and what it came to.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{
    checker::Checker,
    fault::{FENCED, Fault, HARMFUL, HARMLESS},
    story::Lives,
    world::{Terms, World, db, met_no_server},
};
use crate::{
    cmd,
    harness::{Finished, Random, Running},
};

/// Servers of either side, each able to take what the ones before it have.
const SERVERS: [&str; 8] = [
    "redis-5.0.10",
    "redis-6.2.14",
    "redis-7.0.15",
    "redis-7.2.4",
    "valkey-8.1.8",
    "redis-7.4.1",
    "redis-8.2.3",
    "valkey-9.1.2",
];
/// How long a point may take until its run has ended.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a source refuses writes at most: the plan's `timeout` and what is added to it.
const KEPT_OFF: Duration = Duration::from_millis(8500);
/// So many cutovers may be undone because both sides differ.
const ATTEMPTS: u32 = 4;
/// The page of a comparison that found differences.
const DIFFERS: &str = "R002";
/// The event of a seal.
const SEALED: &str = "\"event\":\"sealed\"";
/// Differences, and last lines of a run, that are printed.
const SHOWN: usize = 12;

/// What a point came to.
#[derive(Debug)]
pub enum Verdict {
    /// Exit code 0, and nothing differs.
    Equal { keys: usize, as_replica: usize },
    /// Another exit code, with a reason that one of the faults may lead to.
    Reported(String),
    /// Exit code 0, and something differs.
    Differs(Vec<String>),
    /// Another exit code, with a reason that none of the faults explains.
    Unexplained(String),
    /// No end at all.
    Endless(String),
}

/// A history that a seed gives.
pub struct Point {
    from: &'static str,
    to: &'static str,
    faults: Vec<Fault>,
    fenced: Option<Fault>,
    terms: Terms,
    /// Nobody writes from the last fault on, and the cutover comes at once.
    quiet: bool,
}

impl Point {
    /// A short one has few faults and only those after which everything must be equal.
    pub fn new(seed: u64, short: bool) -> Self {
        let mut random = Random::seeded(seed);
        let mut one_in = |count: u64| random.between(0, count) == 0;
        let lives = if one_in(3) { Lives::Long } else { Lives::Short };
        let terms = Terms { idle: one_in(6), verify: one_in(4), slow: one_in(5), lives, seed };
        let (older, quiet, at_fence) = (one_in(10), one_in(2), one_in(2));
        let count = SERVERS.len() as u64;
        let (one, two) = (random.between(0, count), random.between(0, count));
        let (low, high) = if older { (one.max(two), one.min(two)) } else { (one.min(two), one.max(two)) };
        let server = |index: u64| SERVERS[usize::try_from(index).unwrap()];
        let (from, to) = (server(low), server(high));
        let number = if short { 2 } else { random.between(1, 5) };
        let faults = (0..number)
            .map(|_| {
                let harmless = short || random.between(0, 3) > 0;
                let fault = Fault::of(if harmless { HARMLESS } else { HARMFUL }, &mut random);
                // A run that ends when nobody writes has no cutover to try.
                if terms.idle && fault.cuts_over() { Fault::Kill } else { fault }
            })
            .collect();
        let fenced = (at_fence && !terms.idle && !short).then(|| Fault::of(FENCED, &mut random));
        Self { from, to, faults, fenced, terms, quiet }
    }

    pub fn title(&self) -> String {
        let Self { from, to, faults, fenced, terms, .. } = self;
        let end = if terms.idle { "idle" } else { "cutover" };
        let lives = terms.lives;
        format!("{from} to {to}, {lives:?} lives, {faults:?}, {end}, at the fence {fenced:?}")
    }

    /// Lets it happen; answers what it came to, and the history as text.
    pub fn run(&self) -> (Verdict, String) {
        let mut world = World::new(self.from, self.to, &self.terms);
        let ended = self.happen(&mut world);
        let verdict = match ended {
            Some(ended) => self.judge(&mut world, ended),
            None => Verdict::Endless(status(&world)),
        };
        (verdict, world.history.to_string())
    }

    fn happen(&self, world: &mut World) -> Option<Finished> {
        if self.terms.slow {
            world.from.throttle(100_000);
        }
        world.begin();
        let last = self.faults.len().saturating_sub(1);
        for (index, fault) in self.faults.iter().enumerate() {
            // Two of three meet a run that follows, the others whatever there is.
            if world.random.between(0, 3) > 0
                && let Some(ended) = world.await_following()
            {
                return Some(ended);
            }
            let moment = world.random.between(0, 500);
            thread::sleep(Duration::from_millis(moment));
            fault.prepare(world);
            let moment = world.random.between(100, 500);
            thread::sleep(Duration::from_millis(moment));
            if self.quiet && index == last {
                world.rest();
            }
            world.history.note(format!("{fault:?}"));
            fault.strike(world);
            if let Some(ended) = world.keep_going() {
                return Some(ended);
            }
        }
        world.from.throttle(0);
        if self.terms.idle { end_idle(world) } else { self.end_by_cutover(world) }
    }

    /// Orders cutovers until one succeeds.
    fn end_by_cutover(&self, world: &mut World) -> Option<Finished> {
        let (mut fault, mut differed) = (self.fenced, 0);
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(ended) = world.keep_going() {
                return Some(ended);
            }
            if let Some(fault) = fault {
                fault.prepare(world);
                thread::sleep(Duration::from_millis(150));
            }
            let ended = cut_over(world, &mut fault);
            if ended.code() == Some(0) || world.has_said(SEALED) {
                return await_end(world, PATIENCE);
            }
            differed += u32::from(page(&ended) == DIFFERS);
            if differed == ATTEMPTS {
                return Some(ended);
            }
            world.writers.work();
            thread::sleep(Duration::from_millis(200));
        }
        None
    }

    fn judge(&self, world: &mut World, ended: Finished) -> Verdict {
        world.history.note(format!("the run ended with {:?}", ended.code()));
        let lines: Vec<&str> = ended.stderr.lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            world.history.note(format!("  {line}"));
        }
        if page(&ended) == DIFFERS {
            let events = fs::read_to_string(world.tool.folder().join("events")).unwrap_or_default();
            let differs: Vec<&str> = events.lines().filter(|line| line.contains("\"differs\"")).collect();
            differs.iter().rev().take(SHOWN).for_each(|line| world.history.note(*line));
        }
        world.ends.push(ended);
        if let Some(end) = world.ends.iter().find(|end| end.to_string().contains("panicked")) {
            return Verdict::Unexplained(end.to_string());
        }
        let last = world.ends.last().unwrap();
        if last.code() == Some(0) {
            let verdict = compare(world);
            if !matches!(verdict, Verdict::Equal { .. }) {
                return verdict;
            }
            return self.unexplained(world).map_or(verdict, Verdict::Unexplained);
        }
        let reason = format!("exit code {:?}, {}", last.code(), page(last));
        self.unexplained(world).map_or(Verdict::Reported(reason), Verdict::Unexplained)
    }

    /// An end of a process with a reason that none of the faults leads to.
    fn unexplained(&self, world: &World) -> Option<String> {
        let explained = |end: &Finished| {
            let stopped = matches!(end.code(), Some(0 | 5 | 75 | 130 | 143) | None) || met_no_server(end);
            stopped
                || counts_differently(world, end)
                || self.faults.iter().chain(&self.fenced).any(|fault| fault.ends().contains(&page(end)))
        };
        world.ends.iter().find(|end| !explained(end)).map(Finished::to_string)
    }
}

/// A replica of a source up to 6.2 counts lives from its own receipt, and keeps what it counted when it is promoted: the
/// comparison is right that deadlines differ.
fn counts_differently(world: &World, end: &Finished) -> bool {
    let counted = world.promotions > 0 && !world.source.flavour.sends_deadlines();
    counted && page(end) == DIFFERS && world.differ_only_in("[\"ttl_off\"]")
}

/// The page that an end names, or that of the comparison that undid a cutover.
fn page(end: &Finished) -> &str {
    if end.to_string().contains("its part `verify` failed: both sides differ") {
        return DIFFERS;
    }
    end.stderr.split("`plan explain ").nth(1).and_then(|rest| rest.get(..4)).unwrap_or("none")
}

/// Both sides at rest.
fn compare(world: &mut World) -> Verdict {
    world.rest();
    if !world.await_control() {
        return Verdict::Endless("the control does not catch up".to_owned());
    }
    let World { source, control, destination, promotions, .. } = &*world;
    let checker = Checker { source, control, destination, promotions: *promotions };
    let found = checker.run();
    let mut differences = checker.acknowledged(&world.writers.log, db);
    let count = found.differences.len();
    if count > 0 {
        differences.push(format!("{count} of {} keys differ", found.keys));
    }
    differences.extend(found.differences.into_iter().take(SHOWN));
    differences.extend(others(world));
    if differences.is_empty() {
        return Verdict::Equal { keys: found.keys, as_replica: found.as_replica };
    }
    Verdict::Differs(differences)
}

/// Orders one; writers rest from the fence on.
fn cut_over(world: &mut World, fault: &mut Option<Fault>) -> Finished {
    let folder = world.tool.folder().to_owned();
    drop(fs::remove_file(folder.join("fenced")));
    world.tool.write("hold", "");
    let mut order = world.tool.start(["cutover", "move", "--confirm", "move"]);
    while !folder.join("fenced").exists() && order.is_running() {
        thread::sleep(Duration::from_millis(5));
    }
    let fault = if folder.join("fenced").exists() { fault.take() } else { None };
    if let Some(fault) = fault {
        at_fence(fault, world);
    }
    world.rest();
    drop(fs::remove_file(folder.join("hold")));
    if let Some(fault) = fault.filter(|fault| fault.lasts()) {
        let since = Instant::now();
        // Over the seal, and now and then longer than writers are kept off.
        if world.random.between(0, 3) == 0 {
            thread::sleep(KEPT_OFF);
        }
        // After the seal they belong at the destination, although an order that waits for the source has not ended.
        if since.elapsed() >= KEPT_OFF && !world.has_said(SEALED) {
            world.history.note("writers write again");
            world.writers.work();
            thread::sleep(Duration::from_millis(500));
        } else {
            let moment = world.random.between(50, 1500);
            thread::sleep(Duration::from_millis(moment));
        }
        fault.set(world, false);
    }
    let ended = order.wait();
    let last = ended.stderr.lines().chain(ended.stdout.lines()).last().unwrap_or_default();
    world.history.note(format!("the cutover ended with {:?}: {last}", ended.code()));
    ended
}

/// Something happens while the source is fenced; what lasts for a time only begins.
fn at_fence(fault: Fault, world: &mut World) {
    world.history.note(format!("{fault:?} at the fence"));
    if fault.lasts() {
        return fault.set(world, true);
    }
    fault.strike(world);
    let moment = world.random.between(0, 300);
    thread::sleep(Duration::from_millis(moment));
}

/// Keys of another application that are not as it left them.
fn others(world: &World) -> Option<String> {
    let mut client = world.destination.client();
    let lost = world
        .others
        .iter()
        .filter(|(key, value)| client.command(&cmd!["GET", key]) != crate::harness::Reply::Bulk((*value).clone()));
    let count = lost.count();
    (count > 0).then(|| format!("{count} of {} keys of another application are gone", world.others.len()))
}

fn end_idle(world: &mut World) -> Option<Finished> {
    if let Some(ended) = world.await_following() {
        return Some(ended);
    }
    world.rest();
    await_end(world, PATIENCE)
}

/// Waits for an end that no further process can change.
fn await_end(world: &mut World, patience: Duration) -> Option<Finished> {
    let since = Instant::now();
    while since.elapsed() < patience {
        if let Some(ended) = world.keep_going() {
            return Some(ended);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn status(world: &World) -> String {
    let alive = world.run.as_ref().map(Running::id);
    let said = world.tool.run(["status", "move"]);
    let ends: String = world.ends.iter().map(Finished::to_string).collect();
    format!("{ends}process {alive:?}\n{said}")
}
