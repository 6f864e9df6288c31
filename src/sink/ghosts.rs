//! A new dump leaves no ghosts: what an earlier dump of this run wrote is taken back before the new one begins.

use std::path::Path;

use redis::cmd;

use super::{
    Destination, Form, Lease, LeaseFault, RunRecord,
    deal::lane_of,
    neighbours::{recorded, sharing},
    record::PREFIX,
};
use crate::{
    net::Control,
    rdb::{Decoder, DumpLimits, Entry, Item},
    step::Selection,
    store::spool::{SpoolError, SpoolLevel, SpoolReader},
    unit::{Db, UnixMillis},
};

/// Keys taken back in one transaction.
const KEYS_AT_ONCE: usize = 500;

/// Why an earlier dump's keys could not be taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoFault {
    /// The destination.
    #[error(transparent)]
    Lease(#[from] LeaseFault),
    /// The spool of the earlier dump.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The spool does not hold all that was written.
    #[error("the earlier dump's spool does not hold everything that was written from it")]
    Short,
}

impl From<crate::net::ControlError> for UndoFault {
    fn from(error: crate::net::ControlError) -> Self {
        Self::Lease(LeaseFault::Control(error))
    }
}

/// What is done with the keys that an earlier dump has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// They are counted.
    Count,
    /// They are deleted.
    Delete,
}

/// Deletes the keys that the marks of `record` say were written from the spool in `folder`, and only those: keys that
/// were left as they were, or out, stay. Answers how many keys were named, or would be.
pub async fn undo(
    control: &mut Control,
    lease: &Lease,
    record: &RunRecord,
    (folder, tag, stored): (&Path, u64, u64),
    (selection, destination): (&Selection, &Destination),
    extent: Extent,
) -> Result<u64, UndoFault> {
    let furthest = record.marks.iter().map(|mark| mark.at.saturating_add(mark.elements.min(1))).max().unwrap_or(0);
    if stored < furthest {
        return Err(UndoFault::Short);
    }
    let (seconds, micros): (i64, i64) = control.query(&cmd("TIME")).await?;
    let now = UnixMillis(seconds.saturating_mul(1000).saturating_add(micros / 1000));
    let left_alone = control.query::<u64>(cmd("SCARD").arg(&lease.keys.skipped)).await? > 0;
    let mut reader = SpoolReader::new(folder, tag, 0, SpoolLevel::at(stored, true));
    let mut decoder = Decoder::new(DumpLimits { inline: 64 << 10, ..DumpLimits::default() });
    let mut doomed: Vec<(Db, Vec<u8>)> = vec![];
    let mut named = 0;
    let mut readable = true;
    while readable && let Some(bytes) = reader.read()? {
        decoder.feed(bytes);
        loop {
            match decoder.next() {
                Ok(Some(Item::Entry(entry))) if could_be_written(&entry, record, destination, now) => {
                    doomed.extend(written(&entry, record, selection).map(|db| (db, entry.key.to_vec())));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // It may be cut off or damaged behind what was written from it; before that it was decoded once.
                Err(_) => {
                    readable = false;
                    break;
                }
            }
        }
        if extent == Extent::Count {
            named += doomed.drain(..).count() as u64;
        }
        while doomed.len() >= KEYS_AT_ONCE {
            let rest = doomed.split_off(KEYS_AT_ONCE);
            named += delete(control, lease, std::mem::replace(&mut doomed, rest), left_alone).await?;
        }
    }
    named += delete(control, lease, doomed, left_alone).await?;
    if decoder.at() < furthest { Err(UndoFault::Short) } else { Ok(named) }
}

/// Whether an entry of an earlier dump could have been written at all, and could still be there: a key of this name at the
/// destination is somebody else's if not. What had expired when it was dealt has expired now,
/// but for a copy with deferred deadlines, which leaves nothing out.
fn could_be_written(entry: &Entry<'_>, record: &RunRecord, destination: &Destination, now: UnixMillis) -> bool {
    let alive = record.deadlines.defers() || entry.expires_at.is_none_or(|at| at > now);
    alive && !matches!(destination.form(entry.value.kind, entry.value.module), Form::Unsupported(_))
}

/// The database at the destination to which the entry was written; `None` when it was not.
fn written(entry: &Entry<'_>, record: &RunRecord, selection: &Selection) -> Option<Db> {
    let db = selection.target(entry.db, &entry.key).filter(|_| !entry.key.starts_with(PREFIX.as_bytes()))?;
    let mark = record.marks.get(lane_of(&entry.key, record.marks.len()))?;
    (entry.at < mark.at || (entry.at == mark.at && mark.elements > 0)).then_some(db)
}

async fn delete(
    control: &mut Control,
    lease: &Lease,
    keys: Vec<(Db, Vec<u8>)>,
    some_left_alone: bool,
) -> Result<u64, UndoFault> {
    let mut commands: Vec<redis::Cmd> = vec![];
    let mut selected = Db(0);
    let mut named = 0;
    for (db, key) in keys {
        if some_left_alone && left_alone(control, lease, db, &key).await? {
            continue;
        }
        if selected != db || commands.is_empty() {
            commands.push(cmd("SELECT").arg(db.0).clone());
            commands.push(cmd("DEL"));
            selected = db;
        }
        if let Some(delete) = commands.last_mut() {
            delete.arg(&key);
            named += 1;
        }
    }
    if !commands.is_empty() {
        commands.push(cmd("SELECT").arg(0).clone());
        commands.push(lease.heartbeat()); // Taking back much may last longer than a heartbeat.
        lease.guarded(control, &commands).await?;
    }
    Ok(named)
}

async fn left_alone(control: &mut Control, lease: &Lease, db: Db, key: &[u8]) -> Result<bool, UndoFault> {
    let member = [format!("{db}:").as_bytes(), key].concat();
    Ok(control.query(cmd("SISMEMBER").arg(&lease.keys.skipped).arg(member)).await?)
}

/// Empties `dbs` and puts the run record back in the same transaction. Only with somebody's consent: whose the keys are is
/// not known. Refused when another run under way writes to one of them; the records of others stay.
pub async fn clear_databases(
    control: &mut Control,
    lease: &Lease,
    record: &RunRecord,
    dbs: &[Db],
    in_background: bool,
) -> Result<(), LeaseFault> {
    let others = recorded(control, &lease.keys).await?;
    if let Some(plan) = sharing(control, &others, dbs).await? {
        return Err(LeaseFault::Shared { plan });
    }
    let by_key = |db: &Db| *db == Db(0) && !others.is_empty();
    for db in dbs.iter().filter(|db| by_key(db)) {
        clear_by_key(control, lease, *db).await?;
    }
    let mut commands = vec![];
    for db in dbs.iter().filter(|db| !by_key(db)) {
        commands.push(cmd("SELECT").arg(db.0).clone());
        let mut flush = cmd("FLUSHDB");
        if in_background {
            flush.arg("ASYNC");
        }
        commands.push(flush);
    }
    commands.push(cmd("SELECT").arg(0).clone());
    commands.extend(lease.record_commands(record));
    lease.guarded(control, &commands).await
}

/// Deletes every key of a database but those of this tool.
async fn clear_by_key(control: &mut Control, lease: &Lease, db: Db) -> Result<(), LeaseFault> {
    let mut cursor = 0u64;
    loop {
        control.command(cmd("SELECT").arg(db.0)).await?;
        let page = control.query(cmd("SCAN").arg(cursor).arg("COUNT").arg(KEYS_AT_ONCE)).await;
        control.command(cmd("SELECT").arg(0)).await?;
        let (next, mut keys): (u64, Vec<Vec<u8>>) = page?;
        keys.retain(|key| !key.starts_with(PREFIX.as_bytes()));
        if !keys.is_empty() {
            let select = |db: Db| cmd("SELECT").arg(db.0).clone();
            let commands = [select(db), cmd("DEL").arg(keys).clone(), select(Db(0)), lease.heartbeat()];
            lease.guarded(control, &commands).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
