//! How long a write takes to the destination at a steady rate.
//!
//! Every five milliseconds the writer publishes what time it is: the message comes in the stream behind the writes before
//! it, and a subscriber of the destination gets it the moment it is carried out there.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::{
    Options,
    data::{STREAMS, words},
    drain::{arrives, following, source},
    meter::{float, process_cpu, server_cpu},
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Client, Server},
};

/// Writes a second.
pub const RATES: [u64; 3] = [20_000, 50_000, 100_000];

/// How often the writer writes.
const TURN: Duration = Duration::from_millis(1);
/// Every so many turns it says what time it is.
const TELLS: u64 = 5;

pub fn measure(options: &Options, rate: u64) -> Section {
    let (mut native, mut plan) = (Side::new("REPLICAOF"), Side::new("plan apply"));
    for _ in 0..options.runs {
        native.runs.push(replicate(options, rate));
        plan.runs.push(follow(options, rate));
    }
    let about = format!("a steady {rate} SET of 64 bytes a second for {} s", options.seconds);
    Section { name: format!("lag{rate}"), about, sides: vec![native, plan], of: "p99 ms", more: false }
}

fn replicate(options: &Options, rate: u64) -> Figures {
    let (source, destination) = (source(options), Server::start(&options.server));
    let mut client = destination.client();
    client.command(&cmd!["REPLICAOF", "127.0.0.1", source.port()]);
    arrives(&mut source.client(), &mut client, "begin");
    keep_up(options, rate, (&source, &destination), || f64::NAN)
}

fn follow(options: &Options, rate: u64) -> Figures {
    let (source, destination) = (source(options), Server::start(&options.server));
    let (_tool, running) = following(&source, &destination);
    let process = running.id().to_string();
    keep_up(options, rate, (&source, &destination), || process_cpu(&process))
}

fn keep_up(
    options: &Options,
    rate: u64,
    (source, destination): (&Server, &Server),
    tool_cpu: impl Fn() -> f64,
) -> Figures {
    let begun = Instant::now();
    let mut client = destination.client();
    let subscriber = subscribe(destination.client(), begun);
    let (cpu, its_cpu) = (tool_cpu(), server_cpu(&mut client));
    let turns = options.seconds * 1000;
    let took = write(source.port(), (begun, turns, rate / 1000));
    let mut lags = subscriber.join().unwrap();
    lags.sort_by(f64::total_cmp);
    let (count, at) =
        (float(turns * (rate / 1000)), |percent: usize| lags[(lags.len() * percent / 100).min(lags.len() - 1)]);
    let mut figures = vec![("writes/s", count / took), ("p50 ms", at(50)), ("p99 ms", at(99)), ("max ms", at(100))];
    let used = tool_cpu() - cpu;
    if !used.is_nan() {
        figures.push(("tool µs/command", used * 1e6 / count));
    }
    figures.push(("destination µs/command", (server_cpu(&mut client) - its_cpu) * 1e6 / count));
    figures
}

/// Milliseconds from each telling to its arrival, until the last one.
fn subscribe(mut client: Client, begun: Instant) -> thread::JoinHandle<Vec<f64>> {
    client.command(&cmd!["SUBSCRIBE", "lag"]);
    thread::spawn(move || {
        let mut lags = vec![];
        loop {
            let message = client.receive();
            let told = message.items()[2].text().to_owned();
            if told == "end" {
                return lags;
            }
            let sent = Duration::from_nanos(told.parse().unwrap());
            lags.push(begun.elapsed().saturating_sub(sent).as_secs_f64() * 1e3);
        }
    })
}

/// Writes at the rate, by the clock: what a busy machine holds up is made up for. Answers how many seconds it took.
fn write(port: u16, (clock, turns, each): (Instant, u64, u64)) -> f64 {
    let mut link = TcpStream::connect(("127.0.0.1", port)).unwrap();
    link.set_nodelay(true).unwrap();
    let mut answers = link.try_clone().unwrap();
    let reading = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while answers.read(&mut buffer).unwrap() > 0 {}
    });
    let begun = Instant::now();
    let (mut out, mut number) = (vec![], 0);
    for turn in 0..turns {
        let due = TURN * u32::try_from(turn).unwrap();
        thread::sleep(due.saturating_sub(begun.elapsed()));
        out.clear();
        let now = clock.elapsed().as_nanos().to_string();
        for _ in 0..each {
            STREAMS[0].command(number, &mut out);
            number += 1;
        }
        if turn % TELLS == 0 {
            words(&mut out, &[b"PUBLISH", b"lag", now.as_bytes()]);
        }
        link.write_all(&out).unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    out.clear();
    words(&mut out, &[b"PUBLISH", b"lag", b"end"]);
    link.write_all(&out).unwrap();
    link.shutdown(Shutdown::Write).unwrap();
    reading.join().unwrap();
    took
}
