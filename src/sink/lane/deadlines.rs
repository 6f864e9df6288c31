//! Making deferred deadlines exact, and deferring them again: a page of keys at a time, between two batches of the stream.
//! The stream writes through the same lane, so nothing of it comes between reading a deadline and writing it.

use std::{collections::VecDeque, io, path::Path, time::Duration, time::Instant};

use super::{
    LaneFault,
    connection::Executed,
    deadline_reads::Commands,
    deadline_writes::{Notes, Pages, Way, disk},
    run::{Lane, LaneError, arm},
};
use crate::{
    resp,
    sink::{
        DeadlineJob, DeadlineMode, DeadlinePass, DeadlineStep, Settled, deadlines::DatabaseWalk, record::DEADLINES,
    },
    store::{BlockKey, KeyBlock, KeyLog, KeyLogReader, LoggedKey},
    unit::{Db, UnixMillis},
};

/// Pages of a walk that are written between two batches of the stream.
const PAGES: usize = 8;
/// Keys that are read from a list at once.
const LISTED: usize = 1000;
/// Hashes whose fields are read together.
const HASHES: usize = 64;
/// How long a page waits before it is begun again.
const AGAIN: Duration = Duration::from_millis(250);

/// Making deadlines exact, under way.
pub(super) struct Settling {
    pass: DeadlinePass,
    /// What is still to be walked through; `None` before the destination was asked what there is.
    walks: Option<VecDeque<DatabaseWalk>>,
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

impl Settling {
    fn begin(pass: DeadlinePass, mode: DeadlineMode, connection: u64) -> io::Result<Self> {
        let mut ledger = KeyLog::create(&DeadlinePass::ledger(&pass.folder), mode.since())?;
        ledger.flush()?;
        let remembered = KeyLog::create(&DeadlinePass::remembered(&pass.folder), mode.since())?;
        let settled = Settled::of(mode);
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

    /// Adds what came of some keys.
    const fn add(&mut self, (looked, written): (u64, u64)) {
        self.settled.looked += looked;
        self.settled.written += written;
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

    /// The next pages of the pass.
    async fn page(&mut self) -> Result<Settled, LaneFault> {
        let mut settling = self.settling.take().ok_or(LaneFault::NoPass)?;
        let outcome = self.persist(async |lane| lane.next_pages(&mut settling).await).await;
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

    async fn next_pages(&mut self, settling: &mut Settling) -> Result<(), LaneError> {
        if settling.connection != self.connections {
            // On another connection nothing says that what was made exact before is still so.
            settling.restart();
            settling.connection = self.connections;
        }
        if settling.walks.is_none() {
            // Only now: what the stream writes from here on is remembered.
            let info = self.keyspace().await?;
            settling.walks = Some(settling.pass.walks(&info, self.setup.destination.knows_field_deadlines()));
        }
        let Some(walk) = settling.walks.as_ref().and_then(|walks| walks.front().copied()) else { return Ok(()) };
        let way = Way::Exact(settling.pass.horizon(self.now()));
        if walk.fields {
            let (next, mut keys) = self.walk(walk, &settling.cursor).await?;
            keys.retain(|key| settling.pass.takes(key.db, &key.key));
            settling.settled.looked += keys.len() as u64;
            settling.settled.written += self.fields(&keys, way, Some(&mut *settling)).await?;
            settling.cursor = next;
        } else {
            let Settling { pass, cursor, ledger, remembered, .. } = &mut *settling;
            let mut notes = Notes { ledger: Some(ledger), remembered: Some(remembered), ..Notes::default() };
            let outcome = self.write_deadlines(Pages::walk(pass, walk, cursor, PAGES), way, &mut notes).await;
            let came = (notes.looked, notes.written);
            settling.add(came);
            outcome?;
        }
        if settling.cursor == b"0"
            && let Some(walks) = &mut settling.walks
        {
            walks.pop_front();
        }
        Ok(())
    }

    /// Makes exact what is remembered.
    async fn rest(&mut self) -> Result<Settled, LaneFault> {
        let mut settling = self.settling.take().ok_or(LaneFault::NoPass)?;
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
        let way = Way::Exact(UnixMillis(i64::MIN));
        let mut everywhere: Vec<Db> = vec![];
        if settling.everywhere {
            everywhere.extend(settling.pass.databases.iter().map(|(db, _)| *db));
        }
        settling.remembered.flush().map_err(unwritten)?;
        let path = DeadlinePass::remembered(&settling.pass.folder);
        self.persist(async |lane| {
            let list = KeyLogReader::open(&path).map_err(disk)?;
            let mut notes = Notes { ledger: Some(&mut settling.ledger), ..Notes::default() };
            let pages = Pages::List { list, everywhere: &everywhere };
            let outcome = lane.write_deadlines(pages, way, &mut notes).await;
            // They were counted when they were remembered.
            settling.settled.written += notes.written;
            outcome
        })
        .await?;
        self.listed_fields((&path, &everywhere), way, Some(settling)).await.map(drop)
    }

    /// The deadlines of fields of those keys of a list where they are meant too; answers how many were written.
    async fn listed_fields(
        &mut self,
        (path, everywhere): (&Path, &[Db]),
        way: Way,
        mut settling: Option<&mut Settling>,
    ) -> Result<u64, LaneFault> {
        let mut written = 0;
        if !self.setup.destination.knows_field_deadlines() {
            return Ok(written);
        }
        let mut list = KeyLogReader::open(path).map_err(unwritten)?;
        loop {
            let keys = list.next(LISTED).map_err(unwritten)?;
            if keys.is_empty() {
                return Ok(written);
            }
            let hashes = with_fields(&keys, everywhere);
            let some = self.persist(async |lane| lane.fields(&hashes, way, settling.as_deref_mut()).await).await?;
            written += some;
            if let Some(settling) = &mut settling {
                settling.settled.written += some;
            }
        }
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
        let ledger = DeadlinePass::ledger(folder);
        let mut settled = Settled { done: true, ..Settled::of(mode) };
        self.persist(async |lane| {
            let list = KeyLogReader::open(&ledger).map_err(disk)?;
            let mut notes = Notes::default();
            let outcome = lane.write_deadlines(Pages::List { list, everywhere: &[] }, Way::Defer, &mut notes).await;
            settled.looked = notes.looked;
            settled.written += notes.written;
            outcome
        })
        .await?;
        settled.written += self.listed_fields((&ledger, &[]), Way::Defer, None).await?;
        settled.mode = mode.deferred_again(self.now());
        self.note_mode(settled.mode).await?;
        KeyLog::remove(&ledger).map_err(unwritten)?;
        KeyLog::remove(&DeadlinePass::remembered(folder)).map_err(unwritten)?;
        Ok(settled)
    }

    /// The deadlines of the fields of hashes; answers how many were written.
    async fn fields(
        &mut self,
        keys: &[LoggedKey],
        way: Way,
        mut settling: Option<&mut Settling>,
    ) -> Result<u64, LaneError> {
        let mut written = 0;
        for some in keys.chunks(HASHES) {
            written += self.fields_once(some, way, settling.as_deref_mut()).await?;
        }
        Ok(written)
    }

    /// Tries until it is done, over new connections where that is needed.
    pub(super) async fn persist<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&mut Self) -> Result<T, LaneError>,
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

    /// Reads the deadlines of the fields of hashes and writes those that are due; answers how many.
    async fn fields_once(
        &mut self,
        keys: &[LoggedKey],
        way: Way,
        mut settling: Option<&mut Settling>,
    ) -> Result<u64, LaneError> {
        let mut open: Vec<(LoggedKey, Vec<u8>)> = keys.iter().map(|key| (key.clone(), b"0".to_vec())).collect();
        let mut written = 0;
        while !open.is_empty() {
            let fields = self.some_fields(&mut open).await?;
            let ends = self.field_ends(&fields).await?;
            let (mut out, mut due_now) = (Commands::default(), 0);
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
                due_now += due.len() as u64;
                if let Some(settling) = settling.as_deref_mut() {
                    let key = BlockKey { db: key.db, fields: true, key: &key.key };
                    if !due.is_empty() {
                        settling.ledger.append(key).map_err(disk)?;
                    }
                    if remembers {
                        settling.remembered.append(key).map_err(disk)?;
                    }
                }
                out.expire_fields(key, due);
            }
            if let Some(settling) = settling.as_deref_mut() {
                // A process that dies finds in it what it has written.
                settling.ledger.flush().map_err(disk)?;
            }
            self.carry_out(out).await?;
            written += due_now;
        }
        Ok(written)
    }

    /// Carries commands out under the guard; the connection is armed for the next batch then.
    pub(super) async fn carry_out(&mut self, mut out: Commands) -> Result<(), LaneError> {
        let Some(mut connection) = self.connection.take() else { return Err(LaneError::NotConnected) };
        if out.count > 0 {
            out.select(Db(0));
            match self.guarded(&mut connection, &out.bytes, out.count).await? {
                Executed::Done(errors) if errors.is_empty() => {}
                Executed::Done(errors) => {
                    return Err(LaneError::Aborted(
                        errors.into_iter().map(|(_, error)| error).next().unwrap_or_default(),
                    ));
                }
                Executed::Untouched => return Err(LaneError::Untouched),
                Executed::Aborted(error) => return Err(LaneError::Aborted(error)),
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
            return Err(LaneError::Token(token));
        }
        self.connection = Some(connection);
        Ok(())
    }
}

/// Those keys whose fields are meant too, in every one of these databases where some are named.
fn with_fields(keys: &KeyBlock, everywhere: &[Db]) -> Vec<LoggedKey> {
    let hashes = keys.iter().filter(|key| key.fields).map(BlockKey::to_logged);
    match everywhere {
        [] => hashes.collect(),
        dbs => hashes.flat_map(|key| dbs.iter().map(move |db| LoggedKey { db: *db, ..key.clone() })).collect(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
pub(super) fn unwritten(error: io::Error) -> LaneFault {
    LaneFault::Disk(format!("the list of deadlines in the state directory cannot be kept: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use async_channel::bounded;

    use super::*;
    use crate::{
        net::Access,
        sink::{BatchSize, Destination, InFlight, Job, LaneSetup, LargeValuePermits, Mark, Part, RecordKeys},
        step::OnConflict,
        store::spool::SpoolLevel,
        unit::{Address, Expiry, ServerVersion},
    };

    /// A lane whose destination does not answer.
    fn lane(jobs: async_channel::Receiver<Job>) -> Lane {
        let address = Address::Tcp { host: "127.0.0.1".to_owned(), port: 1 };
        let version = ServerVersion::redis(7, 0, 0);
        let setup = LaneSetup {
            part: Part::Stream,
            access: Access::plain(address),
            destination: Destination {
                version,
                rdb_version: 10,
                modules: None,
                databases: 16,
                expiry: Expiry::Deferred,
            },
            keys: RecordKeys::of("move"),
            token: "1:here".to_owned(),
            from: Mark::default(),
            on_conflict: OnConflict::Replace,
            clock_ahead: 0,
            spool: PathBuf::new(),
            spool_tag: 0,
            level: SpoolLevel::default(),
            turns: LargeValuePermits::new(),
            patience: Duration::ZERO,
            size: BatchSize::new(1),
        };
        Lane::new(setup, jobs, bounded(16).0, InFlight::new(1))
    }

    #[test]
    fn pages_of_a_pass_that_was_not_begun_are_an_error_and_not_a_success() {
        for step in [DeadlineStep::Page, DeadlineStep::Rest] {
            let ((jobs, work), (reply, replied)) = (bounded(1), bounded(1));
            jobs.try_send(Job::Deadlines(Box::new(DeadlineJob { step, reply }))).unwrap();
            drop(jobs);
            assert_eq!(async_std::task::block_on(lane(work).run()), Err(LaneFault::NoPass));
            assert!(replied.try_recv().is_err());
        }
    }
}
