//! A checked reader over bytes in memory.

use super::{RdbError, RdbFault};

/// Reads primitives from a slice and knows the absolute offset of each. Every read either succeeds whole or leaves the
/// cursor where it was and returns `None` ("more bytes needed").
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: u64,
    /// What a compressed string may expand to.
    most: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor over `bytes`, whose first byte has the absolute offset `at`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], at: u64) -> Self {
        Self { bytes, at, most: u64::MAX }
    }

    /// The same, for a reader that expands no string to more than `most` bytes.
    #[must_use]
    pub const fn expanding(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// The most bytes that a compressed string may expand to.
    #[must_use]
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// The absolute offset of the next byte.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The bytes not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        self.at = self.at.saturating_add(count as u64);
        Some(taken)
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes, little-endian.
    #[inline]
    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes, little-endian.
    #[inline]
    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next four bytes, big-endian.
    #[inline]
    pub fn u32_be(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes, little-endian.
    #[inline]
    pub fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next eight bytes, big-endian.
    #[inline]
    pub fn u64_be(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A fault at the next byte.
    #[must_use]
    pub const fn fault(&self, reading: &'static str, fault: RdbFault) -> RdbError {
        RdbError { at: self.at, reading, fault }
    }
}
