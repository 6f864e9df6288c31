//! Random histories over real servers: each ends equal or with a reported reason, never with exit code 0 and a difference.
//!
//! # How to run it
//!
//! `cargo nextest run -E 'test(campaign)'` runs a short form, the same at each run. These variables change it:
//!
//! - `REDIS_PLAN_CAMPAIGN_POINTS=1000` runs so many points with every fault and prints what each came to;
//! - `REDIS_PLAN_SEED=20000` is the seed of the first one; without it a fresh one is taken, and printed with each point;
//! - `REDIS_PLAN_CAMPAIGN_AT_ONCE=4` runs so many at a time, by default as many as there are cores: a point takes about 10 s
//!   and waits for most of it. With too many, servers answer late and more points end with a reported reason.
//!
//! `--no-capture` prints while it runs. A point that does not end as it must (`DIFFERS`, `UNEXPLAINED`, `ENDLESS`) is printed
//! with its history, and `REDIS_PLAN_CAMPAIGN_POINTS=1 REDIS_PLAN_SEED=…` runs it again: the same servers and faults, but not
//! the same moments, so some need several runs.

mod ack_log;
mod checker;
mod fault;
mod history;
mod point;
mod story;
mod world;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    num::NonZero,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};

use self::point::{Point, Verdict};
use crate::harness::Random;

/// The short form: so many points from this seed on.
const SHORT: (u64, u64) = (4, 14);

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// How many points run at a time: they wait for most of their time.
fn at_once() -> usize {
    let given = number("REDIS_PLAN_CAMPAIGN_AT_ONCE").and_then(|count| usize::try_from(count).ok());
    given.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get)).max(1)
}

/// What the points came to so far.
#[derive(Default)]
struct Outcome {
    counts: BTreeMap<&'static str, u64>,
    /// Seeds of those that did not end as they must.
    wrong: BTreeSet<u64>,
}

/// Runs a point and prints, in one piece, what it came to.
fn run(seed: u64, short: bool, outcome: &Mutex<Outcome>) {
    let point = Point::new(seed, short);
    let began = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(|| point.run()));
    let (verdict, history) =
        result.unwrap_or_else(|_| (Verdict::Endless("the test panicked".to_owned()), String::new()));
    let (name, text) = match verdict {
        Verdict::Equal { keys, as_replica } => ("equal", format!("{keys} keys, {as_replica} as at the replica")),
        Verdict::Reported(text) => ("reported", text.lines().next().unwrap_or_default().to_owned()),
        Verdict::Differs(list) => ("DIFFERS", format!("{}\n{history}", list.join("\n"))),
        Verdict::Unexplained(text) => ("UNEXPLAINED", format!("{text}\n{history}")),
        Verdict::Endless(text) => ("ENDLESS", format!("{text}\n{history}")),
    };
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = began.elapsed().as_secs_f64();
    println!("point {seed}: {}\npoint {seed}: {name} after {seconds:.1} s: {text}", point.title());
    *outcome.counts.entry(name).or_default() += 1;
    if name.chars().all(char::is_uppercase) {
        outcome.wrong.insert(seed);
    }
}

/// Runs points, some at a time, each with servers and folders of its own.
fn campaign(points: u64, first: u64, short: bool) -> Outcome {
    let (next, outcome) = (AtomicU64::new(first), Mutex::default());
    let work = || {
        while let seed = next.fetch_add(1, SeqCst)
            && seed < first + points
        {
            run(seed, short, &outcome);
        }
    };
    thread::scope(|scope| (0..at_once()).for_each(|_| drop(scope.spawn(work))));
    let outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{:?}", outcome.counts);
    outcome
}

#[test]
fn every_history_ends_equal_or_with_a_reason() {
    let long = number("REDIS_PLAN_CAMPAIGN_POINTS");
    let given = number("REDIS_PLAN_SEED");
    let (points, first) = match (long, given) {
        (Some(points), Some(seed)) => (points, seed),
        (Some(points), None) => (points, Random::fresh().next() % 1_000_000_000),
        (None, Some(seed)) => (1, seed),
        (None, None) => SHORT,
    };
    let Outcome { counts, wrong } = campaign(points, first, long.is_none());
    assert!(wrong.is_empty(), "{counts:?}, not as they must be: {wrong:?}");
}
