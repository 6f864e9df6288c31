//! A destination far slower than the source.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    faults::fill,
    following::{IDLE, figure, follow},
    harness::{Client, Comparer, Plan, Proxy, Random, Server, Tool},
};

/// Bytes that are written at the source in all, unless the rate is higher.
const VOLUME: u64 = 100 << 20;
/// Seconds that it is written for at least, since the tool says every second how far it is.
const SECONDS: u64 = 4;
/// The most bytes a second at the source; `REDIS_PLAN_RATE` sets another rate, in MiB/s. More than the machine of the tests
/// leaves to an unoptimised tool beside two servers and the writers says nothing of the tool.
const RATE: u64 = 100 << 20;
/// Bytes that a writer writes at once.
const AT_ONCE: u64 = 100 * 2000;
const WRITERS: u64 = 2;
/// The most that the source may hold for us.
const MOST_AT_THE_SOURCE: u64 = 64 << 20;
/// The most memory of the tool.
const MOST_OF_THE_TOOL: u64 = 128 << 20;

fn rate() -> u64 {
    std::env::var("REDIS_PLAN_RATE").map_or(RATE, |rate| rate.parse::<u64>().unwrap() << 20)
}

/// Bytes that are written in all.
fn volume() -> u64 {
    VOLUME.max(rate() * SECONDS)
}

/// Writes at the rate, until so many bytes are written.
fn write(port: u16, written: &AtomicU64, seed: u64) {
    let mut client = Client::connect(port).unwrap();
    let mut random = Random::seeded(seed);
    let word = random.word(2000);
    while written.load(SeqCst) < volume() {
        let commands: Vec<_> = (0..100)
            .flat_map(|_| {
                let key = random.between(0, 2000);
                [cmd!["SET", format!("s:{key}"), word], cmd!["INCR", format!("n:{key}")]]
            })
            .collect();
        let begun = Instant::now();
        client.pipeline_ok(&commands);
        written.fetch_add(AT_ONCE, SeqCst);
        // What was missed is not made up for: that would come faster than the rate.
        thread::sleep(Duration::from_millis(WRITERS * AT_ONCE * 1000 / rate()).saturating_sub(begun.elapsed()));
    }
}

/// What the source holds for its replicas, by every figure that it gives.
fn held(client: &mut Client) -> u64 {
    let list = client.command(&cmd!["CLIENT", "LIST"]);
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|pair| pair.strip_prefix(name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let replicas = list.text().lines().filter(|line| line.contains("flags=S"));
    let of_replicas = replicas.map(|line| field(line, "omem=").max(field(line, "tot-mem="))).max().unwrap_or(0);
    let memory = client.command(&cmd!["INFO", "memory"]);
    let counted = memory.info("mem_clients_slaves").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    of_replicas.max(counted)
}

fn slow_destination(name: &str) {
    let (source, destination) = (Server::start(name), Server::start("redis-8.2.3"));
    fill(&source, 1000, 60);
    let to = Proxy::to(destination.port());
    let tool = Tool::new().env("NO_COLOR", "1").limit(Duration::from_mins(3));
    tool.write("plan.yaml", &Plan::between_ports(source.port(), to.port()).following(IDLE).text());
    let run = follow(&tool);

    let written = Arc::new(AtomicU64::new(0));
    let (port, begun) = (source.port(), Instant::now());
    let writers: Vec<_> = (0..WRITERS)
        .map(|seed| {
            let written = Arc::clone(&written);
            thread::spawn(move || write(port, &written, seed))
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (mut client, over) = (source.client(), Arc::clone(&over));
        thread::spawn(move || {
            let mut most = 0;
            while !over.load(SeqCst) {
                most = most.max(held(&mut client));
                thread::sleep(Duration::from_millis(20));
            }
            most
        })
    };
    // A tenth of what the source takes, as measured while it is taken.
    while writers.iter().any(|writer| !writer.is_finished()) {
        thread::sleep(Duration::from_millis(50));
        let rate = written.load(SeqCst) * 1000 / u64::try_from(begun.elapsed().as_millis()).unwrap();
        to.throttle((rate / 10).max(1 << 20));
    }
    let millis = begun.elapsed().as_millis();
    for writer in writers {
        writer.join().unwrap();
    }
    let behind = figure(&tool, "received").unwrap_or(0).saturating_sub(figure(&tool, "applied").unwrap_or(0));
    to.throttle(0);
    let ended = run.wait().expect(0);
    over.store(true, SeqCst);
    let most = watching.join().unwrap();
    println!(
        "{name}: {} MiB/s at the source, {} MiB behind at the end of it, at most {} KiB held for us there; the tool's \
         memory {} MiB",
        (volume() * 1000 / u64::try_from(millis).unwrap()) >> 20,
        behind >> 20,
        most >> 10,
        ended.peak_memory >> 20
    );
    assert!(behind > volume() / 3, "the destination was not slow: {behind} bytes behind");
    assert!(most < MOST_AT_THE_SOURCE, "the source held {most} bytes");
    assert!(ended.peak_memory < MOST_OF_THE_TOOL, "{} bytes", ended.peak_memory);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_slow_destination_does_not_fill_an_old_source() {
    slow_destination("redis-5.0.10");
}

#[test]
fn a_slow_destination_does_not_fill_a_modern_source() {
    slow_destination("redis-7.2.4");
}
