//! Which part of a run a lane writes.

use crate::sink::{Checkpoint, Mark};

/// A lane's part of the run: names its field in the run record and its fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Lane so and so of the full copy, from 0.
    Dump(usize),
    /// The one lane that applies the source's stream.
    Stream,
}

impl Part {
    /// Its name, as in a fence key or a connection's name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Dump(index) => index.to_string(),
            Self::Stream => "stream".to_owned(),
        }
    }

    /// Its field in the run record's hash.
    pub(super) fn field(self) -> String {
        match self {
            Self::Dump(index) => format!("lane:{index}"),
            Self::Stream => "stream".to_owned(),
        }
    }

    /// How far a value of its field says that it is.
    pub(super) fn mark(self, value: &[u8]) -> Option<Mark> {
        let value = std::str::from_utf8(value).ok()?;
        match self {
            Self::Dump(_) => value.parse().ok(),
            Self::Stream => value.parse().ok().map(|at: Checkpoint| Mark { at: at.offset.0, elements: 0 }),
        }
    }
}
