//! The last step: what only the run needed is put back or removed.

use super::{
    accounts,
    ending::Ending,
    incremental::{note_loss, settle_at_once},
    run::Run,
    sentinels,
    settings::SourceSetting,
    teller::Teller,
};
use crate::{
    net::Control,
    sink::{Claim, Lease, LeaseFault, Position, RunRecord},
    step::{CleanupWork, Moment, Outcome, StepId},
};

/// Ends a run that is done: settings back, the run record marked, the spool removed.
pub(super) async fn cleanup(
    run: &mut Run,
    work: &CleanupWork,
    lease: Option<Lease>,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let closing = Closing::begin(run, lease).await?;
    run.restore_settings(&SourceSetting::ALL, teller).await?;
    closing.close(run, work).await?;
    run.remove_spools(None)?;
    sentinels::remind(run, teller).await;
    accounts::remove(run, work, teller).await?;
    run.hooks(Moment::CleanupDone, &[], teller).await
}

/// The run record, about to be closed.
struct Closing {
    control: Control,
    /// The right to close it; `None` where it is closed already.
    lease: Option<Lease>,
    /// What it must hold.
    position: Option<Position>,
}

impl Closing {
    /// Looks before anything is put back: a run whose destination was set back continues with what it has changed.
    async fn begin(run: &mut Run, lease: Option<Lease>) -> Result<Self, Ending> {
        let mut control = run.request.servers.destination.control().await?;
        let position = run.journal.state().position.as_ref().and_then(|position| position.parse().ok());
        if run.is_sealed() {
            return Ok(Self { control, lease: None, position });
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
        // A destination that was set back may have lost that its deadlines were exact.
        if let Some(lease) = &lease {
            let record = lease.record(&mut control).await.map_err(Ending::of_lost)?;
            if !record.deadlines.is_exact() {
                settle_at_once(run, lease, &record, &mut control).await?;
            }
        }
        if let (Some(lease), Some(position)) = (&lease, &position)
            && let Err(fault) = lease.holds(&mut control, position).await
        {
            let ending = Ending::of_lost(fault);
            note_loss(run, (lease, &mut control), &ending).await?;
            return Err(ending);
        }
        Ok(Self { control, lease, position })
    }

    async fn close(mut self, run: &Run, work: &CleanupWork) -> Result<(), Ending> {
        let control = &mut self.control;
        if run.is_sealed() {
            let sealed = Lease::of_sealed(&run.keys);
            if let Some(record) = crate::sink::record(control, &run.keys).await? {
                forget(run, &sealed, &record, control).await?;
            }
            return Ok(sealed.keep(control, work.keep_run_record).await?);
        }
        let Some(lease) = &self.lease else { return Ok(()) };
        lease.finish(control, work.keep_run_record, self.position.as_ref()).await.map_err(Ending::of_lost)
    }
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
    let settings: &[SourceSetting] = if unknown { &[SourceSetting::ReplicaOutput] } else { &SourceSetting::ALL };
    if let Err(ending) = run.restore_settings(settings, teller).await {
        teller.notice(format!(
            "The source's settings could not be put back: {} `plan cleanup` does it once the source answers.",
            ending.summary
        ));
    }
}
