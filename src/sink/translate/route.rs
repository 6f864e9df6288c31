//! Where the keys of a command go.

use super::{Outgoing, Translator, crossing::divided, words::Words};
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
}

impl Translator {
    pub(super) fn route_of(&self, db: Db) -> Route {
        let selection = &self.setup.selection;
        if !selection.reads(db) {
            return Route::Nothing;
        }
        match selection.whole(db) {
            Some(target) if self.setup.left_alone.is_empty() => Route::Whole(target),
            _ => Route::ByKey,
        }
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
        words: &Words<'_>,
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
