//! What was said of keys that are not equal. A walk may name a key again, long after it was told, while a table shrinks;
//! each is told and counted once. Pure.

use std::collections::HashSet;

use super::{scan::Pair, sum::Sum};

/// Keys of either verdict that are remembered, in about 30 MiB. What differs beyond that many may be told twice.
const MOST: usize = 1 << 20;

/// The verdicts so far.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    told: HashSet<Sum>,
    open: HashSet<Sum>,
}

impl Verdicts {
    /// Whether the key was told as one that differs.
    pub(super) fn has_told(&self, pair: &Pair) -> bool {
        !self.told.is_empty() && self.told.contains(&pair.name())
    }

    /// It is told now.
    pub(super) fn tell(&mut self, pair: &Pair) {
        remember(&mut self.told, pair);
    }

    /// Nothing is proved of it.
    pub(super) fn leave_open(&mut self, pair: &Pair) {
        remember(&mut self.open, pair);
    }

    /// It was looked at again; answers whether it was counted as one of which nothing is proved.
    pub(super) fn reopen(&mut self, pair: &Pair) -> bool {
        self.open.remove(&pair.name())
    }
}

fn remember(set: &mut HashSet<Sum>, pair: &Pair) {
    if set.len() < MOST {
        set.insert(pair.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Db;

    #[test]
    fn a_key_is_told_once_and_counted_as_open_once() {
        let pair = |from: u32, to: u32, key: &str| Pair { from: Db(from), to: Db(to), key: key.as_bytes().to_vec() };
        let mut verdicts = Verdicts::default();
        verdicts.tell(&pair(0, 1, "a"));
        assert!(verdicts.has_told(&pair(0, 1, "a")));
        assert!(verdicts.has_told(&pair(7, 1, "a")), "the walk over the destination may not know where it came from");
        assert!(!verdicts.has_told(&pair(0, 2, "a")) && !verdicts.has_told(&pair(0, 1, "b")));
        verdicts.leave_open(&pair(0, 1, "c"));
        assert!(!verdicts.has_told(&pair(0, 1, "c")));
        assert!(verdicts.reopen(&pair(0, 1, "c")));
        assert!(!verdicts.reopen(&pair(0, 1, "c")));
    }
}
