//! What can be wrong with a journal.

use std::{io, path::PathBuf};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// The journal or its folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A record other than the last one is damaged.
    #[error("the journal {path} is damaged at byte {at} (line {line}: {what}); what this run has done cannot be known")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Byte offset of the line.
        at: usize,
        /// Line, from 1.
        line: usize,
        /// What does not hold.
        what: String,
    },
    /// The journal was written by another plan.
    #[error("the state directory belongs to the plan `{found}`, not to `{wanted}`")]
    Foreign {
        /// The plan named in the journal.
        found: String,
        /// The plan being applied.
        wanted: String,
    },
    /// The plan was changed since the run began.
    #[error("this run began with the graph {found}; the plan now expands to {wanted}")]
    Changed {
        /// Digest in the journal.
        found: String,
        /// Digest now.
        wanted: String,
    },
}
