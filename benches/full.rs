//! A full migration beside the server's own replication of the same data, in turns within one run:
//! `cargo bench --bench full -- [--server NAME] [--strings N] [--mixed N] [--runs N]`.
//!
//! Measured are whole processes: for `REPLICAOF` from the command until the link is up and the key counts are equal, for
//! `plan apply` from start to exit, checks and journal included. Machines differ and are noisy: the ratio counts.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::useless_vec, reason = "a command is a list of its own, whoever takes it")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where its world is not as expected")]

use std::{
    fmt::Write,
    fs, thread,
    time::{Duration, Instant},
};

use harness::{Client, Plan, Server, Tool};

#[path = "../tests/it/harness/mod.rs"]
#[expect(dead_code, unused_imports, unreachable_pub, reason = "the tests' harness; a benchmark needs a part of it")]
mod harness;

/// One measurement.
#[derive(Clone, Copy, Default)]
struct Figures {
    wall: f64,
    tool_cpu: f64,
    tool_memory: f64,
    destination_cpu: f64,
}

struct Options {
    server: String,
    strings: u64,
    mixed: u64,
    runs: usize,
}

fn main() {
    let options = options();
    let source = Server::of(&options.server).args(["--repl-diskless-sync", "yes"]).start();
    let keys = fill(&mut source.client(), options.strings, options.mixed);
    println!("{}: {} strings of 64 bytes, {} mixed of 20 elements", options.server, options.strings, options.mixed);
    let (mut native, mut plan) = (vec![], vec![]);
    for run in 1..=options.runs {
        native.push(replicate(&options, &source, keys));
        plan.push(migrate(&options, &source, keys));
        let (theirs, ours) = (native[run - 1].wall, plan[run - 1].wall);
        println!("run {run}: REPLICAOF {theirs:.2} s, plan apply {ours:.2} s, ratio {:.2}", ours / theirs);
    }
    report(&native, &plan, keys);
}

fn options() -> Options {
    let mut options = Options { server: "redis-7.0.15".to_owned(), strings: 1_000_000, mixed: 200_000, runs: 5 };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name.as_str() {
            "--server" => options.server = value,
            "--strings" => options.strings = value.parse().unwrap(),
            "--mixed" => options.mixed = value.parse().unwrap(),
            "--runs" => options.runs = value.parse().unwrap(),
            other => panic!("no option is called {other}"),
        }
    }
    options
}

fn words(command: &str) -> Vec<Vec<u8>> {
    command.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Fills the server; answers how many keys it has then.
fn fill(client: &mut Client, strings: u64, mixed: u64) -> u64 {
    let value = "v".repeat(64);
    let mut batch = vec![];
    for number in 0..strings {
        // A value that differs per key, so that compression finds as little as in real data.
        batch.push(words(&format!(
            "SET key:{number:012} {:016x}{}",
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            &value[16..]
        )));
        flush(client, &mut batch, 10_000);
    }
    for number in 0..mixed {
        let name = ["RPUSH list", "SADD set", "HSET hash", "ZADD zset"][usize::try_from(number % 4).unwrap()];
        let mut command = format!("{name}:{number:012}");
        for element in 0..20 {
            let _ = match number % 4 {
                2 => write!(command, " field{element} value-{number}-{element}"),
                3 => write!(command, " {element}.5 member-{number}-{element}"),
                _ => write!(command, " element-{number}-{element}"),
            };
        }
        batch.push(words(&command));
        flush(client, &mut batch, 2000);
    }
    flush(client, &mut batch, 1);
    size(client)
}

fn flush(client: &mut Client, batch: &mut Vec<Vec<Vec<u8>>>, at: usize) {
    if batch.len() >= at {
        client.pipeline_ok(batch);
        batch.clear();
    }
}

fn replicate(options: &Options, source: &Server, keys: u64) -> Figures {
    let destination = Server::start(&options.server);
    let mut client = destination.client();
    let begun = Instant::now();
    client.command(&words(&format!("REPLICAOF 127.0.0.1 {}", source.port())));
    while !replicated(&mut client, keys) {
        thread::sleep(Duration::from_millis(10));
    }
    Figures { wall: begun.elapsed().as_secs_f64(), destination_cpu: server_cpu(&mut client), ..Figures::default() }
}

fn replicated(client: &mut Client, keys: u64) -> bool {
    client.command(&words("INFO replication")).info("master_link_status") == Some("up") && size(client) == keys
}

fn migrate(options: &Options, source: &Server, keys: u64) -> Figures {
    let destination = Server::start(&options.server);
    let tool = Tool::new().limit(Duration::from_mins(10));
    tool.write("plan.yaml", &Plan::between(source, &destination).text());
    let cpu_before = children_cpu();
    let finished = tool.run(["apply", "plan.yaml", "--progress", "none"]).expect(0);
    let tool_cpu = children_cpu() - cpu_before;
    let mut client = destination.client();
    let (wall, memory) = (finished.took.as_secs_f64(), finished.peak_memory);
    assert!(size(&mut client) >= keys, "not all keys arrived");
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let tool_memory = memory as f64 / f64::from(1 << 20);
    Figures { wall, tool_cpu, tool_memory, destination_cpu: server_cpu(&mut client) }
}

fn size(client: &mut Client) -> u64 {
    u64::try_from(client.command(&words("DBSIZE")).int()).unwrap()
}

/// CPU seconds a server has used.
fn server_cpu(client: &mut Client) -> f64 {
    let info = client.command(&words("INFO cpu"));
    ["used_cpu_user", "used_cpu_sys"].iter().map(|name| info.info(name).unwrap().parse::<f64>().unwrap()).sum()
}

/// CPU seconds of ended children, from `/proc/self/stat` (proc(5): cutime and cstime, in ticks of 10 ms).
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(13) + ticks(14)) / 100.0
}

fn report(native: &[Figures], plan: &[Figures], keys: u64) {
    let median = |figures: &[Figures], of: fn(&Figures) -> f64| {
        let mut all: Vec<f64> = figures.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (theirs, ours) = (median(native, |f| f.wall), median(plan, |f| f.wall));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let count = keys as f64;
    println!("\nmedians of {} runs in turns, {keys} keys", native.len());
    println!("| | wall s | keys/s | tool CPU s | tool RSS MiB | destination CPU s |");
    println!("| --- | --- | --- | --- | --- | --- |");
    println!(
        "| native REPLICAOF | {theirs:.2} | {:.0} | – | – | {:.2} |",
        count / theirs,
        median(native, |f| f.destination_cpu)
    );
    println!(
        "| plan apply | {ours:.2} | {:.0} | {:.2} | {:.0} | {:.2} |",
        count / ours,
        median(plan, |f| f.tool_cpu),
        median(plan, |f| f.tool_memory),
        median(plan, |f| f.destination_cpu),
    );
    let mut ratios: Vec<f64> = native.iter().zip(plan).map(|(native, plan)| plan.wall / native.wall).collect();
    ratios.sort_by(f64::total_cmp);
    println!("plan apply / REPLICAOF: {:.2} (median of the runs' ratios)", ratios[ratios.len() / 2]);
}
