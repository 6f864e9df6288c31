//! What following needs to know of both servers before it begins.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use redis::{Value, cmd};

use super::feed::RecordRestore;
use crate::{
    engine::{ending::Ending, servers},
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{Checkpoint, Destination, Lease, Libraries, RecordKeys, RunRecord, TranslatorSetup},
    step::{IncrementalWork, OnConflict},
    unit::{Db, ServerVersion},
};

/// What the destination says.
pub(super) struct DestinationState {
    pub(super) destination: Destination,
    /// Its clock minus ours, in milliseconds.
    pub(super) clock_ahead: i64,
    pub(super) record: RunRecord,
    /// Where the stream goes on.
    pub(super) checkpoint: Checkpoint,
    /// An earlier process has made deadlines exact, which are to be deferred again before anything is applied.
    pub(super) defers_first: bool,
    /// Keys that the full copy left as they were.
    pub(super) left_alone: Arc<HashSet<Vec<u8>>>,
    known_commands: Option<HashSet<String>>,
    scripts: HashMap<[u8; 20], Vec<u8>>,
    occupied: Vec<Db>,
    /// Names of its function libraries.
    libraries: Vec<String>,
    /// The source, if it told.
    pub(super) source: Option<ServerVersion>,
}

impl DestinationState {
    /// Asks the destination. A record without a checkpoint is of a copy that is not done.
    pub(super) async fn ask(control: &mut Control, lease: &Lease) -> Result<Self, Ending> {
        let record = lease.record(control).await?;
        let Some(checkpoint) = record.stream else {
            return Err(Ending::anew(
                &runs::DESTINATION_FORGOT,
                "the destination holds no checkpoint of the source's stream",
            ));
        };
        if record.left.is_some() {
            // What it is, the copy says before it begins.
            return Err(Ending::anew(&runs::DIVERGED, "the run record says that this copy is not whole"));
        }
        let keys = &lease.keys;
        let left_alone = Arc::new(servers::left_alone(control, keys).await?);
        let mut occupied = record.occupied.clone();
        if !crate::sink::recorded(control, keys).await?.is_empty() {
            occupied.push(Db(0));
        }
        let mut destination = servers::destination(control, &keys.token).await?;
        destination.expiry = servers::expiry(record.deadlines);
        Ok(Self {
            destination,
            clock_ahead: servers::clock_ahead(control).await?,
            known_commands: known_commands(control).await?,
            scripts: scripts(control, keys).await?,
            libraries: servers::libraries(control).await?.unwrap_or_default(),
            record,
            checkpoint,
            defers_first: false,
            left_alone,
            occupied,
            source: None,
        })
    }

    /// How many of the scripts that the run has met set or read expiries.
    pub(super) fn expiring_scripts(&self) -> usize {
        self.scripts.values().filter(|body| crate::sink::meets_deadlines(std::iter::once(body.as_slice()))).count()
    }

    /// What the translator needs.
    pub(super) fn translator(
        &self,
        work: &IncrementalWork,
        on_conflict: OnConflict,
        keys: &RecordKeys,
    ) -> TranslatorSetup {
        TranslatorSetup {
            selection: work.selection.clone(),
            destination: self.destination.clone(),
            keys: keys.clone(),
            occupied: self.occupied.clone(),
            left_alone: HashSet::clone(&self.left_alone),
            libraries: Libraries::new(&self.record, self.libraries.clone(), on_conflict),
            known_commands: self.known_commands.clone(),
            scripts: self.scripts.clone(),
            db: self.checkpoint.db,
            source: self.source,
            deadlines: None,
        }
    }

    /// What puts the run record back after a flush.
    pub(super) fn restore(&self, lease: &Lease) -> RecordRestore {
        let removed = self.record.removed.clone().map(|removed| (lease.keys.clone(), removed));
        let mut restore = RecordRestore { removed, ..RecordRestore::default() };
        crate::resp::command(&mut restore.bytes, &[b"SELECT", b"0"]);
        restore.commands = 1;
        for command in lease.record_commands(&RunRecord { stream: None, ..self.record.clone() }) {
            restore.bytes.extend(command.get_packed_command());
            restore.commands += 1;
        }
        restore
    }
}

/// The names of the destination's commands, lower case; `None` where it does not tell.
async fn known_commands(control: &mut Control) -> Result<Option<HashSet<String>>, ControlError> {
    let rows = match control.command(&cmd("COMMAND")).await {
        Ok(Value::Array(rows)) => rows,
        Ok(_) => return Ok(None),
        Err(error) if error.refusal().is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = |row: Value| match row {
        Value::Array(fields) => match fields.into_iter().next()? {
            Value::BulkString(name) => Some(String::from_utf8_lossy(&name).to_ascii_lowercase()),
            Value::SimpleString(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        },
        _ => None,
    };
    Ok(Some(rows.into_iter().filter_map(name).collect()))
}

/// The scripts that the run has met, by their SHA-1.
async fn scripts(control: &mut Control, keys: &RecordKeys) -> Result<HashMap<[u8; 20], Vec<u8>>, ControlError> {
    let found: HashMap<String, Vec<u8>> = control.query(cmd("HGETALL").arg(&keys.scripts)).await?;
    Ok(found.into_iter().filter_map(|(sha, body)| Some((sha_of(&sha)?, body))).collect())
}

fn sha_of(text: &str) -> Option<[u8; 20]> {
    let mut sha = [0; 20];
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in sha.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(sha)
}
