//! What a lane does, job after job.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender, TryRecvError};

use super::{
    LaneFault, LargeValuePermits, Part, TooLarge,
    connection::{Connection, Executed, LinkFault, Nil},
    deadlines::Settling,
};
use crate::{
    net::Access,
    resp,
    sink::{Batch, BatchSize, DeadlineMode, Destination, InFlight, Job, Mark, NotedSettings, RecordKeys},
    step::{KeyFailure, OnConflict},
    store::spool::SpoolLevel,
    unit::Db,
};

/// What a lane is set up with.
#[derive(Clone)]
pub struct LaneSetup {
    /// What it writes.
    pub part: Part,
    /// The destination.
    pub access: Access,
    /// What the destination can take.
    pub destination: Destination,
    /// The run record.
    pub keys: RecordKeys,
    /// The fencing token that must be there.
    pub token: String,
    /// How far the destination was when the lane was set up: its work begins there.
    pub from: Mark,
    /// What a key that exists already means.
    pub on_conflict: OnConflict,
    /// The spool's folder, to read big values back.
    pub spool: PathBuf,
    /// The tag of the spool's segments.
    pub spool_tag: u64,
    /// How far the spool is filled.
    pub level: SpoolLevel,
    /// The destination's clock minus ours, in milliseconds.
    pub clock_ahead: i64,
    /// Who may hold a large element.
    pub turns: LargeValuePermits,
    /// How long a destination may be unreachable or refuse before the lane gives up.
    pub patience: Duration,
    /// How large batches are; learns from what they take.
    pub size: BatchSize,
}

/// What a lane tells.
#[derive(Clone, Debug, PartialEq)]
pub enum LaneReport {
    /// Everything for this lane before the mark is confirmed.
    Confirmed {
        /// Which lane.
        part: Part,
        /// How far it is.
        mark: Mark,
        /// Keys that this batch completed.
        keys: u32,
    },
    /// A key exists already and was left as it is.
    Conflict(KeyFailure),
    /// A key could not be written, or lost data.
    Failed(KeyFailure),
    /// A script of the stream was refused, at once or midway.
    ScriptFailed(KeyFailure),
    /// A key was written, but something that is not data was left behind.
    Lossy(KeyFailure),
    /// The lane waits.
    Waiting {
        /// For what.
        reason: String,
    },
    /// The lane goes on.
    GoesOn,
    /// A database is about to be emptied, as the source was.
    Emptied {
        /// The database.
        db: Db,
        /// How many keys it holds, whoever wrote them.
        keys: u64,
    },
    /// Two databases are about to be swapped, as the source's were.
    Swapped {
        /// The databases.
        dbs: (Db, Db),
        /// How many keys each holds, whoever wrote them.
        keys: (u64, u64),
    },
    /// So many commands of the stream were carried out, but the replies to them were lost: whether one was refused is
    /// not known.
    Unseen {
        /// How many.
        commands: u32,
    },
}

/// One lane at work.
pub struct Lane {
    pub(super) setup: LaneSetup,
    pub(super) jobs: Receiver<Job>,
    pub(super) reports: Sender<LaneReport>,
    pub(super) window: InFlight,
    pub(super) connection: Option<Connection>,
    /// The batch whose EXEC was sent and not answered yet.
    pub(super) pending: Option<Batch>,
    /// When it was sent.
    sent_at: Instant,
    /// What a round trip takes, from the last connection's first.
    pub(super) round_trip: Duration,
    /// Keys that existed already.
    pub(super) conflicts: u64,
    /// Whether there was a connection before: what was sent on it may still be under way.
    pub(super) connected_before: bool,
    /// How far the destination has confirmed.
    pub(super) confirmed: Mark,
    /// How many connections there were.
    pub(super) connections: u64,
    /// Deadlines are being made exact.
    pub(super) settling: Option<Box<Settling>>,
    /// How deadlines stand, where this lane has changed that.
    pub(super) noted: Option<DeadlineMode>,
    /// The folder whose ledger was deferred again last.
    pub(super) deferred_in: Option<PathBuf>,
    /// What stands in the run record beside what it is written back from.
    pub(super) settings: NotedSettings,
}

impl Lane {
    /// A lane that takes its work from `jobs`, gives back to `window` what it confirmed, and tells `reports`.
    #[must_use]
    pub fn new(setup: LaneSetup, jobs: Receiver<Job>, reports: Sender<LaneReport>, window: InFlight) -> Self {
        let confirmed = setup.from;
        Self {
            setup,
            jobs,
            reports,
            window,
            connection: None,
            pending: None,
            sent_at: Instant::now(),
            round_trip: Duration::ZERO,
            conflicts: 0,
            connected_before: false,
            confirmed,
            connections: 0,
            settling: None,
            noted: None,
            deferred_in: None,
            settings: NotedSettings::default(),
        }
    }

    /// The same, which writes these settings back with the run record.
    #[must_use]
    pub fn with_settings(self, settings: NotedSettings) -> Self {
        Self { settings, ..self }
    }

    /// To be run on a thread of its own, which it holds while it waits.
    ///
    /// Works until there are no more jobs, or the window is closed, and everything that was sent is confirmed.
    pub async fn run(mut self) -> Result<(), LaneFault> {
        while let Some(job) = self.next_job().await? {
            match job {
                Job::Batch(batch) => self.write(*batch).await?,
                Job::Big(entry) => {
                    self.write_big(*entry).await?;
                    self.window.give(Job::UNIT);
                }
                Job::Erase(erase) => {
                    self.erase(&erase).await?;
                    self.window.give(Job::UNIT);
                }
                Job::Deadlines(job) => {
                    self.deadlines(*job).await?;
                    self.window.give(Job::UNIT);
                }
            }
        }
        self.settle_pending().await
    }

    /// The next job. A lane that has none settles what is pending first: its share of the window may be what the next
    /// job waits for.
    async fn next_job(&mut self) -> Result<Option<Job>, LaneFault> {
        if self.window.is_closed() {
            return Ok(None);
        }
        match self.jobs.try_recv() {
            Ok(job) => return Ok(Some(job)),
            Err(TryRecvError::Closed) => return Ok(None),
            Err(TryRecvError::Empty) => self.settle_pending().await?,
        }
        Ok(self.jobs.recv_blocking().ok())
    }

    /// Writes a batch; it may still be pending when this returns.
    pub(super) async fn write(&mut self, mut batch: Batch) -> Result<(), LaneFault> {
        let restored = batch.restores_record.then(|| self.settings.fields());
        let late = self.observe(&mut batch, restored.as_deref().unwrap_or_default()).await?;
        self.write_observed(batch).await?;
        if let Some(restored) = restored {
            self.note_settings(&restored).await?;
        }
        if let Some(folder) = late { self.defer_late(&folder).await } else { Ok(()) }
    }

    async fn write_observed(&mut self, batch: Batch) -> Result<(), LaneFault> {
        if !batch.probes.is_empty() {
            self.settle_pending().await?;
            return self.write_probed(batch).await;
        }
        self.count(&batch).await?;
        match self.push(&batch).await {
            Ok(()) => {
                self.pending = Some(batch);
                Ok(())
            }
            Err(trouble) => self.recover(trouble, Some(batch)).await,
        }
    }

    /// Sends the batch behind the pending one, and its EXEC once the pending one is settled and the token is seen.
    async fn push(&mut self, batch: &Batch) -> Result<(), LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        send_multi(connection, batch).await?;
        if let Some(pending) = self.pending.take() {
            let settled = settle(connection, &pending, &self.setup).await;
            match settled {
                Ok(errors) => self.carried_out(pending, errors).await.map_err(LaneError::Lasting)?,
                Err(trouble) => {
                    self.pending = Some(pending);
                    return Err(trouble);
                }
            }
        }
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        connection.send(&commit(&self.setup, batch)).await?;
        self.sent_at = Instant::now();
        Ok(())
    }

    /// The batch sent last was carried out just now.
    async fn carried_out(&mut self, batch: Batch, errors: Vec<(u32, String)>) -> Result<(), LaneFault> {
        let size = (batch.len(), batch.commands);
        self.setup.size.learn(size, self.sent_at.elapsed(), self.round_trip);
        self.confirmed(batch, errors).await
    }

    /// Waits until nothing is pending.
    pub(super) async fn settle_pending(&mut self) -> Result<(), LaneFault> {
        let (Some(connection), Some(pending)) = (&mut self.connection, self.pending.take()) else { return Ok(()) };
        match settle(connection, &pending, &self.setup).await {
            Ok(errors) => self.carried_out(pending, errors).await,
            Err(trouble) => {
                self.pending = Some(pending);
                self.recover(trouble, None).await
            }
        }
    }

    /// Tells what became of a batch and gives its room back.
    pub(super) async fn confirmed(&mut self, batch: Batch, mut errors: Vec<(u32, String)>) -> Result<(), LaneFault> {
        let mut failed = std::collections::BTreeSet::new();
        if self.setup.part != Part::Stream && !errors.is_empty() {
            errors = self.fall_back(&batch, errors).await;
            self.note_left_alone(&batch, &errors).await?;
        }
        self.confirmed = self.confirmed.max(batch.mark);
        for (index, error) in &errors {
            let report = super::settle::report_of(&batch, *index, error);
            if let LaneReport::Failed(failure) | LaneReport::Conflict(failure) = &report
                && failure.kind != super::settle::LIBRARY
            {
                failed.insert((failure.db, failure.key.clone()));
            }
            self.tell(report).await;
        }
        let keys = batch.keys.saturating_sub(u32::try_from(failed.len()).unwrap_or(u32::MAX));
        self.tell(LaneReport::Confirmed { part: self.setup.part, mark: batch.mark, keys }).await;
        self.window.give(batch.charged);
        Ok(())
    }

    pub(super) async fn tell(&self, report: LaneReport) {
        // Nobody listens any more only when the run is being stopped.
        let _ = self.reports.send(report).await;
    }
}

/// What interrupts a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LaneError {
    /// There is no connection yet.
    NotConnected,
    /// The connection broke, or a command that guards was refused.
    Broken(LinkFault),
    /// The batch was refused as a whole.
    Aborted(String),
    /// A watched key had changed.
    Untouched,
    /// The token is not ours.
    Token(Option<Vec<u8>>),
    /// The destination stands before what it had confirmed.
    Forgot,
    /// The destination cannot take the batch, however often it is sent.
    TooLarge(TooLarge),
    /// A file of the state directory cannot be written.
    Disk(String),
    /// Nothing can be done about it any more.
    Lasting(LaneFault),
}

impl From<LinkFault> for LaneError {
    fn from(broken: LinkFault) -> Self {
        Self::Broken(broken)
    }
}

/// Reads what became of a batch and the token that was read behind it; the connection is then armed for the next.
pub(super) async fn settle(
    connection: &mut Connection,
    batch: &Batch,
    setup: &LaneSetup,
) -> Result<Vec<(u32, String)>, LaneError> {
    let nil = if setup.part == Part::Stream { Nil::Answer } else { Nil::KeyExists };
    let executed = connection.executed(batch.commands + COMMIT_COMMANDS, nil, &batch.watched).await?;
    connection.line().await?;
    let token = connection.bulk().await?;
    match executed {
        Executed::Done(errors) if token.as_deref() == Some(setup.token.as_bytes()) => Ok(errors),
        Executed::Untouched if token.as_deref() == Some(setup.token.as_bytes()) => Err(LaneError::Untouched),
        Executed::Aborted(error) => Err(LaneError::Aborted(error)),
        Executed::Done(_) | Executed::Untouched => Err(LaneError::Token(token)),
    }
}

/// Sends `MULTI` and the commands.
pub(super) async fn send_multi(connection: &mut Connection, batch: &Batch) -> Result<(), LinkFault> {
    if batch.large.is_empty() {
        return connection.send_both([MULTI, &batch.bytes]).await;
    }
    connection.send(MULTI).await?;
    // A part at a time: how long a server takes nothing is told of each.
    for part in batch.pieces().into_iter().flat_map(|piece| piece.chunks(PART)) {
        connection.send(part).await?;
    }
    Ok(())
}

/// The most of a large batch that is sent at once.
const PART: usize = 1 << 20;

/// Begins a transaction.
pub(super) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";

/// How many commands [`commit`] adds before the EXEC.
const COMMIT_COMMANDS: u32 = 2;

/// The mark, `EXEC`, and the guard of the next batch.
pub(super) fn commit(setup: &LaneSetup, batch: &Batch) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let field = setup.part.field();
    let mark = batch.checkpoint.map_or_else(|| batch.mark.to_string(), |checkpoint| checkpoint.to_string());
    resp::command(&mut out, &[b"SELECT", Db(0).to_string().as_bytes()]);
    resp::command(&mut out, &[b"HSET", setup.keys.run.as_bytes(), field.as_bytes(), mark.as_bytes()]);
    resp::command(&mut out, &[b"EXEC"]);
    arm(setup, &mut out);
    out
}

/// The guard: `WATCH` and `GET` of the token.
///
/// The lane's fence is watched as well: it changes when the lane gives this connection up.
pub(super) fn arm(setup: &LaneSetup, out: &mut Vec<u8>) {
    resp::command(out, &[b"WATCH", setup.keys.token.as_bytes(), setup.keys.fence(setup.part).as_bytes()]);
    resp::command(out, &[b"GET", setup.keys.token.as_bytes()]);
}
