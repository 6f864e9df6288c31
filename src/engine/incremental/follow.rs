//! The loop of following.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};

use super::{
    answers::{note_loss, stopped},
    beside::FollowTasks,
    comparison::FollowComparisons,
    cutting::CutoverState,
    doubts::Doubts,
    figures::FollowStats,
    forecast::Forecast,
    gauge::StreamProgress,
    heard::AckLog,
    scripted::Scripted,
    setup::DestinationState,
    signal::Signal,
    silence::Silence,
    stop::{StopVerdict, StopWatch},
    taking_up::{prepare, take_up},
    unended::Unended,
};
use crate::{
    engine::{
        ending::Ending,
        full::claim,
        intake::{self, Intake},
        run::Run,
        steering::PendingOrder,
        teller::Teller,
    },
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{DeadlineMode, Destination, LaneFault, Lease, LeaseFault, Position, Upto},
    step::{
        CutoverMode, CutoverResult, CutoverWork, DeadlineEnd, Event, IncrementalWork, Outcome, Side, StepId, WhenMet,
    },
    store::spool::{remove_all, remove_before},
    unit::{Offset, ReplId, UnixMillis},
};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// How often what is applied is removed from the spool.
const REMOVE_EVERY: Duration = Duration::from_secs(1);

/// What following leaves for the next step.
pub(in crate::engine) struct Followed {
    /// The lease, which the run goes on to hold.
    pub(in crate::engine) lease: Lease,
    /// What was applied, in a sentence.
    pub(in crate::engine) summary: String,
    /// How the cutover went, in a plan that has one: the destination is sealed.
    pub(in crate::engine) sealed: Option<CutoverResult>,
    /// What the destination holds.
    pub(in crate::engine) position: Position,
}

/// How following ended: what was applied, in a sentence, and how the cutover went.
type Ended = (String, Option<CutoverResult>);

/// Follows the source until a stop condition is met and what it had written by then is applied.
pub(in crate::engine) async fn incremental(
    run: &mut Run,
    work: &IncrementalWork,
    (lease, mut intake): (Option<Lease>, Option<Intake>),
    teller: &mut Teller<'_>,
) -> Result<Followed, Ending> {
    let mut control = destination(run).await?;
    let mut lease = match lease {
        Some(lease) => lease,
        None => claim(run, &mut control, teller).await?.0,
    };
    let mut went_on_at = None;
    loop {
        let ending = match with_lease(run, work, (&lease, intake.take()), &mut control, teller).await {
            Ok((ended, position)) => return Ok(Followed { lease, summary: ended.0, sealed: ended.1, position }),
            Err(ending) => ending,
        };
        if !ending.is_again() {
            note_loss(run, (&lease, &mut control), &ending).await?;
            // Whoever comes next need not wait for the heartbeat to end; if this fails it does end.
            let _ = lease.release(&mut control).await;
            return Err(ending);
        }
        control = destination(run).await?;
        // A new token: a lane that has not ended yet must not write behind the checkpoint that is read now.
        let (taken, record, _) = claim(run, &mut control, teller).await?;
        lease = taken;
        let at = record.stream.map(|checkpoint| checkpoint.offset);
        if went_on_at.replace(at) == Some(at) {
            let _ = lease.release(&mut control).await;
            return Err(ending.twice());
        }
        teller.notice(format!("{} It continues from the checkpoint.", ending.summary));
    }
}

async fn destination(run: &Run) -> Result<Control, ControlError> {
    run.request.servers.destination.control().await
}

async fn with_lease(
    run: &mut Run,
    work: &IncrementalWork,
    (lease, intake): (&Lease, Option<Intake>),
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(Ended, Position), Ending> {
    let (there, source_ahead) = match prepare(run, lease, control, teller).await {
        Ok(prepared) => prepared,
        Err(ending) => {
            if let Some(intake) = intake {
                intake.end().await;
            }
            return Err(ending);
        }
    };
    let intake = match intake {
        Some(intake) => intake,
        None => take_up(run, &there)?,
    };
    teller.tell(Event::FollowStarted { replid: Some(there.checkpoint.replid), offset: there.checkpoint.offset });
    let (heard, unheard) = match AckLog::take_up(run, &there, teller) {
        Ok(taken) => taken,
        Err(ending) => {
            intake.end().await;
            return Err(ending);
        }
    };
    let mut follow = Follow::begin(run, work, (lease, &there), (intake, heard), source_ahead);
    let mut outcome = match unheard.map_or(Ok(()), |why| follow.doubt_answers(&why, run)) {
        Ok(()) => follow.run(lease, run, teller).await,
        Err(ending) => Err(ending),
    };
    if let Err(ending) = &outcome {
        follow.answer_in_vain(ending);
    }
    // Whoever has taken the run over lets the writers go on, and may be moving them over right now.
    if let Err(ending) = &outcome
        && ending.outcome != Outcome::Locked
        && !follow.may_be_sealed()
    {
        let undone = follow.undo(&ending.summary.clone(), run, teller).await;
        outcome = undone.and(outcome);
    }
    let (spoiled, stream, gauge) = (follow.spoiled, follow.stream.clone(), follow.figures.gauge.clone());
    let loss = follow.end(run, teller).await;
    // A process that was stopped in the middle of a refusal ends with the refusal.
    if let Some(loss) = loss
        && outcome.as_ref().map_or_else(|ending| ending.outcome == Outcome::Stopped, |(_, sealed)| sealed.is_none())
    {
        outcome = Err(loss);
    }
    run.gate.set_open(true);
    if spoiled {
        remove_all(&stream)?;
    }
    let upto = Upto::Stream(gauge.checkpoint());
    Ok((outcome?, Position { generation: there.record.generation, upto }))
}

/// Following under way.
pub(super) struct Follow {
    pub(super) work: IncrementalWork,
    pub(super) intake: Intake,
    pub(super) beside: FollowTasks,
    pub(super) figures: FollowStats,
    pub(super) watch: StopWatch,
    pub(super) phase: FollowPhase,
    /// How the writers move over, in a plan that says so.
    pub(super) cutover_work: Option<CutoverWork>,
    /// Which copy is followed.
    pub(super) generation: u32,
    /// The destination has caught up before.
    pub(super) caught_up: bool,
    /// Hooks of that moment that still run.
    pub(super) catching_up: usize,
    /// The pause of a cutover that was undone ends here: before 6.2 it cannot be ended.
    pub(super) paused_until: Option<Instant>,
    /// Cutovers that were tried.
    pub(super) cutovers: u32,
    /// The stop condition was met in a plan that cuts over by itself.
    wants_cutover: bool,
    pub(super) comparison: FollowComparisons,
    /// An operator said `plan cutover`; they wait for the answer.
    pub(super) cutover: Vec<PendingOrder>,
    /// Why nothing moves, when it does not.
    pub(super) waiting: Option<(Side, String)>,
    pub(super) silence: Silence,
    pub(super) unended: Unended,
    /// What is spooled cannot be read on.
    spoiled: bool,
    stream: std::path::PathBuf,
    first_offset: Offset,
    pub(super) lease: Lease,
    /// What the destination can take.
    pub(super) destination: Destination,
    /// Keys that the full copy left as they were.
    pub(super) left_alone: Arc<HashSet<Vec<u8>>>,
    /// How deadlines stand at the destination.
    pub(super) deadlines: DeadlineMode,
    /// Scripts that set or read expiries.
    pub(super) scripts: Scripted,
    /// How long making them exact will take.
    pub(super) forecast: Forecast,
    /// Since when deadlines are being deferred again.
    pub(super) deferring: Option<Instant>,
    /// Since when they are being made exact.
    pub(super) settling_since: Option<Instant>,
    pub(super) heard: AckLog,
    pub(super) doubts: Doubts,
    /// What would have ended following while the destination could be sealed: it does once it is known not to be.
    missed: Option<Ending>,
    last_told: Instant,
    last_removed: Instant,
}

/// What following is about.
#[derive(Debug)]
pub(super) enum FollowPhase {
    /// No condition is met.
    Following,
    /// A condition is met; how far the source had come is not known yet.
    Met(String),
    /// What the source had written up to an offset of a history is being applied, since the condition was met.
    Draining { condition: String, history: Option<ReplId>, offset: Offset },
    /// It is applied, and deadlines are being made exact; the pass has begun or waits until nothing is under way.
    Settling(Offset, bool),
    /// The writers are being moved over.
    Cutting(Box<CutoverState>),
    /// An operator is waited for.
    Holding,
}

impl Follow {
    fn begin(
        run: &Run,
        work: &IncrementalWork,
        (lease, there): (&Lease, &DestinationState),
        (intake, heard): (Intake, AckLog),
        source_ahead: i64,
    ) -> Self {
        let gauge = StreamProgress::at(there.checkpoint);
        let beside = FollowTasks::start(run, work, (there, lease), (&intake.state, &gauge), source_ahead);
        let began = run.journal.state().follow_began.unwrap_or_else(UnixMillis::now);
        let now = Instant::now();
        Self {
            work: work.clone(),
            figures: FollowStats::new(gauge, intake.state.clone(), began),
            watch: StopWatch::new(work.stop.clone(), work.deadline),
            stream: run.stream(there.record.generation).folder,
            first_offset: there.checkpoint.offset,
            lease: lease.clone(),
            destination: there.destination.clone(),
            left_alone: there.left_alone.clone(),
            deadlines: there.record.deadlines,
            scripts: Scripted::known(there.expiring_scripts()),
            forecast: Forecast::default(),
            deferring: there.defers_first.then_some(now),
            settling_since: None,
            heard,
            doubts: Doubts::new(there, run, work.on_unsupported),
            intake,
            beside,
            phase: FollowPhase::Following,
            cutover_work: run.cutover_work().cloned(),
            generation: there.record.generation,
            caught_up: false,
            catching_up: 0,
            paused_until: None,
            cutovers: 0,
            wants_cutover: false,
            comparison: FollowComparisons::new(work),
            cutover: vec![],
            waiting: None,
            silence: Silence::new(work.limits.patience()),
            unended: Unended::default(),
            spoiled: false,
            missed: None,
            last_told: now,
            last_removed: now,
        }
    }

    /// Takes signals until what was asked for is applied or following cannot go on.
    async fn run(&mut self, lease: &Lease, run: &mut Run, teller: &mut Teller<'_>) -> Result<Ended, Ending> {
        let reports = self.beside.reports.clone().map(Signal::Lane);
        let asked = run.asked.clone().map(Signal::Asked);
        let told = self.intake.told.clone().map(Signal::Intake);
        let compared = self.comparison.told.clone().map(Signal::Compared);
        let rare = stream::select(stream::select(told, asked), compared);
        let mut signals = Box::pin(stream::select(rare, stream::select(self.beside.signals.clone(), reports)));
        while let Some(signal) = signals.next().await {
            match signal {
                Signal::Asked(asked) => self.asked(asked, run, teller).await?,
                Signal::Cut(cut) => {
                    if let Some(result) = self.take_cut(cut, run, teller).await? {
                        return Ok((self.summary(teller), Some(result)));
                    }
                }
                Signal::Settled(came) => {
                    if let Some(summary) = self.settled(came, run, teller).await? {
                        return Ok((summary, None));
                    }
                }
                signal => self.take(signal, run, teller)?,
            }
            if self.wants_cutover && matches!(self.phase, FollowPhase::Following) && self.blockers(run).is_empty() {
                self.begin_cutover(None, None, run, teller).await?;
            }
            self.cut_on(lease, run, teller).await?;
            if matches!(self.phase, FollowPhase::Met(_)) {
                self.beside.ask_where(run);
            }
            if let Some(offset) = self.drained()
                && self.is_beyond_doubt(run, teller).await?
            {
                if !self.deadlines.defers() {
                    return self.end_at(offset, run, teller).await.map(|summary| (summary, None));
                }
                self.end_deferral(offset, run, teller).await?;
            }
            self.settle_the_end(run).await;
        }
        Err(Ending::failed("Following ended without a reason."))
    }

    /// The offset that was to be applied, once it is. Offsets of another history say nothing: the source is asked again.
    fn drained(&mut self) -> Option<Offset> {
        let FollowPhase::Draining { condition, history, offset } = &mut self.phase else { return None };
        if !self.intake.state.is_of(*history) {
            self.phase = FollowPhase::Met(std::mem::take(condition));
            return None;
        }
        (self.figures.gauge.applied() >= *offset).then_some(*offset)
    }

    pub(super) fn summary(&mut self, teller: &mut Teller<'_>) -> String {
        let (applied, commands) = self.figures.tell(teller);
        format!("followed from offset {} to {applied}: {commands} commands applied", self.first_offset)
    }

    fn take(&mut self, signal: Signal, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        match signal {
            Signal::Intake(told) => {
                self.note_wait(&told);
                intake::tell(told, StepId::Incremental, run, teller)?;
            }
            Signal::Source(facts, asked) => {
                self.silence.heard(Side::Source);
                self.figures.hear(*facts, asked);
            }
            Signal::Kept(info) => {
                self.silence.heard(Side::Destination);
                self.forecast.hear(&info, &self.work.selection);
            }
            Signal::Stands(history, offset) => self.stands_at(history, offset, teller),
            Signal::Scripts(count, names) => self.take_scripts(count, names, teller),
            Signal::LivesRefused(refusal) => teller.notice(format!(
                "The source does not let this user ask when keys end ({refusal}): a key whose deadline arrives late lives longer at \
                 the destination, by the delay. Grant `+select +pttl ~*` there (sources up to 6.2)."
            )),
            Signal::Left(failure) => {
                self.figures.failed += 1;
                teller.tell(Event::KeyFailed { failure });
            }
            Signal::Fed(ending) => return Err(ending),
            Signal::Spoiled(reason) => {
                self.spoiled = true;
                return Err(Ending::again(&runs::STREAM_UNREADABLE, reason));
            }
            Signal::Lane(report) => self.take_report(report, run, teller)?,
            Signal::LaneEnded(Err(LaneFault::Forgot)) => return Err(Ending::of_lost(LeaseFault::Forgot)),
            Signal::LaneEnded(ended) => {
                ended?;
                return Err(Ending::failed("The lane ended without a reason."));
            }
            // Our own seal takes the token away, and a cutover that may be sealed is heard out.
            Signal::Heartbeat(fault) if self.may_be_sealed() => self.missed = Some(Ending::of_lost(fault)),
            Signal::Stop if self.may_be_sealed() => self.missed = Some(stopped()),
            Signal::Heartbeat(fault) => return Err(Ending::of_lost(fault)),
            Signal::Asked(_) | Signal::Cut(_) | Signal::Settled(_) => {} // The loop takes them.
            Signal::Compared(told) => self.comparison.take(told, teller),
            Signal::Tick => {
                if !self.may_be_sealed()
                    && let Some(ending) = self.missed.take()
                {
                    return Err(ending);
                }
                self.tick(teller)?;
                self.look_for_silence(teller)?;
                self.catch_up(run);
                let waits = matches!(self.phase, FollowPhase::Following) && self.watch.waits_for_comparison();
                self.comparison.look(waits, run, &self.figures);
                self.post(run);
                run.tell_traffic_if_due(teller);
            }
            Signal::Stop => return Err(stopped()),
        }
        Ok(())
    }

    /// The source stands there since the stop condition was met: what was received by then is applied as well.
    fn stands_at(&mut self, history: Option<ReplId>, offset: Offset, teller: &mut Teller<'_>) {
        self.beside.was_answered();
        if !matches!(self.phase, FollowPhase::Met(_)) || !self.intake.state.is_of(history) {
            return;
        }
        let offset = offset.max(self.figures.received());
        let FollowPhase::Met(condition) = std::mem::replace(&mut self.phase, FollowPhase::Following) else { return };
        teller.tell(Event::StopMet { condition: condition.clone(), offset });
        let history = self.intake.state.received().map(|(replid, _)| replid);
        self.phase = FollowPhase::Draining { condition, history, offset };
    }

    fn tick(&mut self, teller: &mut Teller<'_>) -> Result<(), Ending> {
        self.heard.note(self.figures.gauge.applied())?;
        if self.last_removed.elapsed() >= REMOVE_EVERY {
            self.last_removed = Instant::now();
            let begin = remove_before(&self.stream, self.figures.gauge.applied().0)?;
            self.intake.state.spool().drain(begin);
        }
        if self.last_told.elapsed() >= PROGRESS_EVERY {
            self.last_told = Instant::now();
            self.figures.tell(teller);
        }
        self.judge(teller)
    }

    /// Looks at the stop conditions.
    fn judge(&mut self, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let reading = self.figures.reading(!self.cutover.is_empty(), self.comparison.compared);
        let standing = self.watch.read(&reading);
        let waits = matches!(self.phase, FollowPhase::Following | FollowPhase::Holding);
        let by_itself = self.cutover_work.as_ref().is_some_and(|work| work.mode == CutoverMode::Auto);
        self.wants_cutover = by_itself && matches!(standing, StopVerdict::Met(_));
        match (standing, self.work.then) {
            (StopVerdict::Met(condition), WhenMet::Drain) if waits => self.phase = FollowPhase::Met(condition),
            (StopVerdict::Late(DeadlineEnd::Hold), WhenMet::Drain)
                if matches!(self.phase, FollowPhase::Holding) && !self.cutover.is_empty() =>
            {
                self.phase = FollowPhase::Met("command: cutover, after the deadline".to_owned());
            }
            (StopVerdict::Met(condition), WhenMet::Hold)
                if matches!(self.phase, FollowPhase::Following) && !by_itself =>
            {
                self.phase = FollowPhase::Holding;
                teller.notice(format!(
                    "The stop condition is met ({condition}). The source is followed until an operator cuts over."
                ));
            }
            (StopVerdict::Late(DeadlineEnd::Fail), _) if matches!(self.phase, FollowPhase::Following) => {
                return Err(Ending::of(
                    &runs::DEADLINE,
                    "The deadline passed before the stop condition was met. What is applied is noted at the destination; \
                     applied again, the run continues and fails again unless the condition is met at once.",
                ));
            }
            (StopVerdict::Late(DeadlineEnd::Hold), _) if matches!(self.phase, FollowPhase::Following) => {
                self.phase = FollowPhase::Holding;
                teller.notice(
                    "The deadline passed before the stop condition was met. The source is followed until an operator \
                     decides.",
                );
            }
            _ => {}
        }
        Ok(())
    }
}
