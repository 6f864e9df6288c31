//! The bytes that were fed and are still needed.

use super::Crc64;
use super::Cursor;

/// The checksum is brought up to date when this many bytes were read; it is faster over many at once.
const SUM_EVERY: usize = 16 << 10;

/// Room that is kept although it is empty, on top of what an inline body takes.
const KEPT: usize = 1 << 20;

/// A piece of a dump in memory. Its parts, in order: summed and given up, given up, kept, not read, room.
#[derive(Debug)]
pub(super) struct DumpBuffer {
    bytes: Vec<u8>,
    /// Offset in the dump of `bytes`' first.
    base: u64,
    /// Bytes that are in the checksum.
    summed: usize,
    /// Bytes that are not needed any more, and the first that is.
    keep: usize,
    /// The first that was not read.
    next: usize,
    /// The first that was not fed.
    filled: usize,
    crc: Crc64,
    inline: usize,
}

impl DumpBuffer {
    /// An empty buffer whose next byte is number `base` of the dump; `crc` covers the bytes before.
    pub(super) fn new(base: u64, crc: u64, inline: usize) -> Self {
        Self { bytes: vec![], base, summed: 0, keep: 0, next: 0, filled: 0, crc: Crc64::resume(crc), inline }
    }

    /// Room for at least `at_least` bytes.
    pub(super) fn space(&mut self, at_least: usize) -> &mut [u8] {
        let room = self.bytes.len().saturating_sub(self.filled);
        if room < at_least || self.keep == self.filled {
            self.compact();
            self.grow(at_least);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// Takes `count` bytes of the room as fed.
    pub(super) fn commit(&mut self, count: usize) {
        self.filled = self.filled.saturating_add(count).min(self.bytes.len());
    }

    fn compact(&mut self) {
        if self.keep == 0 {
            return;
        }
        self.sum_to(self.keep);
        let gone = self.keep;
        self.bytes.copy_within(gone..self.filled, 0);
        self.base = self.base.saturating_add(gone as u64);
        self.filled = self.filled.saturating_sub(gone);
        self.next = self.next.saturating_sub(gone);
        self.summed = 0;
        self.keep = 0;
    }

    fn grow(&mut self, at_least: usize) {
        let needed = self.filled.saturating_add(at_least);
        let most = self.inline.saturating_add(at_least).saturating_add(KEPT);
        if self.filled == 0 && self.bytes.len() > most {
            // A key or text beyond the ordinary has passed.
            self.bytes = vec![];
        }
        if needed > self.bytes.len() {
            if needed > self.bytes.capacity() {
                let wanted = needed.saturating_add(needed / 4);
                self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()));
            }
            self.bytes.resize(needed, 0);
        }
    }

    /// Over what was not read.
    #[inline]
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self.bytes.get(self.next..self.filled).unwrap_or_default(), self.at())
    }

    /// Offset in the dump of the first byte that was not read.
    #[inline]
    pub(super) const fn at(&self) -> u64 {
        self.base.saturating_add(self.next as u64)
    }

    /// All before the dump's byte `at` was read.
    #[inline]
    pub(super) fn read_to(&mut self, at: u64) {
        self.next = self.index(at).min(self.filled);
    }

    /// What was read is not needed any more.
    #[inline]
    pub(super) fn give_up(&mut self) {
        self.keep = self.next;
        if self.keep.saturating_sub(self.summed) >= SUM_EVERY {
            self.sum_to(self.keep);
        }
    }

    /// `length` kept bytes from the dump's byte `at`.
    #[inline]
    pub(super) fn slice(&self, at: u64, length: usize) -> &[u8] {
        let from = self.index(at);
        self.bytes.get(from..from.saturating_add(length)).unwrap_or_default()
    }

    /// The checksum of all bytes before the dump's byte `at`, which is not before the last [`DumpBuffer::give_up`].
    pub(super) fn crc_before(&self, at: u64) -> u64 {
        self.crc.with(self.bytes.get(self.summed..self.index(at)).unwrap_or_default()).value()
    }

    /// Bytes that were fed and not read.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.next..self.filled).unwrap_or_default()
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn sum_to(&mut self, index: usize) {
        self.crc.update(self.bytes.get(self.summed..index).unwrap_or_default());
        self.summed = self.summed.max(index);
    }

    #[inline]
    fn index(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }
}
