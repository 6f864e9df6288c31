//! Coming back after trouble: what was carried out is found out, the rest is written again.

use std::{collections::HashSet, time::Instant};

use super::{
    LaneFault, Part,
    connection::{Connection, Executed, LinkFault, Nil},
    fault::{ErrorVerdict, verdict},
    run::{Lane, LaneError, LaneReport, MULTI, arm, commit, send_multi, settle},
};
use crate::{
    command::{self, Class, Cross},
    rdb::{Cursor, Kind, Length, ModuleId},
    resp::{self, CommandReader, Refusal, RefusalKind, RespLimits},
    sink::{Batch, Mark, lease::is_before},
    step::KeyFailure,
    unit::{Db, Dialect, KeyText},
};

/// How long a fence stays, in milliseconds: longer than anything can be under way.
const FENCE_MILLIS: &[u8] = b"3600000";
/// Pauses between attempts, in milliseconds; the last one repeats.
const PAUSES: [u64; 6] = [20, 100, 250, 500, 1000, 2000];

impl Lane {
    /// Connects anew until the pending batch and `last` are settled: carried out already, or written now.
    pub(super) async fn recover(&mut self, trouble: LaneError, last: Option<Batch>) -> Result<(), LaneFault> {
        let mut unsettled: std::collections::VecDeque<Batch> = self.pending.take().into_iter().chain(last).collect();
        let mut trouble = trouble;
        let mut since = Instant::now();
        let mut attempt = 0;
        loop {
            self.judge(&trouble, since).await?;
            if attempt > 0 {
                let pause = PAUSES.get(attempt - 1).or(PAUSES.last()).copied().unwrap_or(1000);
                async_std::task::sleep(std::time::Duration::from_millis(pause)).await;
            }
            attempt += 1;
            let mark = match self.reconnect().await {
                Ok(mark) => mark,
                Err(next) => {
                    trouble = next;
                    continue;
                }
            };
            let before = unsettled.len();
            match self.settle_all(&mut unsettled, mark).await {
                Ok(()) => {
                    if attempt > 1 {
                        self.tell(LaneReport::GoesOn).await;
                    }
                    return Ok(());
                }
                Err(next) => trouble = next,
            }
            if unsettled.len() < before {
                since = Instant::now();
                attempt = 1;
            }
        }
    }

    /// Whether trying again can help; tells why the lane waits.
    pub(super) async fn judge(&self, trouble: &LaneError, since: Instant) -> Result<(), LaneFault> {
        let patient = since.elapsed() < self.setup.patience && !self.window.is_closed();
        let (reason, fault) = match trouble {
            LaneError::NotConnected | LaneError::Untouched => return Ok(()),
            LaneError::Token(None) => return Err(LaneFault::RecordGone),
            LaneError::Token(Some(there)) if is_before(&String::from_utf8_lossy(there), &self.setup.token) => {
                return Err(LaneFault::Forgot);
            }
            LaneError::Token(Some(_)) => return Err(LaneFault::LostLease),
            LaneError::Forgot => return Err(LaneFault::Forgot),
            LaneError::TooLarge(large) => return Err(LaneFault::TooLarge(large.clone())),
            LaneError::Lasting(fault) => return Err(fault.clone()),
            LaneError::Disk(reason) => return Err(LaneFault::Disk(reason.clone())),
            LaneError::Broken(LinkFault::Protocol) => return Err(LaneFault::Protocol),
            LaneError::Broken(LinkFault::Link(reason)) => (reason.clone(), LaneFault::Unreachable(reason.clone())),
            LaneError::Broken(LinkFault::Refused(error)) | LaneError::Aborted(error) => match verdict(error) {
                ErrorVerdict::Passing(remedy) => {
                    (format!("{error} ({remedy})"), LaneFault::Refused { reason: error.clone(), remedy })
                }
                ErrorVerdict::Lasting(remedy) => return Err(LaneFault::Refused { reason: error.clone(), remedy }),
            },
        };
        if !patient {
            return Err(fault);
        }
        self.tell(LaneReport::Waiting { reason: format!("destination: {reason}") }).await;
        Ok(())
    }

    /// A new connection, armed; answers the lane's mark.
    pub(super) async fn reconnect(&mut self) -> Result<Mark, LaneError> {
        self.connection = None;
        self.connections += 1;
        let name = format!("redis-plan-lane-{}", self.setup.part.name());
        tracing::info!(lane = self.setup.part.name(), again = self.connected_before, "the lane connects");
        let mut connection = Connection::open(&self.setup.access, &name, Some(self.reports.clone())).await?;
        if self.connected_before {
            self.cut_off_the_last(&mut connection).await?;
        }
        self.connected_before = true;
        let mut out = vec![];
        let field = self.setup.part.field();
        resp::command(&mut out, &[b"HGET", self.setup.keys.run.as_bytes(), field.as_bytes()]);
        arm(&self.setup, &mut out);
        let asked_at = Instant::now();
        connection.send(&out).await?;
        let mark = connection.bulk().await?;
        self.round_trip = asked_at.elapsed();
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() != Some(self.setup.token.as_bytes()) {
            return Err(LaneError::Token(token));
        }
        let mark = mark.and_then(|mark| self.setup.part.mark(&mark)).ok_or(LaneError::Token(None))?;
        if mark < self.confirmed {
            return Err(LaneError::Forgot);
        }
        self.connection = Some(connection);
        Ok(mark)
    }

    /// Makes sure that a transaction which is still under way on the last connection is never carried out: that one
    /// watches the fence. It could otherwise land after its batch was written again here.
    async fn cut_off_the_last(&self, connection: &mut Connection) -> Result<(), LaneError> {
        let fence = self.setup.keys.fence(self.setup.part);
        let mut set = vec![];
        resp::command(&mut set, &[b"PSETEX", fence.as_bytes(), FENCE_MILLIS, b"1"]);
        match self.guarded(connection, &set, 1).await? {
            Executed::Done(errors) if errors.is_empty() => Ok(()),
            Executed::Done(errors) => Err(LaneError::Aborted(errors.into_iter().map(|(_, error)| error).collect())),
            Executed::Untouched => Err(LaneError::Untouched),
            Executed::Aborted(error) => Err(LaneError::Aborted(error)),
        }
    }

    /// Carries out so many commands in a transaction of their own if the token is ours. For a connection without a guard.
    pub(super) async fn guarded(
        &self,
        connection: &mut Connection,
        commands: &[u8],
        count: u32,
    ) -> Result<Executed, LaneError> {
        let token_key = self.setup.keys.token.as_bytes();
        let mut out = vec![];
        resp::command(&mut out, &[b"WATCH", token_key]);
        resp::command(&mut out, &[b"GET", token_key]);
        connection.send(&out).await?;
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() != Some(self.setup.token.as_bytes()) {
            return Err(LaneError::Token(token));
        }
        let mut out = MULTI.to_vec();
        out.extend_from_slice(commands);
        resp::command(&mut out, &[b"EXEC"]);
        connection.send(&out).await?;
        Ok(connection.executed(count, Nil::Answer, &[]).await?)
    }

    /// Notes in the run record the keys that a batch without probes met: a later dump must not take them for ours. Tries for
    /// as long as the lane waits for its destination; one that cannot note them ends.
    pub(super) async fn note_left_alone(&self, batch: &Batch, errors: &[(u32, String)]) -> Result<(), LaneFault> {
        let members = refused_keys(batch, errors);
        if members.is_empty() {
            return Ok(());
        }
        let since = Instant::now();
        let mut attempt = 0;
        while let Err(trouble) = self.note(&members).await {
            self.judge(&trouble, since).await?;
            let pause = PAUSES.get(attempt).or(PAUSES.last()).copied().unwrap_or(1000);
            async_std::task::sleep(std::time::Duration::from_millis(pause)).await;
            attempt += 1;
        }
        if attempt > 0 {
            self.tell(LaneReport::GoesOn).await;
        }
        Ok(())
    }

    /// On a connection of its own: on the lane's the next batch may have begun.
    async fn note(&self, members: &[Vec<u8>]) -> Result<(), LaneError> {
        let mut connection = Connection::open(&self.setup.access, "redis-plan-note", None).await?;
        let mut adding = vec![];
        for member in members {
            resp::command(&mut adding, &[b"SADD", self.setup.keys.skipped.as_bytes(), member]);
        }
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        match self.guarded(&mut connection, &adding, count).await? {
            Executed::Done(errors) => done(errors),
            Executed::Untouched => Err(LaneError::Untouched),
            Executed::Aborted(error) => Err(LaneError::Aborted(error)),
        }
    }

    async fn settle_all(
        &mut self,
        unsettled: &mut std::collections::VecDeque<Batch>,
        mark: Mark,
    ) -> Result<(), LaneError> {
        while let Some(batch) = unsettled.front() {
            let errors = if mark >= batch.mark && self.setup.part == Part::Stream {
                self.tell(LaneReport::Unseen { commands: batch.commands }).await;
                vec![]
            } else if mark >= batch.mark {
                self.rewrite_missing(batch).await?
            } else {
                self.check_size(batch).await?;
                let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
                send_multi(connection, batch).await?;
                connection.send(&commit(&self.setup, batch)).await?;
                settle(connection, batch, &self.setup).await?
            };
            if let Some(batch) = unsettled.pop_front() {
                self.confirmed(batch, errors).await.map_err(LaneError::Lasting)?;
            }
        }
        Ok(())
    }

    /// A batch was carried out, but its replies were lost, and with them the errors of single commands: whatever key is
    /// not there is written again, so that its error is seen.
    pub(super) async fn rewrite_missing(&mut self, batch: &Batch) -> Result<Vec<(u32, String)>, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let commands = keyed_commands(batch);
        let mut asking = vec![];
        for (db, key, _, _) in &commands {
            resp::command(&mut asking, &[b"SELECT", db.to_string().as_bytes()]);
            resp::command(&mut asking, &[b"EXISTS", key]);
        }
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        connection.send(&asking).await?;
        let mut missing = HashSet::new();
        for (db, key, _, _) in &commands {
            connection.line().await?;
            if connection.number().await? == 0 {
                missing.insert((*db, key.clone()));
            }
        }
        connection.line().await?;
        let mut again = Batch { mark: batch.mark, ..Batch::default() };
        let mut indexes = vec![];
        for (db, key, bytes, index) in commands {
            if missing.contains(&(db, key)) {
                resp::command(&mut again.bytes, &[b"SELECT", db.to_string().as_bytes()]);
                again.bytes.extend_from_slice(&bytes);
                again.commands += 2;
                indexes.push(index);
            }
        }
        send_multi(connection, &again).await?;
        connection.send(&commit(&self.setup, &again)).await?;
        let errors = settle(connection, &again, &self.setup).await?;
        let original = |(index, error): (u32, String)| Some((*indexes.get(index as usize / 2)?, error));
        Ok(errors.into_iter().filter_map(original).collect())
    }
}

/// The first error of commands that a transaction has carried out, none of which may fail.
pub(super) fn done(errors: Vec<(u32, String)>) -> Result<(), LaneError> {
    errors.into_iter().next().map_or(Ok(()), |(_, error)| Err(LaneError::Aborted(error)))
}

/// Every command of a batch that writes a key: database, key, bytes, index.
fn keyed_commands(batch: &Batch) -> Vec<(Db, Vec<u8>, Vec<u8>, u32)> {
    let mut found = vec![];
    let mut db = Db(0);
    each_command(batch, |index, command| {
        if command.name() == b"SELECT" {
            db = selected(command).unwrap_or(db);
        } else if let Some(key) = key_of(command) {
            found.push((db, key.to_vec(), command.raw().to_vec(), index));
        }
    });
    found
}

/// The keys, as the run record notes them, that were not made because they exist.
fn refused_keys(batch: &Batch, errors: &[(u32, String)]) -> Vec<Vec<u8>> {
    if errors.is_empty() {
        return vec![];
    }
    let refused = |index: u32| errors.iter().any(|(other, _)| *other == index);
    let commands = keyed_commands(batch).into_iter();
    let mine = commands.filter(|(_, _, bytes, index)| refused(*index) && makes_a_key(bytes));
    mine.map(|(db, key, _, _)| [format!("{db}:").as_bytes(), &key].concat()).collect()
}

/// Whether the first word of an encoded command, behind its header and length, is RESTORE or SET.
fn makes_a_key(bytes: &[u8]) -> bool {
    let name = bytes.split(|byte| *byte == b'\n').nth(2);
    name.is_some_and(|name| [&b"RESTORE\r"[..], b"SET\r"].contains(&name))
}

pub(super) fn each_command(batch: &Batch, mut see: impl FnMut(u32, &resp::Command<'_>)) {
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(&batch.bytes);
    let mut index = 0;
    while let Ok(Some(command)) = reader.next() {
        see(index, &command);
        index += 1;
    }
}

pub(super) fn selected(command: &resp::Command<'_>) -> Option<Db> {
    std::str::from_utf8(command.arg(1)?).ok()?.parse().ok().map(Db)
}

fn key_of<'a>(command: &resp::Command<'a>) -> Option<&'a [u8]> {
    match command.name() {
        b"SCRIPT" | b"FUNCTION" => None,
        b"XGROUP" => command.arg(2),
        // The first of the keys that it names.
        name if is_script(name) => command.arg(3).filter(|_| command.arg(2) != Some(b"0")),
        b"BITOP" => command.arg(2),
        // What it takes from is the same at both sides more often than where it goes.
        name if brings(name) => command.arg(2),
        _ => command.arg(1),
    }
}

/// Whether a command brings something from its first key to its second.
fn brings(name: &[u8]) -> bool {
    matches!(command::find(name).map(|spec| spec.class), Some(Class::Cross(cross)) if cross != Cross::Move)
}

fn is_script(name: &[u8]) -> bool {
    [&b"EVAL"[..], b"EVALSHA", b"FCALL"].iter().any(|script| name.eq_ignore_ascii_case(script))
}

/// The kind of what FUNCTION LOAD brings.
pub(super) const LIBRARY: &str = "function library";

/// The name in a library's first line, `#!lua name=NAME`.
fn library_of(code: &[u8]) -> String {
    let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = line.split(u8::is_ascii_whitespace).find_map(|word| word.strip_prefix(b"name="));
    KeyText(name.unwrap_or(line)).to_string()
}

/// Why a module's value was refused: its module is not there, or cannot read what the source's wrote.
fn no_module(body: &[u8], error: &str) -> String {
    let id = Length::plain(&mut Cursor::new(body, 0), "a module's type").ok().flatten().map(ModuleId);
    let id = id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    format!("the destination has no module that reads the type `{id}` ({error})")
}

/// What the error of one command of a batch says about its key.
pub(super) fn report_of(batch: &Batch, index: u32, error: &str) -> LaneReport {
    let mut failure =
        KeyFailure { key: String::new(), db: Db(0), kind: "command".to_owned(), size: 0, reason: error.to_owned() };
    let mut script = false;
    each_command(batch, |position, command| {
        if command.name() == b"SELECT" && position < index {
            failure.db = selected(command).unwrap_or(failure.db);
        }
        if position == index {
            let name = KeyText(command.name());
            let large = batch.size_of(command) > command.raw().len();
            let size = |word: &[u8]| if large { batch.longest_word_of(command) } else { word.len() };
            failure.key = key_of(command).map_or_else(|| name.to_string(), |key| KeyText(key).to_string());
            failure.size = batch.size_of(command) as u64;
            if is_script(command.name()) {
                script = true;
                "script".clone_into(&mut failure.kind);
            }
            if command.name() == b"FUNCTION" {
                LIBRARY.clone_into(&mut failure.kind);
                failure.key = library_of(command.args().last().unwrap_or_default());
            } else if let (b"RESTORE", Some([number, body @ ..])) = (command.name(), command.arg(3)) {
                let kind = Kind::of(*number, Dialect::Redis).or_else(|| Kind::of(*number, Dialect::Valkey));
                kind.map_or("unknown", Kind::type_name).clone_into(&mut failure.kind);
                failure.size = size(body).saturating_sub(10) as u64;
                if Refusal::of(error).kind == RefusalKind::BadPayload {
                    failure.reason = match kind {
                        Some(Kind::Module2) => no_module(body, error),
                        _ => format!("{error}; it lies before byte {} of the dump", batch.mark.at),
                    };
                }
            } else if let (b"SET" | b"MSET", Some(text)) = (command.name(), command.arg(2)) {
                Kind::String.type_name().clone_into(&mut failure.kind);
                failure.size = size(text) as u64;
            } else {
                failure.reason = format!("{name}: {error}");
            }
        }
    });
    match Refusal::of(error).kind {
        RefusalKind::BusyKey | RefusalKind::LibraryExists => LaneReport::Conflict(failure),
        _ if script => LaneReport::ScriptFailed(failure),
        _ => LaneReport::Failed(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_were_not_made_are_noted_and_no_others() {
        let mut batch = Batch::default();
        resp::command(&mut batch.bytes, &[b"SELECT", b"3"]);
        resp::command(&mut batch.bytes, &[b"RESTORE", b"one", b"0", b"x"]);
        resp::command(&mut batch.bytes, &[b"RPUSH", b"RESTORE\r\n", b"x"]);
        resp::command(&mut batch.bytes, &[b"RESTORE", b"two\r\n", b"0", b"x"]);
        resp::command(&mut batch.bytes, &[b"SET", b"three", b"x", b"NX"]);
        let errors = |indexes: &[u32]| indexes.iter().map(|index| (*index, "BUSYKEY".to_owned())).collect::<Vec<_>>();
        assert_eq!(refused_keys(&batch, &errors(&[2, 3, 4])), [b"3:two\r\n".to_vec(), b"3:three".to_vec()]);
        assert_eq!(refused_keys(&batch, &errors(&[1])), [b"3:one".to_vec()]);
        assert!(refused_keys(&batch, &[]).is_empty());
    }
}
