//! Waiting while the disk of a spool is low. Runs on the thread that writes: what comes meanwhile stays at the source.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender};

use super::IntakeEvent;
use crate::store::spool::{Disk, SpoolError, SpoolLevel};

/// How often room is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A reader that waits for so long for what there is no room for will not make any.
const PATIENCE: Duration = Duration::from_secs(10);

/// A spool whose disk may become low.
pub(super) struct Room<'a> {
    pub(super) folder: &'a Path,
    pub(super) level: &'a SpoolLevel,
    pub(super) tell: &'a Sender<IntakeEvent>,
    /// Whether what is applied is removed while more is received.
    pub(super) drains: bool,
}

impl Room<'_> {
    /// Waits until the disk has room beside what is kept for the journal. An error where nothing makes any; `false` when nobody
    /// sends to `full` any more.
    pub(super) fn wait<T>(&self, full: &Receiver<T>) -> Result<bool, SpoolError> {
        let Some(disk) = Disk::of(self.folder).filter(Disk::is_low) else { return Ok(true) };
        let gone = || SpoolError::Full { path: self.folder.to_owned() };
        if !self.drains {
            return Err(gone());
        }
        let reason = format!(
            "the disk that holds {} has {} left, and {} of it are kept for the journal: the source is not read until what is applied \
             is removed",
            self.folder.display(),
            disk.free,
            disk.kept
        );
        let _ = self.tell.send_blocking(IntakeEvent::Waiting(reason));
        let mut needed = Instant::now();
        while Disk::of(self.folder).is_some_and(|disk| disk.is_low()) {
            if full.is_closed() {
                return Ok(false);
            }
            if !self.level.is_waited_for() {
                needed = Instant::now();
            } else if needed.elapsed() > PATIENCE {
                return Err(gone());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        let _ = self.tell.send_blocking(IntakeEvent::Holding(false));
        Ok(true)
    }
}
