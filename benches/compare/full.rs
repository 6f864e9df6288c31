//! Full copies.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    Options,
    data::{Dataset, words},
    meter::{Buffers, children_cpu, float, keys, mebibytes, server_cpu, until},
    sender::{Sent, pipe_file, send_file},
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Client, Plan, Server, Tool},
};

pub fn measure(options: &Options, dataset: &Dataset) -> Section {
    let source = Server::of(&options.server).args(["--repl-diskless-sync", "yes"]).start();
    dataset.fill(source.client(), &|usual| options.scaled(usual));
    let count = keys(&mut source.client());
    let folder = tempfile::tempdir().unwrap();
    let file = restores(&mut source.client(), folder.path());
    let (mut native, mut plain) = (Side::new("REPLICAOF"), Side::new("plain sender of RESTORE"));
    let (mut pipe, mut tool) = (Side::new("redis-cli --pipe"), Side::new("plan apply"));
    for _ in 0..options.runs {
        native.runs.push(replicate(options, &source, count));
        plain.runs.extend(load(options, &file, count, |file, port| Some(send_file(file, port))));
        pipe.runs.extend(load(options, &file, count, pipe_file));
        tool.runs.push(migrate(options, &source, count));
    }
    let sides = vec![native, plain, pipe, tool].into_iter().filter(|side| !side.runs.is_empty()).collect();
    let about = format!("full copy of {count} keys, {}", dataset.about);
    Section { name: dataset.name.to_owned(), about, sides, of: "wall s", more: false }
}

fn replicate(options: &Options, source: &Server, count: u64) -> Figures {
    let destination = Server::start(&options.server);
    let mut client = destination.client();
    let buffers = Buffers::watch(source);
    let begun = Instant::now();
    client.command(&cmd!["REPLICAOF", "127.0.0.1", source.port()]);
    until("the replica has everything", || {
        client.command(&cmd!["INFO", "replication"]).info("master_link_status") == Some("up")
            && keys(&mut client) == count
    });
    let wall = begun.elapsed().as_secs_f64();
    figures(count, wall, None, (server_cpu(&mut client), Some(buffers.most())))
}

fn load(options: &Options, file: &Path, count: u64, sender: impl Fn(&Path, u16) -> Option<Sent>) -> Option<Figures> {
    let destination = Server::start(&options.server);
    let sent = sender(file, destination.port())?;
    let mut client = destination.client();
    assert_eq!(keys(&mut client), count, "not all keys arrived");
    Some(figures(count, sent.wall, Some((sent.cpu, sent.memory)), (server_cpu(&mut client), None)))
}

fn migrate(options: &Options, source: &Server, count: u64) -> Figures {
    let destination = Server::start(&options.server);
    let tool = Tool::new().limit(Duration::from_mins(10));
    tool.write("plan.yaml", &Plan::between(source, &destination).text());
    let buffers = Buffers::watch(source);
    let before = children_cpu();
    let finished = tool.run(["apply", "plan.yaml", "--progress", "none"]).expect(0);
    let cpu = children_cpu() - before;
    let mut client = destination.client();
    // The run record is there as well.
    assert!(keys(&mut client) > count, "not all keys arrived");
    let (wall, memory) = (finished.took.as_secs_f64(), mebibytes(finished.peak_memory));
    figures(count, wall, Some((cpu, memory)), (server_cpu(&mut client), Some(buffers.most())))
}

fn figures(
    count: u64,
    wall: f64,
    tool: Option<(f64, f64)>,
    (destination_cpu, source_buffer): (f64, Option<f64>),
) -> Figures {
    let mut figures = vec![("wall s", wall), ("keys/s", float(count) / wall)];
    if let Some((cpu, memory)) = tool {
        figures.extend([("tool CPU s", cpu), ("tool µs/key", cpu * 1e6 / float(count)), ("tool RSS MiB", memory)]);
    }
    figures.push(("destination CPU s", destination_cpu));
    figures.extend(source_buffer.map(|most| ("source buffer MiB", most)));
    figures
}

/// A file of RESTORE commands for all that a server has.
fn restores(client: &mut Client, folder: &Path) -> PathBuf {
    let path = folder.join("restores");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    let keyspace = client.command(&cmd!["INFO", "keyspace"]);
    let dbs =
        keyspace.text().lines().filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse::<u32>().ok());
    for db in dbs.collect::<Vec<_>>() {
        client.select(db);
        let mut out = vec![];
        words(&mut out, &[b"SELECT", db.to_string().as_bytes()]);
        file.write_all(&out).unwrap();
        let mut cursor = b"0".to_vec();
        loop {
            let page = client.command(&cmd!["SCAN", cursor, "COUNT", 500]);
            let names: Vec<Vec<u8>> = page.items()[1].items().iter().map(|name| name.bytes().to_vec()).collect();
            append(client, &names, &mut file);
            cursor = page.items()[0].bytes().to_vec();
            if cursor == b"0" {
                break;
            }
        }
    }
    file.flush().unwrap();
    path
}

fn append(client: &mut Client, names: &[Vec<u8>], file: &mut impl Write) {
    let asked: Vec<_> = names.iter().flat_map(|name| [cmd!["PTTL", name], cmd!["DUMP", name]]).collect();
    for (name, told) in names.iter().zip(client.pipeline_ok(&asked).chunks(2)) {
        let mut out = vec![];
        let expiry = told[0].int().max(0).to_string();
        words(&mut out, &[b"RESTORE", name, expiry.as_bytes(), told[1].bytes()]);
        file.write_all(&out).unwrap();
    }
}
