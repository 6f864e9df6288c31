//! Instructions, which a busy machine does not change: the difference between two runs of different size, by callgrind.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{
    Options,
    data::{DATASETS, STREAMS},
    drain::{arrives, received},
    meter::{float, until},
    sender::send,
    table::{Section, Side},
};
use crate::{
    cmd,
    harness::{Plan, Server, Tool},
};

/// The two sizes.
const SIZES: [u64; 2] = [20_000, 60_000];

/// Nothing where there is no valgrind.
pub fn measure(options: &Options) -> Option<Section> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("\ninstructions: not counted, there is no valgrind");
        return None;
    }
    let each = |of: fn(&Options, u64) -> u64| {
        let [few, many] = SIZES.map(|size| of(options, size));
        float(many.saturating_sub(few)) / float(SIZES[1] - SIZES[0])
    };
    let mut plan = Side::new("plan apply");
    plan.runs.push(vec![("a key, full", each(full)), ("a command, following", each(follow))]);
    let about = "instructions of 64-byte strings and SETs, without what a run costs in any case".to_owned();
    Some(Section { name: "instructions".to_owned(), about, sides: vec![plan], of: "a key, full", more: false })
}

fn full(options: &Options, keys: u64) -> u64 {
    let (source, destination) = (Server::start(&options.server), Server::start(&options.server));
    DATASETS[0].fill(source.client(), &|_| keys);
    let tool = Tool::new();
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    count(apply(tool.folder()))
}

fn follow(options: &Options, commands: u64) -> u64 {
    let (source, destination) = (Server::start(&options.server), Server::start(&options.server));
    let tool = Tool::new();
    tool.write("plan.yaml", &Plan::between(&source, &destination).following("{ any: [command: cutover] }").text());
    let applying = apply(tool.folder());
    arrives(&mut source.client(), &mut destination.client(), "begin");
    tool.run(["pause", "move"]).expect(0);
    let mut all = vec![];
    (0..commands).for_each(|number| STREAMS[0].command(number, &mut all));
    send(&all[..], source.port());
    received(&mut source.client());
    tool.run(["resume", "move"]).expect(0);
    source.client().command(&cmd!["SET", "end", 1]);
    until("everything is applied", || destination.client().command(&cmd!["EXISTS", "end"]).int() == 1);
    tool.run(["cutover", "move"]).expect(0);
    count(applying)
}

/// `plan apply` under callgrind.
fn apply(folder: &Path) -> Child {
    let mut process = Command::new("valgrind");
    process.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", env!("CARGO_BIN_EXE_plan")]);
    process.args(["apply", "plan.yaml", "--progress", "none"]).current_dir(folder);
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it says at its end: `Collected : 123`.
fn count(process: Child) -> u64 {
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    line.unwrap_or_else(|| panic!("{text}")).1.trim().parse().unwrap()
}
