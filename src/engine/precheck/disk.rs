//! Whether the spool has room.

use super::verdicts::{Checks, Where};
use crate::{command::Info, step::PrecheckWork, unit::ByteSize};

/// A dump is smaller than the dataset in memory; below a third of it nothing can be taken for certain.
const SURELY_TOO_SMALL: u64 = 3;

pub(super) fn judge(source: Option<&Info>, work: &PrecheckWork, place: &Where, checks: &mut Checks) {
    let item = "spool-disk";
    let folder = place.state_dir.ancestors().find(|folder| folder.is_dir() || folder.as_os_str().is_empty());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let free = match rustix::fs::statvfs(folder) {
        Ok(stat) => ByteSize(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(error) => {
            let seen = format!("the free space of {} cannot be read: {error}", folder.display());
            return checks.unknown(item, seen, "The dump of the source is kept there while it is written.");
        }
    };
    let Some(needed) = source.and_then(Info::used_memory) else {
        return checks.pass(item, format!("{free} free; the source's size is not known"));
    };
    let seen = format!("{free} free in {}, the source uses {needed} of memory", folder.display());
    let remedy = "The source's dump is kept on this disk while it is written: point --state to a larger one.";
    match free.0 {
        free if free < needed.0 / SURELY_TOO_SMALL => checks.fail(item, seen, remedy),
        free if free < needed.0 => checks.warn(item, seen, remedy),
        _ if work.limits.spool < needed => {
            let seen = format!("`limits.spool` is {}, the source uses {needed} of memory", work.limits.spool);
            checks.warn(
                item,
                seen,
                "A dump is usually smaller than the memory it stands for; raise the limit if it is not.",
            );
        }
        _ => checks.pass(item, seen),
    }
}
