//! From a plan file to what can be run.

use std::io::Read as _;
use std::path::Path;

use super::exit::Failure;
use crate::plan;
use crate::planner::{Digest, digest, expand};
use crate::step::Graph;

/// No plan file is longer; what is longer is not read to its end.
const MAX_BYTES: u64 = 64 << 20;

/// A plan without faults, expanded.
pub(super) struct Loaded {
    /// What it comes to.
    pub(super) graph: Graph,
    /// The graph's name.
    pub(super) digest: Digest,
}

/// Reads, judges and expands the plan in `file`. Warnings are `plan validate`'s to tell.
pub(super) fn load(file: &Path) -> Result<Loaded, Failure> {
    let (name, bytes) = read(file)?;
    let loaded = plan::load(&name, &bytes).map_err(|report| Failure::Faults(faults(&report)))?;
    let graph = expand(&loaded.plan);
    Ok(Loaded { digest: digest(&graph), graph })
}

/// The text of a plan file and what messages call it; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<(String, Vec<u8>), Failure> {
    let mut bytes = vec![];
    let (name, read) = if file == Path::new("-") {
        ("standard input".to_owned(), std::io::stdin().take(MAX_BYTES).read_to_end(&mut bytes))
    } else {
        let opened = std::fs::File::open(file);
        (file.display().to_string(), opened.and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)))
    };
    read.map_err(|source| Failure::Read { path: file.to_owned(), source })?;
    Ok((name, bytes))
}

fn faults(report: &plan::Report) -> String {
    report.problems().iter().map(|problem| format!("{}: {}\n", problem.fault.code, problem.message)).collect()
}
