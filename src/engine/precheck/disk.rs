//! Whether the spool has room.

use super::{finding::Finding, scene::CheckInput};
use crate::{command::Info, unit::ByteSize};

/// A dump is smaller than the dataset in memory; below a third of it nothing can be taken for certain.
const SURELY_TOO_SMALL: u64 = 3;

pub(super) fn room(scene: &CheckInput<'_>) -> Finding {
    let folder = scene.place.state_dir.ancestors().find(|folder| folder.is_dir() || folder.as_os_str().is_empty());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let free = match rustix::fs::statvfs(folder) {
        Ok(stat) => ByteSize(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(error) => {
            let seen = format!("the free space of {} cannot be read: {error}", folder.display());
            return Finding::unknown(seen, "The dump of the source is kept there while it is written.");
        }
    };
    let Some(needed) = scene.source.as_ref().map(|source| &source.info).and_then(Info::used_memory) else {
        return Finding::pass(format!("{free} free; the source's size is not known"));
    };
    let seen = format!("{free} free in {}, the source uses {needed} of memory", folder.display());
    let remedy = "The source's dump is kept on this disk while it is written: point --state to a larger one.";
    let bound = scene.work.limits.spool;
    match free.0 {
        free if free < needed.0 / SURELY_TOO_SMALL => Finding::fail(seen, remedy),
        free if free < needed.0 => Finding::warn(seen, remedy),
        _ if bound < needed => {
            let seen = format!("`limits.spool` is {bound}, the source uses {needed} of memory");
            let remedy = "A dump is usually smaller than the memory it stands for; raise the limit if it is not.";
            Finding::warn(seen, remedy)
        }
        _ => Finding::pass(seen),
    }
}
