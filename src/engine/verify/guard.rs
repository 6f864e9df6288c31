//! Who may copy keys again: nobody while a run goes on or once it is sealed.

use redis::{Cmd, cmd};

use super::begin::record;
use crate::{
    engine::{ending::Ending, run::owner},
    journal::Journal,
    net::Control,
    plan::fault::catalogue::runs,
    sink::{Claim, Claimant, Lease, LeaseFault, RecordKeys, RecordState, Written, while_token},
    step::{Graph, Outcome, StepId},
    store::{FolderLock, LockError},
};

/// The right to write single keys.
pub(super) enum Guard {
    /// The destination knows of no run of this plan.
    Free,
    /// The run is done; its token stays as it is.
    Done { keys: RecordKeys, token: Option<String> },
    /// The run waits for another comparison; nobody else may take it up meanwhile.
    Held { lease: Lease, _lock: FolderLock },
}

impl Guard {
    /// Asks for it. `state_dir` is where the run keeps its files, if it ran here.
    pub(super) async fn ask(
        control: &mut Control,
        graph: &Graph,
        digest: &str,
        state_dir: &std::path::Path,
    ) -> Result<Self, Ending> {
        let keys = RecordKeys::of(&graph.name);
        let Some(record) = record(control, &keys).await? else { return Ok(Self::Free) };
        match record.state {
            RecordState::Sealed => Err(Ending::new(
                Outcome::Sealed,
                "This run is sealed: nothing writes to the destination through it again, so nothing is copied again.",
            )),
            RecordState::Done => {
                let token = control.query(cmd("GET").arg(&keys.token)).await?;
                Ok(Self::Done { keys, token })
            }
            RecordState::Running => take_up(control, (graph, digest), keys, state_dir).await,
        }
    }

    /// Carries commands out while nobody else has taken the run up, all or none.
    pub(super) async fn write(&self, control: &mut Control, commands: &[Cmd]) -> Result<(), Ending> {
        match self {
            Self::Free => {
                let mut transaction = redis::pipe();
                transaction.atomic();
                for command in commands {
                    transaction.add_command(command.clone());
                }
                control.pipeline(&transaction).await.map(drop)?;
                Ok(())
            }
            Self::Held { lease, .. } => Ok(lease.guarded(control, commands).await?),
            Self::Done { keys, token } => match while_token(control, keys, token.as_deref(), commands).await? {
                Written::Done => Ok(()),
                Written::Other(_) => Err(LeaseFault::Lost.into()),
            },
        }
    }

    /// Keeps it for another while.
    pub(super) async fn renew(&self, control: &mut Control) -> Result<(), Ending> {
        match self {
            Self::Held { lease, .. } => Ok(lease.renew(control).await?),
            Self::Free | Self::Done { .. } => Ok(()),
        }
    }

    /// Lets go.
    pub(super) async fn release(self, control: &mut Control) -> Result<(), Ending> {
        match self {
            Self::Held { lease, .. } => Ok(lease.release(control).await?),
            Self::Free | Self::Done { .. } => Ok(()),
        }
    }
}

/// Takes up a run that has copied everything and is not done. A stream that is still to be applied would be applied on
/// top of what is copied again.
async fn take_up(
    control: &mut Control,
    (graph, digest): (&Graph, &str),
    keys: RecordKeys,
    state_dir: &std::path::Path,
) -> Result<Guard, Ending> {
    let lock = match FolderLock::take(state_dir) {
        Ok(lock) => lock,
        Err(LockError::Held) => {
            let text = format!("Another process works on this run in {}.", state_dir.display());
            return Err(Ending::of(&runs::STATE_IN_USE, text));
        }
        Err(LockError::Io(error)) => return Err(unfinished(&format!("{}: {error}", state_dir.display()))),
    };
    let journal = Journal::open(state_dir, &graph.name, digest)?
        .ok_or_else(|| unfinished(&format!("{} has no journal of it", state_dir.display())))?;
    let copies = graph.steps.iter().map(|step| step.id).filter(|id| matches!(id, StepId::Full | StepId::Incremental));
    let state = journal.state();
    if let Some(step) = copies.into_iter().find(|step| !state.done.contains(step)) {
        return Err(unfinished(&format!("its step `{step}` is not done")));
    }
    let claimant = Claimant {
        run: state.run.clone(),
        digest: digest.to_owned(),
        owner: owner(),
        previous: state.owners.clone(),
        settings: state.settings.clone(),
        databases: None,
    };
    match crate::sink::claim(control, &keys, &claimant, &[]).await? {
        Claim::Taken { lease, .. } => Ok(Guard::Held { lease, _lock: lock }),
        claim => {
            Err(Ending::of_claim(&claim, &keys.run).unwrap_or_else(|| Ending::failed("the lease was not granted")))
        }
    }
}

fn unfinished(why: &str) -> Ending {
    Ending::failed(format!(
        "Nothing was copied again: the run of this plan is not finished ({why}), and what it still applies would be added to \
         it. Finish it with `plan apply`, from its own state directory, then compare again."
    ))
}
