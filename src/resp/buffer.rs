//! Received bytes that are not consumed yet.

/// A growing window over a stream. It grows with the bytes that came, never with a length that was only announced.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// First byte not consumed.
    start: usize,
    /// End of the bytes received.
    end: usize,
    /// Absolute offset of `start`.
    at: u64,
}

impl Buffer {
    /// A window whose first byte will have the absolute offset `at`.
    pub(super) fn starting_at(at: u64) -> Self {
        Self { at, ..Self::default() }
    }

    /// The bytes not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Absolute offset of the first byte not consumed.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Room for at least `min` bytes behind those received.
    pub(super) fn space(&mut self, min: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len().saturating_sub(self.end) < min {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
            let wanted = self.end.saturating_add(min);
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted.max(self.bytes.len().saturating_mul(2)), 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `count` bytes were put into [`Self::space`].
    pub(super) fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Appends `bytes`.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if let Some(room) = self.space(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.commit(bytes.len());
    }

    /// Gives up `count` bytes and hands them out for as long as the buffer is not touched.
    pub(super) fn consume(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start = self.start.saturating_add(count).min(self.end);
        self.at = self.at.saturating_add(self.start.saturating_sub(from) as u64);
        self.bytes.get(from..self.start).unwrap_or_default()
    }
}
