//! Values whose RESTORE the destination refuses although they can be read: written by commands instead.
//!
//! Servers have checked payloads more strictly from version to version, so that some that an older one wrote are refused by
//! a newer one. An empty collection is refused as well; servers skip one when they load it, and so does this.

use super::{
    connection::{Connection, Executed, LinkFault},
    run::{Lane, LaneError, LaneReport},
    settle::{each_command, selected},
};
use crate::{
    rdb::{ElementReader, Kind},
    resp::{self, Refusal, RefusalKind},
    sink::{
        Batch,
        native::{Features, Loss, NativeWriter},
    },
    step::{KeyFailure, OnConflict},
    unit::{Db, Dialect, KeyText, UnixMillis},
};

/// A variadic command is ended when its arguments have so many bytes.
const CHUNK_BYTES: usize = 128 << 10;

/// A value that was refused as it is, in commands.
struct RefusedValue {
    db: Db,
    key: Vec<u8>,
    kind: Kind,
    size: u64,
    bytes: Vec<u8>,
    commands: u32,
    losses: Vec<Loss>,
}

impl Lane {
    /// Writes by commands what was refused as it is; answers the errors that stay.
    pub(super) async fn fall_back(&self, batch: &Batch, errors: Vec<(u32, String)>) -> Vec<(u32, String)> {
        let mut left = vec![];
        let destination = &self.setup.destination;
        let form = (Features::of(destination.version), destination.dialect());
        for (index, error) in errors {
            let refused = (Refusal::of(&error).kind == RefusalKind::BadPayload)
                .then(|| refused(batch, index, form, self.setup.on_conflict));
            match refused.flatten() {
                Some(value) if matches!(self.write_refused(&value).await, Ok(true)) => {
                    let touches = value.losses.iter().any(Loss::touches_data);
                    if let Some(failure) = failure(&value) {
                        let report = if touches { LaneReport::Failed(failure) } else { LaneReport::Lossy(failure) };
                        self.tell(report).await;
                    }
                }
                _ => left.push((index, error)),
            }
        }
        left
    }

    /// On a connection of its own: on the lane's the next batch may have begun. `false` when the key is somebody else's.
    async fn write_refused(&self, value: &RefusedValue) -> Result<bool, LaneError> {
        if value.commands == 0 {
            return Ok(true);
        }
        let mut connection = Connection::open(&self.setup.access, "redis-plan-value", None).await?;
        if exists(&mut connection, value).await? && self.setup.on_conflict != OnConflict::Replace {
            return Ok(false);
        }
        let mut bytes = vec![];
        resp::command(&mut bytes, &[b"SELECT", value.db.to_string().as_bytes()]);
        bytes.extend_from_slice(&value.bytes);
        match self.guarded(&mut connection, &bytes, value.commands + 1).await? {
            Executed::Done(errors) => Ok(errors.is_empty()),
            Executed::Untouched | Executed::Aborted(_) => Err(LaneError::Untouched),
        }
    }
}

/// Whether the key is there; it is watched from here on.
async fn exists(connection: &mut Connection, value: &RefusedValue) -> Result<bool, LinkFault> {
    let mut asking = vec![];
    resp::command(&mut asking, &[b"SELECT", value.db.to_string().as_bytes()]);
    resp::command(&mut asking, &[b"WATCH", &value.key]);
    resp::command(&mut asking, &[b"EXISTS", &value.key]);
    resp::command(&mut asking, &[b"SELECT", b"0"]);
    connection.send(&asking).await?;
    connection.line().await?;
    connection.line().await?;
    let there = connection.number().await? > 0;
    connection.line().await?;
    Ok(there)
}

/// The value of the RESTORE at this place of the batch; `None` when it is none, or cannot be read.
fn refused(
    batch: &Batch,
    at: u32,
    (caps, dialect): (Features, Dialect),
    on_conflict: OnConflict,
) -> Option<RefusedValue> {
    let (mut db, mut found, mut expires_at) = (Db(0), None, None);
    each_command(batch, |index, command| {
        let is = |name: &[u8]| command.name() == name;
        if is(b"SELECT") && index < at {
            db = selected(command).unwrap_or(db);
        } else if is(b"RESTORE") && index == at {
            let absolute = command.args().any(|word| word == b"ABSTTL");
            expires_at = number(command.arg(2)).filter(|ttl| *ttl > 0 && absolute);
            found = command.arg(1).zip(command.arg(3)).map(|(key, payload)| (key.to_vec(), payload.to_vec()));
        } else if is(b"PEXPIREAT") && Some(index) == at.checked_add(1) {
            // Before 5.0 the expiry is a command of its own.
            expires_at = expires_at.or(number(command.arg(2)));
        }
    });
    let (key, payload) = found?;
    let (number, rest) = payload.split_first()?;
    let body = rest.get(..rest.len().checked_sub(10)?)?;
    let kind = Kind::of(*number, dialect)?;
    let mut writer = NativeWriter::new(&key, kind, &caps, CHUNK_BYTES).ok()?;
    let mut elements = ElementReader::new(kind, 0);
    elements.feed(body);
    let (mut bytes, mut commands, mut seen) = (vec![], 0, false);
    if on_conflict == OnConflict::Replace {
        resp::command(&mut bytes, &[b"DEL", &key]);
        commands += 1;
    }
    while let Some(element) = elements.next().ok()? {
        seen = true;
        commands += writer.push(&element, &mut bytes);
    }
    if !elements.is_done() {
        return None;
    }
    commands += writer.finish(expires_at.map(UnixMillis), &mut bytes);
    let size = body.len() as u64;
    let (commands, losses) = if seen { (commands, writer.losses()) } else { (0, vec![]) };
    Some(RefusedValue { db, key, kind, size, bytes, commands, losses })
}

fn number(word: Option<&[u8]>) -> Option<i64> {
    std::str::from_utf8(word?).ok()?.parse().ok()
}

/// What is to be told of a value that was written by commands, if anything.
fn failure(value: &RefusedValue) -> Option<KeyFailure> {
    let losses: Vec<String> = value.losses.iter().map(ToString::to_string).collect();
    let reason = match (value.commands, losses.is_empty()) {
        (0, _) => "it has no elements: no server keeps such a key".to_owned(),
        (_, true) => return None,
        (_, false) => losses.join("; "),
    };
    let kind = value.kind.type_name().to_owned();
    Some(KeyFailure { key: KeyText(&value.key).to_string(), db: value.db, kind, size: value.size, reason })
}
