//! Commands that wait in the stream are drained.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    Options,
    data::{Stream, words},
    meter::{Buffers, float, process_cpu, server_cpu, until},
    sender::{send, send_file},
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Client, Plan, Running, Server, Tool},
};

/// Bytes and commands of a transaction, as the tool makes them.
const BATCH: (usize, u64) = (256 << 10, 2000);

pub fn measure(options: &Options, stream: &Stream) -> Section {
    let count = options.scaled(stream.count);
    let folder = tempfile::tempdir().unwrap();
    let commands = file_of(folder.path(), "commands", |out| plain(stream, count, out));
    let transactions = file_of(folder.path(), "transactions", |out| in_transactions(stream, count, out));
    let mut native = Side::new("REPLICAOF");
    let (mut ceiling, mut plan) = (Side::new("plain sender, same transactions"), Side::new("plan apply"));
    for _ in 0..options.runs {
        native.runs.push(replicate(options, &commands, count));
        ceiling.runs.push(load(options, &transactions, count));
        plan.runs.push(follow(options, &commands, count));
    }
    let about = format!("{count} commands drained, {}", stream.about);
    let sides = vec![native, ceiling, plan];
    Section { name: stream.name.to_owned(), about, sides, of: "commands/s", more: true }
}

/// A source that keeps what its replicas have not taken.
pub fn source(options: &Options) -> Server {
    let unlimited = ["--client-output-buffer-limit", "replica 0 0 0"];
    let name = if options.server == "redis-2.8.17" { "slave 0 0 0" } else { unlimited[1] };
    Server::of(&options.server).args(["--repl-diskless-sync", "yes"]).args([unlimited[0], name]).start()
}

fn replicate(options: &Options, commands: &Path, count: u64) -> Figures {
    let (source, destination) = (source(options), Server::start(&options.server));
    let mut client = destination.client();
    client.command(&cmd!["REPLICAOF", "127.0.0.1", source.port()]);
    arrives(&mut source.client(), &mut client, "begin");
    let buffers = Buffers::watch(&source);
    destination.pause();
    send(File::open(commands).unwrap(), source.port());
    source.client().command(&cmd!["SET", "end", 1]);
    let begun = Instant::now();
    destination.resume();
    let before = server_cpu(&mut client);
    until("everything is applied", || has(&mut client, "end"));
    let cpu = server_cpu(&mut client) - before;
    figures(count, begun.elapsed().as_secs_f64(), None, (cpu, Some(buffers.most())))
}

fn load(options: &Options, transactions: &Path, count: u64) -> Figures {
    let destination = Server::start(&options.server);
    let sent = send_file(transactions, destination.port());
    figures(count, sent.wall, Some((sent.cpu, sent.cpu, sent.memory)), (server_cpu(&mut destination.client()), None))
}

fn follow(options: &Options, commands: &Path, count: u64) -> Figures {
    let (source, destination) = (source(options), Server::start(&options.server));
    let (tool, running) = following(&source, &destination);
    let mut client = destination.client();
    let process = running.id().to_string();
    tool.run(["pause", "move"]).expect(0);
    let buffers = Buffers::watch(&source);
    let idle = process_cpu(&process);
    send(File::open(commands).unwrap(), source.port());
    source.client().command(&cmd!["SET", "end", 1]);
    received(&mut source.client());
    let (received, before) = (process_cpu(&process), server_cpu(&mut client));
    let begun = Instant::now();
    let resuming = tool.start(["resume", "move"]);
    until("everything is applied", || has(&mut client, "end"));
    let wall = begun.elapsed().as_secs_f64();
    let (drained, cpu) = (process_cpu(&process), server_cpu(&mut client) - before);
    resuming.wait().expect(0);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let memory = running.kill9().peak_memory as f64 / f64::from(1 << 20);
    figures(count, wall, Some((drained - idle, drained - received, memory)), (cpu, Some(buffers.most())))
}

/// A run that follows.
pub fn following(source: &Server, destination: &Server) -> (Tool, Running) {
    let tool = Tool::new().limit(Duration::from_mins(20));
    tool.write("plan.yaml", &Plan::between(source, destination).following("{ any: [command: cutover] }").text());
    let running = tool.start(["apply", "plan.yaml", "--progress", "none"]);
    arrives(&mut source.client(), &mut destination.client(), "begin");
    (tool, running)
}

/// Writes a key at the source and waits until it is at the destination.
pub fn arrives(source: &mut Client, destination: &mut Client, key: &str) {
    // What is written before a replica was taken up comes with its dump, where a key of this moment may be missing.
    until("the source is followed", || {
        source.command(&cmd!["SET", key, 1]);
        has(destination, key) && source.command(&cmd!["INFO", "replication"]).text().contains("state=online")
    });
    // That key may have come with the dump; this one comes in the stream.
    let followed = format!("{key}:followed");
    source.command(&cmd!["SET", followed, 1]);
    until("the stream is applied", || has(destination, &followed));
}

fn has(client: &mut Client, key: &str) -> bool {
    client.command(&cmd!["EXISTS", key]).int() == 1
}

/// Waits until all that was written is acknowledged.
pub fn received(source: &mut Client) {
    let position = |client: &mut Client, name: &str| {
        let info = client.command(&cmd!["INFO", "replication"]);
        let text = info.text().to_owned();
        let at = text.find(name).map(|at| at + name.len()).unwrap();
        text[at..].split([',', '\r']).next().unwrap().parse::<u64>().unwrap()
    };
    let written = position(source, "master_repl_offset:");
    until("everything is received", || position(source, ",offset=") >= written);
}

/// Tool figures: CPU in all, CPU of draining alone, memory.
fn figures(
    count: u64,
    wall: f64,
    tool: Option<(f64, f64, f64)>,
    (destination_cpu, source_buffer): (f64, Option<f64>),
) -> Figures {
    let mut figures = vec![("wall s", wall), ("commands/s", float(count) / wall)];
    if let Some((cpu, draining, memory)) = tool {
        let each = 1e6 / float(count);
        figures.extend([
            ("tool µs/command", cpu * each),
            ("of it draining", draining * each),
            ("tool RSS MiB", memory),
        ]);
    }
    figures.push(("destination µs/command", destination_cpu * 1e6 / float(count)));
    figures.extend(source_buffer.map(|most| ("source buffer MiB", most)));
    figures
}

fn file_of(folder: &Path, name: &str, write: impl Fn(&mut dyn Write)) -> PathBuf {
    let path = folder.join(name);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    write(&mut file);
    file.flush().unwrap();
    path
}

/// The commands as a client sends them.
fn plain(stream: &Stream, count: u64, file: &mut dyn Write) {
    let mut out = vec![];
    for number in 0..count {
        out.clear();
        stream.command(number, &mut out);
        file.write_all(&out).unwrap();
    }
}

/// The commands in the transactions that the tool makes of them, guard and checkpoint included.
fn in_transactions(stream: &Stream, count: u64, file: &mut dyn Write) {
    let (mut out, mut commands) = (vec![], 0);
    begin(&mut out);
    for number in 0..count {
        stream.command(number, &mut out);
        commands += 1;
        if out.len() >= BATCH.0 || commands == BATCH.1 || number + 1 == count {
            let checkpoint = format!("{number:012} {:040} 0", 1);
            words(&mut out, &[b"SELECT", b"0"]);
            words(&mut out, &[b"HSET", b"redis-plan:{move}:run", b"stream", checkpoint.as_bytes()]);
            words(&mut out, &[b"EXEC"]);
            file.write_all(&out).unwrap();
            (out, commands) = (vec![], 0);
            begin(&mut out);
        }
    }
}

fn begin(out: &mut Vec<u8>) {
    words(out, &[b"WATCH", b"redis-plan:{move}:token", b"redis-plan:{move}:fence:stream"]);
    words(out, &[b"GET", b"redis-plan:{move}:token"]);
    words(out, &[b"MULTI"]);
}
