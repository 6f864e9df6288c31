//! Whole databases: FLUSHDB, FLUSHALL, SWAPDB. At the destination a database may hold more than what came from one
//! database of the source, and database 0 holds the run record.

use std::collections::BTreeSet;

use super::{
    CommandOutcome, Outgoing, Translator,
    words::{Argv, fixed, number},
};
use crate::{sink::record::PREFIX, step::Selection, unit::Db};

/// Keys to erase at the destination: those of one database that a database of the source can have brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erase {
    /// The database at the destination.
    pub db: Db,
    from: Vec<Db>,
    selection: Selection,
}

impl Erase {
    /// Whether this key is one of them.
    #[must_use]
    pub fn takes(&self, key: &[u8]) -> bool {
        let brought = |from: &Db| self.selection.target(*from, key) == Some(self.db);
        !key.starts_with(PREFIX.as_bytes()) && self.from.iter().any(brought)
    }
}

/// How a database of the destination is rid of what came from one of the source.
enum FlushMeans {
    /// It holds nothing else.
    Whole,
    /// It may hold other keys.
    ByKey,
    /// It held keys of others, and which are whose is not known.
    Unknown,
}

impl Translator {
    /// FLUSHDB and FLUSHALL.
    pub(super) fn flush(&mut self, words: &Argv<'_>, db: Db, out: &mut Outgoing) -> CommandOutcome {
        let all = words.is(0, "FLUSHALL");
        let from: Vec<Db> = if all { self.databases() } else { vec![db] };
        let targets = self.setup.selection.targets(&from);
        let ways: Vec<(Db, FlushMeans)> = targets.iter().map(|target| (*target, self.way(*target, &from))).collect();
        if ways.is_empty() {
            out.filtered += 1;
        }
        let occupied = ways.iter().find(|(_, way)| matches!(way, FlushMeans::Unknown)).map(|(target, _)| *target);
        let by_key: Vec<Db> =
            ways.iter().filter(|(_, way)| matches!(way, FlushMeans::ByKey)).map(|(target, _)| *target).collect();
        let reason = match (occupied, by_key.as_slice()) {
            (Some(target), _) => Some(format!(
                "database {target} of the destination held foreign keys when this run began, and which keys are this \
                 run's is not known"
            )),
            (None, [_, ..]) if self.in_transaction() || by_key.len() > 1 => Some(
                "it empties databases that share one at the destination with others, from within a transaction or several \
                 at once"
                    .to_owned(),
            ),
            _ => None,
        };
        if let Some(reason) = reason {
            self.leave(words, db, &reason, out);
            return CommandOutcome::Done;
        }
        for (target, _) in ways.iter().filter(|(_, way)| matches!(way, FlushMeans::Whole)) {
            self.flush_whole(*target, words.is(1, "ASYNC"), out);
        }
        match by_key.first() {
            Some(target) => CommandOutcome::Erase(Erase { db: *target, from, selection: self.setup.selection.clone() }),
            None => CommandOutcome::Done,
        }
    }

    fn flush_whole(&self, target: Db, in_background: bool, out: &mut Outgoing) {
        let background = (in_background && self.setup.destination.knows_async_flush()).then_some(fixed("ASYNC"));
        out.send(&[Argv::new("FLUSHDB", background)], target);
        out.whole += 1;
        out.wipes_record |= target == Db(0);
        if !out.empties.contains(&target) {
            out.empties.push(target);
        }
    }

    /// How `target` is rid of what came from the databases `from` of the source.
    fn way(&self, target: Db, from: &[Db]) -> FlushMeans {
        if self.setup.occupied.contains(&target) {
            return FlushMeans::Unknown;
        }
        let sources: BTreeSet<Db> = self.sources_of(target);
        let whole = sources.iter().all(|source| from.contains(source) && self.setup.selection.whole(*source).is_some());
        if whole && self.setup.left_alone.is_empty() { FlushMeans::Whole } else { FlushMeans::ByKey }
    }

    /// The source's databases whose keys may go to `target`.
    fn sources_of(&self, target: Db) -> BTreeSet<Db> {
        let goes = |db: &Db| self.setup.selection.targets(&[*db]).contains(&target);
        self.databases().into_iter().filter(goes).collect()
    }

    /// The source's databases, as far as they can matter.
    fn databases(&self) -> Vec<Db> {
        let named = self.setup.selection.named().into_iter().map(|db| db.0 + 1).max().unwrap_or(0);
        (0..self.setup.destination.databases.max(named)).map(Db).collect()
    }

    /// SWAPDB: exact where each of the two has a database of its own at the destination, all of it.
    pub(super) fn swap(&mut self, words: &Argv<'_>, db: Db, out: &mut Outgoing) {
        let one = |index| words.number(index).and_then(|number| u32::try_from(number).ok()).map(Db);
        let (Some(a), Some(b)) = (one(1), one(2)) else {
            return self.leave(words, db, "its databases are no numbers", out);
        };
        let selection = &self.setup.selection;
        if !selection.reads(a) && !selection.reads(b) {
            out.filtered += 1;
            return;
        }
        match (self.alone(a), self.alone(b)) {
            (Some(first), Some(second)) if self.knows(crate::command::find(b"SWAPDB")) => {
                let args = [first, second].map(|target| number(i64::from(target.0)));
                out.send(&[Argv::new("SWAPDB", args)], Db(0));
                out.swaps.push((first, second));
                out.whole += 1;
                let other = if first == Db(0) { second } else { first };
                if first == Db(0) || second == Db(0) {
                    self.clear_record(other, out);
                }
            }
            (Some(_), Some(_)) => {
                let reason = format!("{} does not know it", self.setup.destination.version);
                self.leave(words, db, &reason, out);
            }
            _ => {
                let reason =
                    "the two databases are not both migrated, whole and each to one of its own, into databases that \
                              were empty"
                        .to_owned();
                self.leave(words, db, &reason, out);
            }
        }
    }

    /// Where a database of the source goes, if all of it goes there and nothing else does.
    fn alone(&self, db: Db) -> Option<Db> {
        let target = self.setup.selection.whole(db)?;
        let free = !self.setup.occupied.contains(&target) && self.setup.left_alone.is_empty();
        (free && self.sources_of(target).len() == 1).then_some(target)
    }

    /// The run record went to `other`: it is removed there, and put back where it was by whoever ends the transaction.
    fn clear_record(&self, other: Db, out: &mut Outgoing) {
        let all = self.setup.keys.all();
        let args = all.iter().map(|key| std::borrow::Cow::Borrowed(key.as_bytes()));
        out.send(&[Argv::new("DEL", args)], other);
        out.wipes_record = true;
    }
}
