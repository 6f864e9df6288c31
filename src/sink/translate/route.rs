//! Where the keys of a command go.

use super::{Outgoing, Translator, crossing::divided, words::Argv};
use crate::{
    command::{Class, Spec},
    sink::record::PREFIX,
    unit::Db,
};

/// Where what is written to the selected database goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Nowhere: no rule reads it.
    Nothing,
    /// All of it to this database.
    Whole(Db),
    /// It depends on the key.
    ByKey,
    /// To a database that the destination does not have.
    Beyond,
}

impl Translator {
    pub(super) fn route_of(&self, db: Db) -> Route {
        let selection = &self.setup.selection;
        if !selection.reads(db) {
            return Route::Nothing;
        }
        if selection.targets(&[db]).iter().any(|target| self.is_beyond(*target)) {
            return Route::Beyond;
        }
        match selection.whole(db) {
            Some(target) if self.setup.left_alone.is_empty() => Route::Whole(target),
            _ => Route::ByKey,
        }
    }

    /// Whether the destination does not have this database. A SELECT of it would fail, and what is meant for it would be
    /// written to the database selected before.
    pub(super) fn is_beyond(&self, target: Db) -> bool {
        target.0 >= self.setup.destination.databases
    }

    /// Why nothing of the source's database `db` can be sent.
    pub(super) fn beyond(&self, db: Db) -> String {
        let has = self.setup.destination.databases;
        format!("the destination has {has} databases, and keys of the source's database {db} go to one beyond them")
    }

    /// Where a key of the source's database `db` goes; `None` when it does not move.
    pub(super) fn target(&self, db: Db, key: &[u8]) -> Option<Db> {
        if key.starts_with(PREFIX.as_bytes()) {
            return None; // The record of a run that brought data to this source.
        }
        let target = self.setup.selection.target(db, key)?;
        (!self.is_left_alone(target, key)).then_some(target)
    }

    pub(super) fn is_left_alone(&self, target: Db, key: &[u8]) -> bool {
        let left_alone = &self.setup.left_alone;
        !left_alone.is_empty() && left_alone.contains(&[format!("{target}:").as_bytes(), key].concat())
    }

    /// Sends a command where its keys go. An error says why it cannot be sent; nothing of it is sent then.
    pub(super) fn deliver(
        &mut self,
        spec: &'static Spec,
        words: &Argv<'_>,
        db: Db,
        out: &mut Outgoing,
    ) -> Result<(), String> {
        if let Class::Cross(cross) = spec.class {
            return self.cross(cross, words, db, out);
        }
        spec.key_indexes(words.len(), &|index| words.get(index), &mut self.indexes);
        let keys: Vec<(usize, Option<Db>)> =
            self.indexes.iter().map(|index| (*index, self.target(db, words.get(*index).unwrap_or_default()))).collect();
        let Some((_, first)) = keys.first().copied() else {
            return Err("its keys are not known".to_owned());
        };
        let written = keys.last().and_then(|(_, target)| *target);
        if spec.name == "SORT" && self.route == Route::ByKey && written.is_some() && reads_by_pattern(words) {
            return Err("it reads keys by pattern, and some may be left out by the plan or go elsewhere".to_owned());
        }
        if keys.iter().all(|(_, target)| *target == first) {
            match first {
                Some(target) => out.send(std::slice::from_ref(words), target),
                None => out.filtered += 1,
            }
            return Ok(());
        }
        divided(spec, words, &keys, out)
    }
}

/// Whether a SORT takes weights or values from other keys.
fn reads_by_pattern(words: &Argv<'_>) -> bool {
    let names = |index: &usize| words.is(*index, "BY") || words.is(*index, "GET");
    let pattern = |index: usize| words.get(index).is_some_and(|word| word.contains(&b'*'));
    (2..words.len()).filter(names).any(|index| pattern(index.saturating_add(1)))
}
