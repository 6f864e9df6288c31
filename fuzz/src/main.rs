//! Feeds damaged input to everything that reads bytes from outside: `redis-plan-fuzz [--runs N] [--seed N] [TARGET…]`, or
//! `redis-plan-fuzz --input FILE TARGET` for one input again.
//!
//! Each target begins with real inputs (the golden dumps of every server version, the sample plans) and changes them; an
//! input that takes a new path through the library joins them. A target fails when the library panics, when it reads
//! differently what comes in pieces, when it allocates more than any input of this size can need, or when it takes too
//! long. Targets that work on files or render text get a twentieth of the runs. The seed is printed; the same seed and runs
//! give the same inputs.
//!
//! Built with `RUSTC_WORKSPACE_WRAPPER=fuzz/instrument`; without it new paths are not seen, and it says so.

#![expect(clippy::print_stdout, reason = "prints what it did")]

mod allocations;
mod corpus;
mod coverage;
mod fuzzer;
mod mutate;
mod random;
mod targets;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use fuzzer::Failure;
use targets::{TARGETS, Target};

/// What the command line says.
struct Options {
    runs: u64,
    seed: u64,
    input: Option<PathBuf>,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            println!("{wrong}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}, {} runs, {} counters of coverage", options.seed, options.runs, coverage::counters());
    let mut failed = false;
    for target in &options.targets {
        let begun = Instant::now();
        let outcome = match &options.input {
            Some(path) => fuzzer::once(target, path),
            None => fuzzer::fuzz(target, options.seed, options.runs.div_ceil(target.cost)),
        };
        let took = begun.elapsed().as_secs_f32();
        match outcome {
            Ok(done) => println!("{:<10} {done}, {took:.1} s", target.name),
            Err(failure) => {
                failed = true;
                tell(target, &failure, options.seed);
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn tell(target: &Target, failure: &Failure, seed: u64) {
    println!("{} FAILED: {}", target.name, failure.why);
    println!("seed {seed}; input of {} bytes: {}", failure.input.len(), failure.input.escape_ascii());
    let path = std::env::temp_dir().join(format!("fuzz-{}-{seed}", target.name));
    match std::fs::write(&path, &failure.input) {
        Ok(()) => println!("again: redis-plan-fuzz --input {} {}", path.display(), target.name),
        Err(error) => println!("the input cannot be kept: {error}"),
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { runs: 10_000, seed: random::fresh(), input: None, targets: vec![] };
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or(format!("{word} needs a number"));
        match word.as_str() {
            "--runs" => options.runs = number()?,
            "--seed" => options.seed = number()?,
            "--input" => options.input = words.next().map(PathBuf::from),
            name => {
                let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
                let found = TARGETS.iter().find(|target| target.name == name);
                options.targets.push(found.ok_or_else(|| format!("no target {name}; there are {}", names()))?);
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.iter().collect();
    }
    Ok(options)
}
