//! Random histories over real servers: each ends equal or with a reported reason, never with exit code 0 and a difference.
//!
//! `cargo test --test it campaign` runs a short form, the same at each run. `REDIS_PLAN_CAMPAIGN_POINTS=1000` runs so many
//! points with every fault, from `REDIS_PLAN_SEED` on, and prints what each came to; a point that does not end as it must is
//! printed with its history, and `REDIS_PLAN_CAMPAIGN_POINTS=1 REDIS_PLAN_SEED=…` runs it again.

mod ack_log;
mod checker;
mod fault;
mod history;
mod point;
mod story;
mod world;
mod writer;

use std::{
    collections::BTreeMap,
    env,
    panic::{self, AssertUnwindSafe},
    time::Instant,
};

use self::point::{Point, Verdict};
use crate::harness::Random;

/// The short form: so many points from this seed on.
const SHORT: (u64, u64) = (4, 14);

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Runs points one after the other; answers how many came to what, and those that must not be.
fn campaign(points: u64, first: u64, short: bool) -> (BTreeMap<&'static str, u64>, Vec<u64>) {
    let (mut counts, mut wrong) = (BTreeMap::new(), vec![]);
    for seed in first..first + points {
        let point = Point::new(seed, short);
        println!("point {seed}: {}", point.title());
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
        println!("point {seed}: {name} after {:.1} s: {text}", began.elapsed().as_secs_f64());
        *counts.entry(name).or_default() += 1;
        if name.chars().all(char::is_uppercase) {
            wrong.push(seed);
        }
    }
    println!("{counts:?}");
    (counts, wrong)
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
    let (counts, wrong) = campaign(points, first, long.is_none());
    assert!(wrong.is_empty(), "{counts:?}, not as they must be: {wrong:?}");
}
