//! Making deferred deadlines exact, and deferring them again: a page of keys at a time, between two batches of the stream.
//! The stream writes through the same lane, so nothing of it comes between reading a deadline and writing it.

use std::{collections::VecDeque, io, path::Path, time::Duration, time::Instant};

use super::{
    LaneFault,
    connection::Executed,
    deadline_reads::Commands,
    run::{Lane, Trouble, arm},
};
use crate::{
    resp,
    sink::{DeadlineJob, DeadlineMode, DeadlinePass, DeadlineStep, Settled, deadlines::Walk, record::DEADLINES},
    store::{KeyLog, KeyLogReader, LoggedKey},
    unit::{Db, UnixMillis},
};

/// Keys of a page.
const PAGE: usize = 2000;
/// Hashes whose fields are read together.
const HASHES: usize = 64;
/// How long a page waits before it is begun again.
const AGAIN: Duration = Duration::from_millis(250);

/// Making deadlines exact, under way.
pub(super) struct Settling {
    pass: DeadlinePass,
    /// What is still to be walked through; `None` before the destination was asked what there is.
    walks: Option<VecDeque<Walk>>,
    cursor: Vec<u8>,
    /// What was made exact.
    pub(super) ledger: KeyLog,
    /// What stays to be made exact.
    pub(super) remembered: KeyLog,
    /// Databases changed places: what is remembered may be in any.
    pub(super) everywhere: bool,
    /// The connection on which deadlines were made exact. On another one the destination may have been set back.
    connection: u64,
    pub(super) settled: Settled,
}

/// Which way deadlines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Deferred ones become exact, if they lie behind this moment.
    Exact(UnixMillis),
    /// Exact ones are deferred.
    Defer,
}

impl Way {
    /// What is written in place of the deadline `at`; `None` when it stays.
    fn written(self, at: UnixMillis) -> Option<UnixMillis> {
        match self {
            Self::Exact(_) => at.if_deferred(),
            Self::Defer => Some(at.deferred()).filter(|deferred| *deferred != at && at.if_deferred().is_none()),
        }
    }

    /// Whether it is written now.
    fn is_due(self, written: UnixMillis) -> bool {
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

impl Settling {
    fn begin(pass: DeadlinePass, mode: DeadlineMode, connection: u64) -> io::Result<Self> {
        let mut ledger = KeyLog::create(&DeadlinePass::ledger(&pass.folder), mode.since())?;
        ledger.flush()?;
        let remembered = KeyLog::create(&DeadlinePass::remembered(&pass.folder), mode.since())?;
        let settled = Settled { mode, ..Settled::default() };
        Ok(Self {
            pass,
            walks: None,
            cursor: b"0".to_vec(),
            ledger,
            remembered,
            everywhere: false,
            connection,
            settled,
        })
    }

    /// Begins the walks again.
    pub(super) fn restart(&mut self) {
        (self.walks, self.cursor) = (None, b"0".to_vec());
    }

    fn seen(&self, done: bool) -> Settled {
        Settled { done, remembered: self.remembered.count(), ..self.settled }
    }

    /// Notes what is about to be written; a process that dies finds it in the ledger.
    fn note<'a>(&mut self, deadlines: impl Iterator<Item = &'a LoggedKey>) -> io::Result<()> {
        for key in deadlines {
            self.ledger.add(key.clone())?;
            self.settled.written += 1;
        }
        self.ledger.flush()
    }
}

impl Lane {
    /// Does what is asked about deadlines, and answers.
    pub(super) async fn deadlines(&mut self, job: DeadlineJob) -> Result<(), LaneFault> {
        self.settle_pending().await?;
        let settled = match job.step {
            DeadlineStep::Begin(pass) => {
                let since = if pass.ahead.is_some() && !pass.doubtful { self.now() } else { DeadlineMode::AT_ONCE };
                let mode = DeadlineMode::Settling(since);
                self.note_mode(mode).await?;
                self.settling = Some(Box::new(Settling::begin(*pass, mode, self.connections).map_err(unwritten)?));
                self.page().await?
            }
            DeadlineStep::Page => self.page().await?,
            DeadlineStep::Rest => self.rest().await?,
            DeadlineStep::Defer(folder, mode) => self.defer(&folder, mode).await?,
        };
        // The cutover that asked may have been undone.
        let _ = job.reply.send(settled).await;
        Ok(())
    }

    /// One page of the pass.
    async fn page(&mut self) -> Result<Settled, LaneFault> {
        let Some(mut settling) = self.settling.take() else { return Ok(Settled { done: true, ..Settled::default() }) };
        if settling.connection != self.connections {
            settling.restart();
            settling.connection = self.connections;
        }
        let outcome = self.next_page(&mut settling).await;
        let is_through = settling.walks.as_ref().is_some_and(VecDeque::is_empty);
        let done = is_through && settling.connection == self.connections;
        let at_once = settling.pass.ahead.is_none();
        let seen = settling.seen(done);
        if done && at_once && outcome.is_ok() {
            self.note_mode(DeadlineMode::Exact).await?;
        }
        self.settling = Some(settling);
        outcome?;
        Ok(seen)
    }

    /// Notes in the run record how deadlines stand.
    pub(super) async fn note_mode(&mut self, mode: DeadlineMode) -> Result<(), LaneFault> {
        self.noted = Some(mode);
        let (run, mode) = (self.setup.keys.run.clone(), mode.to_string());
        self.persist(async |lane| {
            let mut out = Commands::default();
            out.add(&[b"HSET", run.as_bytes(), DEADLINES.as_bytes(), mode.as_bytes()]);
            lane.carry_out(out).await
        })
        .await
    }

    async fn next_page(&mut self, settling: &mut Settling) -> Result<(), LaneFault> {
        if settling.walks.is_none() {
            // Only now: what the stream writes from here on is remembered.
            let info = self.persist(async |lane| lane.keyspace().await).await?;
            settling.walks = Some(settling.pass.walks(&info, self.setup.destination.knows_field_deadlines()));
        }
        let Some(walk) = settling.walks.as_ref().and_then(|walks| walks.front().copied()) else { return Ok(()) };
        let cursor = settling.cursor.clone();
        let (next, mut keys) = self.persist(async |lane| lane.walk(walk, &cursor).await).await?;
        keys.retain(|key| settling.pass.takes(key.db, &key.key));
        let way = Way::Exact(settling.pass.horizon(self.now()));
        settling.settled.looked += keys.len() as u64;
        if walk.fields {
            self.fields(&keys, way, settling).await?;
        } else {
            self.keys(&keys, way, settling).await?;
        }
        settling.cursor = next;
        if settling.cursor == b"0"
            && let Some(walks) = &mut settling.walks
        {
            walks.pop_front();
        }
        Ok(())
    }

    /// Makes exact what is remembered.
    async fn rest(&mut self) -> Result<Settled, LaneFault> {
        let Some(mut settling) = self.settling.take() else { return Ok(Settled { done: true, ..Settled::default() }) };
        // A process that takes over from here on cannot know that no key has expired too early.
        let mode = DeadlineMode::Settling(DeadlineMode::AT_ONCE);
        settling.settled.mode = mode;
        let outcome = self.rest_of(&mut settling, mode).await;
        // On another connection nothing says that what was made exact before is still so.
        let seen = settling.seen(settling.connection == self.connections);
        self.settling = Some(settling);
        outcome.map(|()| seen)
    }

    async fn rest_of(&mut self, settling: &mut Settling, mode: DeadlineMode) -> Result<(), LaneFault> {
        self.note_mode(mode).await?;
        self.all_remembered(settling).await?;
        if settling.connection == self.connections {
            settling.settled.mode = DeadlineMode::Settled;
            self.note_mode(DeadlineMode::Settled).await?;
        }
        Ok(())
    }

    async fn all_remembered(&mut self, settling: &mut Settling) -> Result<(), LaneFault> {
        let mut reader = settling.remembered.read().map_err(unwritten)?;
        let way = Way::Exact(UnixMillis(i64::MIN));
        loop {
            let mut keys = reader.next(PAGE).map_err(unwritten)?;
            if keys.is_empty() {
                return Ok(());
            }
            if settling.everywhere {
                let dbs: Vec<Db> = settling.pass.databases.iter().map(|(db, _)| *db).collect();
                keys = keys
                    .into_iter()
                    .flat_map(|key| dbs.iter().map(move |db| LoggedKey { db: *db, ..key.clone() }))
                    .collect();
            }
            self.both(&keys, way, settling).await?;
        }
    }

    /// The deadlines of keys, and of the fields of those where fields are meant too.
    async fn both(&mut self, keys: &[LoggedKey], way: Way, settling: &mut Settling) -> Result<(), LaneFault> {
        self.keys(keys, way, settling).await?;
        if !self.setup.destination.knows_field_deadlines() {
            return Ok(());
        }
        let with_fields: Vec<LoggedKey> = keys.iter().filter(|key| key.fields).cloned().collect();
        self.fields(&with_fields, way, settling).await
    }

    /// Defers again what the ledger in `folder` names. What else was made exact by then is not known.
    pub(super) async fn defer(&mut self, folder: &Path, mode: DeadlineMode) -> Result<Settled, LaneFault> {
        self.deferred_in = Some(folder.to_owned());
        let mut mode = mode;
        if let Some(settling) = &mut self.settling {
            settling.ledger.flush().map_err(unwritten)?;
            mode = settling.settled.mode;
        }
        self.settling = None;
        let mut reader = KeyLogReader::open(&DeadlinePass::ledger(folder)).map_err(unwritten)?;
        let mut settled = Settled { done: true, ..Settled::default() };
        loop {
            let keys = reader.next(PAGE).map_err(unwritten)?;
            if keys.is_empty() {
                break;
            }
            settled.looked += keys.len() as u64;
            settled.written += self.deferred(&keys).await?;
        }
        settled.mode = mode.deferred_again(self.now());
        self.note_mode(settled.mode).await?;
        KeyLog::remove(&DeadlinePass::ledger(folder)).map_err(unwritten)?;
        KeyLog::remove(&DeadlinePass::remembered(folder)).map_err(unwritten)?;
        Ok(settled)
    }

    async fn deferred(&mut self, keys: &[LoggedKey]) -> Result<u64, LaneFault> {
        let mut written = self.persist(async |lane| lane.keys_once(keys, Way::Defer, None).await).await?;
        if self.setup.destination.knows_field_deadlines() {
            let with_fields: Vec<LoggedKey> = keys.iter().filter(|key| key.fields).cloned().collect();
            for some in with_fields.chunks(HASHES) {
                written += self.persist(async |lane| lane.fields_once(some, Way::Defer, None).await).await?;
            }
        }
        Ok(written)
    }

    async fn keys(&mut self, keys: &[LoggedKey], way: Way, settling: &mut Settling) -> Result<(), LaneFault> {
        if keys.is_empty() {
            return Ok(());
        }
        self.persist(async |lane| lane.keys_once(keys, way, Some(&mut *settling)).await).await.map(drop)
    }

    async fn fields(&mut self, keys: &[LoggedKey], way: Way, settling: &mut Settling) -> Result<(), LaneFault> {
        for some in keys.chunks(HASHES) {
            self.persist(async |lane| lane.fields_once(some, way, Some(&mut *settling)).await).await?;
        }
        Ok(())
    }

    /// Tries until it is done, over new connections where that is needed.
    async fn persist<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, LaneFault> {
        let since = Instant::now();
        loop {
            if self.connection.is_none()
                && let Err(trouble) = self.reconnect().await
            {
                self.judge(&trouble, since).await?;
                async_std::task::sleep(AGAIN).await;
                continue;
            }
            match attempt(self).await {
                Ok(done) => return Ok(done),
                Err(trouble) => {
                    self.connection = None;
                    self.judge(&trouble, since).await?;
                    async_std::task::sleep(AGAIN).await;
                }
            }
        }
    }

    /// The destination's clock.
    pub(super) fn now(&self) -> UnixMillis {
        UnixMillis(UnixMillis::now().0.saturating_add(self.setup.clock_ahead))
    }

    /// Reads the deadlines of keys and writes those that are due; answers how many. Those that are not are remembered.
    async fn keys_once(
        &mut self,
        keys: &[LoggedKey],
        way: Way,
        settling: Option<&mut Settling>,
    ) -> Result<u64, Trouble> {
        let guards = !self.setup.destination.version.has_redis((7, 0));
        if guards {
            self.watch(keys).await?;
        }
        let ends = if guards { self.ends_by_clock(keys).await? } else { self.ends(keys).await? };
        let mut writes = vec![];
        let mut later = vec![];
        for (key, at) in keys.iter().zip(ends) {
            let key = LoggedKey { fields: false, ..key.clone() };
            match at.and_then(|at| way.written(at)) {
                Some(at) if way.is_due(at) => writes.push((key, at)),
                Some(_) => later.push(key),
                None => {}
            }
        }
        let written = writes.len() as u64;
        if let Some(settling) = settling {
            settling.note(writes.iter().map(|(key, _)| key)).map_err(|error| Trouble::Disk(error.to_string()))?;
            for key in later {
                settling.remembered.add(key).map_err(|error| Trouble::Disk(error.to_string()))?;
            }
        }
        let mut out = Commands::default();
        for (key, at) in &writes {
            out.select(key.db);
            let at = at.0.to_string();
            let words: &[&[u8]] = &[b"PEXPIREAT", &key.key, at.as_bytes(), b"XX", way.condition()];
            out.add(if guards { words.get(..3).unwrap_or_default() } else { words });
        }
        self.carry_out(out).await?;
        Ok(written)
    }

    /// The same for the fields of hashes.
    async fn fields_once(
        &mut self,
        keys: &[LoggedKey],
        way: Way,
        mut settling: Option<&mut Settling>,
    ) -> Result<u64, Trouble> {
        let mut open: Vec<(LoggedKey, Vec<u8>)> = keys.iter().map(|key| (key.clone(), b"0".to_vec())).collect();
        let mut written = 0;
        while !open.is_empty() {
            let fields = self.some_fields(&mut open).await?;
            let ends = self.field_ends(&fields).await?;
            let mut out = Commands::default();
            for ((key, names), ends) in fields.iter().zip(ends) {
                let mut due: Vec<(UnixMillis, &[u8])> = vec![];
                let mut remembers = false;
                for (name, at) in names.iter().zip(ends) {
                    match way.written(UnixMillis(at)).filter(|_| at >= 0) {
                        Some(at) if way.is_due(at) => due.push((at, name)),
                        Some(_) => remembers = true,
                        None => {}
                    }
                }
                written += due.len() as u64;
                if let Some(settling) = settling.as_deref_mut() {
                    let disk = |error: io::Error| Trouble::Disk(error.to_string());
                    let key = LoggedKey { fields: true, ..key.clone() };
                    settling.note(due.iter().map(|_| &key)).map_err(disk)?;
                    if remembers {
                        settling.remembered.add(key).map_err(disk)?;
                    }
                }
                out.expire_fields(key, due);
            }
            self.carry_out(out).await?;
        }
        Ok(written)
    }

    /// Carries commands out under the guard; the connection is armed for the next batch then.
    async fn carry_out(&mut self, mut out: Commands) -> Result<(), Trouble> {
        let Some(mut connection) = self.connection.take() else { return Err(Trouble::NotConnected) };
        if out.count > 0 {
            out.select(Db(0));
            match self.guarded(&mut connection, &out.bytes, out.count).await? {
                Executed::Done(errors) if errors.is_empty() => {}
                Executed::Done(errors) => {
                    return Err(Trouble::Aborted(
                        errors.into_iter().map(|(_, error)| error).next().unwrap_or_default(),
                    ));
                }
                Executed::Untouched => return Err(Trouble::Untouched),
                Executed::Aborted(error) => return Err(Trouble::Aborted(error)),
            }
        }
        let mut arming = vec![];
        resp::command(&mut arming, &[b"UNWATCH"]);
        arm(&self.setup, &mut arming);
        connection.send(&arming).await?;
        connection.line().await?;
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() != Some(self.setup.token.as_bytes()) {
            return Err(Trouble::Token(token));
        }
        self.connection = Some(connection);
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
pub(super) fn unwritten(error: io::Error) -> LaneFault {
    LaneFault::Disk(format!("the list of deadlines in the state directory cannot be kept: {error}"))
}
