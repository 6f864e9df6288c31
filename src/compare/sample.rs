//! Choosing keys at random: of each type in each database some, and the same ones for the same seed and data. Pure.

use std::collections::{BTreeMap, BinaryHeap};

use super::{scan::Pair, sum::Sum};
use crate::unit::Db;

/// The keys with the smallest hashes, by database and type.
#[derive(Debug)]
pub(super) struct KeySample {
    seed: u64,
    keys: usize,
    strata: BTreeMap<(Db, String), BinaryHeap<Chosen>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    hash: [u8; 16],
    pair: Pair,
}

impl Ord for Chosen {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.hash, &self.pair.key).cmp(&(other.hash, &other.pair.key))
    }
}

impl PartialOrd for Chosen {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl KeySample {
    pub(super) fn new(seed: u64, keys: u64) -> Self {
        Self { seed, keys: usize::try_from(keys).unwrap_or(usize::MAX), strata: BTreeMap::new() }
    }

    /// Considers a key.
    pub(super) fn offer(&mut self, pair: Pair, kind: &str) {
        let hash = Sum::of_all(&[&self.seed.to_be_bytes(), &pair.to.0.to_be_bytes(), &pair.key]).bytes();
        let heap = self.strata.entry((pair.from, kind.to_owned())).or_default();
        if heap.len() >= self.keys && heap.peek().is_some_and(|largest| largest.hash <= hash) {
            return;
        }
        heap.push(Chosen { hash, pair });
        if heap.len() > self.keys {
            heap.pop();
        }
    }

    /// As many as were asked for: of each stratum an equal share first, then whichever come next.
    pub(super) fn choose(self) -> Vec<Pair> {
        let share = self.keys.checked_div(self.strata.len()).unwrap_or(0).max(1);
        let (mut chosen, mut others) = (vec![], vec![]);
        for heap in self.strata.into_values() {
            let mut sorted = heap.into_sorted_vec();
            others.extend(sorted.split_off(share.min(sorted.len())));
            chosen.extend(sorted);
        }
        others.sort_unstable();
        chosen.extend(others);
        chosen.truncate(self.keys);
        let mut pairs: Vec<Pair> = chosen.into_iter().map(|chosen| chosen.pair).collect();
        pairs.sort_by(|one, two| (one.from, one.to, &one.key).cmp(&(two.from, two.to, &two.key)));
        pairs.dedup();
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(db: u32, number: u32) -> Pair {
        Pair { from: Db(db), to: Db(db), key: format!("key:{number}").into_bytes() }
    }

    fn sample(seed: u64, keys: u64) -> Vec<Pair> {
        let mut sample = KeySample::new(seed, keys);
        for number in 0..1000 {
            sample.offer(pair(0, number), "string");
        }
        for number in 0..3 {
            sample.offer(pair(1, number), "zset");
            sample.offer(pair(1, 10 + number), "hash");
        }
        sample.choose()
    }

    #[test]
    fn a_rare_type_in_a_small_database_has_its_share() {
        let chosen = sample(7, 30);
        assert_eq!(chosen.len(), 30);
        assert_eq!(chosen.iter().filter(|pair| pair.from == Db(1)).count(), 6);
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        assert_eq!(sample(7, 30), sample(7, 30));
        assert_ne!(sample(7, 30), sample(8, 30));
    }

    #[test]
    fn more_than_there_are_is_all() {
        assert_eq!(sample(7, 5000).len(), 1006);
    }
}
