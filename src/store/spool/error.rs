//! What can go wrong with a spool.

use std::{io, path::PathBuf};

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full.
    #[error("no space is left on the disk that holds {path}: free some, or point --state to a larger disk")]
    Full {
        /// The segment or folder.
        path: PathBuf,
    },
    /// Another fault of the file system.
    #[error("{path}: {error}")]
    Io {
        /// The segment or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Bytes on disk are not those that were written.
    #[error("the spool segment {path} is damaged at byte {at} ({what})")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Offset in the file.
        at: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// A position that is in no segment.
    #[error("the spool in {path} does not hold position {position}")]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The position asked for.
        position: u64,
    },
    /// The writer stopped, so nothing more will come.
    #[error("receiving ended before position {position}")]
    Ended {
        /// Where reading stood.
        position: u64,
    },
}

impl SpoolError {
    pub(super) fn io(path: &std::path::Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), error },
        }
    }
}
