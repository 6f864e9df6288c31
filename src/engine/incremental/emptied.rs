//! Databases that were emptied or swapped because the source's were. What the source does to a whole database is done to a
//! whole one at the destination, so keys of others go with the rest: how many there were is reported.

use std::collections::BTreeMap;

use crate::{engine::teller::Teller, unit::Db};

/// Keys that were in databases when these were emptied or swapped, since it was last reported.
#[derive(Default)]
pub(super) struct Emptied {
    keys: BTreeMap<Db, u64>,
    /// Databases that were swapped, with the keys that each held, in the order of the swaps.
    swaps: Vec<[(Db, u64); 2]>,
}

impl Emptied {
    /// Counts the keys of a database that is emptied.
    pub(super) fn add(&mut self, db: Db, keys: u64) {
        *self.keys.entry(db).or_default() += keys;
    }

    /// Notes the keys of two databases that are swapped.
    pub(super) fn swap(&mut self, (first, second): (Db, Db), keys: (u64, u64)) {
        self.swaps.push([(first, keys.0), (second, keys.1)]);
    }

    /// Reports what was counted.
    pub(super) fn tell(&mut self, teller: &mut Teller<'_>) {
        for (db, keys) in std::mem::take(&mut self.keys) {
            teller.notice(format!(
                "The source emptied a database, and so database {db} of the destination was emptied too: {} deleted, also keys \
                 that other applications had written.",
                counted(keys)
            ));
        }
        for [(first, keys), (second, others)] in std::mem::take(&mut self.swaps) {
            teller.notice(format!(
                "The source swapped two databases, and so databases {first} and {second} of the destination were swapped too: {} \
                 moved to database {second} and {} to database {first}, also keys that other applications had written.",
                counted(keys),
                counted(others)
            ));
        }
    }
}

fn counted(keys: u64) -> String {
    format!("{keys} key{}", if keys == 1 { "" } else { "s" })
}
