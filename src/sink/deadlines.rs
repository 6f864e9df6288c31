//! Making deferred deadlines exact: what a lane is asked, and which keys a batch of the stream concerns. Pure.
//!
//! A pass over the destination makes the deadlines exact that lie far enough ahead, a page of keys at a time between two
//! batches of the stream. Nearer ones, and those that the stream writes meanwhile, are remembered, and made exact when
//! nothing more is applied. What was made exact is noted in a ledger, from which it can be deferred again.

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_channel::Sender;

use super::{DeadlineMode, record::PREFIX};
use crate::{
    command::{self, Info, Keyspace},
    resp::{self, CommandReader, RespLimits},
    step::Selection,
    store::{KeyLog, LoggedKey},
    unit::{Db, UnixMillis},
};

/// What a lane does about deadlines, and who waits for the answer.
#[derive(Clone, Debug)]
pub struct DeadlineJob {
    /// What.
    pub step: DeadlineStep,
    /// Told what it came to.
    pub reply: Sender<Settled>,
}

/// What a lane does about deadlines.
#[derive(Clone, Debug)]
pub enum DeadlineStep {
    /// Begins a pass.
    Begin(Box<DeadlinePass>),
    /// The next page of the pass.
    Page,
    /// Makes exact what is remembered, however near it is. To be asked for when nothing is under way.
    Rest,
    /// Defers again what the ledger in this folder names, after deadlines stood so.
    Defer(PathBuf, DeadlineMode),
}

/// How far making deadlines exact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The pass is over, or what was asked for is done.
    pub done: bool,
    /// Keys that were looked at.
    pub looked: u64,
    /// Deadlines that were made exact, or deferred again.
    pub written: u64,
    /// Keys that are remembered.
    pub remembered: u64,
    /// How deadlines stand now, as the run record says.
    pub mode: DeadlineMode,
}

impl Settled {
    /// Nothing was done yet, and deadlines stand so.
    #[must_use]
    pub const fn of(mode: DeadlineMode) -> Self {
        Self { done: false, looked: 0, written: 0, remembered: 0, mode }
    }
}

/// A pass over the destination.
#[derive(Clone, Debug)]
pub struct DeadlinePass {
    /// Databases of the destination that the run writes to, and the databases of the source that their keys come from.
    pub databases: Vec<(Db, Vec<Db>)>,
    /// What moves where.
    pub selection: Selection,
    /// Keys that the full copy left as they were: `<database>:<key>`.
    pub left_alone: Arc<HashSet<Vec<u8>>>,
    /// Deadlines that lie no further ahead than this stay deferred and are remembered; `None` makes all exact.
    pub ahead: Option<Duration>,
    /// Some keys may have ended too early before.
    pub doubtful: bool,
    /// Where the ledger and the list of what is remembered are kept.
    pub folder: PathBuf,
}

impl DeadlinePass {
    /// The ledger of what was made exact.
    #[must_use]
    pub fn ledger(folder: &Path) -> PathBuf {
        folder.join("deadlines-exact")
    }

    /// Whether the ledger in this folder is known to name all that was made exact, where the run record says `mode`. Where all
    /// deadlines were, not only the far ones, both sides are compared in any case.
    #[must_use]
    pub fn has_ledger(folder: &Path, mode: DeadlineMode) -> bool {
        let tag = KeyLog::tag_of_whole(&Self::ledger(folder));
        tag.is_some_and(|tag| mode.since() == DeadlineMode::AT_ONCE.0 || tag == mode.since())
    }

    /// The list of what is remembered.
    #[must_use]
    pub fn remembered(folder: &Path) -> PathBuf {
        folder.join("deadlines-remembered")
    }

    /// Whether the run wrote a key of this name.
    pub(super) fn takes(&self, db: Db, key: &[u8]) -> bool {
        let sources = self.databases.iter().find(|(of, _)| *of == db).map(|(_, sources)| sources);
        let brought = |from: &Db| self.selection.target(*from, key) == Some(db);
        !key.starts_with(PREFIX.as_bytes())
            && sources.is_some_and(|sources| sources.iter().any(brought))
            && (self.left_alone.is_empty() || !self.left_alone.contains(&[format!("{db}:").as_bytes(), key].concat()))
    }

    /// The walks of the pass: each database for its keys where some have deadlines, and for the fields of its hashes where
    /// these have. A server that hides what its databases hold is walked through.
    pub(super) fn walks(&self, info: &Info, knows_fields: bool) -> VecDeque<DatabaseWalk> {
        let spaces = info.keyspace();
        let has = |db: &Db, some: fn(&Keyspace) -> bool| spaces.is_empty() || spaces.get(db).is_some_and(some);
        let dbs = || self.databases.iter().map(|(db, _)| *db);
        let keys = dbs().filter(|db| has(db, |space| space.expires > 0)).map(|db| DatabaseWalk { db, fields: false });
        let with_fields = dbs().filter(|db| knows_fields && has(db, |space| space.field_expires != Some(0)));
        keys.chain(with_fields.map(|db| DatabaseWalk { db, fields: true })).collect()
    }

    /// The last moment that stays deferred, at `now` on the destination's clock.
    pub(super) fn horizon(&self, now: UnixMillis) -> UnixMillis {
        let ahead = self.ahead.map(|ahead| i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
        ahead.map_or(UnixMillis(i64::MIN), |ahead| UnixMillis(now.0.saturating_add(ahead)))
    }
}

/// A walk over a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DatabaseWalk {
    pub(super) db: Db,
    /// Over the fields of hashes, not over keys.
    pub(super) fields: bool,
}

/// What a batch of the stream does to deadlines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Concerned {
    /// Keys whose deadline is deferred, or may be. Where nobody knows it a key is in both lists.
    pub(super) deferred: Vec<LoggedKey>,
    /// Keys whose deadline is exact, or may be.
    pub(super) exact: Vec<LoggedKey>,
    /// Databases change places: a walk that is under way misses keys.
    pub(super) swapped: bool,
}

impl Concerned {
    /// What the commands of a batch do, which begins in database 0.
    pub(super) fn of(batch: &[u8]) -> Self {
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        reader.feed(batch);
        let (mut concerned, mut db) = (Self::default(), Db(0));
        while let Ok(Some(command)) = reader.next() {
            concerned.see(&command, &mut db);
        }
        concerned
    }

    fn see(&mut self, command: &resp::Command<'_>, db: &mut Db) {
        let Some(spec) = command::find(command.name()) else { return };
        let number = |index: usize| command.arg(index).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let database = |index: usize| number(index).and_then(|number: i64| u32::try_from(number).ok()).map(Db);
        match spec.name {
            "SELECT" => *db = database(1).unwrap_or(*db),
            "SET" if command.len() > 3 => {
                let at = (3..command.len()).find(|index| is(command, *index, "PXAT"));
                if let Some(at) = at {
                    self.add(*db, command.arg(1), false, number(at.saturating_add(1)));
                }
            }
            "PEXPIREAT" => self.add(*db, command.arg(1), false, number(2)),
            "HPEXPIREAT" => self.add(*db, command.arg(1), true, number(2)),
            "HSETEX" => self.add(*db, command.arg(1), true, None),
            "RESTORE" => self.add(*db, command.arg(1), false, number(2).filter(|at| *at != 0)),
            "RENAME" | "RENAMENX" => self.add(*db, command.arg(2), true, None),
            "MOVE" => self.add(database(2).unwrap_or(*db), command.arg(1), true, None),
            "COPY" => {
                let to = (3..command.len()).find(|index| is(command, *index, "DB")).and_then(|at| database(at + 1));
                self.add(to.unwrap_or(*db), command.arg(2), true, None);
            }
            "SWAPDB" => self.swapped = true,
            "MSETEX" | "EVAL" | "EVALSHA" | "FCALL" => {
                let mut indexes = vec![];
                spec.key_indexes(command.len(), &|index| command.arg(index), &mut indexes);
                for index in indexes {
                    self.add(*db, command.arg(index), true, None);
                }
            }
            _ => {}
        }
    }

    /// Adds a key with the deadline that is written to it, where that is known.
    fn add(&mut self, db: Db, key: Option<&[u8]>, fields: bool, at: Option<i64>) {
        let Some(key) = key else { return };
        let key = LoggedKey { db, fields, key: key.to_vec() };
        match at {
            Some(at) if UnixMillis(at).if_deferred().is_none() => self.exact.push(key),
            Some(_) => self.deferred.push(key),
            None => {
                self.exact.push(key.clone());
                self.deferred.push(key);
            }
        }
    }
}

fn is(command: &resp::Command<'_>, index: usize, word: &str) -> bool {
    command.arg(index).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_764_500_000_000);

    fn batch(lines: &[&str]) -> Vec<u8> {
        let mut out = vec![];
        for line in lines {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            resp::command(&mut out, &words);
        }
        out
    }

    fn key(db: u32, fields: bool, key: &str) -> LoggedKey {
        LoggedKey { db: Db(db), fields, key: key.into() }
    }

    #[test]
    fn every_command_that_can_put_a_deferred_deadline_on_a_key_names_it() {
        let later = NOW.deferred().0;
        let found = Concerned::of(&batch(&[
            &format!("SET a v PXAT {later}"),
            "set b v",
            "SET c v KEEPTTL",
            &format!("pexpireat d {later}"),
            "SELECT 3",
            &format!("HPEXPIREAT h {later} FIELDS 1 f"),
            "rename d e",
            "COPY e f DB 5 REPLACE",
            "MOVE f 6",
            &format!("RESTORE r {later} payload ABSTTL"),
            &format!("MSETEX 2 m 1 n 2 PXAT {later}"),
            "EVAL script 2 s t x",
            "INCR z",
        ]));
        let expected = [
            key(0, false, "a"),
            key(0, false, "d"),
            key(3, true, "h"),
            key(3, true, "e"),
            key(5, true, "f"),
            key(6, true, "f"),
            key(3, false, "r"),
            key(3, true, "m"),
            key(3, true, "n"),
            key(3, true, "s"),
            key(3, true, "t"),
        ];
        assert_eq!(found.deferred, expected);
        assert!(found.exact.iter().all(|key| found.deferred.contains(key)) && !found.swapped);
    }

    #[test]
    fn what_moves_a_deadline_that_nobody_knows_may_move_an_exact_one() {
        let found = Concerned::of(&batch(&["RENAME a b", "SET c v KEEPTTL"]));
        assert_eq!((found.exact, found.deferred), (vec![key(0, true, "b")], vec![key(0, true, "b")]));
    }

    #[test]
    fn exact_deadlines_and_swaps_are_told_apart() {
        let exact = NOW.0;
        let found = Concerned::of(&batch(&[&format!("SET a v PXAT {exact}"), "SWAPDB 0 1", "RESTORE r 0 payload"]));
        let (exact, deferred) = (vec![key(0, false, "a"), key(0, false, "r")], vec![key(0, false, "r")]);
        assert_eq!(found, Concerned { exact, deferred, swapped: true });
    }

    #[test]
    fn a_pass_takes_what_the_run_writes_and_walks_fields_where_they_have_deadlines() {
        let pass = DeadlinePass {
            databases: vec![(Db(0), vec![Db(0)]), (Db(2), vec![Db(2)]), (Db(3), vec![Db(3)])],
            selection: Selection::all(),
            left_alone: Arc::new([b"0:theirs".to_vec()].into()),
            ahead: Some(Duration::from_mins(10)),
            doubtful: false,
            folder: PathBuf::new(),
        };
        assert!(pass.takes(Db(0), b"k") && pass.takes(Db(2), b"theirs"));
        assert!(!pass.takes(Db(0), b"theirs") && !pass.takes(Db(1), b"k") && !pass.takes(Db(0), b"redis-plan:{x}:run"));
        let walks = |info: &str, knows| -> Vec<_> {
            pass.walks(&Info::parse(info), knows).into_iter().map(|walk| (walk.db.0, walk.fields)).collect()
        };
        let info =
            "db0:keys=3,expires=1,subexpiry=0\r\ndb2:keys=3,expires=0,subexpiry=2\r\ndb3:keys=1,expires=0,subexpiry=0";
        assert_eq!(walks(info, true), [(0, false), (2, true)]);
        assert_eq!(walks(info, false), [(0, false)]);
        assert_eq!(walks("db2:keys=3,expires=1", true), [(2, false), (2, true)]);
        assert_eq!(walks("", false), [(0, false), (2, false), (3, false)]);
        assert_eq!(pass.horizon(NOW).0, NOW.0 + 600_000);
        assert_eq!(DeadlinePass { ahead: None, ..pass }.horizon(NOW).0, i64::MIN);
    }
}
