//! The last step: what only the run needed is put back or removed.

use super::{buffer, ending::Ending, run::Run, servers, teller::Teller};
use crate::{
    sink::{Claim, Lease},
    step::{CleanupWork, StepId},
};

/// Ends a run that is done: settings back, the run record marked, the spool removed.
pub(super) async fn cleanup(
    run: &mut Run,
    work: &CleanupWork,
    lease: Option<Lease>,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    buffer::restore(run, teller).await?;
    let graph = &run.request.graph;
    let mut control = servers::connect(&graph.destination, run.request.passwords.destination.as_ref()).await?;
    let lease = match lease {
        Some(lease) => Some(lease),
        None => match crate::sink::claim(&mut control, &run.keys, &run.claimant, &[]).await? {
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
    run.remove_spools(None)
}

/// Puts back what must be put back on every ending, also a failed one.
pub(super) async fn put_back(run: &mut Run, teller: &mut Teller<'_>) {
    let cleans = run.request.graph.steps.iter().any(|step| step.id == StepId::Cleanup && step.always);
    if !cleans {
        return;
    }
    if let Err(ending) = buffer::restore(run, teller).await {
        teller.notice(format!(
            "The source's output-buffer limit could not be put back: {} Apply again, or set it yourself.",
            ending.summary
        ));
    }
}
