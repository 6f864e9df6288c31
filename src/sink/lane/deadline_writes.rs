//! Reading and writing the deadlines of keys, page after page.
//!
//! From 7.0 on two pages are under way at a time: while the server carries out what is written of one, it has the questions
//! about the next before it, and this side puts the next transaction together. Nothing of the stream comes between: all of it is
//! one job of the lane. Before 7.0 a condition needs a `WATCH` of every key, and pages follow each other.

use std::io;

use super::{
    connection::{Connection, Executed, LinkFault, Nil},
    deadline_reads::Commands,
    run::{Lane, LaneError, MULTI, arm},
    settle::done,
};
use crate::{
    resp,
    sink::{DeadlinePass, deadlines::DatabaseWalk},
    store::{BlockKey, KeyBlock, KeyLog, KeyLogReader},
    unit::{Db, UnixMillis},
};

/// How many keys a SCAN looks at, and how many are taken from a list.
const LOOK_AT: usize = 1000;

/// Which way deadlines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Deferred ones become exact, if they lie behind this moment.
    Exact(UnixMillis),
    /// Exact ones are deferred.
    Defer,
}

impl Way {
    /// What is written in place of the deadline `at`; `None` when it stays.
    pub(super) fn written(self, at: UnixMillis) -> Option<UnixMillis> {
        match self {
            Self::Exact(_) => at.if_deferred(),
            Self::Defer => Some(at.deferred()).filter(|deferred| *deferred != at && at.if_deferred().is_none()),
        }
    }

    /// Whether it is written now.
    pub(super) fn is_due(self, written: UnixMillis) -> bool {
        match self {
            Self::Exact(horizon) => written > horizon,
            Self::Defer => true,
        }
    }

    /// The condition that leaves a key alone which somebody else has replaced meanwhile (7.0 and later).
    const fn condition(self) -> &'static [u8] {
        match self {
            Self::Exact(_) => b"LT",
            Self::Defer => b"GT",
        }
    }
}

/// Where pages of keys come from.
pub(super) enum Pages<'a> {
    /// A walk over a database that stands at `cursor`, for `left` pages.
    Walk { pass: &'a DeadlinePass, walk: DatabaseWalk, cursor: &'a mut Vec<u8>, left: usize, is_asked: bool },
    /// A list. Where databases are named a key may be in any of them.
    List { list: KeyLogReader, everywhere: &'a [Db] },
}

impl<'a> Pages<'a> {
    pub(super) const fn walk(pass: &'a DeadlinePass, walk: DatabaseWalk, cursor: &'a mut Vec<u8>, left: usize) -> Self {
        Self::Walk { pass, walk, cursor, left, is_asked: false }
    }

    /// Appends the question for the next page, where one is needed.
    fn ask(&mut self, out: &mut Vec<u8>) {
        let Self::Walk { walk, cursor, left, is_asked, .. } = self else { return };
        // The walk is at its end when its cursor is 0 again.
        if *left == 0 || (cursor.as_slice() == b"0" && *is_asked) {
            return;
        }
        (*left, *is_asked) = (*left - 1, true);
        resp::command(out, &[b"SELECT", walk.db.to_string().as_bytes()]);
        resp::command(out, &[b"SCAN", cursor, b"COUNT", LOOK_AT.to_string().as_bytes()]);
        resp::command(out, &[b"SELECT", b"0"]);
    }

    /// The page that was asked for last; `None` when there is none.
    async fn take(&mut self, connection: &mut Connection, asked: bool) -> Result<Option<KeyBlock>, LaneError> {
        match self {
            Self::Walk { .. } if !asked => Ok(None),
            Self::Walk { pass, walk, cursor, .. } => {
                let mut keys = KeyBlock::default();
                connection.line().await?;
                **cursor = connection.scanned_into(&mut keys, (walk.db, false)).await?;
                connection.line().await?;
                keys.retain(|key| pass.takes(key.db, key.key));
                Ok(Some(keys))
            }
            Self::List { list, everywhere } => {
                let keys = list.next(LOOK_AT).map_err(disk)?;
                Ok((!keys.is_empty()).then(|| spread(keys, everywhere)))
            }
        }
    }
}

/// Each key in every one of these databases, where some are named.
fn spread(keys: KeyBlock, everywhere: &[Db]) -> KeyBlock {
    if everywhere.is_empty() {
        return keys;
    }
    let mut all = KeyBlock::default();
    for db in everywhere {
        keys.iter().for_each(|key| all.push(BlockKey { db: *db, ..key }));
    }
    all
}

/// What is noted of keys before they are written, and what came of it.
#[derive(Default)]
pub(super) struct Notes<'a> {
    /// What is written.
    pub(super) ledger: Option<&'a mut KeyLog>,
    /// What is to be written later.
    pub(super) remembered: Option<&'a mut KeyLog>,
    /// Keys that were looked at.
    pub(super) looked: u64,
    /// Deadlines that the server has written.
    pub(super) written: u64,
}

impl Notes<'_> {
    /// The commands that write what is due of a page; the rest is remembered.
    fn page(
        &mut self,
        keys: &KeyBlock,
        ends: &[Option<UnixMillis>],
        (way, conditional): (Way, bool),
    ) -> io::Result<Commands> {
        let mut out = Commands::default();
        let mut digits = itoa::Buffer::new();
        self.looked += keys.len() as u64;
        for (key, at) in keys.iter().zip(ends) {
            let key = BlockKey { fields: false, ..key };
            match at.and_then(|at| way.written(at)) {
                Some(at) if way.is_due(at) => {
                    if let Some(ledger) = &mut self.ledger {
                        ledger.append(key)?;
                    }
                    out.select(key.db);
                    let words: &[&[u8]] =
                        &[b"PEXPIREAT", key.key, digits.format(at.0).as_bytes(), b"XX", way.condition()];
                    out.add(if conditional { words } else { words.get(..3).unwrap_or_default() });
                    out.written += 1;
                }
                Some(_) => {
                    if let Some(remembered) = &mut self.remembered {
                        remembered.append(key)?;
                    }
                }
                None => {}
            }
        }
        if let Some(ledger) = &mut self.ledger {
            // A process that dies finds in it what it has written.
            ledger.flush()?;
        }
        out.select(Db(0));
        Ok(out)
    }
}

impl Lane {
    /// Writes the deadlines of all keys of these pages that are due. The connection is armed for the next batch then; after
    /// trouble there is none.
    pub(super) async fn write_deadlines(
        &mut self,
        mut pages: Pages<'_>,
        way: Way,
        notes: &mut Notes<'_>,
    ) -> Result<(), LaneError> {
        if !self.setup.destination.version.has_redis((7, 0)) {
            return self.page_by_page(&mut pages, way, notes).await;
        }
        let Some(mut connection) = self.connection.take() else { return Err(LaneError::NotConnected) };
        self.pipelined(&mut connection, &mut pages, way, notes).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn pipelined(
        &self,
        connection: &mut Connection,
        pages: &mut Pages<'_>,
        way: Way,
        notes: &mut Notes<'_>,
    ) -> Result<(), LaneError> {
        let mut out = vec![];
        pages.ask(&mut out);
        if !out.is_empty() {
            connection.send(&out).await?;
        }
        let mut next = pages.take(connection, !out.is_empty()).await?;
        let (mut asked, mut executing): (Option<(KeyBlock, bool)>, Option<Commands>) = (None, None);
        loop {
            let read = match asked.take() {
                Some((keys, is_asked)) => {
                    let ends = ends(connection, &keys).await?;
                    next = pages.take(connection, is_asked).await?;
                    Some((keys, ends))
                }
                None => None,
            };
            if let Some(keys) = next.take() {
                out.clear();
                ask_ends(&keys, &mut out);
                let before = out.len();
                pages.ask(&mut out);
                connection.send(&out).await?;
                asked = Some((keys, out.len() > before));
            }
            let mut commands = match read {
                Some((keys, ends)) => notes.page(&keys, &ends, (way, true)).map_err(disk)?,
                None => Commands::default(),
            };
            // What was sent before the questions above is answered before them.
            if let Some(executing) = executing.take() {
                self.executed(connection, executing.count).await?;
                notes.written += executing.written;
            }
            if commands.written > 0 {
                resp::command(&mut commands.bytes, &[b"EXEC"]);
                arm(&self.setup, &mut commands.bytes);
                connection.send_both([MULTI, &commands.bytes]).await?;
                executing = Some(commands);
            }
            if asked.is_none() && executing.is_none() {
                return Ok(());
            }
        }
    }

    /// Before 7.0.
    async fn page_by_page(&mut self, pages: &mut Pages<'_>, way: Way, notes: &mut Notes<'_>) -> Result<(), LaneError> {
        loop {
            let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
            let mut out = vec![];
            pages.ask(&mut out);
            if !out.is_empty() {
                connection.send(&out).await?;
            }
            let Some(keys) = pages.take(connection, !out.is_empty()).await? else { return Ok(()) };
            let logged: Vec<_> = keys.iter().map(BlockKey::to_logged).collect();
            self.watch(&logged).await?;
            let ends = self.ends_by_clock(&logged).await?;
            let commands = notes.page(&keys, &ends, (way, false)).map_err(disk)?;
            let written = commands.written;
            self.carry_out(commands).await?;
            notes.written += written;
        }
    }

    /// Takes what became of a transaction of so many commands on an armed connection, and the guard behind it.
    pub(super) async fn executed(&self, connection: &mut Connection, count: u32) -> Result<(), LaneError> {
        let executed = connection.executed(count, Nil::Answer, &[]).await?;
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() != Some(self.setup.token.as_bytes()) {
            return Err(LaneError::Token(token));
        }
        match executed {
            Executed::Done(errors) => done(errors),
            Executed::Untouched => Err(LaneError::Untouched),
            Executed::Aborted(error) => Err(LaneError::Aborted(error)),
        }
    }
}

/// Asks when keys end (7.0 and later).
fn ask_ends(keys: &KeyBlock, out: &mut Vec<u8>) {
    let mut selected = Db(0);
    for key in keys.iter() {
        select(&mut selected, key.db, || resp::command(out, &[b"SELECT", key.db.to_string().as_bytes()]));
        resp::command(out, &[b"PEXPIRETIME", key.key]);
    }
    select(&mut selected, Db(0), || resp::command(out, &[b"SELECT", b"0"]));
}

/// The answers; `None` for a key that does not end.
async fn ends(connection: &mut Connection, keys: &KeyBlock) -> Result<Vec<Option<UnixMillis>>, LinkFault> {
    let mut ends = Vec::with_capacity(keys.len());
    let mut selected = Db(0);
    for key in keys.iter() {
        if selected != key.db {
            connection.line().await?;
            selected = key.db;
        }
        let at = connection.number().await?;
        ends.push((at >= 0).then_some(UnixMillis(at)));
    }
    if selected != Db(0) {
        connection.line().await?;
    }
    Ok(ends)
}

fn select(selected: &mut Db, db: Db, change: impl FnOnce()) {
    if *selected != db {
        *selected = db;
        change();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
pub(super) fn disk(error: io::Error) -> LaneError {
    LaneError::Disk(error.to_string())
}
