//! How much memory a full copy takes, by the number of keys and by the size of one value.

use std::time::Duration;

use super::{
    Options,
    data::DATASETS,
    meter::{float, keys, mebibytes, server_memory},
    table::{Figures, Section, Side},
};
use crate::{
    cmd,
    harness::{Plan, Server, Tool},
};

/// Small strings, by their number.
const COUNTS: [(u64, &str); 4] = [
    (100_000, "100 000 strings of 64 B"),
    (1_000_000, "1 000 000"),
    (10_000_000, "10 000 000"),
    (40_000_000, "40 000 000"),
];

/// One string, by its size in MiB.
const SIZES: [(u64, &str); 3] = [(8, "one string of 8 MiB"), (64, "one of 64 MiB"), (512, "one of 512 MiB")];

pub fn measure(options: &Options) -> Section {
    let mut sides = vec![];
    for (count, name) in COUNTS {
        sides.push(copied(options, name, |source| {
            DATASETS[0].fill(source.client(), &|_| options.scaled(count));
        }));
    }
    for (size, name) in SIZES {
        sides.push(copied(options, name, |source| grow(source, options.scaled(size))));
    }
    let about = "the tool's memory, once for each size".to_owned();
    Section { name: "memory".to_owned(), about, sides, of: "", more: false }
}

/// Makes one string of so many MiB.
fn grow(source: &Server, size: u64) {
    let mut client = source.client();
    for part in 0..size {
        client.command(&cmd!["APPEND", "big", super::data::value(part, 1 << 20)]);
    }
}

fn copied(options: &Options, name: &'static str, fill: impl Fn(&Server)) -> Side {
    let source = Server::of(&options.server).args(["--repl-diskless-sync", "yes"]).start();
    fill(&source);
    let destination = Server::start(&options.server);
    let (count, held) = (keys(&mut source.client()), server_memory(&mut source.client()));
    let tool = Tool::new().limit(Duration::from_mins(20));
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    let finished = tool.run(["apply", "plan.yaml", "--progress", "none"]).expect(0);
    assert!(keys(&mut destination.client()) > count, "not all keys arrived");
    let figures: Figures = vec![
        ("source MiB", mebibytes(held)),
        ("wall s", finished.took.as_secs_f64()),
        ("keys/s", float(count) / finished.took.as_secs_f64()),
        ("tool RSS MiB", mebibytes(finished.peak_memory)),
    ];
    let mut side = Side::new(name);
    side.runs.push(figures);
    side
}
