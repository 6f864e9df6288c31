//! What the steps of one process share.

use std::path::PathBuf;

use super::{ApplyRequest, ending::Ending};
use crate::{
    journal::{Journal, Record},
    sink::{Claimant, RecordKeys},
    step::StepId,
    store::FolderLock,
    unit::UnixMillis,
};

/// One process at work on a run.
pub(super) struct Run {
    pub(super) request: ApplyRequest,
    pub(super) journal: Journal,
    pub(super) claimant: Claimant,
    pub(super) keys: RecordKeys,
    _lock: FolderLock,
}

impl Run {
    /// Locks the state directory and takes its journal up, or begins one.
    pub(super) fn open(request: ApplyRequest) -> Result<Self, Ending> {
        let folder = &request.state_dir;
        let unusable = |error: &dyn std::fmt::Display| {
            Ending::failed(format!(
                "The state directory {} cannot be used: {error}. Make it writable or point --state elsewhere.",
                folder.display()
            ))
        };
        make_folder(folder).map_err(|error| unusable(&error))?;
        let lock = FolderLock::take(folder).map_err(|error| match error {
            crate::store::LockError::Held => Ending::new(
                crate::step::Outcome::Locked,
                format!("Another process works in the state directory {}.", folder.display()),
            ),
            crate::store::LockError::Io(error) => unusable(&error),
        })?;
        let name = &request.graph.name;
        let mut journal = match Journal::open(folder, name, &request.digest)? {
            Some(journal) => journal,
            None => Journal::create(folder, &first_record(&request))?,
        };
        let state = journal.state();
        let owner = owner();
        let claimant = Claimant {
            run: state.run.clone(),
            digest: request.digest.clone(),
            owner: owner.clone(),
            previous: state.owners.clone(),
        };
        let keys = RecordKeys::of(name);
        if state.ended != Some(crate::step::Outcome::Done) {
            let number = state.attempts + 1;
            journal.append(&Record::Attempt { number, owner, at: UnixMillis::now() })?;
        }
        Ok(Self { request, journal, claimant, keys, _lock: lock })
    }

    pub(super) fn is_done(&self, step: StepId) -> bool {
        self.journal.state().done.contains(&step)
    }

    /// Whether somebody asked for a stop.
    pub(super) fn stopping(&self) -> bool {
        self.request.stop.is_closed()
    }

    /// The folder of the spool of dump number `generation`.
    pub(super) fn spool(&self, generation: u32) -> PathBuf {
        self.request.state_dir.join(format!("spool-{generation}"))
    }

    /// The tag of that spool's segments: a spool of another run or dump is not taken for this one.
    pub(super) fn spool_tag(&self, generation: u32) -> u64 {
        let name = format!("{} {generation}", self.journal.state().run);
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, name.as_bytes())
    }

    /// Removes the spools of all dumps but one; `None` removes all.
    pub(super) fn remove_spools(&self, except: Option<u32>) -> Result<(), Ending> {
        let newest = self.journal.state().dump.as_ref().map_or(0, |dump| dump.generation);
        for generation in 1..=newest {
            if Some(generation) != except {
                crate::store::spool::remove_all(&self.spool(generation))?;
            }
        }
        Ok(())
    }
}

fn first_record(request: &ApplyRequest) -> Record {
    let at = UnixMillis::now();
    let run = format!("{}-{:08x}", stamp(at), std::process::id() ^ nanos());
    Record::Run { format: 1, run, plan: request.graph.name.clone(), digest: request.digest.clone(), at }
}

fn stamp(at: UnixMillis) -> String {
    at.to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect()
}

fn nanos() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos())
}

/// Names this process so that a person can find it: host, process, start.
fn owner() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}/{}", std::process::id(), UnixMillis::now())
}

fn make_folder(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
