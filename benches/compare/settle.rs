//! Deferred deadlines are made exact: the far ones before the fence, the near ones under it.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use super::{
    Options,
    data::words,
    drain::{arrives, received, source},
    meter::{float, process_cpu, server_cpu, until},
    sender::send_file,
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Plan, Server, Tool},
};

/// Deadlines of one kind.
pub struct Kind {
    pub name: &'static str,
    about: &'static str,
    count: u64,
    /// Seconds that the keys still live.
    life: u64,
    fenced: bool,
}

/// The far ones are made exact before the fence, the near ones (less than ten minutes ahead) are remembered until it stands.
pub const KINDS: [Kind; 2] = [
    Kind { name: "settle", about: "far deadlines, before the fence", count: 1_000_000, life: 36_000, fenced: false },
    Kind { name: "settle near", about: "near deadlines, under the fence", count: 100_000, life: 480, fenced: true },
];

/// Keys of a transaction, as the tool makes them.
const BATCH: u64 = 2000;

pub fn measure(options: &Options, kind: &Kind) -> Section {
    let count = options.scaled(kind.count);
    let folder = tempfile::tempdir().unwrap();
    let commands = folder.path().join("commands");
    commands_of(&commands, count, &options.server);
    let mut ceiling = Side::new("plain sender, PEXPIRETIME and PEXPIREAT in transactions");
    let mut plan = Side::new("plan apply");
    for _ in 0..options.runs {
        ceiling.runs.push(load(options, (kind, count), &commands));
        plan.runs.push(settle(options, (kind, count)));
    }
    let about = format!("{count} {} made exact", kind.about);
    Section { name: kind.name.to_owned(), about, sides: vec![ceiling, plan], of: "deadlines/s", more: true }
}

fn fill(server: &Server, (kind, count): (&Kind, u64)) {
    let mut client = server.client();
    let mut batch = vec![];
    for number in 0..count {
        batch.push(cmd!["SETEX", key(number), kind.life, number]);
        if batch.len() == 2000 || number + 1 == count {
            client.pipeline_ok(&batch);
            batch.clear();
        }
    }
}

fn key(number: u64) -> String {
    format!("session:{number:012}")
}

fn load(options: &Options, (kind, count): (&Kind, u64), commands: &Path) -> Figures {
    let destination = Server::start(&options.server);
    fill(&destination, (kind, count));
    let mut client = destination.client();
    let before = server_cpu(&mut client);
    let sent = send_file(commands, destination.port());
    figures(count, sent.wall, sent.cpu, server_cpu(&mut client) - before)
}

fn settle(options: &Options, (kind, count): (&Kind, u64)) -> Figures {
    let (source, destination) = (source(options), Server::start(&options.server));
    let tool = Tool::new().limit(Duration::from_mins(20));
    let plan = Plan::between(&source, &destination).following("{ any: [command: cutover] }");
    tool.write("plan.yaml", &plan.line("cutover: { mode: manual, timeout: 60s }").text());
    fill(&source, (kind, count));
    let running = tool.start(["apply", "plan.yaml", "--progress", "none", "--events", "events"]);
    let mut client = destination.client();
    arrives(&mut source.client(), &mut client, "begin");
    received(&mut source.client());
    until("nothing blocks a cutover", || {
        let status = tool.run(["status", "move", "--format", "json"]).stdout;
        serde_json::from_str::<serde_json::Value>(&status).is_ok_and(|status| status["can_cutover"] == true)
    });
    let process = running.id().to_string();
    let (cpu, its_cpu) = (process_cpu(&process), server_cpu(&mut client));
    let cut = tool.start(["cutover", "move", "--confirm", "move"]);
    // It ends with the run: what it has used is read before.
    let mut used = 0.0;
    until("everything is exact", || {
        if std::path::Path::new(&format!("/proc/{process}/stat")).exists() {
            used = process_cpu(&process) - cpu;
        }
        told(&tool, true).is_some()
    });
    let its_used = server_cpu(&mut client) - its_cpu;
    cut.wait().expect(0);
    running.wait().expect(0);
    figures(count, told(&tool, kind.fenced).unwrap(), used, its_used)
}

/// Seconds of the part before the fence, or under it.
fn told(tool: &Tool, fenced: bool) -> Option<f64> {
    let events = std::fs::read_to_string(tool.folder().join("events")).ok()?;
    let events = events.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut settled = events.filter(|event| event["event"] == "deadlines_settled" && event["fenced"] == fenced);
    settled.next_back()?["seconds"].as_f64()
}

/// The whole of a run's CPU is that of both parts.
fn figures(count: u64, wall: f64, cpu: f64, destination_cpu: f64) -> Figures {
    let each = 1e6 / float(count);
    vec![
        ("wall s", wall),
        ("deadlines/s", float(count) / wall),
        ("tool µs/deadline", cpu * each),
        ("destination µs/deadline", destination_cpu * each),
    ]
}

/// The same reads and writes as the tool's, put together before.
fn commands_of(path: &Path, count: u64, server: &str) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let modern = !["redis-2", "redis-3", "redis-4", "redis-5", "redis-6"].iter().any(|old| server.starts_with(old));
    let reading: &[u8] = if modern { b"PEXPIRETIME" } else { b"PTTL" };
    let mut out = vec![];
    for from in (0..count).step_by(usize::try_from(BATCH).unwrap()) {
        let keys = from..(from + BATCH).min(count);
        keys.clone().for_each(|number| words(&mut out, &[reading, key(number).as_bytes()]));
        words(&mut out, &[b"MULTI"]);
        for number in keys {
            words(&mut out, &[b"PEXPIREAT", key(number).as_bytes(), b"4000000000000"]);
        }
        words(&mut out, &[b"EXEC"]);
        file.write_all(&out).unwrap();
        out.clear();
    }
    file.flush().unwrap();
}
