//! How fast two servers are compared, each whole process measured:
//! `cargo bench --bench verify -- [--server NAME] [--strings N] [--mixed N] [--runs N]`.
//!
//! Both servers and the tool share the machine's cores. Beside it stands what the servers alone can do: the same keys read
//! with `TYPE`, `PTTL` and one more question each, pipelined on one connection a side, without comparing anything.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::useless_vec, reason = "a command is a list of its own, whoever takes it")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where its world is not as expected")]

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use harness::{Client, Plan, Server, Tool};

#[path = "../tests/it/harness/mod.rs"]
#[expect(dead_code, unused_imports, unreachable_pub, reason = "the tests' harness; a benchmark needs a part of it")]
mod harness;

struct Options {
    source: String,
    destination: String,
    strings: u64,
    mixed: u64,
    runs: usize,
}

fn main() {
    let options = options();
    let (source, destination) = (Server::start(&options.source), Server::start(&options.destination));
    let keys = fill(&mut source.client(), options.strings, options.mixed);
    let tool = Tool::new().limit(Duration::from_mins(20));
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    tool.run(["apply", "plan.yaml", "--progress", "none"]).expect(0);
    println!("{} to {}: {keys} keys, of them {} of 20 elements", options.source, options.destination, options.mixed);
    println!("| | wall s | keys/s | tool RSS MiB |\n| --- | --- | --- | --- |");
    let bare: Vec<f64> = (0..options.runs).map(|_| read_both(&source, &destination, options.strings)).collect();
    let strings = options.strings;
    row("strings read on both sides, nothing compared", bare, strings, 0.0);
    for mode in ["keys", "full", "sample:10000"] {
        let runs: Vec<(f64, u64)> = (0..options.runs)
            .map(|_| {
                let run = tool.run(["verify", "plan.yaml", "--progress", "none", "--mode", mode]).expect(0);
                (run.took.as_secs_f64(), run.peak_memory)
            })
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let memory = runs.iter().map(|run| run.1).max().unwrap() as f64 / f64::from(1 << 20);
        row(&format!("plan verify --mode {mode}"), runs.iter().map(|run| run.0).collect(), keys, memory);
    }
}

fn row(name: &str, mut walls: Vec<f64>, keys: u64, memory: f64) {
    walls.sort_by(f64::total_cmp);
    let wall = walls[walls.len() / 2];
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = keys as f64 / wall;
    println!("| {name} | {wall:.2} | {rate:.0} | {memory:.0} |");
}

fn options() -> Options {
    let (source, destination) = ("redis-5.0.10".to_owned(), "redis-7.2.4".to_owned());
    let mut options = Options { source, destination, strings: 1_000_000, mixed: 200_000, runs: 3 };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name.as_str() {
            "--source" => options.source = value,
            "--destination" => options.destination = value,
            "--strings" => options.strings = value.parse().unwrap(),
            "--mixed" => options.mixed = value.parse().unwrap(),
            "--runs" => options.runs = value.parse().unwrap(),
            other => panic!("no option is called {other}"),
        }
    }
    options
}

/// Fills the server; answers how many keys it has then.
fn fill(client: &mut Client, strings: u64, mixed: u64) -> u64 {
    let mut batch = vec![];
    for number in 0..strings {
        let value = format!("{:016x}{}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15), "v".repeat(48));
        batch.push(cmd!["SET", format!("key:{number:012}"), value]);
        flush(client, &mut batch, 10_000);
    }
    for number in 0..mixed {
        let name = ["RPUSH list", "SADD set", "HMSET hash", "ZADD zset"][usize::try_from(number % 4).unwrap()];
        let mut command = format!("{name}:{number:012}");
        for element in 0..20 {
            let _ = match number % 4 {
                2 => write!(command, " field{element} value-{number}-{element}"),
                3 => write!(command, " {element}.5 member-{number}-{element}"),
                _ => write!(command, " element-{number}-{element}"),
            };
        }
        batch.push(command.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        flush(client, &mut batch, 2000);
    }
    flush(client, &mut batch, 1);
    strings + mixed
}

fn flush(client: &mut Client, batch: &mut Vec<Vec<Vec<u8>>>, at: usize) {
    if batch.len() >= at {
        client.pipeline_ok(batch);
        batch.clear();
    }
}

/// Seconds that it takes to read all strings on both sides at once.
fn read_both(source: &Server, destination: &Server, strings: u64) -> f64 {
    let begun = Instant::now();
    let readers = [source.client(), destination.client()].map(|mut client| {
        std::thread::spawn(move || {
            for start in (0..strings).step_by(1000) {
                let names = (start..strings.min(start + 1000)).map(|number| format!("key:{number:012}"));
                let asked: Vec<_> =
                    names.flat_map(|key| [cmd!["TYPE", key], cmd!["PTTL", key], cmd!["GET", key]]).collect();
                client.pipeline_ok(&asked);
            }
        })
    });
    for reader in readers {
        reader.join().unwrap();
    }
    begun.elapsed().as_secs_f64()
}
