//! Commands whose keys do not all go to one place.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Outgoing, Translator,
    expiry::Receipt,
    words::{Argv, fixed, number},
};
use crate::{
    command::{Class, Cross, KeySpec, Spec},
    unit::{Db, Dialect, ServerVersion},
};

/// Why a value that the run does not have cannot be written.
const NOT_KNOWN: &str =
    "it brings a value from a key or database that the plan leaves out, and that value is not known";

/// A command on several keys that go to different places, or nowhere.
pub(super) fn divided(
    spec: &'static Spec,
    words: &Argv<'_>,
    keys: &[(usize, Option<Db>)],
    out: &mut Outgoing,
) -> Result<(), String> {
    match (spec.class, spec.keys) {
        (Class::Each, KeySpec::Range { .. }) => {
            by_target(words, keys, (words.get(0).unwrap_or_default(), 1), out);
            Ok(())
        }
        // MSETNX comes only when it took effect, so it is MSET.
        (Class::Pairs, _) => {
            by_target(words, keys, (b"MSET", 2), out);
            Ok(())
        }
        (Class::Store, keys_at) => {
            // SORT and GEORADIUS name what they read first.
            let reads_first = matches!(keys_at, KeySpec::Stored { .. });
            let destination = if reads_first { keys.last() } else { keys.first() };
            match destination {
                Some((_, None)) => {
                    out.filtered += 1;
                    Ok(())
                }
                _ => Err("it reads keys that the plan leaves out or sends elsewhere".to_owned()),
            }
        }
        _ => Err("its keys are not all migrated to one database".to_owned()),
    }
}

impl Translator {
    /// A command that takes from one key and gives to another.
    pub(super) fn cross(&mut self, cross: Cross, words: &Argv<'_>, db: Db, out: &mut Outgoing) -> Result<(), String> {
        let from = words.word(1);
        let (other, to) = receiver(cross, words, db).ok_or("its database is no number")?;
        let (there, here) = (self.target(db, &from), self.target(other, &to));
        if here.is_some_and(|here| self.is_beyond(here)) {
            return Err("it brings a key to a database that the destination does not have".to_owned());
        }
        match (there, here) {
            (None, None) => {
                out.filtered += 1;
                Ok(())
            }
            (Some(there), Some(here)) => {
                both(cross, words, (there, here), out)?;
                if cross == Cross::Move && self.moves_without_expiry() {
                    out.send(&[Argv::new("PERSIST", [from])], here);
                }
                Ok(())
            }
            (Some(there), None) => {
                match taking(cross, words) {
                    Some(taking) => out.send(&[taking], there),
                    None => out.filtered += 1,
                }
                Ok(())
            }
            (None, Some(here)) => {
                let giving = giving(cross, words).ok_or(NOT_KNOWN)?;
                out.send(&[giving], here);
                Ok(())
            }
        }
    }
}

impl Translator {
    /// A key takes its deadline along to another name. Where the source was asked for that deadline by the old name, it may
    /// have answered of another key, or of none: it is asked by the new name.
    pub(super) fn renew(&mut self, cross: Cross, words: &Argv<'_>, (db, receipt): (Db, Receipt), out: &mut Outgoing) {
        let takes_along = matches!(cross, Cross::Rename | Cross::Copy | Cross::Move);
        // From 7.0 on deadlines come as they are, which is more exact than an answer.
        let asks = takes_along && self.setup.source.is_none_or(|source| !source.has_redis((7, 0)));
        let Some(deadlines) = self.setup.deadlines.as_mut().filter(|_| asks) else { return };
        let Some((other, to)) = receiver(cross, words, db) else { return };
        let from = words.word(1);
        let ends = deadlines.under_new_name((db, &from), (other, &to), (receipt.end, receipt.at));
        if let (Some(ends), Some(here)) = (ends, self.target(other, &to)) {
            out.send(&[Argv::new("PEXPIREAT", [to, number(receipt.expiry.written(ends).0)])], here);
        }
    }

    /// MOVE keeps a key's expiry from 2.8.23 and 3.0.5 on (db.c, `moveCommand`).
    fn moves_without_expiry(&self) -> bool {
        let since = |source: ServerVersion| match source.number {
            (2, _, _) => (2, 8, 23),
            _ => (3, 0, 5),
        };
        self.setup.source.is_some_and(|source| source.dialect == Dialect::Redis && source.number < since(source))
    }
}

/// One command for each database, with the keys that go there and the words behind each.
fn by_target(words: &Argv<'_>, keys: &[(usize, Option<Db>)], (name, step): (&[u8], usize), out: &mut Outgoing) {
    let mut parts: BTreeMap<Db, Vec<Cow<'_, [u8]>>> = BTreeMap::new();
    for (index, target) in keys {
        if let Some(target) = target {
            let part = parts.entry(*target).or_default();
            part.extend(words.from(*index).take(step));
        }
    }
    for (target, args) in parts {
        let all = std::iter::once(Cow::Borrowed(name)).chain(args).collect();
        out.send(&[Argv(all)], target);
    }
}

/// Both keys are migrated.
fn both(cross: Cross, words: &Argv<'_>, (there, here): (Db, Db), out: &mut Outgoing) -> Result<(), String> {
    let here_word = || Cow::Owned(here.to_string().into_bytes());
    match cross {
        // The key stays where it is at the destination.
        Cross::Move if there == here => out.filtered += 1,
        Cross::Move => out.send(&[Argv::new("MOVE", [words.word(1), here_word()])], there),
        Cross::Copy => {
            let mut args = vec![words.word(1), words.word(2)];
            if there != here {
                args.extend([fixed("DB"), here_word()]);
            }
            args.extend(words.position(3, "REPLACE").map(|_| fixed("REPLACE")));
            out.send(&[Argv::new("COPY", args)], there);
        }
        _ if there == here => out.send(std::slice::from_ref(words), there),
        _ => return Err("its two keys go to different databases".to_owned()),
    }
    Ok(())
}

/// The key that a command gives to, and its database at the source.
fn receiver<'a>(cross: Cross, words: &Argv<'a>, db: Db) -> Option<(Db, Cow<'a, [u8]>)> {
    Some(match (cross, words.position(3, "DB")) {
        (Cross::Move, _) => (database(words, 2)?, words.word(1)),
        (Cross::Copy, Some(at)) => (database(words, at + 1)?, words.word(2)),
        _ => (db, words.word(2)),
    })
}

fn database(words: &Argv<'_>, index: usize) -> Option<Db> {
    words.number(index).and_then(|number| u32::try_from(number).ok()).map(Db)
}

/// What is left of the command where only the key that it takes from is migrated; `None` when that is nothing.
fn taking<'a>(cross: Cross, words: &Argv<'a>) -> Option<Argv<'a>> {
    let key = words.word(1);
    match cross {
        Cross::Rename | Cross::Move => Some(Argv::new("DEL", [key])),
        Cross::Copy => None,
        Cross::SetMember => Some(Argv::new("SREM", [key, words.word(3)])),
        Cross::PopPush => Some(Argv::new("RPOP", [key])),
        Cross::ListMove => Some(Argv::new(if words.is(3, "LEFT") { "LPOP" } else { "RPOP" }, [key])),
    }
}

/// What is left of the command where only the key that it gives to is migrated; `None` when what it gives is not known.
fn giving<'a>(cross: Cross, words: &Argv<'a>) -> Option<Argv<'a>> {
    match cross {
        // SMOVE comes only when the member was there.
        Cross::SetMember => Some(Argv::new("SADD", [words.word(2), words.word(3)])),
        _ => None,
    }
}
