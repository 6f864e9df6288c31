//! The checksum of dumps and RESTORE payloads: CRC-64/Jones, polynomial 0xad93d23594c935a9, reflected, starting from 0,
//! not inverted (crc64.c). The state after some bytes is also their checksum, so it can be saved and taken up again.

#![expect(clippy::indexing_slicing, reason = "every index is a byte, every table has 256 rows")]

use crc_fast::CrcAlgorithm;
use crc_fast::Digest;
use serde::Deserialize;
use serde::Serialize;

/// From this many bytes on the vector instructions win over the tables (measured: 160 bytes).
const VECTOR: usize = 160;

/// The polynomial with its bits reversed.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// Bytes taken in one step of the table form.
const STEP: usize = 16;

/// A running checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Crc64(u64);

impl Crc64 {
    /// The checksum of no bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Goes on where [`Crc64::value`] was `value`.
    #[must_use]
    pub const fn resume(value: u64) -> Self {
        Self(value)
    }

    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u64 {
        Self::new().with(bytes).value()
    }

    /// The checksum of the bytes so far followed by `bytes`.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.update(bytes);
        self
    }

    /// Takes in `bytes`.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = if bytes.len() >= VECTOR { vector(self.0, bytes) } else { tables(self.0, bytes) };
    }

    /// The checksum of the bytes so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

fn vector(state: u64, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, state);
    digest.update(bytes);
    digest.get_state()
}

fn tables(state: u64, bytes: &[u8]) -> u64 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let state = steps.iter().fold(state, |state, step| {
        let first = (u128::from_le_bytes(*step) ^ u128::from(state)).to_le_bytes();
        first.iter().zip(TABLES.iter().rev()).fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)])
    });
    rest.iter().fold(state, |state, byte| {
        let [low, ..] = state.to_le_bytes();
        state >> 8 ^ TABLES[0][usize::from(low ^ *byte)]
    })
}

/// Row `n` of the tables: the checksum of each byte followed by `n` zero bytes.
static TABLES: [[u64; 256]; STEP] = make_tables();

#[expect(clippy::large_stack_arrays, reason = "it is computed when compiling and has no stack")]
#[expect(clippy::arithmetic_side_effects, reason = "counters below 256, computed when compiling")]
#[expect(clippy::cast_possible_truncation, reason = "const code has no other cast; the lowest byte is meant")]
const fn make_tables() -> [[u64; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut row = 1;
    while row < STEP {
        let mut byte = 0;
        while byte < 256 {
            let shorter = tables[row - 1][byte];
            tables[row][byte] = shorter >> 8 ^ tables[0][shorter as u8 as usize];
            byte += 1;
        }
        row += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition, bit by bit.
    fn bitwise(mut crc: u64, bytes: &[u8]) -> u64 {
        for byte in bytes {
            crc ^= u64::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL };
            }
        }
        crc
    }

    #[test]
    fn the_check_value_is_that_of_redis() {
        assert_eq!(Crc64::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(POLYNOMIAL.reverse_bits(), 0xad93_d235_94c9_35a9);
    }

    #[test]
    fn both_forms_agree_with_the_definition_at_every_length() {
        let bytes: Vec<u8> = (0..600_u32).map(|i| (i * 167 + i / 7).to_le_bytes()[0]).collect();
        for length in 0..bytes.len() {
            let right = bitwise(0, &bytes[..length]);
            assert_eq!(tables(0, &bytes[..length]), right, "tables, {length}");
            assert_eq!(vector(0, &bytes[..length]), right, "vector, {length}");
        }
    }

    proptest! {
        #[test]
        fn a_saved_state_goes_on_alike(
            bytes in prop::collection::vec(any::<u8>(), 0..5000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let (mut crc, mut at) = (Crc64::new(), 0);
            for cut in cuts {
                crc.update(&bytes[at..cut]);
                crc = Crc64::resume(crc.value());
                at = cut;
            }
            prop_assert_eq!(crc.with(&bytes[at..]).value(), bitwise(0, &bytes));
        }
    }
}
