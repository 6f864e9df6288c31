//! Taking up where the stream stands, before following begins.

use std::time::{Duration, Instant};

use async_std::{future::timeout, task::sleep};

use super::{doubts::look_for_emptied, settling::DOUBT, setup::DestinationState};
use crate::{
    engine::{
        ending::Ending,
        intake::{self, DumpPlace, Intake},
        run::Run,
        servers,
        teller::Teller,
    },
    journal::Record,
    net::{Access, Control, ControlError},
    sink::{Checkpoint, DeadlineMode, DeadlinePass, Lease},
    step::{Event, StepId},
    store::spool::{SpoolLevel, remove_all},
    unit::{ServerVersion, UnixMillis},
};

/// How long a source that does not answer is left alone before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often operators' orders are looked after while it is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// Learns where the stream goes on, and the source's clock minus ours. A source that does not answer is waited for, as it
/// is while it is followed.
pub(super) async fn prepare(
    run: &mut Run,
    lease: &Lease,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(DestinationState, i64), Ending> {
    let mut there = DestinationState::ask(control, lease).await?;
    recover_deadlines(run, &mut there, lease, control, teller).await?;
    look_for_emptied(run, &mut there, lease, control, teller).await?;
    if run.journal.state().follow_began.is_none() {
        run.journal.append(&Record::FollowBegan { at: UnixMillis::now() })?;
    }
    // Only the copy needed it, and its room is the stream's now.
    remove_all(&run.spool(there.record.generation))?;
    let source = run.request.servers.source.clone();
    let mut asking = Box::pin(ask(&source, Duration::ZERO));
    let (mut reason, mut renewed) = (None, Instant::now());
    loop {
        match timeout(LOOK, &mut asking).await {
            Ok(Ok((source_ahead, version))) => {
                there.source = version;
                return Ok((there, source_ahead));
            }
            Ok(Err(fault)) if fault.retryable() => {
                let fault = format!("source: {fault}");
                if reason.as_ref() != Some(&fault) {
                    teller.tell(Event::Waiting { step: StepId::Incremental, reason: fault.clone() });
                    reason = Some(fault);
                }
                asking = Box::pin(ask(&source, ASK_AGAIN));
            }
            Ok(Err(fault)) => return Err(fault.into()),
            Err(_) => {}
        }
        let stopped = "Stopped while the source did not answer. The same command resumes.";
        run.attend(StepId::Incremental, reason.as_deref(), stopped, teller)?;
        if renewed.elapsed() >= ASK_AGAIN {
            lease.renew(control).await?;
            renewed = Instant::now();
        }
    }
}

/// What an earlier process has left of deadlines: those that it made exact are deferred again, from its ledger. Without that
/// nobody can tell them from another application's.
async fn recover_deadlines(
    run: &Run,
    there: &mut DestinationState,
    lease: &Lease,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    match there.record.deadlines {
        DeadlineMode::Exact => teller.notice(
            "This run was begun by version 0.1: deadlines at the destination are exact while the source is followed, so a key \
             can expire there before the source prolongs it, until a new full copy begins.",
        ),
        mode @ (DeadlineMode::Settling(_) | DeadlineMode::Settled)
            if DeadlinePass::has_ledger(&run.request.state_dir, mode) =>
        {
            there.defers_first = true;
        }
        DeadlineMode::Settling(_) | DeadlineMode::Settled => {
            lease.note_deadlines(control, DeadlineMode::Doubtful).await?;
            there.record.deadlines = DeadlineMode::Doubtful;
            teller.notice(format!(
                "An earlier process made deadlines at the destination exact, and there is no list of them in this state \
                 directory that is known to be whole.{DOUBT}"
            ));
        }
        DeadlineMode::Deferred | DeadlineMode::Doubtful => {}
    }
    Ok(())
}

/// Asks the source for its clock and its version, some time from now.
async fn ask(source: &Access, wait: Duration) -> Result<(i64, Option<ServerVersion>), ControlError> {
    sleep(wait).await;
    let mut source = source.control().await?;
    let ahead = servers::clock_ahead(&mut source).await?;
    Ok((ahead, crate::source::survey(&mut source).await?.version))
}

/// Goes on with a stream that an earlier process took in. What is spooled here counts only if the checkpoint is of a
/// history that was spooled here: another process may have followed a failover since, which what is here knows nothing of.
pub(super) fn take_up(run: &mut Run, there: &DestinationState) -> Result<Intake, Ending> {
    let (generation, Checkpoint { replid, offset, .. }) = (there.record.generation, there.checkpoint);
    let known = run.journal.state().dump.as_ref().filter(|dump| dump.generation == generation);
    let is_known = known.is_some();
    let spooled = known.filter(|dump| dump.ids.contains(&replid)).and_then(|dump| dump.replid);
    if spooled.is_none() {
        remove_all(&run.stream(generation).folder)?;
    }
    if !is_known {
        // Another process has copied anew since.
        run.journal.append(&Record::DumpStarted { generation })?;
        run.journal.append(&Record::History { generation, replid, offset })?;
    } else if spooled.is_none() {
        run.journal.append(&Record::Renamed { generation, replid })?;
    }
    let (folder, tag) = (run.spool(generation), run.spool_tag(generation));
    let place = DumpPlace { folder, tag, level: SpoolLevel::default(), drains: true };
    intake::resume(run.intake(place, generation), spooled.unwrap_or(replid), offset)
}
