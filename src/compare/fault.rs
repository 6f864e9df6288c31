//! Why a comparison could not be carried out.

use std::path::PathBuf;

use crate::{
    net::{ControlError, NetError},
    resp::{Refusal, RefusalKind},
    step::Side,
};

/// Why a comparison could not be carried out. That both sides differ is none.
#[derive(Debug, thiserror::Error)]
pub enum CompareFault {
    /// The connection.
    #[error("the comparison lost the {side}: {error}")]
    Net {
        /// Which server.
        side: Side,
        /// What happened.
        error: NetError,
    },
    /// A server did not answer as it should when it was asked what it is.
    #[error("the {side}: {error}")]
    Control {
        /// Which server.
        side: Side,
        /// What it said.
        error: ControlError,
    },
    /// A server refused to let a key be read.
    #[error(
        "the {side} does not let this user read what is to be compared: {refusal}. TYPE, PTTL, SCAN and the read commands of each \
         type are needed"
    )]
    Refused {
        /// Which server.
        side: Side,
        /// What it said.
        refusal: Refusal,
    },
    /// A server sent something that is no reply.
    #[error("the {side} sent something that is no answer: {what}")]
    Protocol {
        /// Which server.
        side: Side,
        /// What.
        what: String,
    },
    /// A file in the state directory.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A part of it ended without a word.
    #[error("the comparison ended without a result")]
    Lost,
}

impl CompareFault {
    /// Whether trying again later may succeed without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Net { .. } => true,
            Self::Control { error, .. } => error.retryable(),
            Self::Refused { refusal, .. } => matches!(refusal.kind, RefusalKind::Loading | RefusalKind::Busy),
            Self::Protocol { .. } | Self::File { .. } | Self::Lost => false,
        }
    }
}
