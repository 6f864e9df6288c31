//! Room on the disk of a spool. Some is left free: the journal and the lists of a run have to be written too, by the next process as
//! well.

use std::path::Path;

use crate::unit::ByteSize;

/// A part of the disk is left free, within these bounds.
const PART: u64 = 20;
const LEAST: u64 = 1 << 20;
const MOST: u64 = 64 << 20;

/// The disk that holds a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What is free for us.
    pub free: ByteSize,
    /// What a spool leaves free.
    pub kept: ByteSize,
}

impl Disk {
    /// The disk that holds `folder`; `None` where the system does not say.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        let stat = rustix::fs::statvfs(folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        let kept = (bytes(stat.f_blocks) / PART).clamp(LEAST, MOST);
        Some(Self { free: ByteSize(bytes(stat.f_bavail)), kept: ByteSize(kept) })
    }

    /// Whether a spool may take nothing more of it.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.free < self.kept
    }
}
