//! Copying single keys again: serialized where the destination takes that, as commands where it does not.

use redis::{Cmd, cmd};

use super::guard::Guard;
use crate::{
    compare::Pair,
    engine::{ending::Ending, servers},
    net::Control,
    rdb::{self, ElementReader, Kind, ModuleId, Payload},
    resp::{CommandReader, RespLimits},
    sink::{
        Destination, Form,
        native::{Features, NativeWriter},
    },
    step::KeyDifference,
    unit::UnixMillis,
};

/// Bytes of a payload in front of its body, and behind it.
const TYPE: usize = 1;
const FOOTER: usize = 10;
/// Bytes of a command's arguments where a value goes as commands.
const CHUNK: usize = 256 << 10;

/// Both servers while keys are copied again.
pub(super) struct Copier {
    pub(super) source: Control,
    pub(super) destination: Control,
    pub(super) there: Destination,
    pub(super) guard: Guard,
    /// The plan lets keys be replaced that it did not write.
    pub(super) replaces: bool,
}

impl Copier {
    /// Whether the key is the run's to write. A destination that knows of no run may hold it for others; and a key that the
    /// source has not may be of others everywhere, since databases that were empty when a run began are open to them.
    pub(super) fn may_copy(&self, found: &KeyDifference) -> bool {
        let is_ours = match self.guard {
            Guard::Held { .. } | Guard::Done { .. } => found.source.is_some(),
            Guard::Free => false,
        };
        found.destination.is_none() || is_ours || self.replaces
    }

    /// Copies one key again, or deletes it where the source has none. Answers why it could not, if it could not.
    pub(super) async fn copy(&mut self, pair: &Pair) -> Result<Option<String>, Ending> {
        self.source.command(cmd("SELECT").arg(pair.from.0)).await?;
        let payload: Option<Vec<u8>> = self.source.query(cmd("DUMP").arg(&pair.key)).await?;
        let left: i64 = self.source.query(cmd("PTTL").arg(&pair.key)).await?;
        let mut commands = vec![cmd("SELECT").arg(pair.to.0).clone()];
        match payload.filter(|_| left != -2) {
            None => commands.push(cmd("DEL").arg(&pair.key).clone()),
            Some(payload) => {
                match self.written(&pair.key, &payload) {
                    Ok(written) => commands.extend(written),
                    Err(why) => return Ok(Some(why)),
                }
                if left >= 0 {
                    let now = servers::clock_ahead(&mut self.source).await?.saturating_add(UnixMillis::now().0);
                    commands.push(cmd("PEXPIREAT").arg(&pair.key).arg(now.saturating_add(left)).clone());
                }
            }
        }
        commands.push(cmd("SELECT").arg(0).clone());
        self.guard.write(&mut self.destination, &commands).await?;
        Ok(None)
    }

    /// The commands that create the value of a payload at the destination.
    fn written(&self, key: &[u8], payload: &[u8]) -> Result<Vec<Cmd>, String> {
        let delete = || cmd("DEL").arg(key).clone();
        let restore = |payload: &[u8]| {
            let mut restore = cmd("RESTORE").arg(key).arg(0).arg(payload).clone();
            if self.there.knows_replace() {
                // The old value stays when the new one is refused.
                return vec![restore.arg("REPLACE").clone()];
            }
            vec![delete(), restore]
        };
        let Some(Payload { kind: Some(kind), .. }) = rdb::verify(payload) else { return Ok(restore(payload)) };
        let body = payload.get(TYPE..payload.len().saturating_sub(FOOTER)).unwrap_or_default();
        let module = if kind == Kind::Module2 { module_of(body) } else { None };
        match self.there.form(kind, module) {
            Form::Restore { version } => {
                let mut stamped = vec![];
                rdb::append_payload(&mut stamped, kind, body, version);
                Ok(restore(&stamped))
            }
            Form::Native => Ok([vec![delete()], self.native(key, kind, body)?].concat()),
            Form::Unsupported(why) => Err(why),
        }
    }

    fn native(&self, key: &[u8], kind: Kind, body: &[u8]) -> Result<Vec<Cmd>, String> {
        let caps = Features::of(self.there.version);
        let mut writer = NativeWriter::new(key, kind, &caps, CHUNK).map_err(|error| error.to_string())?;
        let mut elements = ElementReader::new(kind, 0);
        elements.feed(body);
        let mut out = vec![];
        while let Some(element) = elements.next().map_err(|error| error.to_string())? {
            writer.push(&element, &mut out);
        }
        writer.flush(&mut out);
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        reader.feed(&out);
        let mut commands = vec![];
        while let Some(command) = reader.next().map_err(|error| error.to_string())? {
            let mut built = Cmd::new();
            for word in command.args() {
                built.arg(word);
            }
            commands.push(built);
        }
        Ok(commands)
    }
}

/// The module's id, which a module's value begins with, as a length of eight bytes.
fn module_of(body: &[u8]) -> Option<ModuleId> {
    let (first, rest) = body.split_first()?;
    let id = rest.first_chunk::<8>().filter(|_| *first == 0x81)?;
    Some(ModuleId(u64::from_be_bytes(*id)))
}
