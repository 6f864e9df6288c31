//! From a plan file to what can be run.

use std::io::{self, Read as _};
use std::path::Path;

use super::exit::Failure;
use crate::plan;
use crate::planner::{Digest, digest, expand};
use crate::step::Graph;

/// More is not a plan; reading stops, and the file is reported as too large.
const MAX_BYTES: u64 = 64 << 20;

/// A plan without faults, expanded.
pub(super) struct Loaded {
    /// The plan itself, and where its parts stand in the file.
    pub(super) plan: plan::Loaded,
    /// What it comes to.
    pub(super) graph: Graph,
    /// The graph's name.
    pub(super) digest: Digest,
}

/// Reads, judges and expands the plan in `file`. Warnings are `plan validate`'s to tell.
pub(super) fn load(file: &Path) -> Result<Loaded, Failure> {
    let bytes = read(file).map_err(|source| Failure::Read { path: file.to_owned(), source })?;
    let loaded = plan::load(&name(file), &bytes).map_err(|report| Failure::Faults(Box::new(report)))?;
    let graph = expand(&loaded.plan);
    Ok(Loaded { digest: digest(&graph), graph, plan: loaded })
}

/// What messages call a plan file; `-` is standard input.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() }
}

/// A plan file's bytes, all that could be a plan.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
