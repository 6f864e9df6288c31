//! The steps of a run, one after another.

use std::time::Instant;

use super::{
    ApplyRequest, Passwords, buffer::buffer, cleanup, ending::Ending, full::full, precheck, run::Run, servers,
    teller::Teller,
};
use crate::{
    journal::Record,
    sink::Lease,
    step::{Event, Graph, Outcome, Stamped, Step, StepId, Work},
    unit::UnixMillis,
};

/// Runs a graph, or continues its run. Blocks until it is done or cannot go on.
pub fn apply(request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = async_std::task::block_on(run(request, &mut teller)).unwrap_or_else(|ending| ending);
    finish(&mut teller, ending, begun)
}

/// Runs the precheck alone, read-only.
pub fn check(
    graph: &Graph,
    passwords: &Passwords,
    stop: &async_channel::Receiver<()>,
    on_event: &mut dyn FnMut(&Stamped),
) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = async_std::task::block_on(precheck::alone(graph, passwords, stop, &mut teller));
    finish(&mut teller, ending.unwrap_or_else(|ending| ending), begun)
}

fn finish(teller: &mut Teller<'_>, ending: Ending, begun: Instant) -> Outcome {
    let Ending { outcome, summary } = ending;
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
    let ending = match admitted(&run).await {
        Ok(()) => steps(&mut run, teller).await,
        Err(ending) => Err(ending),
    };
    if ending.is_err() {
        cleanup::put_back(&mut run, teller).await;
    }
    let outcome = ending.as_ref().unwrap_or_else(|ending| ending).outcome;
    let noted = run.journal.append(&Record::Ended { outcome, at: UnixMillis::now() });
    // What ended the run is told even when its end cannot be noted.
    ending.and_then(|ending| noted.map(|()| ending).map_err(Ending::from))
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
    for step in run.request.graph.steps.clone() {
        if run.is_done(step.id) {
            teller.tell(Event::StepSkipped { step: step.id, reason: "it was done before".to_owned() });
        } else {
            if run.stopping() {
                return Err(Ending::stopped(format!("Stopped before the step `{}`.", step.id)));
            }
            one(run, &step, &mut held, teller).await?;
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
    Ok(Ending::done(format!("{}.", held.summary.unwrap_or_else(|| "Everything the plan asks for is done".to_owned()))))
}

/// What one step leaves for the next in this process.
#[derive(Default)]
struct Held {
    lease: Option<Lease>,
    summary: Option<String>,
}

async fn one(run: &mut Run, step: &Step, held: &mut Held, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let begun = Instant::now();
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
            let (lease, summary) = full(run, work, teller).await?;
            held.lease = Some(lease);
            held.summary = Some(summary);
        }
        Work::Incremental(_) => return Err(Ending::failed("Following is not there yet.")),
        Work::Cleanup(work) => cleanup::cleanup(run, work, held.lease.take(), teller).await?,
    }
    Ok(None)
}
