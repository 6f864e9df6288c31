//! Numbers that a seed determines (`SplitMix64`).

use std::hash::{BuildHasher, RandomState};

/// A source of numbers.
pub(crate) struct Random(u64);

/// A seed nobody chose.
pub(crate) fn fresh() -> u64 {
    RandomState::new().hash_one(std::process::id()) >> 32
}

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, not including, `end`; 0 when there is nothing below it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let number = self.next();
        usize::try_from(number % end.max(1) as u64).unwrap_or_default()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
