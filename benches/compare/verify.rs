//! Comparing both sides of a finished copy.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Options,
    data::{Dataset, words},
    meter::{children_cpu, float, keys, mebibytes, server_cpu},
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Client, Plan, Reply, Server, Tool},
};

/// What is compared.
pub const DATASETS: [&str; 2] = ["strings", "mixed"];

/// The word that makes this program the reader.
pub const WORD: &str = "--read";

/// Keys that a sample has at 100 percent.
const SAMPLE: u64 = 10_000;

pub fn measure(options: &Options, dataset: &Dataset) -> Section {
    let (source, destination) = (Server::start(&options.server), Server::start(&options.server));
    dataset.fill(source.client(), &|usual| options.scaled(usual));
    let count = keys(&mut source.client());
    let tool = Tool::new().limit(Duration::from_mins(20));
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    tool.run(["apply", "plan.yaml", "--progress", "none"]).expect(0);
    let mut reader = Side::new("SCAN and DUMP of both");
    let sample = format!("sample:{}", options.scaled(SAMPLE));
    let mut modes = [("keys", "verify, keys"), (&*sample, "verify, sample"), ("full", "verify, full")]
        .map(|(mode, name)| (mode, Side::new(name)));
    for _ in 0..options.runs {
        reader.runs.push(read((&source, &destination), count));
        for (mode, side) in &mut modes {
            side.runs.push(compare(&tool, (&source, &destination), mode, count));
        }
    }
    let sides = std::iter::once(reader).chain(modes.into_iter().map(|(_, side)| side)).collect();
    let about = format!("both sides of {count} keys compared, {}; {sample}", dataset.about);
    Section { name: format!("verify {}", dataset.name), about, sides, of: "keys/s", more: true }
}

fn compare(tool: &Tool, (source, destination): (&Server, &Server), mode: &str, count: u64) -> Figures {
    let (from, to) = (Used::before(source), Used::before(destination));
    let before = children_cpu();
    let run = tool.run(["verify", "plan.yaml", "--progress", "none", "--mode", mode]).expect(0);
    let (cpu, wall) = (children_cpu() - before, run.took.as_secs_f64());
    let mut figures = took(count, wall, cpu, mebibytes(run.peak_memory));
    figures.extend(from.since(wall, ["source MiB/s", "source CPU s"]));
    figures.extend(to.since(wall, ["destination MiB/s", "destination CPU s"]));
    figures
}

/// What both servers give at a time to whoever asks for everything as fast as they can, each to a process of its own.
fn read((source, destination): (&Server, &Server), count: u64) -> Figures {
    let (from, to) = (Used::before(source), Used::before(destination));
    let (before, begun) = (children_cpu(), Instant::now());
    let readers = [source, destination].map(|server| {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process.arg(WORD).arg(server.port().to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        process.spawn().unwrap()
    });
    let memory = readers.map(|reader| {
        let output = reader.wait_with_output().unwrap();
        assert!(output.status.success(), "a reader ended with {}", output.status);
        let said = String::from_utf8(output.stdout).unwrap();
        let (values, kib) = said.trim().split_once(' ').unwrap();
        // The destination has the run's own keys besides.
        assert!(values.parse::<u64>().unwrap() >= count, "not all keys were read");
        mebibytes(kib.parse::<u64>().unwrap() << 10)
    });
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), children_cpu() - before);
    let mut figures = took(count, wall, cpu, memory.iter().sum());
    figures.extend(from.since(wall, ["source MiB/s", "source CPU s"]));
    figures.extend(to.since(wall, ["destination MiB/s", "destination CPU s"]));
    figures
}

fn took(count: u64, wall: f64, cpu: f64, memory: f64) -> Figures {
    let count = float(count);
    vec![("wall s", wall), ("keys/s", count / wall), ("tool µs/key", cpu * 1e6 / count), ("tool RSS MiB", memory)]
}

/// What a server had used before something was measured.
struct Used {
    client: Client,
    cpu: f64,
    sent: u64,
}

impl Used {
    fn before(server: &Server) -> Self {
        let mut client = server.client();
        let (cpu, sent) = (server_cpu(&mut client), sent(&mut client));
        Self { client, cpu, sent }
    }

    /// MiB a second that it sent, and its CPU seconds, under these names.
    fn since(mut self, wall: f64, [rate, cpu]: [&'static str; 2]) -> Figures {
        let sent = sent(&mut self.client) - self.sent;
        vec![(rate, mebibytes(sent) / wall), (cpu, server_cpu(&mut self.client) - self.cpu)]
    }
}

/// Bytes that a server has sent.
fn sent(client: &mut Client) -> u64 {
    client.command(&cmd!["INFO", "stats"]).info("total_net_output_bytes").unwrap().parse().unwrap()
}

/// The reader's own process: prints how many values it got, and the most memory it had, in KiB.
pub fn main(port: &str) {
    let values = read_all(TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{values} {}", line.trim().trim_end_matches(" kB"));
}

/// Asks for the next names and the values of the last ones in one go, and again as soon as the names are there: the server
/// never waits for a question.
fn read_all(link: TcpStream) -> u64 {
    link.set_nodelay(true).unwrap();
    let mut to = link.try_clone().unwrap();
    let mut from = BufReader::with_capacity(1 << 18, link);
    let (mut cursor, mut asked, mut values) = (Some(b"0".to_vec()), 0, 0);
    let mut names: Vec<Vec<u8>> = vec![];
    while cursor.is_some() || asked > 0 {
        let mut out = vec![];
        if let Some(cursor) = &cursor {
            words(&mut out, &[b"SCAN", cursor, b"COUNT", b"1000"]);
        }
        for name in &names {
            words(&mut out, &[b"DUMP", name]);
        }
        to.write_all(&out).unwrap();
        // Those of the question before.
        values += take(&mut from, asked);
        asked = names.len();
        names.clear();
        if cursor.is_some() {
            let page = Reply::read(&mut from).unwrap();
            names = page.items()[1].items().iter().map(|name| name.bytes().to_vec()).collect();
            cursor = Some(page.items()[0].bytes().to_vec()).filter(|cursor| cursor != b"0");
        }
    }
    values
}

fn take(from: &mut BufReader<TcpStream>, count: usize) -> u64 {
    let values = (0..count).filter(|_| !Reply::read(from).unwrap().bytes().is_empty());
    values.count() as u64
}
