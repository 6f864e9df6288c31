//! Digests of parts of a value.

use std::hash::{DefaultHasher, Hasher};

/// 128 bits that stand for bytes. It tells accident from sameness; it is no signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sum(u64, u64);

impl Sum {
    /// Of pieces: where one ends counts.
    pub(super) fn of(pieces: &[&[u8]]) -> Self {
        Self(hash(b'a', pieces), hash(b'b', pieces))
    }

    /// Adds one of several things whose order does not count.
    pub(super) fn add(&mut self, other: Self) {
        *self = Self(self.0.wrapping_add(other.0), self.1.wrapping_add(other.1));
    }

    /// Adds the next of several things whose order counts.
    pub(super) fn chain(&mut self, next: Self) {
        let (one, two) = (self.bytes(), next.bytes());
        *self = Self::of(&[&one, &two]);
    }

    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.0) << 64 | u128::from(self.1)).to_be_bytes()
    }
}

fn hash(salt: u8, pieces: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(salt);
    for piece in pieces {
        hasher.write_usize(piece.len());
        hasher.write(piece);
    }
    hasher.finish()
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_only_in_a_chain() {
        let (a, b) = (Sum::of(&[b"a"]), Sum::of(&[b"b"]));
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
        assert_ne!(Sum::of(&[b"ab", b"c"]), Sum::of(&[b"a", b"bc"]));
    }
}
