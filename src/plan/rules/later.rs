//! What the schema accepts and this version does not execute.

use super::{Checking, Rule};
use crate::plan::fault::catalogue::later;
use crate::plan::fault::{Fault, Problem};
use crate::plan::raw::Topology;
use crate::plan::text::Path;

pub(super) const RULES: &[Rule] = &[Rule { reads: &[], check: blocks }, Rule { reads: &[], check: topologies }];

/// A block that is not executed, and whether the plan has it.
type Block = (&'static str, &'static Fault, fn(&Checking<'_>) -> bool);

const BLOCKS: [Block; 1] = [("source.rdb", &later::LATER_RDB, |checking| checking.raw.source.rdb.is_some())];

fn not_yet(fault: &'static Fault, path: &str, span: crate::plan::text::Span) -> Problem {
    let message = format!("`{path}` is valid, but this version does not execute it yet");
    Problem::new(fault, Path::parse(path), message).label(span, "not executed by this version")
}

fn blocks(checking: &mut Checking<'_>) {
    for (path, fault, present) in BLOCKS {
        if present(checking) {
            let problem =
                not_yet(fault, path, checking.key(path)).help("leave it out, or wait for a version that executes it");
            checking.report(problem);
        }
    }
}

fn topologies(checking: &mut Checking<'_>) {
    let sides = [("source", &checking.raw.source.topology), ("destination", &checking.raw.destination.topology)];
    for (side, topology) in sides {
        if topology.as_ref().is_some_and(|topology| *topology != Topology::Standalone) {
            let path = format!("{side}.topology");
            let problem = not_yet(&later::LATER_TOPOLOGY, &path, checking.value(&path));
            checking.report(problem.help("give the url of one server and leave `topology` out"));
        }
    }
}
