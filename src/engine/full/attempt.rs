//! The loop of the full copy.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use async_channel::{Receiver, bounded};
use futures_util::{StreamExt, stream};

use super::{
    deal::{Deal, Hands, deal},
    start::{Start, Started, start},
    tally::{CopySignal, CopyStats},
};
use crate::{
    engine::{
        background,
        ending::Ending,
        incremental::note_loss,
        intake::{self, DumpPlace, Intake, IntakeEvent},
        orders::not_following,
        run::Run,
        servers,
        teller::Teller,
    },
    journal::Record,
    plan::fault::catalogue::runs,
    rdb::{Decoder, SafePoint},
    sink::{
        BatchSize, Checkpoint, Dealer, InFlight, Lane, LaneFault, LaneReport, LaneSetup, LargeValuePermits, Lease,
        Mark, Part, Position, Upto,
    },
    step::{Activity, Event, FollowProgress, FullWork, OnConflict, StepId},
    store::spool::{SpoolLevel, SpoolReader, remove_all, remove_before},
    unit::ByteSize,
};

/// Bytes that may be queued for or unconfirmed by the destination, over all lanes, and at most half the spool's bound.
const WINDOW: u64 = 32 << 20;
/// Jobs a lane has in hand beside the one it works on.
const JOBS_AHEAD: usize = 2;
/// How long a destination may be unreachable or refuse before the run stops.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a run that ends waits for the replies to what its lanes have sent.
const LANES_END: Duration = Duration::from_secs(5);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What a full copy leaves for the next step.
pub(in crate::engine) struct Copied {
    /// The lease, which the run goes on to hold.
    pub(in crate::engine) lease: Lease,
    /// What was copied, in a sentence.
    pub(in crate::engine) summary: String,
    /// The stream that is received meanwhile; `None` when it is not wanted.
    pub(in crate::engine) intake: Option<Intake>,
    /// What the destination holds of it.
    pub(in crate::engine) position: Position,
}

/// Copies the dataset.
pub(in crate::engine) async fn full(run: &mut Run, work: &FullWork, teller: &mut Teller<'_>) -> Result<Copied, Ending> {
    let mut control = run.request.servers.destination.control().await?;
    let started = match start(run, work, &mut control, teller).await? {
        Started::Copying(start) => *start,
        Started::Copied(there) => return taken_over(run, *there),
    };
    let clock_ahead = servers::clock_ahead(&mut control).await?;
    let lease = started.lease.clone();
    let mut copy = Copy::begin(run, work, started, clock_ahead)?;
    let outcome = copy.follow(run, teller).await;
    let (level, generation) = (copy.level.clone(), copy.generation);
    let (intake, keys) = copy.end(run, teller).await;
    let closed = match outcome {
        Ok((summary, marks)) => {
            let position = Position { generation, upto: Upto::Dump(marks) };
            close(run, (&lease, position)).await.map(|position| (summary, position))
        }
        Err(ending) => Err(ending.leaving(keys)),
    };
    match closed {
        Ok((summary, position)) => {
            if run.follows() {
                level.drain(level.written());
            }
            Ok(Copied { lease, summary, intake, position })
        }
        Err(ending) => {
            if let Some(intake) = intake {
                intake.end().await;
            }
            note_loss(run, (&lease, &mut control), &ending).await?;
            // Whoever comes next need not wait for the heartbeat to end; if this fails it does end.
            let _ = lease.release(&mut control).await;
            Err(ending)
        }
    }
}

/// Ends the copy where the destination still has all that it has confirmed; answers how far it is from here on.
async fn close(run: &Run, (lease, position): (&Lease, Position)) -> Result<Position, Ending> {
    let mut control = run.request.servers.destination.control().await?;
    if !run.follows() {
        lease.holds(&mut control, &position).await?;
        return Ok(position);
    }
    let begins = run.stream_begins()?;
    lease.begin_stream(&mut control, &begins, &position).await?;
    // Nothing is taken back by it from here on, and its room is the stream's.
    remove_all(&run.spool(position.generation))?;
    Ok(Position { upto: Upto::Stream(begins), ..position })
}

/// Notes what an earlier process has copied: a state directory that does not know of it begins its journal there.
fn taken_over(run: &mut Run, (lease, generation, checkpoint): (Lease, u32, Checkpoint)) -> Result<Copied, Ending> {
    let Checkpoint { replid, offset, .. } = checkpoint;
    let known = run.journal.state().dump.as_ref().filter(|dump| dump.generation == generation && !dump.lost);
    if known.is_none_or(|dump| dump.history.is_none()) {
        run.journal.append(&Record::DumpStarted { generation })?;
        run.journal.append(&Record::History { generation, replid, offset })?;
    }
    let summary = format!("An earlier process had copied the keys and applied the stream up to offset {offset}");
    let position = Position { generation, upto: Upto::Stream(checkpoint) };
    Ok(Copied { lease, summary, intake: None, position })
}

/// A full copy under way.
pub(super) struct Copy {
    pub(super) work: FullWork,
    pub(super) generation: u32,
    level: SpoolLevel,
    pub(super) tally: CopyStats,
    window: InFlight,
    signals: Receiver<CopySignal>,
    reports: Receiver<LaneReport>,
    intake: Option<Intake>,
    /// The lanes and who deals to them.
    working: Vec<async_std::task::JoinHandle<()>>,
    /// What sends signals besides.
    background: Vec<async_std::task::JoinHandle<()>>,
    lanes_left: usize,
    received: bool,
    decoded: bool,
    cut_short: Option<Ending>,
    /// Why nothing moves, when it does not.
    pub(super) waiting: Option<String>,
    drains: bool,
    safe_points: Vec<SafePoint>,
    /// The last of them before which everything is confirmed, while the spool still holds that.
    confirmed: Option<u64>,
    begun: Instant,
    last_told: Instant,
}

impl Copy {
    fn begin(run: &Run, work: &FullWork, started: Start, clock_ahead: i64) -> Result<Self, Ending> {
        let (signals_in, signals) = bounded(4096);
        let (reports_in, reports) = bounded(4096);
        let window = InFlight::new(WINDOW.min(run.spool_bound().0 / 2));
        let (folder, tag) = (run.spool(started.generation), run.spool_tag(started.generation));
        let whole = started.going_on.as_ref().map(|dump| dump.bytes);
        let level = whole.map_or_else(SpoolLevel::default, |bytes| SpoolLevel::at(bytes, true));
        // Else keys of others are there that a new dump must be able to tell from those of this one.
        let all_empty = run.targets(started.destination.databases).iter().all(|db| !started.occupied.contains(db));
        let drains = all_empty && work.on_conflict == OnConflict::Fail;
        let mut working = vec![];

        let mut lanes = vec![];
        let (turns, size) = (LargeValuePermits::new(), BatchSize::new(started.marks.len()));
        for (index, from) in started.marks.iter().copied().enumerate() {
            let (lane, jobs) = bounded(JOBS_AHEAD);
            lanes.push(lane);
            let setup = LaneSetup {
                part: Part::Dump(index),
                access: run.request.servers.destination.clone(),
                destination: started.destination.clone(),
                keys: run.keys.clone(),
                token: started.lease.token.clone(),
                from,
                on_conflict: work.on_conflict,
                clock_ahead,
                spool: folder.clone(),
                spool_tag: tag,
                level: level.clone(),
                turns: turns.clone(),
                patience: PATIENCE,
                size: size.clone(),
            };
            let lane = Lane::new(setup, jobs, reports_in.clone(), window.clone());
            let told = signals_in.clone();
            working.push(background::own_thread(move || async move {
                let ended = lane.run().await;
                let _ = told.send(CopySignal::LaneEnded(ended)).await;
            }));
        }

        let place = DumpPlace { folder: folder.clone(), tag, level: level.clone(), drains };
        let setup = run.intake(place, started.generation);
        let intake = match (whole, run.follows()) {
            (None, _) => Some(Intake::of_dump(setup)),
            (Some(_), false) => None,
            (Some(_), true) => {
                let begins = run.stream_begins()?;
                Some(intake::resume(setup, begins.replid, begins.offset)?)
            }
        };

        let from = started.going_on.as_ref().and_then(|dump| dump.from);
        let keys_before = started.going_on.as_ref().map_or(0, |dump| dump.keys);
        let limits = crate::rdb::DumpLimits { inline: inline_limit(work), ..crate::rdb::DumpLimits::default() };
        let decoder = from.as_ref().map_or_else(|| Decoder::new(limits), |point| Decoder::resume(point, limits));
        let dealing = Deal {
            reader: SpoolReader::new(&folder, tag, decoder.at(), level.clone()),
            decoder,
            dealer: Dealer::new(started.destination, work, (&started.marks, size), started.replaces_libraries)
                .keeping_libraries(started.libraries, run.keys.clone())
                .keeping_scripts(run.follows().then(|| run.keys.scripts.clone())),
            hands: Hands {
                lanes,
                signals: signals_in.clone(),
                window: window.clone(),
                pace: run.writes.clone(),
                gate: run.gate.clone(),
                gone: false,
            },
            clock_ahead,
        };
        working.push(async_std::task::spawn_blocking(move || deal(dealing)));
        let background = vec![
            background::ticks(signals_in.clone(), PROGRESS_EVERY / 2, || CopySignal::Tick),
            background::heartbeat(run, started.lease, signals_in.clone(), CopySignal::Heartbeat, None),
            background::stop(run, signals_in, || CopySignal::Stop),
        ];

        Ok(Self {
            work: work.clone(),
            generation: started.generation,
            level,
            lanes_left: started.marks.len(),
            tally: CopyStats::new(started.marks, whole, keys_before),
            window,
            signals,
            reports,
            working,
            background,
            received: whole.is_some(),
            decoded: false,
            cut_short: None,
            waiting: None,
            drains,
            safe_points: vec![],
            confirmed: None,
            begun: Instant::now(),
            last_told: Instant::now(),
            intake,
        })
    }

    /// Takes signals until the copy is done or cannot go on.
    async fn follow(&mut self, run: &mut Run, teller: &mut Teller<'_>) -> Result<(String, Vec<Mark>), Ending> {
        if self.received {
            teller.notice(format!(
                "The whole dump is in the spool: the copy continues at byte {} without the source.",
                self.tally.applied()
            ));
        }
        let reports = self.reports.clone().map(CopySignal::Lane);
        let asked = run.asked.clone().map(CopySignal::Asked);
        let told = self.intake.as_ref().map(|intake| intake.told.clone().map(CopySignal::Intake));
        let told = stream::iter(told).flatten();
        let mut signals =
            Box::pin(stream::select(stream::select(told, asked), stream::select(self.signals.clone(), reports)));
        while self.lanes_left > 0 || !self.decoded || !self.received {
            let Some(signal) = signals.next().await else { break };
            self.take(signal, run, teller)?;
        }
        while let Ok(report) = self.reports.try_recv() {
            self.take(CopySignal::Lane(report), run, teller)?;
        }
        let progress = self.tally.progress(self.begun.elapsed(), self.level.written());
        let summary = summary_of(&progress, self.begun.elapsed());
        teller.tell(Event::Progress { progress });
        Ok((summary, self.tally.marks().to_vec()))
    }

    fn take(&mut self, signal: CopySignal, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        match signal {
            CopySignal::Intake(told) => return self.take_told(told, run, teller),
            CopySignal::Notice(text) => teller.notice(text),
            CopySignal::StreamDb(db) => {
                run.journal.append(&Record::StreamDb { generation: self.generation, db })?;
            }
            CopySignal::SafePoint(point) => self.safe_points.push(*point),
            CopySignal::Dealt(counts) => self.tally.dealt(counts),
            CopySignal::Lost => run.journal.append(&Record::DumpLost { generation: self.generation })?,
            CopySignal::Unwritable(failure) => {
                self.tally.fail(&failure);
                teller.tell(Event::KeyFailed { failure });
            }
            CopySignal::CutShort(ending) if self.received => {
                run.journal.append(&Record::DumpLost { generation: self.generation })?;
                return Err(ending);
            }
            // Whoever receives it knows why it was cut short, and tells.
            CopySignal::CutShort(ending) => self.cut_short = Some(ending),
            CopySignal::Decoded(decoded) => {
                decoded?;
                self.decoded = true;
            }
            CopySignal::Lane(report) => self.take_report(report, run, teller)?,
            CopySignal::LaneEnded(ended) => {
                if let Err(LaneFault::Spool(_)) = &ended {
                    run.journal.append(&Record::DumpLost { generation: self.generation })?;
                }
                ended?;
                self.lanes_left -= 1;
            }
            CopySignal::Heartbeat(fault) => return Err(fault.into()),
            CopySignal::Asked(asked) => {
                if let Some(asked) = run.order(asked, teller)? {
                    asked.answer(not_following());
                }
                self.post(run);
            }
            CopySignal::Tick => {
                self.keep_safe_points(run)?;
                self.post(run);
                run.tell_traffic_if_due(teller);
                if self.last_told.elapsed() >= PROGRESS_EVERY {
                    self.last_told = Instant::now();
                    let progress = self.tally.progress(self.begun.elapsed(), self.level.written());
                    teller.tell(Event::Progress { progress });
                }
            }
            CopySignal::Stop => {
                let text = if self.received {
                    "Stopped. The whole dump is in the spool: the same command resumes where this one stopped."
                } else {
                    "Stopped while the dump was being received: the same command begins a new full copy."
                };
                return Err(Ending::of(&runs::STOPPED_BY_SIGNAL, text));
            }
        }
        Ok(())
    }

    /// Posts how the copy stands, and tells those who wait for a pause.
    fn post(&mut self, run: &mut Run) {
        run.answer_pause(self.window.is_whole(), None);
        let mut status = run.status(Some(StepId::Full), Activity::Copying);
        status.reasons.splice(..0, self.waiting.iter().cloned());
        status.full = Some(self.tally.progress(self.begun.elapsed(), self.level.written()));
        status.following = self.intake.as_ref().and_then(|intake| {
            let (replid, received) = intake.state.received()?;
            let spooled = ByteSize(intake.state.spool().held());
            Some(FollowProgress { replid: Some(replid), received, spooled, ..FollowProgress::default() })
        });
        run.board.post(status);
    }

    fn take_told(&mut self, told: IntakeEvent, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let generation = self.generation;
        match told {
            IntakeEvent::Header { replid, offset, length } => {
                if let (Some(replid), Some(offset)) = (replid, offset) {
                    run.journal.append(&Record::History { generation, replid, offset })?;
                }
                self.waiting = None;
                self.tally.know_total(length);
                teller.tell(Event::DumpStarted { replid, offset, length });
            }
            IntakeEvent::DumpReceived(received) => {
                let bytes = received?;
                run.journal.append(&Record::DumpReceived { generation, bytes })?;
                self.received = true;
                if let Some(ending) = self.cut_short.take() {
                    run.journal.append(&Record::DumpLost { generation })?;
                    return Err(ending);
                }
                self.tally.know_total(Some(bytes));
                teller.tell(Event::DumpReceived { bytes, seconds: self.begun.elapsed().as_secs_f64() });
            }
            told => {
                if let IntakeEvent::Waiting(reason) = &told {
                    self.waiting = Some(reason.clone());
                }
                intake::tell(told, StepId::Full, run, teller)?;
            }
        }
        Ok(())
    }

    /// Notes the last point before which everything is confirmed, and removes what lies before it where that may be.
    fn keep_safe_points(&mut self, run: &mut Run) -> Result<(), Ending> {
        let applied = self.tally.applied();
        let passed = self.safe_points.iter().take_while(|point| point.at <= applied).count();
        let Some(point) = self.safe_points.drain(..passed).next_back() else { return self.remove_confirmed(run) };
        let at = point.at;
        let keys = self.tally.keys();
        run.journal.append(&Record::SafePoint { generation: self.generation, point: Box::new(point), keys })?;
        self.confirmed = Some(at);
        self.remove_confirmed(run)
    }

    /// Until the dump is whole its spool is what says which keys this run wrote, so it stays for as long as there is room.
    fn remove_confirmed(&mut self, run: &Run) -> Result<(), Ending> {
        let removes = self.received || self.drains && self.lacks_room(run);
        let Some(at) = self.confirmed.take_if(|_| removes) else { return Ok(()) };
        let begin = remove_before(&run.spool(self.generation), at)?;
        self.level.drain(begin);
        Ok(())
    }

    /// Whether the spool has come to half of what it may hold, or to half of what the disk has for it.
    fn lacks_room(&self, run: &Run) -> bool {
        let held = self.level.held();
        let free = rustix::fs::statvfs(&run.request.state_dir).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
        held > run.spool_bound().0 / 2 || free.is_ok_and(|free| free < held)
    }

    /// Ends everything that runs beside the loop, and hears the lanes out: what they have sent is told by its replies, and
    /// a key that was left must be noted however the run ends. Taking in goes on. Answers the keys that are confirmed, too.
    async fn end(mut self, run: &mut Run, teller: &mut Teller<'_>) -> (Option<Intake>, u64) {
        self.level.end();
        self.window.close();
        self.signals.close();
        let reports = self.reports.clone();
        let hearing = async {
            // Ends with the last lane.
            while let Ok(report) = reports.recv().await {
                let _ = self.take_report(report, run, teller);
            }
        };
        let _ = async_std::future::timeout(LANES_END, hearing).await;
        background::end(self.background).await;
        for task in self.working {
            let _ = async_std::future::timeout(Duration::from_millis(50), task).await;
        }
        (self.intake, self.tally.keys())
    }
}

/// The most of a value that is handed out whole.
fn inline_limit(work: &FullWork) -> usize {
    usize::try_from(work.limits.chunk_above.0.min(WINDOW)).unwrap_or(usize::MAX)
}

fn summary_of(progress: &crate::step::FullProgress, took: Duration) -> String {
    let mut text = format!("{} keys copied in {:.1} s", progress.keys, took.as_secs_f64());
    for (count, what) in [
        (progress.filtered, "left out by the plan's rules"),
        (progress.own, "of this tool's own left out"),
        (progress.expired, "expired"),
        (progress.skipped, "left as they were"),
        (progress.failed, "reported"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}
