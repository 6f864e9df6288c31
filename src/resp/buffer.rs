//! Received bytes that are not consumed yet.

use crate::unit::make_room;

/// Up to this size a buffer is doubled when it is full; a larger one is made larger by what it needs.
const DOUBLED: usize = 1 << 20;

/// A window that is larger than this and empty is given back.
const KEPT: usize = 8 << 20;

/// A growing window over a stream. It grows with the bytes that came, never with a length that was only announced.
#[derive(Debug, Default)]
pub struct Buffer {
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
    pub fn starting_at(at: u64) -> Self {
        Self { at, ..Self::default() }
    }

    /// The bytes not consumed.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Absolute offset of the first byte not consumed.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Room for at least `min` bytes behind those received.
    pub fn space(&mut self, min: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > KEPT {
                self.bytes = vec![];
            }
        }
        if self.bytes.len().saturating_sub(self.end) < min {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end = self.end.saturating_sub(self.start);
                self.start = 0;
            }
            self.grow(self.end.saturating_add(min));
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn grow(&mut self, wanted: usize) {
        let len = self.bytes.len();
        if len >= wanted {
            return;
        }
        if wanted <= DOUBLED {
            self.bytes.resize(wanted.max(len.saturating_mul(2)), 0);
        } else {
            make_room(&mut self.bytes, wanted.saturating_sub(len));
            self.bytes.resize(wanted, 0);
        }
    }

    /// Gives away the bytes in which the consumed ones lie, and says where the first byte not consumed would be in them. What is
    /// not consumed is kept.
    pub fn give_away(&mut self) -> (Vec<u8>, usize) {
        let rest = self.unread().to_vec();
        let (start, end) = (self.start, rest.len());
        let mut bytes = std::mem::replace(&mut self.bytes, rest);
        (self.start, self.end) = (0, end);
        bytes.truncate(start);
        (bytes, start)
    }

    /// Says that `count` bytes were put into [`Self::space`].
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Appends `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(room) = self.space(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.commit(bytes.len());
    }

    /// Gives up `count` bytes and hands them out for as long as the buffer is not touched.
    pub fn consume(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start = self.start.saturating_add(count).min(self.end);
        self.at = self.at.saturating_add(self.start.saturating_sub(from) as u64);
        self.bytes.get(from..self.start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_away_ends_with_what_was_consumed_and_the_rest_stays() {
        let mut buffer = Buffer::starting_at(7);
        buffer.feed(b"first second third");
        assert_eq!(buffer.consume(6), b"first ");
        assert_eq!(buffer.consume(7), b"second ");
        let (bytes, end) = buffer.give_away();
        assert_eq!(&bytes[end - 7..end], b"second ");
        assert_eq!((buffer.unread(), buffer.at()), (&b"third"[..], 20));
        buffer.feed(b" fourth");
        assert_eq!(buffer.unread(), b"third fourth");
    }

    #[test]
    fn a_large_window_grows_by_what_came_and_is_given_back_when_it_is_empty() {
        let mut buffer = Buffer::default();
        for _ in 0..20 {
            buffer.feed(&vec![1; 1 << 20]);
        }
        assert_eq!(buffer.bytes.len(), 20 << 20);
        buffer.consume(20 << 20);
        buffer.feed(&[2; 100]);
        assert!(buffer.bytes.capacity() < KEPT && buffer.unread() == [2; 100]);
    }
}
