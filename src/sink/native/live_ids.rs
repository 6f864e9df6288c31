//! Which entries a stream has, in little memory.

use crate::rdb::StreamId;

/// Ids after which a search can begin.
const BLOCK: usize = 256;

/// Bytes of differences that are kept at most: some ten million ids.
const MOST: usize = 32 << 20;

/// The ids of a stream's entries: about three bytes each, as variable-length differences.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveIds {
    /// The first id of each block, and where the differences of those behind it begin.
    blocks: Vec<(StreamId, usize)>,
    bytes: Vec<u8>,
    last: StreamId,
    count: usize,
    full: bool,
}

/// What is known of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Lives,
    Dead,
    /// There were too many entries to remember this one.
    Unknown,
}

impl LiveIds {
    /// Adds the next entry; ids ascend.
    pub(super) fn add(&mut self, id: StreamId) {
        self.full |= self.bytes.len() >= MOST;
        if self.full {
            return;
        }
        if self.count.is_multiple_of(BLOCK) {
            self.blocks.push((id, self.bytes.len()));
        } else {
            let ms = id.ms.wrapping_sub(self.last.ms);
            append(&mut self.bytes, ms);
            append(&mut self.bytes, if ms == 0 { id.seq.wrapping_sub(self.last.seq) } else { id.seq });
        }
        self.last = id;
        self.count += 1;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn life(&self, id: StreamId) -> Life {
        if self.full && id > self.last {
            return Life::Unknown;
        }
        let behind = self.blocks.partition_point(|(first, _)| *first <= id);
        let Some((first, start)) = behind.checked_sub(1).and_then(|block| self.blocks.get(block)) else {
            return Life::Dead;
        };
        let end = self.blocks.get(behind).map_or(self.bytes.len(), |(_, start)| *start);
        let mut rest = self.bytes.get(*start..end).unwrap_or_default();
        let mut current = *first;
        while current < id && !rest.is_empty() {
            let ms = take(&mut rest);
            let seq = take(&mut rest);
            let base = if ms == 0 { current.seq } else { 0 };
            current = StreamId { ms: current.ms.wrapping_add(ms), seq: base.wrapping_add(seq) };
        }
        if current == id { Life::Lives } else { Life::Dead }
    }
}

/// Seven bits a byte, the lowest first, all but the last with the top bit set.
fn append(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take(from: &mut &[u8]) -> u64 {
    let mut number = 0_u64;
    let mut shift = 0_u32;
    while let Some((byte, rest)) = from.split_first() {
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn none_lives_in_an_empty_stream() {
        assert_eq!(LiveIds::default().life(StreamId { ms: 1, seq: 1 }), Life::Dead);
    }

    #[test]
    fn an_id_costs_about_three_bytes() {
        let mut ids = LiveIds::default();
        for n in 0..100_000 {
            ids.add(StreamId { ms: 1_700_000_000_000 + n * 3 / 2, seq: n % 2 });
        }
        assert!(ids.bytes.len() + ids.blocks.len() * size_of::<(StreamId, usize)>() < 300_000);
    }

    #[test]
    fn what_was_too_much_to_remember_is_unknown() {
        let mut ids = LiveIds { bytes: vec![0; MOST - 1], ..LiveIds::default() };
        for ms in 1..10 {
            ids.add(StreamId { ms, seq: 0 });
        }
        assert_eq!(ids.life(StreamId { ms: 9, seq: 0 }), Life::Unknown);
        assert_eq!(ids.life(StreamId { ms: 1, seq: 0 }), Life::Lives);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn a_set_of_ids_gives_the_same_answers(
            ids in prop::collection::btree_set((0u64..5000, 0u64..3), 0..2000),
            extremes in prop::collection::btree_set((any::<u64>(), any::<u64>()), 0..5),
            probes in prop::collection::vec((0u64..5000, 0u64..3), 100),
        ) {
            let all: BTreeSet<StreamId> =
                ids.iter().chain(&extremes).map(|(ms, seq)| StreamId { ms: *ms, seq: *seq }).collect();
            let mut live = LiveIds::default();
            for id in &all {
                live.add(*id);
            }
            for id in probes.iter().map(|(ms, seq)| StreamId { ms: *ms, seq: *seq }).chain(all.iter().copied()) {
                prop_assert_eq!(live.life(id) == Life::Lives, all.contains(&id));
            }
        }
    }
}
