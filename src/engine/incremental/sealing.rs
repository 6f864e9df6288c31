//! Sealing the destination at the end of a cutover, as long as there is time.
//!
//! The seal is queued at the destination, where it watches the run record; then the source is proved to be the server that
//! was fenced and to stand where the destination does; then the seal is carried out. One that may be under way still is made
//! void before anybody hears that the cutover was undone. From 6.2 on anybody can end a pause, so the source is asked once more
//! behind the seal whether something came.

use std::time::{Duration, Instant};

use super::{
    cutting::CutoverSignal,
    follow::{Follow, FollowPhase},
    gauge::StreamProgress,
    signal::Signal,
};
use crate::{
    engine::{
        ending::Ending,
        fence::Fenced,
        intake::StreamState,
        orders::{done, refused},
        run::Run,
        teller::Teller,
    },
    journal::Record,
    net::{Access, Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{Lease, LeaseFault, Position, Replicas},
    step::{CutoverPart, CutoverResult, Event, Outcome},
    unit::{Offset, UnixMillis},
};

/// How long a source has to say where it stands, and what it had written by then to come.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether that came.
const LOOK: Duration = Duration::from_millis(10);
/// How long it is tried to find out what became of a seal whose answer is lost.
const FIND_OUT: Duration = Duration::from_secs(10);
/// The least and the pause of an attempt.
const ATTEMPT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(50);

/// Why the destination is not sealed, or not known to be.
#[derive(Debug)]
pub(super) enum Unsealed {
    /// Its time was up before the seal was asked for: writers may be at work again.
    Late,
    /// The source has sent something since that is not applied yet, up to here.
    Moved(Offset),
    /// The source is not proved to be fenced, for this reason.
    Unproven(String),
    /// It may be sealed.
    Unknown(String),
    /// Something failed, and it is not sealed.
    Fault(LeaseFault),
}

impl From<LeaseFault> for Unsealed {
    fn from(fault: LeaseFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ControlError> for Unsealed {
    fn from(error: ControlError) -> Self {
        Self::Fault(error.into())
    }
}

/// Who says that the source stands still.
struct Witness {
    fenced: Box<Fenced>,
    source: Access,
    stream: StreamState,
    gauge: StreamProgress,
    /// Where the fence was put up, and the connection that brought the stream then.
    fenced_at: (Offset, Option<u64>),
    /// What is applied.
    applied: Offset,
}

impl Witness {
    /// Says whether the source is the server that was fenced and stands at what is applied.
    async fn still(&mut self) -> Result<(), Unsealed> {
        let stands = self.fenced.prove(&self.source).await.map_err(Unsealed::Unproven)?;
        let no = |reason: &str| Err(Unsealed::Unproven(reason.to_owned()));
        if !self.stream.is_of(self.fenced.facts.replid) {
            return no("the source's stream goes by another history than when it was fenced");
        }
        let (offset, connection) = self.fenced_at;
        if self.fenced.is_proof() && self.gauge.wrote_behind(offset) {
            return no("the source was written to while it was fenced");
        }
        // A source that answers nothing is known by its stream alone, which a new connection might have from elsewhere.
        if stands.is_none() && (connection.is_none() || self.stream.connection() != connection) {
            return no("the connection that brings the source's stream was lost while it was fenced");
        }
        let received = self.stream.received().map(|(_, offset)| offset).unwrap_or_default();
        // Past a fence that is no proof there may always be more: what comes by the seal is counted after it.
        let stands = stands.unwrap_or(received).max(received);
        if self.fenced.is_proof() && stands > self.applied { Err(Unsealed::Moved(stands)) } else { Ok(()) }
    }
}

impl Follow {
    pub(super) fn seal(
        &mut self,
        fenced: Box<Fenced>,
        lease: &Lease,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let (applied, position) = (self.figures.gauge.applied(), self.position());
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(()) };
        cutting.part = CutoverPart::Seal;
        cutting.offset = applied;
        teller.tell(Event::CutoverPart { part: CutoverPart::Seal, offset: Some(applied) });
        run.journal.append(&Record::Sealing { result: cutting.result() })?;
        let mut witness = Witness {
            fenced,
            source: run.request.servers.source.clone(),
            stream: self.intake.state.clone(),
            gauge: self.figures.gauge.clone(),
            fenced_at: (cutting.fenced_at, cutting.connection),
            applied,
        };
        let (lease, signals) = (lease.clone(), self.beside.tell.clone());
        let destination = run.request.servers.destination.clone();
        let left = cutting.timeout.saturating_sub(cutting.since.unwrap_or(cutting.began).elapsed());
        async_std::task::spawn(async move {
            let connect = || destination.control();
            let sealed = Box::pin(seal((&lease, &position), left, &mut witness, connect)).await;
            let _ = signals.send(Signal::Cut(CutoverSignal::Sealed(witness.fenced, sealed))).await;
        });
        Ok(())
    }

    /// Whether the destination may be sealed already: a token that is not ours is our own seal then.
    pub(super) fn may_be_sealed(&self) -> bool {
        matches!(&self.phase, FollowPhase::Cutting(cutting) if cutting.part == CutoverPart::Seal)
    }

    pub(super) async fn sealed(
        &mut self,
        fenced: Box<Fenced>,
        sealed: Result<(), Unsealed>,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<Option<CutoverResult>, Ending> {
        let mode = self.deadlines;
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(None) };
        let reason = match sealed {
            Ok(()) => return self.told_sealed(fenced, run, teller).await.map(Some),
            Err(Unsealed::Moved(stands)) => {
                // It is applied first, and then the source is asked again.
                run.journal.append(&Record::NotSealed)?;
                (cutting.part, cutting.stands, cutting.fenced) = (CutoverPart::Drain, false, Some(fenced));
                cutting.offset = stands;
                cutting.deadlines.reopen(mode);
                run.gate.set_open(true);
                return Ok(None);
            }
            // Writers stay off for as long as the fence lasts: the destination may be sealed.
            Err(Unsealed::Unknown(error)) => {
                return Err(Ending::of(
                    &runs::SEAL_UNKNOWN,
                    format!(
                        "Whether the destination is sealed is not known: {error}. Once it answers, run the same command again: \
                         it finds out and continues from there. Keep the writers where they are until then."
                    ),
                ));
            }
            Err(Unsealed::Late) => "the destination did not answer in time".to_owned(),
            Err(Unsealed::Unproven(reason)) => reason,
            Err(Unsealed::Fault(fault)) => {
                cutting.fenced = Some(fenced);
                let reason = fault.to_string();
                let ending = Ending::of_lost(fault);
                if ending.outcome == Outcome::Locked {
                    // Whoever has the run now may have fenced the source: the fence is theirs to lift.
                    return Err(ending);
                }
                return self.undo_with(ending, &reason, run, teller).await.map(|()| None);
            }
        };
        cutting.fenced = Some(fenced);
        self.undo(&reason, run, teller).await?;
        Ok(None)
    }

    /// Tells that the destination is sealed, and what of the source it lacks.
    async fn told_sealed(
        &mut self,
        mut fenced: Box<Fenced>,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<CutoverResult, Ending> {
        let FollowPhase::Cutting(cutting) = &mut self.phase else {
            return Err(Ending::failed("no cutover is under way"));
        };
        // A pause that stops whoever asks anything cannot be ended by anybody while it lasts.
        let proven = fenced.is_proof() && fenced.is_mute() && !fenced.has_lapsed();
        let mut result = CutoverResult { proven, ..cutting.result() };
        let asked = cutting.asked.take();
        run.journal.append(&Record::Sealing { result: result.clone() })?;
        run.journal.append(&Record::Sealed { at: UnixMillis::now() })?;
        let mut unknown = false;
        if !proven {
            let late = self.came_behind(&mut fenced).await;
            unknown = fenced.is_proof() && late.is_none();
            if late.is_none() {
                teller.notice("The source does not say whether something was written after the seal.");
            }
            result.proven = fenced.is_proof() && late == Some(0);
            result.late = late.unwrap_or(0);
            run.journal.append(&Record::Sealing { result: result.clone() })?;
        }
        teller.tell(Event::Sealed { result: result.clone() });
        if let Some(ending) = lost_behind(&result, unknown) {
            if let Some(asked) = asked {
                asked.answer(refused(ending.summary.clone()));
            }
            return Err(ending);
        }
        if let Some(asked) = asked {
            asked.answer(done(format!(
                "The destination is sealed at offset {}: everything that the source had written is there, and nothing \
                 writes to it through this run again. Writes were blocked for {:.3} s.",
                result.offset, result.blocked
            )));
        }
        Ok(result)
    }

    /// How many commands that write have come behind the seal by now: behind a fence that proves nothing, where they are
    /// lost to the destination. `None` when that could not be found out.
    async fn came_behind(&self, fenced: &mut Fenced) -> Option<u64> {
        let gauge = &self.figures.gauge;
        gauge.seal();
        self.beside.window.close();
        let found = async {
            let stands = fenced.offset_now().await?;
            loop {
                if let Some(commands) = gauge.came_behind(stands) {
                    return Some(commands);
                }
                async_std::task::sleep(LOOK).await;
            }
        };
        let found = async_std::future::timeout(PATIENCE, found).await.ok()?;
        found.filter(|_| self.intake.state.is_of(fenced.facts.replid))
    }
}

/// Seals, and finds out whether it is done when an answer is lost. Nothing is sealed any more once the time is up, and
/// nothing that was asked for is under way still when this says that it is not sealed.
async fn seal<F>(
    (lease, position): (&Lease, &Position),
    within: Duration,
    witness: &mut Witness,
    connect: impl Fn() -> F,
) -> Result<(), Unsealed>
where
    F: Future<Output = Result<Control, ControlError>>,
{
    let (begun, mut asked) = (Instant::now(), false);
    let left = || within.saturating_sub(begun.elapsed());
    loop {
        let attempt = async_std::future::timeout(left().max(ATTEMPT), async {
            let mut control = connect().await?;
            if asked && lease.is_sealed(&mut control).await? {
                return Ok(());
            }
            if left().is_zero() {
                return Err(Unsealed::Late);
            }
            level(lease, &mut control, left() / 2).await?;
            ask((lease, position), &mut control, witness, &mut asked).await
        });
        let why = match attempt.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Unsealed::Fault(LeaseFault::Control(error)))) if error.retryable() && !left().is_zero() => {
                async_std::task::sleep(PAUSE).await;
                continue;
            }
            Ok(Err(why)) => why,
            Err(_) if left().is_zero() => Unsealed::Late,
            Err(_) => continue,
        };
        return if asked { undone(lease, why, connect).await } else { Err(why) };
    }
}

/// Whether the destination's replicas have what is to be sealed; one where nobody can say is believed.
async fn level(lease: &Lease, control: &mut Control, within: Duration) -> Result<(), Unsealed> {
    match lease.await_replicas(control, within).await? {
        Replicas::Level | Replicas::Unknown(_) => Ok(()),
        Replicas::Behind { of, confirmed } => Err(Unsealed::Unproven(lagging(of, confirmed))),
    }
}

/// Why a destination is not sealed whose replicas lag behind it.
pub(super) fn lagging(of: u64, confirmed: u64) -> String {
    format!(
        "of the {of} replicas of the destination only {confirmed} confirmed that they have everything, so a failover there could lose \
         what is sealed; wait until they have caught up, or detach those that are broken"
    )
}

/// Asks for the seal once. `asked`: it may be under way from here on.
async fn ask(
    (lease, position): (&Lease, &Position),
    control: &mut Control,
    witness: &mut Witness,
    asked: &mut bool,
) -> Result<(), Unsealed> {
    loop {
        lease.queue_seal(control, position).await?;
        witness.still().await?;
        *asked = true;
        if lease.carry_out(control).await? {
            return Ok(());
        }
    }
}

/// Makes void what is under way, then says why it is not sealed; unless it is.
async fn undone<F>(lease: &Lease, why: Unsealed, connect: impl Fn() -> F) -> Result<(), Unsealed>
where
    F: Future<Output = Result<Control, ControlError>>,
{
    let begun = Instant::now();
    let mut last = "it did not answer in time".to_owned();
    while begun.elapsed() < FIND_OUT {
        let attempt = async_std::future::timeout(FIND_OUT.saturating_sub(begun.elapsed()).max(ATTEMPT), async {
            let mut control = connect().await?;
            match lease.make_void(&mut control).await {
                // The token, which the seal watches too, was written meanwhile: by the seal, or by whoever took the run over.
                Err(LeaseFault::Lost) => lease.is_sealed(&mut control).await,
                Err(LeaseFault::Control(error)) => Err(error.into()),
                Ok(()) | Err(_) => Ok(false),
            }
        });
        match attempt.await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => return Err(why),
            Ok(Err(fault)) => last = fault.to_string(),
            Err(_) => {}
        }
        async_std::task::sleep(PAUSE).await;
    }
    Err(Unsealed::Unknown(last))
}

/// How a run ends whose sealed destination lacks something of the source, or may.
fn lost_behind(result: &CutoverResult, unknown: bool) -> Option<Ending> {
    let (offset, late) = (result.offset, result.late);
    let what = if unknown {
        format!(
            "The destination is sealed at offset {offset}, and the source does not say whether something was written since: \
             whether the pause of the writers had ended by then is not known, and what came after it is not at the destination."
        )
    } else if late > 0 {
        format!(
            "The destination is sealed at offset {offset}, and {late} more commands came at the source that are not there: \
             somebody still writes, past the fence `{}`.",
            result.fence
        )
    } else {
        return None;
    };
    Some(Ending::of(
        &runs::WROTE_LATE,
        format!("{what} Compare both sides, and take over what is missing. The same command continues after the seal."),
    ))
}
