//! Large arguments of a batch: they are sent from where they were received, instead of being copied.

use std::{ops::Range, sync::Arc};

use super::Batch;
use crate::resp;

/// A part of a batch that lies where it was received.
#[derive(Clone, Debug)]
pub struct Large {
    /// What the batch's bytes have in its place: the same, shortened, so that whoever looks for names and numbers finds them.
    pub(super) stand_in: Range<usize>,
    /// What is sent before it.
    pub(super) head: Vec<u8>,
    /// What was received.
    pub(super) received: Arc<Vec<u8>>,
    /// Which of it is sent.
    pub(super) wire: Range<usize>,
}

impl Large {
    fn wire(&self) -> &[u8] {
        self.received.get(self.wire.clone()).unwrap_or_default()
    }

    /// Bytes that are sent and that the batch's bytes do not show.
    fn hidden(&self) -> usize {
        (self.head.len() + self.wire.len()).saturating_sub(self.stand_in.len())
    }
}

impl Batch {
    /// Bytes that are sent.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.large.iter().map(Large::hidden).sum::<usize>()
    }

    /// What is sent, piece after piece.
    pub(super) fn pieces(&self) -> Vec<&[u8]> {
        let mut pieces = vec![];
        let mut at = 0;
        for large in &self.large {
            pieces.extend([self.bytes.get(at..large.stand_in.start).unwrap_or_default(), &large.head, large.wire()]);
            at = large.stand_in.end;
        }
        pieces.push(self.bytes.get(at..).unwrap_or_default());
        pieces
    }

    fn large_of(&self, command: &resp::Command<'_>) -> impl Iterator<Item = &Large> {
        let (from, to) = (command.at(), command.end());
        self.large.iter().filter(move |large| (from..to).contains(&(large.stand_in.start as u64)))
    }

    /// Bytes of a command of this batch, as it is sent.
    pub(super) fn size_of(&self, command: &resp::Command<'_>) -> usize {
        command.raw().len() + self.large_of(command).map(Large::hidden).sum::<usize>()
    }

    /// Bytes of the longest word of a command of this batch, as it is sent.
    pub(super) fn longest_word_of(&self, command: &resp::Command<'_>) -> usize {
        let shown = command.args().map(<[u8]>::len).max().unwrap_or_default();
        let hidden =
            |large: &Large| if large.head.is_empty() { resp::longest_word(large.wire()) } else { large.wire.len() };
        self.large_of(command).map(hidden).max().unwrap_or_default().max(shown)
    }
}
