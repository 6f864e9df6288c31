//! The steps of a run, one after another.

use std::time::Instant;

use super::{
    ApplyRequest, Passwords,
    buffer::buffer,
    cleanup, drift,
    ending::Ending,
    full,
    incremental::incremental,
    intake::Intake,
    orders::{done, ordered, refused},
    precheck,
    run::Run,
    servers,
    steering::Asked,
    teller::Teller,
};
use crate::{
    journal::Record,
    sink::Lease,
    step::{Activity, Event, Graph, Outcome, Stamped, Step, StepId, Work},
    unit::UnixMillis,
};

/// Runs a graph, or continues its run. Blocks until it is done or cannot go on.
pub fn apply(request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = async_std::task::block_on(run(request, &mut teller)).unwrap_or_else(|ending| ending);
    finish(&mut teller, ending, begun)
}

/// Runs the precheck alone, read-only: the items named in `only`, or all when it names none.
pub fn check(
    graph: &Graph,
    passwords: &Passwords,
    only: &[String],
    stop: &async_channel::Receiver<()>,
    on_event: &mut dyn FnMut(&Stamped),
) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = async_std::task::block_on(precheck::alone(graph, passwords, only, stop, &mut teller));
    finish(&mut teller, ending.unwrap_or_else(|ending| ending), begun)
}

fn finish(teller: &mut Teller<'_>, ending: Ending, begun: Instant) -> Outcome {
    let Ending { outcome, summary, .. } = ending;
    teller.tell(Event::RunFinished { outcome, summary, seconds: begun.elapsed().as_secs_f64() });
    outcome
}

async fn run(request: ApplyRequest, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let mut run = Run::open(request)?;
    let state = run.journal.state();
    if state.ended == Some(Outcome::Done) {
        return Ok(Ending::done("This run is finished already; nothing was done."));
    }
    teller.tell(Event::RunStarted {
        run: state.run.clone(),
        plan: run.request.graph.name.clone(),
        digest: run.request.digest.clone(),
        attempt: state.attempts,
    });
    let ending = match begin(&mut run, teller).await {
        Ok(()) => steps(&mut run, teller).await,
        Err(ending) => Err(ending),
    };
    if ending.is_err() {
        cleanup::put_back(&mut run, teller).await;
    }
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

/// Whether this process may go on with the run: it may work on it, and the servers are those it began with.
async fn begin(run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    admitted(run).await?;
    drift::compare(run, teller).await
}

/// Whether this process may work on the run at all, as the destination sees it. A destination that does not answer is
/// the precheck's to report.
async fn admitted(run: &Run) -> Result<(), Ending> {
    let endpoint = &run.request.graph.destination;
    let Ok(mut control) = servers::connect(endpoint, run.request.passwords.destination.as_ref()).await else {
        return Ok(());
    };
    match crate::sink::peek(&mut control, &run.keys, &run.claimant).await {
        Ok(Some(claim)) => Err(Ending::of_claim(&claim, &run.keys.run).unwrap_or_else(|| Ending::done(""))),
        Err(fault @ crate::sink::LeaseFault::Unreadable { .. }) => Err(fault.into()),
        Ok(None) | Err(_) => Ok(()),
    }
}

async fn steps(run: &mut Run, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let mut held = Held::default();
    let ending = all_steps(run, &mut held, teller).await;
    if let Some(intake) = held.intake.take() {
        intake.end().await;
    }
    ending
}

async fn all_steps(run: &mut Run, held: &mut Held, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    let steps = run.request.graph.steps.clone();
    let mut next = 0;
    while let Some(step) = steps.get(next) {
        next += 1;
        if run.is_done(step.id) {
            teller.tell(Event::StepSkipped { step: step.id, reason: "it was done before".to_owned() });
        } else {
            if run.stopping() {
                return Err(Ending::stopped(format!("Stopped before the step `{}`.", step.id)));
            }
            run.orders_between_steps(teller)?;
            match one(run, step, held, teller).await {
                Err(ending) if ending.is_anew() => {
                    again(run, &ending, teller)?;
                    next = steps.iter().position(|step| step.id == StepId::Full).unwrap_or(next);
                    continue;
                }
                ended => ended?,
            }
        }
        if run.request.until == Some(step.id) && step.id != StepId::Cleanup {
            if let Some(lease) = &held.lease {
                let graph = &run.request.graph;
                let password = run.request.passwords.destination.as_ref();
                lease.release(&mut servers::connect(&graph.destination, password).await?).await?;
            }
            return Err(Ending::stopped(format!("Stopped after the step `{}`, as asked.", step.id)));
        }
    }
    Ok(Ending::done(format!(
        "{}.",
        held.summary.take().unwrap_or_else(|| "Everything the plan asks for is done".to_owned())
    )))
}

/// Ends the run for good: nothing is written through it again.
async fn abort(run: &mut Run, asked: Asked, teller: &mut Teller<'_>) -> Ending {
    match seal(run).await {
        Ok(()) => {
            let text = "The run is aborted and sealed: the source has its settings back, and nothing writes to the \
                        destination through this run again. What it has written stays there.";
            asked.answer(done(text));
            teller.tell(ordered("aborted and sealed"));
            Ending::new(Outcome::Sealed, text)
        }
        Err(ending) => {
            asked.answer(refused(format!("The run stopped, but it is not sealed: {}", ending.summary)));
            ending
        }
    }
}

async fn seal(run: &mut Run) -> Result<(), Ending> {
    let graph = &run.request.graph;
    let mut control = servers::connect(&graph.destination, run.request.passwords.destination.as_ref()).await?;
    let lease = full::claim(run, &mut control).await?.0;
    lease.seal(&mut control).await?;
    run.remove_spools(None)
}

/// Notes that the stream broke for good, so that a new full copy is due.
fn again(run: &mut Run, ending: &Ending, teller: &mut Teller<'_>) -> Result<(), Ending> {
    if let Some(generation) = run.journal.state().dump.as_ref().map(|dump| dump.generation) {
        run.journal.append(&Record::DumpLost { generation })?;
    }
    teller.notice(format!("The stream cannot go on: {}. A new full copy is needed.", ending.summary));
    Ok(())
}

/// What one step leaves for the next in this process.
#[derive(Default)]
struct Held {
    lease: Option<Lease>,
    /// The stream, taken in since the copy began.
    intake: Option<Intake>,
    summary: Option<String>,
}

async fn one(run: &mut Run, step: &Step, held: &mut Held, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let begun = Instant::now();
    let activity = if step.id == StepId::Cleanup { Activity::CleaningUp } else { Activity::Preparing };
    run.board.post(run.status(Some(step.id), activity));
    teller.tell(Event::StepStarted { step: step.id });
    match work(run, step, held, teller).await {
        Ok(Some(reason)) => teller.tell(Event::StepSkipped { step: step.id, reason }),
        Ok(None) => teller.tell(Event::StepDone { step: step.id, seconds: begun.elapsed().as_secs_f64() }),
        Err(ending) => {
            if ending.outcome != Outcome::Stopped {
                teller.tell(Event::StepFailed { step: step.id, reason: ending.summary.clone() });
            }
            return Err(ending);
        }
    }
    // A precheck is made again by every process: what it judges may have changed.
    if step.id != StepId::Precheck {
        run.journal.append(&Record::StepDone { step: step.id })?;
    }
    Ok(())
}

/// Does the step; answers why there was nothing to do, if there was not.
async fn work(run: &mut Run, step: &Step, held: &mut Held, teller: &mut Teller<'_>) -> Result<Option<String>, Ending> {
    match &step.work {
        Work::Buffer(work) => return buffer(run, work, teller).await,
        Work::Precheck(work) => {
            if run.is_done(StepId::Full) {
                return Ok(Some("the copy is done".to_owned()));
            }
            precheck::precheck(run, work, teller).await?;
        }
        Work::Full(work) => {
            let copied = full::full(run, work, teller).await?;
            held.lease = Some(copied.lease);
            held.summary = Some(copied.summary);
            held.intake = copied.intake;
        }
        Work::Incremental(work) => {
            let (lease, intake) = (held.lease.take(), held.intake.take());
            let followed = incremental(run, work, (lease, intake), teller).await?;
            held.lease = Some(followed.lease);
            let copied = held.summary.take().map(|copied| format!("{copied}; ")).unwrap_or_default();
            held.summary = Some(format!("{copied}{}", followed.summary));
        }
        Work::Cleanup(work) => cleanup::cleanup(run, work, held.lease.take(), teller).await?,
    }
    Ok(None)
}
