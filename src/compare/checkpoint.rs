//! How far a comparison is, on disk, so that another process can go on with it. Removed when it is done.
//!
//! A walk goes on where it stood only with the same processes on both sides: another one has its keys in another order. And
//! only within an hour: what was read before the break is not read again, and says less the older it is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    CompareFault,
    scan::{Pair, ScanPlace},
};
use crate::{
    step::{KeyDifference, VerifyResult},
    store,
    unit::UnixMillis,
};

/// More is not a checkpoint.
const MOST: u64 = 64 << 20;

/// The form of this file.
const FORMAT: u32 = 2;

/// How old it may be.
const FRESH: i64 = 3_600_000;

/// Which walk is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WalkKind {
    /// Over the source's keys, to compare them.
    Source,
    /// Over the destination's names, to find those that the first walk did not.
    Names,
    /// Over the destination's names, to ask the source for those.
    Extra,
}

/// What was done when nothing was under way and no key suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CompareCheckpoint {
    format: u32,
    /// Of what it is a comparison: graph, mode, both processes.
    of: String,
    at: UnixMillis,
    pub(super) walk: WalkKind,
    pub(super) place: ScanPlace,
    pub(super) looked_at: u64,
    pub(super) result: VerifyResult,
    pub(super) differences: Vec<(Pair, KeyDifference)>,
}

/// Where checkpoints of one comparison go.
#[derive(Clone, Debug)]
pub(super) struct CheckpointFile {
    path: PathBuf,
    of: String,
}

impl CheckpointFile {
    pub(super) const fn new(path: PathBuf, of: String) -> Self {
        Self { path, of }
    }

    /// The checkpoint of an earlier process; `None` when there is none that fits.
    pub(super) fn read(&self) -> Result<Option<CompareCheckpoint>, CompareFault> {
        let Some(bytes) = store::read_bounded(&self.path, MOST).map_err(|error| fault(&self.path, error))? else {
            return Ok(None);
        };
        let found: Option<CompareCheckpoint> = serde_json::from_slice(&bytes).ok();
        let now = UnixMillis::now();
        let is_fresh = |at: UnixMillis| (0..FRESH).contains(&now.0.saturating_sub(at.0));
        Ok(found.filter(|found| found.format == FORMAT && found.of == self.of && is_fresh(found.at)))
    }

    pub(super) fn write(
        &self,
        (walk, place): (WalkKind, ScanPlace),
        looked_at: u64,
        (result, differences): (&VerifyResult, &[(Pair, KeyDifference)]),
    ) -> Result<(), CompareFault> {
        let checkpoint = CompareCheckpoint {
            format: FORMAT,
            of: self.of.clone(),
            at: UnixMillis::now(),
            walk,
            place,
            looked_at,
            result: result.clone(),
            differences: differences.to_vec(),
        };
        let bytes = serde_json::to_vec(&checkpoint).map_err(|error| fault(&self.path, error.into()))?;
        store::write_whole(&self.path, &bytes).map_err(|error| fault(&self.path, error))
    }

    pub(super) fn remove(&self) -> Result<(), CompareFault> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault(&self.path, error)),
            _ => Ok(()),
        }
    }
}

fn fault(path: &Path, error: std::io::Error) -> CompareFault {
    CompareFault::File { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Db;

    #[test]
    fn what_is_old_or_of_other_servers_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verify.json");
        let file = |of: &str| CheckpointFile::new(path.clone(), of.to_owned());
        let place = ScanPlace { db: Db(3), cursor: "17".to_owned() };
        file("these").write((WalkKind::Source, place.clone()), 9, (&VerifyResult::default(), &[])).unwrap();
        let found = file("these").read().unwrap().unwrap();
        assert_eq!((found.walk, &found.place, found.looked_at), (WalkKind::Source, &place, 9));
        assert_eq!(file("others").read().unwrap(), None);
        let aged = |by: i64| {
            let at = UnixMillis(UnixMillis::now().0 - by);
            std::fs::write(&path, serde_json::to_vec(&CompareCheckpoint { at, ..found.clone() }).unwrap()).unwrap();
            file("these").read().unwrap()
        };
        assert!(aged(FRESH - 60_000).is_some());
        assert_eq!(aged(FRESH), None);
        assert_eq!(aged(-60_000), None, "a clock that was set back says nothing");
        std::fs::write(&path, "{").unwrap();
        assert_eq!(file("these").read().unwrap(), None);
        file("these").remove().unwrap();
        file("these").remove().unwrap();
        assert_eq!(file("these").read().unwrap(), None);
    }
}
