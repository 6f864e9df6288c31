//! Digests of parts of a value.

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// 128 bits that stand for bytes. It tells accident from sameness; it is no signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sum(u128);

impl Sum {
    /// Of bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// Of bytes, and a number beside them.
    pub(super) fn of_numbered(number: u64, bytes: &[u8]) -> Self {
        Self(xxh3_128_with_seed(bytes, number))
    }

    /// Of several pieces: where one ends counts.
    pub(super) fn of_all(pieces: &[&[u8]]) -> Self {
        pieces.iter().fold(Self::default(), |mut sum, piece| {
            sum.chain(Self::of(piece));
            sum
        })
    }

    /// Adds one of several things whose order does not count.
    pub(super) fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Takes away what was added.
    pub(super) fn subtract(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }

    /// Adds the next of several things whose order counts.
    pub(super) fn chain(&mut self, next: Self) {
        let mut both = [0; 32];
        let (this, that) = both.split_at_mut(16);
        this.copy_from_slice(&self.bytes());
        that.copy_from_slice(&next.bytes());
        self.0 = xxh3_128(&both);
    }

    pub(super) const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Sixteen of its bits, for a table.
    pub(super) fn bits(self) -> u16 {
        let [one, two, ..] = self.bytes();
        u16::from_be_bytes([one, two])
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_only_in_a_chain() {
        let (a, b) = (Sum::of(b"a"), Sum::of(b"b"));
        let fold = |put: fn(&mut Sum, Sum), all: [Sum; 2]| {
            all.into_iter().fold(Sum::default(), |mut sum, next| {
                put(&mut sum, next);
                sum
            })
        };
        assert_eq!(fold(Sum::add, [a, b]), fold(Sum::add, [b, a]));
        assert_ne!(fold(Sum::chain, [a, b]), fold(Sum::chain, [b, a]));
        assert_ne!(fold(Sum::add, [a, a]), Sum::default(), "what is there twice does not cancel out");
    }

    #[test]
    fn where_a_piece_ends_counts() {
        assert_ne!(Sum::of_all(&[b"ab", b"c"]), Sum::of_all(&[b"a", b"bc"]));
    }

    #[test]
    fn values_that_change_places_are_told_apart() {
        let hash = |pairs: [[&[u8]; 2]; 2]| {
            let mut sum = Sum::default();
            for pair in &pairs {
                sum.add(Sum::of_all(pair));
            }
            sum
        };
        assert_ne!(hash([[b"f", b"1"], [b"g", b"2"]]), hash([[b"f", b"2"], [b"g", b"1"]]));
    }
}
