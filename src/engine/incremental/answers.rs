//! What the destination answers while the source is followed, and what it means for the run.

use super::follow::Follow;
use crate::{
    engine::{
        ending::{Ending, HELD},
        orders::refused,
        run::Run,
        teller::Teller,
    },
    journal::Record,
    net::Control,
    plan::fault::catalogue::runs,
    sink::{LaneReport, Lease, Position, Upto},
    step::{Event, KeyFailure, OnUnsupported, Side, StepId},
    unit::Offset,
};

impl Follow {
    pub(super) fn take_report(
        &mut self,
        report: LaneReport,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        match report {
            LaneReport::Confirmed { mark, .. } => {
                self.silence.heard(Side::Destination);
                self.figures.gauge.confirmed(Offset(mark.at));
                self.waiting.take_if(|(side, _)| *side == Side::Destination);
            }
            LaneReport::Failed(failure) | LaneReport::Conflict(failure) | LaneReport::Lossy(failure) => {
                self.refused((failure, ""), run, teller)?;
            }
            LaneReport::ScriptFailed(failure) => self.refused((failure, SCRIPT), run, teller)?,
            LaneReport::Unseen { commands } => {
                let why = format!(
                    "the destination carried out {commands} commands and the connection broke before it answered, so whether one of \
                     them was refused is not known"
                );
                teller.notice(format!("While the source is followed, {why}."));
                self.doubt_answers(&why, run)?;
            }
            LaneReport::Waiting { reason } => {
                self.waiting = Some((Side::Destination, reason.clone()));
                teller.tell(Event::Waiting { step: StepId::Incremental, reason });
            }
            LaneReport::Emptied { db, keys } => self.figures.emptied.add(db, keys),
            LaneReport::Swapped { dbs, keys } => self.figures.emptied.swap(dbs, keys),
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
        Err(Ending::lacking(
            &runs::DIVERGED,
            format!(
                "The destination refused a command on `{key}` that the source had carried out ({reason}), so both sides \
                 differ there"
            ),
            &format!(
                "{advice}Find out who else writes at the destination. With `on_unsupported: report` such answers are listed and \
                 the run continues. This run needs a new full copy{HELD}"
            ),
        ))
    }

    /// Whether the destination still has all that it has confirmed. An operator who waits is told when it has not.
    pub(super) async fn prove(&mut self, run: &Run) -> Result<(), Ending> {
        let mut control = run.request.servers.destination.control().await?;
        self.lease.holds_exact(&mut control, &self.position()).await.map_err(Ending::of_lost)
    }

    /// Answers who ordered the run to end, when it does not.
    pub(super) fn answer_in_vain(&mut self, ending: &Ending) {
        for asked in self.cutover.drain(..) {
            let reason = ending.summary.trim_end_matches('.');
            asked.answer(refused(format!("The run does not end: {reason}. It says what it does about that.")));
        }
    }

    /// What the destination has confirmed.
    pub(super) fn position(&self) -> Position {
        Position { generation: self.generation, upto: Upto::Stream(self.figures.gauge.checkpoint()) }
    }

    /// Notes at the destination that its answers are read, for whoever continues from elsewhere. Where it does not answer, they compare.
    async fn note_heard(&self, applied: Offset, run: &Run) {
        let noting = async {
            let mut control = run.request.servers.destination.control().await.ok()?;
            self.lease.note_heard(&mut control, applied).await.ok()
        };
        let _ = async_std::future::timeout(NOTING, noting).await;
    }

    /// Ends everything that runs beside the loop. What the lane has sent is heard out: a refusal among its answers is as good
    /// as one that came before, and is the answer.
    pub(super) async fn end(mut self, run: &mut Run, teller: &mut Teller<'_>) -> Option<Ending> {
        self.comparison.cancel().await;
        let mut loss = None;
        for report in self.beside.hear_out().await {
            match self.take_report(report, run, teller) {
                Err(ending) if ending.is_loss() => loss = loss.or(Some(ending)),
                Ok(()) | Err(_) => {}
            }
        }
        // What cannot be noted, the next process tells.
        let applied = self.figures.gauge.applied();
        let _ = self.heard.note(applied);
        if loss.is_none() {
            self.note_heard(applied, run).await;
        }
        self.comparison.end().await;
        self.beside.end().await;
        self.intake.end().await;
        loss
    }
}

/// Notes at the destination that this copy is not whole, if that is why the run ends: whoever continues it, from wherever,
/// begins a new one.
pub(in crate::engine) async fn note_loss(
    run: &mut Run,
    (lease, control): (&Lease, &mut Control),
    ending: &Ending,
) -> Result<(), Ending> {
    if ending.is_loss() {
        run.journal.append(&Record::SetBack)?;
        // Where this fails the journal knows.
        let _ = lease.note_left(control, ending.fact()).await;
    }
    Ok(())
}

/// How long it is tried to note something as the run ends.
const NOTING: std::time::Duration = std::time::Duration::from_secs(2);
/// What else to do about a script.
const SCRIPT: &str = "A script that failed midway at the source is sent all the same: compare its keys. ";

/// How following ends that somebody stopped.
pub(super) fn stopped() -> Ending {
    Ending::of(
        &runs::STOPPED_BY_SIGNAL,
        "Stopped while following. What is applied is recorded at the destination: the same command resumes right after it.",
    )
}
