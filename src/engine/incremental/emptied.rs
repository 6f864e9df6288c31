//! Databases that were emptied because the source's were. What the source does to a whole database is done to a whole one at
//! the destination, so keys of others go with the rest: how many there were is told.

use std::collections::BTreeMap;

use crate::{engine::teller::Teller, unit::Db};

/// Keys that were in databases when these were emptied, since it was last told.
#[derive(Default)]
pub(super) struct Emptied(BTreeMap<Db, u64>);

impl Emptied {
    /// Counts the keys of a database that is emptied.
    pub(super) fn add(&mut self, db: Db, keys: u64) {
        *self.0.entry(db).or_default() += keys;
    }

    /// Tells what was counted.
    pub(super) fn tell(&mut self, teller: &mut Teller<'_>) {
        for (db, keys) in std::mem::take(&mut self.0) {
            let keys_were = if keys == 1 { "key there is" } else { "keys there are" };
            teller.notice(format!(
                "The source emptied a database, and so was database {db} of the destination: {keys} {keys_were} deleted, \
                 foreign ones included."
            ));
        }
    }
}
