//! A new dump leaves no ghosts: what an earlier dump of this run wrote is taken back before the new one begins.

use std::path::Path;

use redis::cmd;

use super::{Lease, LeaseFault, RunRecord, record::PREFIX};
use crate::{
    net::Control,
    rdb::{Decoder, Entry, Item, Limits},
    step::{OnConflict, Selection},
    store::spool::{Level, SpoolError, SpoolReader},
    unit::{Db, Slot},
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

/// Deletes the keys that the marks of `record` say were written from the spool in `folder`, and only those: keys that
/// were left as they were (`on_conflict: skip`) stay. Answers how many keys were named.
pub async fn undo(
    control: &mut Control,
    lease: &Lease,
    record: &RunRecord,
    (folder, tag, stored): (&Path, u64, u64),
    (selection, on_conflict): (&Selection, OnConflict),
) -> Result<u64, UndoFault> {
    let furthest = record.marks.iter().map(|mark| mark.at.saturating_add(mark.elements.min(1))).max().unwrap_or(0);
    if stored < furthest {
        return Err(UndoFault::Short);
    }
    let mut reader = SpoolReader::new(folder, tag, 0, Level::at(stored, true));
    let mut decoder = Decoder::new(Limits { inline: 64 << 10, ..Limits::default() });
    let mut doomed: Vec<(Db, Vec<u8>)> = vec![];
    let mut named = 0;
    while let Some(bytes) = reader.read()? {
        decoder.feed(bytes);
        // An earlier dump may be cut off or damaged behind what was written from it; before that it was decoded once.
        while let Ok(Some(item)) = decoder.next() {
            if let Item::Entry(entry) = item {
                doomed.extend(written(&entry, record, selection).map(|db| (db, entry.key.to_vec())));
            }
        }
        while doomed.len() >= KEYS_AT_ONCE {
            let rest = doomed.split_off(KEYS_AT_ONCE);
            named += delete(control, lease, std::mem::replace(&mut doomed, rest), on_conflict).await?;
        }
    }
    named += delete(control, lease, doomed, on_conflict).await?;
    Ok(named)
}

/// The database at the destination to which the entry was written; `None` when it was not.
fn written(entry: &Entry<'_>, record: &RunRecord, selection: &Selection) -> Option<Db> {
    let db = selection.target(entry.db, &entry.key).filter(|_| !entry.key.starts_with(PREFIX.as_bytes()))?;
    let lane = usize::from(Slot::of(&entry.key).0).checked_rem(record.marks.len())?;
    let mark = record.marks.get(lane)?;
    (entry.at < mark.at || (entry.at == mark.at && mark.elements > 0)).then_some(db)
}

async fn delete(
    control: &mut Control,
    lease: &Lease,
    keys: Vec<(Db, Vec<u8>)>,
    on_conflict: OnConflict,
) -> Result<u64, UndoFault> {
    let mut commands: Vec<redis::Cmd> = vec![];
    let mut selected = Db(0);
    let mut named = 0;
    for (db, key) in keys {
        if on_conflict == OnConflict::Skip && left_alone(control, lease, db, &key).await? {
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
        lease.guarded(control, &commands).await?;
    }
    Ok(named)
}

async fn left_alone(control: &mut Control, lease: &Lease, db: Db, key: &[u8]) -> Result<bool, UndoFault> {
    let member = [format!("{db}:").as_bytes(), key].concat();
    Ok(control.query(cmd("SISMEMBER").arg(&lease.keys.skipped).arg(member)).await?)
}

/// Empties `dbs` and puts the run record back in the same transaction. Only for databases that were empty when this run
/// first took the lease, when the earlier dump's spool is lost: all in them is then taken for ours. Answers `false`, and
/// does nothing, when another run has its record at the destination.
pub async fn clear_databases(
    control: &mut Control,
    lease: &Lease,
    record: &RunRecord,
    dbs: &[Db],
    in_background: bool,
) -> Result<bool, LeaseFault> {
    if others_record(control, lease).await? {
        return Ok(false);
    }
    let mut commands = vec![];
    for db in dbs {
        commands.push(cmd("SELECT").arg(db.0).clone());
        let mut flush = cmd("FLUSHDB");
        if in_background {
            flush.arg("ASYNC");
        }
        commands.push(flush);
    }
    commands.push(cmd("SELECT").arg(0).clone());
    commands.extend(lease.record_commands(record));
    lease.guarded(control, &commands).await?;
    Ok(true)
}

async fn others_record(control: &mut Control, lease: &Lease) -> Result<bool, LeaseFault> {
    let mut cursor = 0u64;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{PREFIX}*")).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<String>) = control.query(&scan).await?;
        let ours = |key: &String| {
            let keys = &lease.keys;
            [&keys.token, &keys.heartbeat, &keys.run, &keys.skipped].contains(&key)
        };
        if keys.iter().any(|key| !ours(key)) {
            return Ok(true);
        }
        if next == 0 {
            return Ok(false);
        }
        cursor = next;
    }
}
