//! The loop.

use std::{
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use crate::{allocations, coverage::Seen, mutate, random::Random, targets::Target};

/// An input of [`mutate::LONGEST`] takes milliseconds.
const SLOWEST: Duration = Duration::from_secs(5);
/// Beside what an input may expand to (LZF: 88 times its size), no single piece of memory is this large.
const LARGEST: usize = 16 << 20;

/// What was done.
pub(crate) struct Done {
    seeds: usize,
    runs: u64,
    kept: usize,
    edges: usize,
}

/// An input that the library does not bear.
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) input: Vec<u8>,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, runs, kept, edges } = self;
        write!(f, "{seeds} seeds, {runs} runs, {kept} inputs kept, {edges} edges")
    }
}

/// Tries `runs` changed inputs.
pub(crate) fn fuzz(target: &Target, seed: u64, runs: u64) -> Result<Done, Failure> {
    let seeds: BTreeSet<Vec<u8>> = (target.seeds)().into_iter().filter(|seed| seed.len() <= mutate::LONGEST).collect();
    assert!(!seeds.is_empty(), "{} has no input to begin with", target.name);
    // What has run before is not this target's.
    Seen::nothing().take();
    let mut edges = Seen::nothing();
    let mut kept = vec![];
    for input in &seeds {
        attempt(target, input)?;
        if edges.take() || edges.edges() == 0 {
            kept.push(input.clone());
        }
    }
    let mut random = Random::seeded(seed);
    for _ in 0..runs {
        let mut input = kept[random.below(kept.len())].clone();
        let other = random.below(kept.len());
        mutate::mutate(&mut input, &kept[other], &mut random);
        attempt(target, &input)?;
        if edges.take() {
            kept.push(input);
        }
    }
    Ok(Done { seeds: seeds.len(), runs, kept: kept.len(), edges: edges.edges() })
}

/// Tries one input again.
pub(crate) fn once(target: &Target, path: &Path) -> Result<Done, Failure> {
    let input =
        std::fs::read(path).map_err(|error| Failure { why: format!("{}: {error}", path.display()), input: vec![] })?;
    attempt(target, &input)?;
    Ok(Done { seeds: 0, runs: 1, kept: 0, edges: 0 })
}

fn attempt(target: &Target, input: &[u8]) -> Result<(), Failure> {
    let failure = |why: String| Failure { why, input: input.to_vec() };
    let begun = Instant::now();
    allocations::largest();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (took, largest) = (begun.elapsed(), allocations::largest());
    match outcome {
        Err(_) => Err(failure("it panicked; the message is above".to_owned())),
        Ok(Err(why)) => Err(failure(why)),
        Ok(Ok(())) if took > SLOWEST => Err(failure(format!("it took {took:?}"))),
        Ok(Ok(())) if largest > LARGEST => Err(failure(format!("it asked for {largest} bytes at once"))),
        Ok(Ok(())) => Ok(()),
    }
}
