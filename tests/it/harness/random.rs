//! Random numbers with a seed that is printed and can be given again.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// `SplitMix64`: small, and the same numbers everywhere for one seed.
pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed in `REDIS_PLAN_SEED`, or a new one; printed, so that a failure can be replayed.
    pub fn fresh() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() % 1_000_000_007;
        let seed =
            env::var("REDIS_PLAN_SEED").map_or_else(|_| u64::try_from(now()).unwrap(), |text| text.parse().unwrap());
        println!("seed {seed} (replay with REDIS_PLAN_SEED={seed})");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// `length` bytes of every value.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(length).collect()
    }

    /// `length` letters and digits.
    pub fn word(&mut self, length: usize) -> Vec<u8> {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        self.bytes(length).into_iter().map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]).collect()
    }
}
