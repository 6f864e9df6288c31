//! `plan abort` and `plan cleanup` of a run that no process works on. Both tell of themselves as a process of the run,
//! so that its evidence has what they did.

use std::time::Instant;

use super::{
    ApplyRequest,
    apply::{finish, seal, sealed},
    cleanup,
    ending::Ending,
    orders::ordered,
    run::Run,
    settings::SourceSetting,
    teller::Teller,
};
use crate::{
    journal::Record,
    net::Control,
    plan::fault::catalogue::runs,
    sink::{Claim, Lease, RunRecord},
    step::{Outcome, Stamped},
    unit::UnixMillis,
};

/// What is ordered.
#[derive(Clone, Copy)]
enum OfflineOrder {
    Abort { delete: bool },
    Cleanup,
}

/// What an order came to: whether it was carried out, and how the run stands now.
type OfflineResult = (bool, Ending);

/// Ends a run for good that no process works on. Answers [`Outcome::Done`] when that is so; the run's own ending is that it
/// is sealed.
pub fn abort_idle(request: ApplyRequest, delete: bool, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    carry_out(OfflineOrder::Abort { delete }, request, on_event)
}

/// Puts back what a run has changed at the source and no process is there to put back. Touches no key. Answers
/// [`Outcome::Done`] when that is so; the run itself stands where it stood.
pub fn put_back(request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    carry_out(OfflineOrder::Cleanup, request, on_event)
}

fn carry_out(order: OfflineOrder, request: ApplyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let (source, destination) = (request.graph.source.address.clone(), request.graph.destination.address.clone());
    let came = async_std::task::block_on(work(order, request, &mut teller));
    let (carried_out, ending) = came.unwrap_or_else(|ending| (false, ending));
    let outcome = finish(&mut teller, ending.between(&source, &destination), begun);
    if carried_out { Outcome::Done } else { outcome }
}

async fn work(order: OfflineOrder, request: ApplyRequest, teller: &mut Teller<'_>) -> Result<OfflineResult, Ending> {
    let mut run = Run::open(request)?;
    let state = run.journal.state();
    let is_over = state.ended == Some(Outcome::Done);
    if !is_over {
        teller.tell(run.started());
    }
    let came = match order {
        OfflineOrder::Abort { delete } => abort(&mut run, delete, teller).await,
        OfflineOrder::Cleanup => cleanup(&mut run, teller).await,
    };
    let (carried_out, ending) = came.unwrap_or_else(|ending| (false, ending));
    if !is_over {
        run.journal.append(&Record::Ended { outcome: ending.outcome, at: UnixMillis::now() })?;
    }
    Ok((carried_out, ending))
}

async fn abort(run: &mut Run, delete: bool, teller: &mut Teller<'_>) -> Result<OfflineResult, Ending> {
    teller.tell(ordered(if delete { "abort, and delete what the run has written" } else { "abort" }));
    if let Err(ending) = seal(run, delete, teller).await {
        // Another process that works on the run needs them.
        if ending.outcome != Outcome::Locked {
            cleanup::put_back(run, None, teller).await;
        }
        return Err(ending);
    }
    teller.tell(ordered("aborted and sealed"));
    let written = if delete { "What it had written there is deleted." } else { "What it has written stays there." };
    // It has not done all it should while the source lacks a setting.
    let restored = run.journal.state().settings.is_empty();
    Ok((restored, Ending::of(&runs::ABORTED, format!("{} {written}", sealed(run)))))
}

/// How the destination knows the run.
enum Known {
    /// No process works on it; this one has the lease now.
    Free(Lease, Box<RunRecord>),
    /// Nothing is written through it any more.
    Sealed(Box<RunRecord>),
    /// It is done, and what it had changed was put back before.
    Done,
    /// It has no record of it.
    Not,
}

const NOTHING: &str = "There is nothing to put back: the source has its settings.";

async fn cleanup(run: &mut Run, teller: &mut Teller<'_>) -> Result<OfflineResult, Ending> {
    teller.tell(ordered("put back what the run has changed at the source"));
    let own = !run.journal.state().settings.is_empty();
    if !own && run.journal.state().ended == Some(Outcome::Done) {
        return Ok((true, Ending::of(&runs::FINISHED_BEFORE, NOTHING)));
    }
    let (known, mut control) = match ask(run).await {
        Ok(found) => found,
        Err(ending) if !own || ending.outcome == Outcome::Locked => return Err(ending),
        Err(ending) => {
            run.restore_settings(&SourceSetting::ALL, teller).await?;
            teller.notice(
                "The source has those settings back that are recorded in this state directory. What other processes of \
                 this run have changed is recorded at the destination, which could not be asked: run `plan cleanup` again \
                 once it answers.",
            );
            return Err(ending);
        }
    };
    let nothing = run.journal.state().settings.is_empty();
    let restored = run.restore_settings(&SourceSetting::ALL, teller).await;
    // What was not put back stays recorded there, and the next process need not wait for the lease.
    let_go(run, &known, &mut control).await?;
    restored?;
    let text = if nothing { NOTHING } else { "The source has its settings back." };
    Ok((true, stands(run, &known, text)))
}

/// How the run stands, which putting settings back has not changed.
fn stands(run: &Run, known: &Known, text: &str) -> Ending {
    match known {
        Known::Done => Ending::of(&runs::FINISHED_BEFORE, text),
        _ if run.journal.state().ended == Some(Outcome::Done) => Ending::of(&runs::FINISHED_BEFORE, text),
        Known::Sealed(_) => Ending::new(Outcome::Sealed, text),
        _ if run.is_sealed() => Ending::new(Outcome::Sealed, text),
        Known::Free(..) | Known::Not => Ending::of(&runs::PUT_BACK, text),
    }
}

/// Asks the destination what it knows.
async fn ask(run: &mut Run) -> Result<(Known, Control), Ending> {
    let mut control = run.request.servers.destination.control().await?;
    Ok((learn(run, &mut control).await?, control))
}

/// Takes over what the destination says has to be put back. Refused while a process works on the run: it needs what it
/// has changed.
async fn learn(run: &mut Run, control: &mut Control) -> Result<Known, Ending> {
    let Some(record) = crate::sink::record(control, &run.keys).await? else { return Ok(Known::Not) };
    let claimant = run.claimant().in_place_of(&record);
    match crate::sink::claim(control, &run.keys, &claimant, &[]).await? {
        Claim::Taken { lease, record, .. } => {
            run.adopt_settings(&record.settings)?;
            Ok(Known::Free(lease, record))
        }
        Claim::Sealed => {
            if record.digest == run.request.digest {
                run.adopt_settings(&record.settings)?;
            }
            Ok(Known::Sealed(Box::new(record)))
        }
        Claim::Done => Ok(Known::Done),
        Claim::Changed { .. } => Ok(Known::Not),
        held @ Claim::Held { .. } => Err(Ending::of_claim(&held, &run.keys.run)
            .unwrap_or_else(|| Ending::failed("the lease was neither granted nor refused"))),
    }
}

/// Notes at the destination what was put back, and lets the next process work.
async fn let_go(run: &Run, known: &Known, control: &mut Control) -> Result<(), Ending> {
    match known {
        Known::Free(lease, record) => {
            cleanup::forget(run, lease, record, control).await?;
            lease.release(control).await?;
        }
        Known::Sealed(record) => {
            cleanup::forget(run, &Lease::of_sealed(&run.keys), record, control).await?;
        }
        Known::Done | Known::Not => {}
    }
    Ok(())
}
