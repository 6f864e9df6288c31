//! The step `verify`: both sides are compared once everything is copied. A difference fails the run.

use std::time::Duration;

use async_channel::bounded;
use futures_util::{StreamExt, stream};

use super::begin::begin;
use crate::{
    compare::{Begun, CompareEvent},
    engine::{
        background, ending::Ending, full::claim, orders::refused, run::Run, steering::PendingOrder, teller::Teller,
    },
    plan::fault::catalogue::runs,
    sink::{Lease, LeaseFault},
    step::{Activity, Event, Outcome, StepId, VerifyResult, VerifyVerdict, VerifyWork},
};

/// How often operators' orders are looked after beside what the comparison tells.
const TICK: Duration = Duration::from_millis(200);

/// What the step's loop takes.
enum VerifySignal {
    Told(CompareEvent),
    Asked(PendingOrder),
    Heartbeat(LeaseFault),
    Tick,
    Stop,
}

/// Compares both sides; answers the lease, which the run goes on to hold, and what came out in a clause.
pub(in crate::engine) async fn step(
    run: &mut Run,
    work: &VerifyWork,
    lease: Option<Lease>,
    teller: &mut Teller<'_>,
) -> Result<(Lease, String), Ending> {
    let mut control = run.request.servers.destination.control().await?;
    let lease = match lease {
        Some(lease) => lease,
        None => claim(run, &mut control, teller).await?.0,
    };
    let begun = begin(run, work).await;
    let ended = match begun {
        Ok(begun) => {
            let result = take(run, &lease, &begun, teller).await;
            begun.end().await;
            result
        }
        Err(ending) => Err(ending),
    };
    match ended.and_then(|result| told(result, teller)) {
        Ok(text) => Ok((lease, text)),
        Err(ending) => {
            // Whoever comes next need not wait for the heartbeat to end; if this fails it does end.
            let _ = lease.release(&mut control).await;
            Err(ending)
        }
    }
}

/// Takes signals until the comparison is over.
async fn take(run: &mut Run, lease: &Lease, begun: &Begun, teller: &mut Teller<'_>) -> Result<VerifyResult, Ending> {
    let (signals_in, own) = bounded(64);
    let tasks = [
        background::ticks(signals_in.clone(), TICK, || VerifySignal::Tick),
        background::heartbeat(run, lease.clone(), signals_in.clone(), VerifySignal::Heartbeat, None),
        background::stop(run, signals_in, || VerifySignal::Stop),
    ];
    let asked = run.asked.clone().map(VerifySignal::Asked);
    let told = begun.told.clone().map(VerifySignal::Told);
    let mut signals = Box::pin(stream::select(stream::select(own.clone(), asked), told));
    let result = loop {
        match signals.next().await {
            None => break Err(Ending::failed("The comparison ended without a result.")),
            Some(signal) => match taken(signal, run, teller) {
                Ok(None) => {}
                Ok(Some(result)) => break Ok(result),
                Err(ending) => break Err(ending),
            },
        }
    };
    own.close();
    background::end(tasks).await;
    result
}

fn taken(signal: VerifySignal, run: &mut Run, teller: &mut Teller<'_>) -> Result<Option<VerifyResult>, Ending> {
    match signal {
        VerifySignal::Told(CompareEvent::Progress(progress)) => {
            run.board.post(run.status(Some(StepId::Verify), Activity::Verifying));
            teller.tell(Event::VerifyProgress { progress });
        }
        VerifySignal::Told(CompareEvent::Difference(found)) => teller.tell(Event::Differs { difference: found.1 }),
        VerifySignal::Told(CompareEvent::Done(result)) => return Ok(Some((*result)?)),
        VerifySignal::Asked(asked) => {
            if let Some(asked) = run.order(asked, teller)? {
                asked
                    .answer(refused("Nothing was changed: both sides are being compared, and the run ends with that."));
            }
        }
        VerifySignal::Heartbeat(fault) => return Err(fault.into()),
        VerifySignal::Tick => run.answer_pause(true, None),
        VerifySignal::Stop => {
            return Err(Ending::of(
                &runs::STOPPED_BY_SIGNAL,
                "Stopped while comparing. The same command resumes the comparison.",
            ));
        }
    }
    Ok(None)
}

fn told(result: VerifyResult, teller: &mut Teller<'_>) -> Result<String, Ending> {
    let ended = verdict(&result, IN_A_RUN);
    teller.tell(Event::Verified { result });
    ended
}

/// What to do about a difference, in a run.
const IN_A_RUN: &str = "`plan report` lists them. Clients that kept writing to the source after the copy, or to the destination, \
                        are the usual cause; `plan verify --repair` copies the keys again, and `plan apply` then continues with another comparison";

/// What a result means: a clause when both sides are equal. `advice`: what to do about a difference.
pub(in crate::engine) fn verdict(result: &VerifyResult, advice: &str) -> Result<String, Ending> {
    let keys = result.keys();
    match result.verdict() {
        VerifyVerdict::Equal => Ok(format!("both sides are equal: {keys} keys compared")),
        VerifyVerdict::Different => Err(Ending::new(
            Outcome::Different,
            format!("Both sides differ: {} of {keys} keys. {advice}.", result.different),
        )),
        VerifyVerdict::Unsettled => Err(Ending::of(
            &runs::UNSETTLED,
            format!(
                "{} keys could not be verified: they changed whenever they were read, or the destination was too far behind. \
                 All others, {keys}, are equal. Stop their writers, or wait until it has caught up, and run the same command \
                 again.",
                result.unsettled
            ),
        )),
    }
}
