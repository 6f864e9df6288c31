//! The loop of following.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use super::{
    beside::Beside,
    comparison::Comparison,
    cutting::{Cut, Cutting},
    figures::Figures,
    gauge::Gauge,
    heard::Heard,
    setup::There,
    stop::{Standing, StopWatch},
    taking_up::{prepare, take_up},
};
use crate::{
    compare,
    engine::{
        ending::Ending,
        full::claim,
        intake::{self, Intake, Told},
        run::Run,
        servers,
        steering::Asked,
        teller::Teller,
    },
    journal::Record,
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{LaneFault, LaneReport, Lease, LeaseFault},
    source::SourceFacts,
    step::{
        CutoverMode, CutoverResult, CutoverWork, DeadlineEnd, Event, IncrementalWork, KeyFailure, OnUnsupported,
        Outcome, StepId, WhenMet,
    },
    store::spool::{remove_all, remove_before},
    unit::{Offset, UnixMillis},
};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// How often what is applied is removed from the spool.
const REMOVE_EVERY: Duration = Duration::from_secs(1);

/// What the parts of following tell its loop.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something happened while taking in.
    Intake(Told),
    /// The source said where it stands.
    Source(Box<SourceFacts>),
    /// The source said where it stands, asked after the stop condition was met.
    Stands(Offset),
    /// A command was not sent.
    Left(KeyFailure),
    /// Feeding cannot go on.
    Fed(Ending),
    /// What is spooled cannot be read on, for this reason; the source may send it again.
    Spoiled(String),
    /// The lane tells.
    Lane(LaneReport),
    /// The lane ended.
    LaneEnded(Result<(), LaneFault>),
    /// The lease is lost.
    Heartbeat(LeaseFault),
    /// An operator asks for something.
    Asked(Asked),
    /// A part of a cutover tells.
    Cut(Cut),
    /// A comparison of both sides tells.
    Compared(compare::Told),
    /// Time passed.
    Tick,
    /// Somebody asked for a stop.
    Stop,
}

/// What following leaves for the next step.
pub(in crate::engine) struct Followed {
    /// The lease, which the run goes on to hold.
    pub(in crate::engine) lease: Lease,
    /// What was applied, in a sentence.
    pub(in crate::engine) summary: String,
    /// How the cutover went, in a plan that has one: the destination is sealed.
    pub(in crate::engine) sealed: Option<CutoverResult>,
}

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
            Ok((summary, sealed)) => return Ok(Followed { lease, summary, sealed }),
            Err(ending) => ending,
        };
        if !ending.is_again() {
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
        teller.notice(format!("{} It goes on from the checkpoint.", ending.summary));
    }
}

/// The destination is behind what it had confirmed: the stream goes on from what it still has.
fn forgot() -> Ending {
    Ending::again(&runs::DESTINATION_FORGOT, LaneFault::Forgot.to_string())
}

async fn destination(run: &Run) -> Result<Control, ControlError> {
    servers::connect(&run.request.graph.destination, run.request.passwords.destination.as_ref()).await
}

async fn with_lease(
    run: &mut Run,
    work: &IncrementalWork,
    (lease, intake): (&Lease, Option<Intake>),
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(String, Option<CutoverResult>), Ending> {
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
    let heard = match Heard::take_up(run, &there, teller) {
        Ok(heard) => heard,
        Err(ending) => {
            intake.end().await;
            return Err(ending);
        }
    };
    let mut follow = Follow::begin(run, work, (lease, &there), (intake, heard), source_ahead);
    let mut outcome = follow.run(lease, run, teller).await;
    // Whoever has taken the run over lets the writers go on, and may be moving them over right now.
    if let Err(ending) = &outcome
        && ending.outcome != Outcome::Locked
        && !follow.may_be_sealed()
    {
        let undone = follow.undo(&ending.summary.clone(), run, teller).await;
        outcome = undone.and(outcome);
    }
    let (spoiled, stream) = (follow.spoiled, follow.stream.clone());
    follow.end(teller).await;
    if spoiled {
        remove_all(&stream)?;
    }
    outcome
}

/// Following under way.
pub(super) struct Follow {
    pub(super) work: IncrementalWork,
    pub(super) intake: Intake,
    pub(super) beside: Beside,
    pub(super) figures: Figures,
    pub(super) watch: StopWatch,
    pub(super) phase: Phase,
    /// How the writers move over, in a plan that says so.
    pub(super) cutover_work: Option<CutoverWork>,
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
    pub(super) comparison: Comparison,
    /// An operator said `plan cutover`; they wait for the answer.
    pub(super) cutover: Vec<Asked>,
    /// Why nothing moves, when it does not.
    pub(super) waiting: Option<String>,
    /// What is spooled cannot be read on.
    spoiled: bool,
    stream: std::path::PathBuf,
    first_offset: Offset,
    pub(super) lease: Lease,
    heard: Heard,
    last_told: Instant,
    last_removed: Instant,
}

/// What following is about.
#[derive(Debug)]
pub(super) enum Phase {
    /// No condition is met.
    Following,
    /// A condition is met; how far the source had come is not known yet.
    Met(String),
    /// What the source had written up to here is being applied.
    Draining(Offset),
    /// The writers are being moved over.
    Cutting(Box<Cutting>),
    /// An operator is waited for.
    Holding,
}

impl Follow {
    fn begin(
        run: &Run,
        work: &IncrementalWork,
        (lease, there): (&Lease, &There),
        (intake, heard): (Intake, Heard),
        source_ahead: i64,
    ) -> Self {
        let gauge = Gauge::at(there.checkpoint.offset);
        let beside = Beside::start(run, work, (there, lease), (&intake.state, &gauge), source_ahead);
        let began = run.journal.state().follow_began.unwrap_or_else(UnixMillis::now);
        let now = Instant::now();
        Self {
            work: work.clone(),
            figures: Figures::new(gauge, intake.state.clone(), began),
            watch: StopWatch::new(work.stop.clone(), work.deadline),
            stream: run.stream(there.record.generation).folder,
            first_offset: there.checkpoint.offset,
            lease: lease.clone(),
            heard,
            intake,
            beside,
            phase: Phase::Following,
            cutover_work: run.cutover_work().cloned(),
            caught_up: false,
            catching_up: 0,
            paused_until: None,
            cutovers: 0,
            wants_cutover: false,
            comparison: Comparison::new(work),
            cutover: vec![],
            waiting: None,
            spoiled: false,
            last_told: now,
            last_removed: now,
        }
    }

    /// Takes signals until what was asked for is applied or following cannot go on.
    async fn run(
        &mut self,
        lease: &Lease,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(String, Option<CutoverResult>), Ending> {
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
                signal => self.take(signal, run, teller)?,
            }
            if self.wants_cutover && matches!(self.phase, Phase::Following) && self.blockers(run).is_empty() {
                self.begin_cutover(None, None, run, teller).await?;
            }
            self.cut_on(lease, run, teller).await?;
            if matches!(self.phase, Phase::Met(_)) {
                self.beside.ask_where(run);
            }
            if let Phase::Draining(offset) = self.phase
                && self.figures.gauge.applied() >= offset
            {
                self.answer_cutover(offset);
                return Ok((self.summary(teller), None));
            }
        }
        Err(Ending::failed("Following ended without a reason."))
    }

    fn summary(&mut self, teller: &mut Teller<'_>) -> String {
        let (applied, commands) = self.figures.tell(teller);
        format!("followed from offset {} to {applied}: {commands} commands applied", self.first_offset)
    }

    fn take(&mut self, signal: Signal, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        match signal {
            Signal::Intake(told) => {
                self.note_wait(&told);
                intake::tell(told, StepId::Incremental, run, teller)?;
            }
            Signal::Source(facts) => self.figures.hear(*facts),
            Signal::Stands(offset) => {
                if let Phase::Met(condition) = &self.phase {
                    teller.tell(Event::StopMet { condition: condition.clone(), offset });
                    self.phase = Phase::Draining(offset);
                }
            }
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
            Signal::LaneEnded(Err(LaneFault::Forgot)) => {
                return Err(forgot());
            }
            Signal::LaneEnded(ended) => {
                ended?;
                return Err(Ending::failed("The lane ended without a reason."));
            }
            // Our own seal takes the token away, and a cutover that may be sealed is heard out.
            Signal::Heartbeat(_) | Signal::Stop if self.may_be_sealed() => {}
            Signal::Heartbeat(LeaseFault::Forgot) => return Err(forgot()),
            Signal::Heartbeat(fault) => return Err(fault.into()),
            Signal::Asked(_) | Signal::Cut(_) => {} // The loop takes them.
            Signal::Compared(told) => self.comparison.take(told, teller),
            Signal::Tick => {
                self.tick(teller)?;
                self.catch_up(run);
                let waits = matches!(self.phase, Phase::Following) && self.watch.waits_for_comparison();
                self.comparison.look(waits, run, &self.figures.gauge);
                self.post(run);
                run.tell_traffic_if_due(teller);
            }
            Signal::Stop => {
                return Err(Ending::of(
                    &runs::STOPPED_BY_SIGNAL,
                    "Stopped while following. What is applied is noted at the destination: the same command goes on \
                     right behind it.",
                ));
            }
        }
        Ok(())
    }

    fn note_wait(&mut self, told: &Told) {
        match told {
            Told::LinkLost(reason) => self.waiting = Some(format!("the connection to the source is lost: {reason}")),
            Told::Waiting(reason) => self.waiting = Some(reason.clone()),
            Told::Following { .. } => self.waiting = None,
            _ => {}
        }
    }

    fn take_report(&mut self, report: LaneReport, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        match report {
            LaneReport::Confirmed { mark, .. } => {
                self.figures.gauge.confirmed(Offset(mark.at));
                self.waiting.take_if(|reason| reason.starts_with(DESTINATION));
            }
            LaneReport::Failed(failure) | LaneReport::Conflict(failure) | LaneReport::Lossy(failure) => {
                self.refused((failure, ""), run, teller)?;
            }
            LaneReport::ScriptFailed(failure) => self.refused((failure, SCRIPT), run, teller)?,
            LaneReport::Unseen { commands } => teller.notice(format!(
                "The destination carried out {commands} commands and the connection broke before it answered: whether one \
                 of them was refused is not known."
            )),
            LaneReport::Waiting { reason } => {
                self.waiting = Some(reason.clone());
                teller.tell(Event::Waiting { step: StepId::Incremental, reason });
            }
            LaneReport::Emptied { db, keys } => self.figures.emptied.add(db, keys),
            LaneReport::GoesOn => teller.notice("The destination takes writes again."),
        }
        Ok(())
    }

    /// The destination refused a command that the source had carried out. Of a script nobody can tell that it had failed there.
    fn refused(&mut self, why: (KeyFailure, &str), run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let (failure, advice) = why;
        self.figures.failed += 1;
        let KeyFailure { key, reason, .. } = failure.clone();
        teller.tell(Event::KeyFailed { failure });
        if self.work.on_unsupported == OnUnsupported::Report {
            return Ok(());
        }
        if let Some(generation) = run.journal.state().dump.as_ref().map(|dump| dump.generation) {
            run.journal.append(&Record::KeyLeft { generation, key: key.clone() })?;
        }
        Err(Ending::of(
            &runs::DIVERGED,
            format!(
                "The destination refused a command on `{key}` that the source had carried out ({reason}), so both sides \
                 differ there.{advice} Find out who else writes at the destination. Applied again, this run begins with a \
                 new full copy; with `on_unsupported: report` such answers are listed and the run continues."
            ),
        ))
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
        let waits = matches!(self.phase, Phase::Following | Phase::Holding);
        let by_itself = self.cutover_work.as_ref().is_some_and(|work| work.mode == CutoverMode::Auto);
        self.wants_cutover = by_itself && matches!(standing, Standing::Met(_));
        match (standing, self.work.then) {
            (Standing::Met(condition), WhenMet::Drain) if waits => self.phase = Phase::Met(condition),
            (Standing::Late(DeadlineEnd::Hold), WhenMet::Drain)
                if matches!(self.phase, Phase::Holding) && !self.cutover.is_empty() =>
            {
                self.phase = Phase::Met("command: cutover, after the deadline".to_owned());
            }
            (Standing::Met(condition), WhenMet::Hold) if matches!(self.phase, Phase::Following) && !by_itself => {
                self.phase = Phase::Holding;
                teller.notice(format!(
                    "The stop condition is met ({condition}). The source is followed on until an operator cuts over."
                ));
            }
            (Standing::Late(DeadlineEnd::Fail), _) if matches!(self.phase, Phase::Following) => {
                return Err(Ending::of(
                    &runs::DEADLINE,
                    "The deadline passed before the stop condition was met. What is applied is noted at the destination; \
                     applied again, the run goes on and fails again unless the condition is met at once.",
                ));
            }
            (Standing::Late(DeadlineEnd::Hold), _) if matches!(self.phase, Phase::Following) => {
                self.phase = Phase::Holding;
                teller.notice(
                    "The deadline passed before the stop condition was met. The source is followed on until an operator \
                     decides.",
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends everything that runs beside the loop.
    async fn end(mut self, teller: &mut Teller<'_>) {
        let mut answered = self.figures.gauge.applied();
        self.comparison.end().await;
        self.beside
            .end(|report| match report {
                LaneReport::Failed(failure) | LaneReport::ScriptFailed(failure) => {
                    teller.tell(Event::KeyFailed { failure });
                }
                LaneReport::Confirmed { mark, .. } => answered = answered.max(Offset(mark.at)),
                _ => {}
            })
            .await;
        // What cannot be noted, the next process tells.
        let _ = self.heard.note(answered);
        self.intake.end().await;
    }
}

/// What else to do about a script.
const SCRIPT: &str = " A script that failed midway at the source is sent all the same: compare its keys.";
/// How a lane's reason to wait begins.
const DESTINATION: &str = "destination: ";
