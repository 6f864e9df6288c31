//! The steps of a run, one after another.

use std::time::Instant;

use super::{
    ApplyRequest, Servers, admission, aftermath,
    buffer::buffer,
    cleanup, drift,
    ending::{Ending, FINISHED},
    full,
    incremental::{incremental, settle_at_once},
    intake::Intake,
    orders::{done, ordered, refused},
    precheck,
    quiet::or_told,
    run::Run,
    settings::SourceSetting,
    steering::PendingOrder,
    teller::Teller,
    verify,
};
use crate::{
    journal::Record,
    plan::fault::catalogue::runs,
    sink::{Claim, Lease, Position},
    step::{Activity, CutoverResult, Event, Graph, Moment, Order, Outcome, Stamped, Step, StepId, Work},
    unit::UnixMillis,
};

/// Runs a graph, or continues its run. Blocks until it is done or cannot go on.
pub fn apply(request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let (source, destination) = (request.graph.source.address.clone(), request.graph.destination.address.clone());
    let ending = async_std::task::block_on(run(request, &mut teller)).unwrap_or_else(|ending| ending);
    finish(&mut teller, ending.between(&source, &destination), begun)
}

/// Runs the precheck alone, read-only: the items named in `only`, or all when it names none.
pub fn check(
    graph: &Graph,
    servers: &Servers,
    only: &[String],
    stop: &async_channel::Receiver<()>,
    on_event: &mut dyn FnMut(&Stamped),
) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = async_std::task::block_on(precheck::alone(graph, servers, only, stop, &mut teller));
    finish(
        &mut teller,
        ending.unwrap_or_else(|ending| ending).between(&graph.source.address, &graph.destination.address),
        begun,
    )
}

pub(super) fn finish(teller: &mut Teller<'_>, ending: Ending, begun: Instant) -> Outcome {
    let code = ending.code().to_owned();
    let Ending { outcome, summary, .. } = ending;
    teller.tell(Event::RunFinished { outcome, code, summary, seconds: begun.elapsed().as_secs_f64() });
    outcome
}

async fn run(request: ApplyRequest, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let mut run = Run::open(request)?;
    let state = run.journal.state();
    if state.ended == Some(Outcome::Done) && state.sealed.is_some() {
        return Ok(Ending::new(
            Outcome::Sealed,
            "This run is sealed and finished: nothing writes to the destination through it again.",
        ));
    }
    if state.ended == Some(Outcome::Done) {
        return Ok(Ending::of(&runs::FINISHED_BEFORE, FINISHED));
    }
    teller.tell(run.started());
    let ending = match begin(&mut run, teller).await {
        Ok(()) => steps(&mut run, teller).await,
        Err(ending) => Err(ending),
    };
    let ending = match ending {
        Err(ending) => Err(failed(&mut run, ending, teller).await),
        ending => ending,
    };
    let ending = match run.abort.take() {
        Some(asked) => Err(abort(&mut run, asked, teller).await),
        None => ending,
    };
    let outcome = ending.as_ref().unwrap_or_else(|ending| ending).outcome;
    let noted = run.journal.append(&Record::Ended { outcome, at: UnixMillis::now() });
    let Run { steering, asked, pausing, .. } = run;
    drop((asked, pausing));
    if let Some(steering) = steering {
        steering.close().await;
    }
    // What ended the run is told even when its end cannot be noted.
    ending.and_then(|ending| noted.map(|()| ending).map_err(Ending::from))
}

/// What is done on every ending but success: settings are put back, and a failure has its hooks.
async fn failed(run: &mut Run, ending: Ending, teller: &mut Teller<'_>) -> Ending {
    cleanup::put_back(run, Some(ending.outcome), teller).await;
    if matches!(ending.outcome, Outcome::Failed | Outcome::Refused) {
        let facts = [("PLAN_REASON", ending.summary.clone())];
        // What ended the run is told, whatever its hooks come to.
        let _ = run.hooks(Moment::RunFailed, &facts, teller).await;
    }
    ending
}

/// Whether this process may go on with the run: it may work on it, and the servers are those it began with.
async fn begin(run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    admitted(run, teller).await?;
    // Behind the seal nothing is written, whatever the servers have become since.
    if run.is_sealed() {
        return Ok(());
    }
    // An earlier process may have died with the source fenced. Where it may have sealed, the fence stays until that is known.
    if run.journal.state().sealing.is_none() {
        run.restore_settings(&SourceSetting::FENCE, teller).await?;
    }
    drift::compare(run, teller).await
}

/// Whether this process may work on the run at all, as the destination sees it. A destination that does not answer is
/// the precheck's to report.
async fn admitted(run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let asking = async {
        let mut control = run.request.servers.destination.control().await.ok()?;
        let claim = crate::sink::peek(&mut control, &run.keys, &run.claimant()).await;
        Some((control, claim))
    };
    let asked = or_told(Box::pin(asking), || "The destination".to_owned(), teller).await;
    let Some((mut control, claim)) = asked else { return Ok(()) };
    let state = run.journal.state();
    let ends = !state.done.contains(&StepId::Cleanup);
    match claim {
        // This run has sealed it; what is behind the cutover is left to do.
        Ok(Some(Claim::Sealed)) if ends && state.sealing.is_some() => {
            if let Some(result) = state.sealing.clone().filter(|_| state.sealed.is_none()) {
                return sealed_unheard(run, result, teller).await;
            }
            Ok(())
        }
        // This run has closed its record; what comes behind that is left to do.
        Ok(Some(Claim::Done)) if ends && run.has_moved() => Ok(()),
        Ok(Some(claim)) => Err(Ending::of_claim(&claim, &run.keys.run).unwrap_or_else(|| Ending::done(""))),
        Err(fault @ crate::sink::LeaseFault::Unreadable { .. }) => Err(fault.into()),
        Ok(None) => {
            if let Some(result) = state.sealing.clone() {
                // A seal that may be under way still watches the token, which this changes.
                match crate::sink::claim(&mut control, &run.keys, &run.claimant(), &[]).await? {
                    Claim::Taken { lease, .. } => lease.release(&mut control).await?,
                    Claim::Sealed => return sealed_unheard(run, result, teller).await,
                    claim => {
                        return Err(Ending::of_claim(&claim, &run.keys.run).unwrap_or_else(|| Ending::done("")));
                    }
                }
                run.journal.append(&Record::NotSealed)?;
            }
            admission::admit(run, &mut control).await
        }
        Err(_) => Ok(()),
    }
}

/// The destination is sealed and nobody saw it confirmed before a pause had run out: the source says what came since.
async fn sealed_unheard(run: &mut Run, result: CutoverResult, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let since = aftermath::since(run).await;
    let result = since.result(result);
    run.journal.append(&Record::Sealing { result: result.clone() })?;
    run.journal.append(&Record::Sealed { at: UnixMillis::now() })?;
    let ending = since.ending(result.offset);
    teller.tell(Event::Sealed { result });
    ending.map_or(Ok(()), Err)
}

async fn steps(run: &mut Run, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let mut held = Carried::default();
    let ending = Box::pin(all_steps(run, &mut held, teller)).await;
    if let Some(intake) = held.intake.take() {
        intake.end().await;
    }
    ending
}

async fn all_steps(run: &mut Run, held: &mut Carried, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let steps = run.request.graph.steps.clone();
    let mut next = 0;
    while let Some(step) = steps.get(next) {
        next += 1;
        // What comes before the end is of no use behind it.
        let before = matches!(step.id, StepId::Buffer | StepId::Precheck) && run.has_moved();
        if before || run.is_done(step.id) {
            teller.tell(Event::StepSkipped { step: step.id, reason: "it was done before".to_owned() });
        } else {
            if run.stopping() {
                return Err(Ending::of(&runs::STOPPED_BY_SIGNAL, format!("Stopped before the step `{}`.", step.id)));
            }
            run.orders_between_steps(teller)?;
            match one(run, step, held, teller).await {
                Err(ending) if ending.is_anew() => {
                    again(run, &ending, teller)?;
                    next = steps.iter().position(|step| step.id == StepId::Full).unwrap_or(next);
                    continue;
                }
                Err(ending) if ending.is_again() => {
                    run.journal.append(&Record::SetBack)?;
                    if std::mem::replace(&mut held.set_back, true) {
                        return Err(ending.twice());
                    }
                    teller.notice(format!("{} The run continues from what the destination still has.", ending.summary));
                    next = steps.iter().position(|step| step.id == StepId::Full).unwrap_or(next);
                    continue;
                }
                ended => ended?,
            }
        }
        if run.request.until == Some(step.id) && step.id != StepId::Cleanup {
            if let Some(lease) = &held.lease {
                lease.release(&mut run.request.servers.destination.control().await?).await?;
            }
            return Err(Ending::of(&runs::STOPPED_AT_STEP, format!("Stopped after the step `{}`, as asked.", step.id)));
        }
    }
    Ok(Ending::done(format!(
        "{}.",
        held.summary.take().unwrap_or_else(|| "Everything the plan asks for is done".to_owned())
    )))
}

/// Ends the run for good: nothing is written through it again.
async fn abort(run: &mut Run, asked: PendingOrder, teller: &mut Teller<'_>) -> Ending {
    let delete = matches!(asked.order, Order::Abort { delete: true });
    match seal(run, delete, teller).await {
        Ok(()) => {
            let written =
                if delete { "What it had written there is deleted." } else { "What it has written stays there." };
            let text = format!("{} {written}", sealed(run));
            let restored = run.journal.state().settings.is_empty();
            asked.answer(if restored { done(text.clone()) } else { refused(text.clone()) });
            teller.tell(ordered("aborted and sealed"));
            Ending::of(&runs::ABORTED, text)
        }
        Err(ending) => {
            asked.answer(refused(format!(
                "The run stopped, and its seal is not confirmed: {} `plan apply` of the same plan finds out and continues.",
                ending.summary
            )));
            ending
        }
    }
}

/// What is so of a run that was aborted.
pub(super) fn sealed(run: &Run) -> &'static str {
    if run.journal.state().settings.is_empty() {
        "The run is aborted and sealed: the source has its settings back, and nothing writes to the destination through \
         this run again."
    } else {
        "The run is aborted and sealed: nothing writes to the destination through it again. The source does not have its \
         settings back; `plan cleanup` sees to that."
    }
}

/// Takes the lease and seals the run. The source gets its settings back before, also those that a process elsewhere has
/// changed.
pub(super) async fn seal(run: &mut Run, delete: bool, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let mut control = run.request.servers.destination.control().await?;
    let (lease, record, ours) = full::claim(run, &mut control, teller).await?;
    cleanup::put_back(run, None, teller).await;
    cleanup::forget(run, &lease, &record, &mut control).await?;
    if delete {
        full::take_back_all(run, &mut control, (&lease, &record, ours), teller).await?;
    } else {
        let settled = settle_at_once(run, &lease, &record, &mut control).await?;
        if settled > 0 {
            teller.notice(format!("{settled} deadlines at the destination, which were deferred, are exact."));
        }
    }
    lease.seal(&mut control).await?;
    run.remove_spools(None)
}

/// Notes that the stream broke for good, so that a new full copy is due.
fn again(run: &mut Run, ending: &Ending, teller: &mut Teller<'_>) -> Result<(), Ending> {
    if let Some(generation) = run.journal.state().dump.as_ref().map(|dump| dump.generation) {
        run.journal.append(&Record::DumpLost { generation })?;
    }
    let (code, why) = (ending.code(), &ending.summary);
    teller.notice(format!("The stream cannot be resumed ({code}): {why}. A new full copy is needed."));
    Ok(())
}

/// What one step leaves for the next in this process.
#[derive(Default)]
struct Carried {
    lease: Option<Lease>,
    /// The stream, taken in since the copy began.
    intake: Option<Intake>,
    summary: Option<String>,
    /// What the destination has confirmed, once a step that writes is done.
    position: Option<Position>,
    /// The destination was set back behind a step that was done.
    set_back: bool,
}

async fn one(run: &mut Run, step: &Step, held: &mut Carried, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let begun = Instant::now();
    let activity = if step.id == StepId::Cleanup { Activity::CleaningUp } else { Activity::Preparing };
    run.board.post(run.status(Some(step.id), activity));
    teller.tell(Event::StepStarted { step: step.id });
    let worked = work(run, step, held, teller).await;
    run.tell_traffic(teller);
    match worked {
        Ok(Some(reason)) => teller.tell(Event::StepSkipped { step: step.id, reason }),
        Ok(None) => teller.tell(Event::StepDone { step: step.id, seconds: begun.elapsed().as_secs_f64() }),
        Err(ending) => {
            if ending.outcome != Outcome::Stopped {
                teller.tell(Event::StepFailed { step: step.id, reason: ending.summary.clone() });
            }
            return Err(ending);
        }
    }
    // These are done again by every process: what they judge may have changed, and what they set is put back at the end.
    if !matches!(step.id, StepId::Buffer | StepId::Precheck) {
        let position = held.position.take().map(|position| position.to_string());
        run.journal.append(&Record::StepDone { step: step.id, position })?;
    }
    Ok(())
}

/// Does the step; answers why there was nothing to do, if there was not.
async fn work(
    run: &mut Run,
    step: &Step,
    held: &mut Carried,
    teller: &mut Teller<'_>,
) -> Result<Option<String>, Ending> {
    match &step.work {
        Work::Buffer(work) => return buffer(run, work, teller).await,
        Work::Precheck(work) => {
            if run.is_done(StepId::Full) {
                return Ok(Some("the copy is done".to_owned()));
            }
            precheck::precheck(run, work, teller).await?;
            run.hooks(Moment::PrecheckPassed, &[], teller).await?;
        }
        Work::Full(work) => {
            run.await_window(step.id, teller).await?;
            run.hooks(Moment::FullStarted, &[], teller).await?;
            let copied = full::full(run, work, teller).await?;
            run.hooks(Moment::FullDone, &[], teller).await?;
            held.lease = Some(copied.lease);
            held.summary = Some(copied.summary);
            held.intake = copied.intake;
            held.position = Some(copied.position);
        }
        Work::Incremental(work) => {
            let (lease, intake) = (held.lease.take(), held.intake.take());
            let followed = incremental(run, work, (lease, intake), teller).await?;
            held.lease = followed.sealed.is_none().then_some(followed.lease);
            held.position = Some(followed.position);
            let copied = held.summary.take().map(|copied| format!("{copied}; ")).unwrap_or_default();
            let sealed = followed.sealed.map(|result| {
                format!("; sealed at offset {}, writes were blocked for {:.3} s", result.offset, result.blocked)
            });
            held.summary = Some(format!("{copied}{}{}", followed.summary, sealed.unwrap_or_default()));
        }
        Work::Cutover(_) => {
            let result = run.journal.state().sealing.clone();
            let facts = result.map(|result| ("PLAN_OFFSET", result.offset.to_string()));
            run.hooks(Moment::CutoverSealed, facts.as_slice(), teller).await?;
        }
        Work::Verify(_) if run.journal.state().sealing.is_some() => {
            run.hooks(Moment::VerifyPassed, &[], teller).await?;
            return Ok(Some("both sides were compared before the destination was sealed".to_owned()));
        }
        Work::Verify(work) => {
            let (lease, compared) = verify::step(run, work, held.lease.take(), teller).await?;
            held.lease = Some(lease);
            let before = held.summary.take().map(|before| format!("{before}; ")).unwrap_or_default();
            held.summary = Some(format!("{before}{compared}"));
            run.hooks(Moment::VerifyPassed, &[], teller).await?;
        }
        Work::Cleanup(work) => cleanup::cleanup(run, work, held.lease.take(), teller).await?,
    }
    Ok(None)
}
