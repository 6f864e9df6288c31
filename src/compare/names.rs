//! The names of both sides, so that the destination's need not be asked for at the source one by one. Pure.

use super::{scan::Pair, sum::Sum};

/// One for every `u16`, in 1 MiB.
const BUCKETS: usize = 1 << 16;

/// Every name of both sides in its bucket: added for the one, taken away for the other. A bucket that comes to nothing has
/// the same names on both sides, each as often.
#[derive(Debug)]
pub(super) struct Names(Vec<Sum>);

impl Names {
    pub(super) fn new() -> Self {
        Self(vec![Sum::default(); BUCKETS])
    }

    /// A key of the source that the destination had as well.
    pub(super) fn found(&mut self, pair: &Pair) {
        self.change(pair, Sum::add);
    }

    /// A key that the destination named.
    pub(super) fn named(&mut self, pair: &Pair) {
        self.change(pair, Sum::subtract);
    }

    /// Whether one side may have named this key and the other not.
    pub(super) fn is_open(&self, pair: &Pair) -> bool {
        self.0.get(usize::from(pair.name().bits())).is_none_or(|bucket| *bucket != Sum::default())
    }

    /// Whether any name is open.
    pub(super) fn are_open(&self) -> bool {
        self.0.iter().any(|bucket| *bucket != Sum::default())
    }

    fn change(&mut self, pair: &Pair, how: fn(&mut Sum, Sum)) {
        let name = pair.name();
        if let Some(bucket) = self.0.get_mut(usize::from(name.bits())) {
            how(bucket, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Db;

    fn pair(from: u32, to: u32, key: &str) -> Pair {
        Pair { from: Db(from), to: Db(to), key: key.as_bytes().to_vec() }
    }

    #[test]
    fn only_what_one_side_named_is_open() {
        let mut names = Names::new();
        let all: Vec<Pair> = (0..200_000).map(|number| pair(0, 3, &number.to_string())).collect();
        for pair in &all {
            names.found(pair);
        }
        for pair in all.iter().rev() {
            names.named(pair);
        }
        assert!(!names.are_open());
        let extra = pair(0, 3, "extra");
        names.named(&extra);
        assert!(names.are_open() && names.is_open(&extra));
        let open = all.iter().filter(|pair| names.is_open(pair)).count();
        assert!(open < 30, "{open} of 200000 share its bucket");
        names.found(&pair(7, 3, "extra"));
        assert!(!names.are_open(), "from which database it came does not count");
        names.found(&pair(0, 4, "extra"));
        names.named(&pair(0, 5, "extra"));
        assert!(names.are_open(), "the destination's does");
    }

    #[test]
    fn what_one_side_names_twice_is_open() {
        let mut names = Names::new();
        let twice = pair(0, 0, "twice");
        names.found(&twice);
        names.found(&twice);
        names.named(&twice);
        assert!(names.is_open(&twice));
    }
}
