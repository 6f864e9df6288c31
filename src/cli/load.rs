//! From a plan file to what can be run.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use super::exit::Failure;
use crate::plan;
use crate::planner::{Digest, digest, expand};
use crate::step::Graph;
use crate::store::own::{OpenMode, open_regular};

/// More is not a plan; reading stops, and the file is reported as too large.
const MAX_BYTES: u64 = 64 << 20;

/// A plan without faults, expanded.
pub(super) struct ExpandedPlan {
    /// The plan itself, and where its parts stand in the file.
    pub(super) plan: plan::LoadedPlan,
    /// What it comes to.
    pub(super) graph: Graph,
    /// The graph's name.
    pub(super) digest: Digest,
    /// What relative paths of the plan start at: the plan file's folder.
    pub(super) folder: PathBuf,
}

/// Reads, judges and expands the plan in `file`. Warnings are `plan validate`'s to tell.
pub(super) fn load(file: &Path) -> Result<ExpandedPlan, Failure> {
    let bytes = read(file).map_err(|source| Failure::Read { path: file.to_owned(), source })?;
    let loaded = plan::load(&name(file), &bytes).map_err(|report| Failure::Faults(Box::new(report)))?;
    let graph = expand(&loaded.plan);
    let folder = folder_of(file).map_err(|source| Failure::Read { path: file.to_owned(), source })?;
    Ok(ExpandedPlan { digest: digest(&graph), graph, plan: loaded, folder })
}

/// The plan file's folder, from the root: a program that is started in it takes relative paths from there. Of standard input
/// it is the working directory.
fn folder_of(file: &Path) -> io::Result<PathBuf> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::path::absolute(folder),
        _ => std::env::current_dir(),
    }
}

/// What messages call a plan file; `-` is standard input.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() }
}

/// A plan file that leads to a file elsewhere. Parts of a plan are shown, so a link in a repository could have
/// any file of the host shown where its plans are judged.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is a link to {0:?}, outside the folder of the plan: what is there would be shown as a plan; name that file itself if it is \
     one"
)]
struct LeadsOut(PathBuf);

/// A plan file's bytes, all that could be a plan.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes)?;
    } else {
        open(file)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What a shell passes for `<(…)`, and standard input by its names.
const STREAMS: [&str; 3] = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];

fn open(file: &Path) -> io::Result<File> {
    if STREAMS.iter().any(|stream| file.starts_with(stream)) {
        return File::open(file);
    }
    let real = file.canonicalize()?;
    if !real.starts_with(around(file).canonicalize()?) {
        return Err(io::Error::other(LeadsOut(real)));
    }
    open_regular(&real, OpenMode::Read)
}

/// The folder that links may not leave: the one that the operator chose by naming the file, and not a link in a repository.
fn around(file: &Path) -> &Path {
    if file.is_relative() && !file.components().any(|part| part == Component::ParentDir) {
        return Path::new(".");
    }
    file.parent().unwrap_or(file)
}
