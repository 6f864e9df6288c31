//! The last step: what only the run needed is put back or removed.

use super::{accounts, ending::Ending, run::Run, sentinels, servers, settings::Setting, teller::Teller};
use crate::{
    net::Control,
    sink::{Claim, Lease, LeaseFault, RunRecord},
    step::{CleanupWork, Moment, Outcome, StepId},
};

/// Ends a run that is done: settings back, the run record marked, the spool removed.
pub(super) async fn cleanup(
    run: &mut Run,
    work: &CleanupWork,
    lease: Option<Lease>,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    run.restore_settings(&Setting::ALL, teller).await?;
    close_record(run, work, lease).await?;
    run.remove_spools(None)?;
    sentinels::remind(run, teller).await;
    accounts::remove(run, work, teller).await?;
    run.hooks(Moment::CleanupDone, &[], teller).await
}

async fn close_record(run: &mut Run, work: &CleanupWork, lease: Option<Lease>) -> Result<(), Ending> {
    let graph = &run.request.graph;
    let mut control = servers::connect(&graph.destination, run.request.passwords.destination.as_ref()).await?;
    if run.is_sealed() {
        let sealed = Lease::of_sealed(&run.keys);
        if let Some(record) = crate::sink::record(&mut control, &run.keys).await? {
            forget(run, &sealed, &record, &mut control).await?;
        }
        return Ok(sealed.keep(&mut control, work.keep_run_record).await?);
    }
    let lease = match lease {
        Some(lease) => Some(lease),
        None => match crate::sink::claim(&mut control, &run.keys, &run.claimant(), &[]).await? {
            Claim::Taken { lease, .. } => Some(lease),
            Claim::Done => None,
            claim => {
                return Err(Ending::of_claim(&claim, &run.keys.run)
                    .unwrap_or_else(|| Ending::failed("the lease was neither granted nor refused")));
            }
        },
    };
    if let Some(lease) = lease {
        lease.finish(&mut control, work.keep_run_record).await?;
    }
    Ok(())
}

/// Notes at the destination which settings of `record` have been put back.
pub(super) async fn forget(
    run: &Run,
    lease: &Lease,
    record: &RunRecord,
    control: &mut Control,
) -> Result<(), LeaseFault> {
    let left = &run.journal.state().settings;
    lease.forget_settings(control, record.settings.keys().filter(|name| !left.contains_key(*name))).await
}

/// Puts back what must be put back on every ending, also a failed one; not what another process needs that has taken the
/// run over: that one puts it back.
pub(super) async fn put_back(run: &mut Run, ending: Option<Outcome>, teller: &mut Teller<'_>) {
    if ending == Some(Outcome::Locked) && run.settings_are_shared {
        return;
    }
    let cleans = run.request.graph.steps.iter().any(|step| step.id == StepId::Cleanup && step.always);
    if !cleans {
        return;
    }
    // Where the destination may be sealed, writers stay off until that is known.
    let state = run.journal.state();
    let unknown = state.sealing.is_some() && state.sealed.is_none();
    let settings: &[Setting] = if unknown { &[Setting::ReplicaOutput] } else { &Setting::ALL };
    if let Err(ending) = run.restore_settings(settings, teller).await {
        teller.notice(format!(
            "The source's settings could not be put back: {} `plan cleanup` does it once the source answers.",
            ending.summary
        ));
    }
}
