//! The tool beside what the servers do by themselves, in turns within one run:
//! `cargo bench --bench compare -- [--server NAME] [--scale PERCENT] [--runs N] [--seconds N] [--only WORD,…] [--json FILE]`.
//!
//! - `strings`, `mixed`, `big`, `databases`: a full copy of that dataset by `REPLICAOF`, by a plain sender of ready-made
//!   `RESTORE` commands (and by `redis-cli --pipe` where there is one), and by `plan apply`, each into an empty server.
//! - `set64`, `mixed64`, `mixed1k`: a fixed number of commands that wait in the stream is drained, by a replica that was
//!   stopped, by a plain sender of the same commands in the same transactions, and by a run that was paused.
//! - `settle`, `settle near`: deadlines that were deferred while the source was followed are made exact, a million before the fence of
//!   a cutover and a hundred thousand under it, beside a plain sender of the same reads and writes.
//! - `verify`: both sides of a finished copy are compared, `strings` and `mixed`, in every mode of `plan verify`, beside a client
//!   that reads all of one server and compares nothing.
//! - `lag`: how long a write takes to the destination at steady rates.
//! - `forms`: what each form of a value costs its destination, by type and size, on servers of four versions.
//! - `memory`: the tool's memory for up to 40 000 000 keys and one value of 512 MiB; only where it is asked for, since it takes a
//!   quarter of an hour and 14 GiB.
//! - `instructions`: instructions a key and a command, counted by callgrind where there is valgrind.
//!
//! The servers that are measured are installed by `tests/servers/install` where they are missing.
//!
//! Everything shares the machine's cores, so ratios within one run count, not the figures. At 100 percent it needs about
//! 1 GiB of memory and as much disk, which it gives back.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(unreachable_pub, reason = "nothing of a benchmark is reachable from outside")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where its world is not as expected")]
#![expect(clippy::useless_vec, reason = "a command is a list of its own, whoever takes it")]

use std::path::PathBuf;

mod data;
mod drain;
mod forms;
mod full;
mod instructions;
mod lag;
mod memory;
mod meter;
mod sender;
mod settle;
mod table;
mod verify;

#[path = "../../tests/it/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests' harness; a benchmark needs a part of it")]
mod harness;

/// What is measured and how.
struct Options {
    server: String,
    /// Percent of the usual size.
    scale: u64,
    runs: usize,
    /// How long each steady rate is kept up.
    seconds: u64,
    /// What is measured; everything when empty.
    only: Vec<String>,
    json: Option<PathBuf>,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// So much of `usual` as the scale says.
    fn scaled(&self, usual: u64) -> u64 {
        (usual * self.scale / 100).max(1)
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").peekable();
    if words.next_if(|word| word == sender::WORD).is_some() {
        return sender::main(&words.next().unwrap(), &words.next().unwrap());
    }
    if words.next_if(|word| word == verify::WORD).is_some() {
        return verify::main(&words.next().unwrap());
    }
    let options = options(words);
    install(&options);
    println!("{} at {} %, {} runs in turns", options.server, options.scale, options.runs);
    let mut sections = vec![];
    for dataset in data::DATASETS {
        if options.wants(dataset.name) {
            sections.push(full::measure(&options, dataset).print());
        }
    }
    for commands in data::STREAMS {
        if options.wants(commands.name) {
            sections.push(drain::measure(&options, commands).print());
        }
    }
    for kind in &settle::KINDS {
        if options.wants(kind.name) {
            sections.push(settle::measure(&options, kind).print());
        }
    }
    if options.wants("verify") {
        let datasets = data::DATASETS.iter().filter(|dataset| verify::DATASETS.contains(&dataset.name));
        sections.extend(datasets.map(|dataset| verify::measure(&options, dataset).print()));
    }
    if options.wants("lag") {
        sections.extend(lag::RATES.map(|rate| lag::measure(&options, rate).print()));
    }
    if options.wants("forms") {
        sections.push(forms::measure(&options).print());
    }
    if options.only.iter().any(|only| only == "memory") {
        sections.push(memory::measure(&options).print());
    }
    if options.wants("instructions") {
        sections.extend(instructions::measure(&options).map(table::Section::print));
    }
    if let Some(file) = &options.json {
        std::fs::write(file, table::json(&options, &sections)).unwrap();
    }
}

/// Brings the servers that are measured onto this machine; those that are here already are started once, to see that they do.
fn install(options: &Options) {
    let others = forms::SERVERS.iter().filter(|_| options.wants("forms")).map(|(name, _)| *name);
    let names: Vec<&str> = std::iter::once(options.server.as_str()).chain(others).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/install");
    let status =
        std::process::Command::new("bash").arg(script).args(&names).stdout(std::io::stderr()).status().unwrap();
    assert!(status.success(), "servers are missing: bash tests/servers/install {}", names.join(" "));
}

fn options(mut words: impl Iterator<Item = String>) -> Options {
    let server = "redis-7.0.15".to_owned();
    let mut options = Options { server, scale: 100, runs: 5, seconds: 5, only: vec![], json: None };
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name.as_str() {
            "--server" => options.server = value,
            "--scale" => options.scale = value.parse().unwrap(),
            "--runs" => options.runs = value.parse().unwrap(),
            "--seconds" => options.seconds = value.parse().unwrap(),
            "--only" => options.only = value.split(',').map(str::to_owned).collect(),
            "--json" => options.json = Some(value.into()),
            other => panic!("no option is called {other}"),
        }
    }
    options
}
