//! What nobody has seen: answers that were lost, databases that somebody else emptied, keys that expired at a destination whose
//! deadlines are deferred. None of it proves a loss, and none of it is success: both sides are compared, every value, before the
//! run says that it is done. A doubt is noted here and at the destination, so that no process forgets it.

use std::time::{Duration, Instant};

use super::{
    follow::{Follow, FollowPhase},
    sealing::lagging,
    setup::DestinationState,
};
use crate::{
    command::Keyspace,
    engine::{ending::Ending, run::Run, servers, teller::Teller},
    journal::Record,
    net::Control,
    sink::{DeadlineMode, Lease, LeaseFault, Removed, Replicas, RunRecord},
    step::{OnUnsupported, Outcome, VerifyMode},
    unit::Db,
};

/// What is in doubt.
#[derive(Debug)]
pub(super) struct Doubts {
    /// Why; `None` when nothing is.
    why: Option<String>,
    /// When that began: a comparison that began before proves nothing of it.
    since: Instant,
    /// Answers that were lost are in doubt: the plan compares both sides, and does not leave out what is refused. Without a
    /// comparison in the plan they are reported: to compare all keys costs as much as a copy, and does not end where large
    /// values change all the time.
    matters: bool,
}

impl Doubts {
    /// What the record and the journal say. `policy`: what a refused command means.
    pub(super) fn new(there: &DestinationState, run: &Run, policy: OnUnsupported) -> Self {
        let why = there.record.doubt.clone().or_else(|| run.journal.state().doubt.clone());
        Self { why, since: Instant::now(), matters: policy == OnUnsupported::Fail && run.verify_work().is_some() }
    }

    /// Whether both sides have to be compared.
    pub(super) const fn is_any(&self) -> bool {
        self.why.is_some()
    }
}

impl Follow {
    /// Notes a doubt: here, and at the destination as far as that answers.
    pub(super) fn doubt(&mut self, why: &str, run: &mut Run) -> Result<(), Ending> {
        (self.doubts.why, self.doubts.since) = (Some(why.to_owned()), Instant::now());
        if let FollowPhase::Cutting(cutting) = &mut self.phase {
            cutting.compared = false;
        }
        run.journal.append(&Record::Doubt { why: Some(why.to_owned()) })?;
        let (lease, why) = (self.lease.clone(), why.to_owned());
        let destination = run.request.servers.destination.clone();
        async_std::task::spawn(async move {
            if let Ok(mut control) = destination.control().await {
                let _ = lease.note_doubt(&mut control, Some(&why)).await;
            }
        });
        Ok(())
    }

    /// Answers to commands of the source were lost: one of them may have been refused.
    pub(super) fn doubt_answers(&mut self, why: &str, run: &mut Run) -> Result<(), Ending> {
        if self.doubts.matters { self.doubt(why, run) } else { Ok(()) }
    }

    /// Takes a doubt back where both sides were found equal, by every value, since it came up.
    pub(super) async fn settle_doubt(&mut self, run: &mut Run) -> Result<(), Ending> {
        if !self.doubts.is_any() || !self.comparison.proves(self.doubts.since) {
            return Ok(());
        }
        self.doubts.why = None;
        run.journal.append(&Record::Doubt { why: None })?;
        let mut control = run.request.servers.destination.control().await?;
        self.lease.note_doubt(&mut control, None).await.map_err(Ending::of_lost)
    }

    /// Whether nothing is in doubt where a run ends without a cutover; compares both sides first where something is.
    pub(super) async fn is_beyond_doubt(&mut self, run: &mut Run, teller: &mut Teller<'_>) -> Result<bool, Ending> {
        if self.deferring.is_some() || self.comparison.is_under_way() {
            return Ok(false);
        }
        self.look_for_expired(run).await?;
        self.settle_doubt(run).await?;
        // The step after this one does the same.
        let is_compared_later = run.verify_work().is_some_and(|work| work.mode == VerifyMode::Full);
        let Some(why) = self.doubts.why.clone().filter(|_| !is_compared_later) else { return Ok(true) };
        if self.comparison.has_ended_since(self.doubts.since)
            && let Some(reason) = self.unequal()
        {
            return Err(Ending::new(Outcome::Different, format!("{reason}. They were compared because {why}.")));
        }
        teller.notice("Something is in doubt, so both sides are compared before the run says that it is done.");
        let work = self.doubtful_work(&self.work.selection);
        self.comparison.begin_now(&work, run, &self.figures).await;
        Ok(false)
    }

    /// Looks, before writers are blocked, whether the destination has lost something, or may have.
    pub(super) async fn look_for_losses(&mut self, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let mut control = run.request.servers.destination.control().await?;
        self.lease.holds(&mut control, &self.position()).await.map_err(Ending::of_lost)?;
        match self.lease.await_replicas(&mut control, LEVEL).await.map_err(Ending::of_lost)? {
            Replicas::Behind { of, confirmed } => return Err(Ending::failed(lagging(of, confirmed))),
            Replicas::Unknown(why) => teller.notice(format!(
                "Whether the destination's replicas have everything could not be verified ({why}): a failover there right after the \
                 seal may lose what is sealed."
            )),
            Replicas::Level => {}
        }
        self.look_for_expired(run).await
    }

    /// Looks whether keys have expired at the destination that could not: before a deadline is made exact that may pass. It can be
    /// judged only where no other application's keys have deadlines, and while the server is the same process.
    pub(super) async fn look_for_expired(&mut self, run: &mut Run) -> Result<(), Ending> {
        if self.deadlines != DeadlineMode::Deferred || self.doubts.is_any() {
            return Ok(());
        }
        let mut control = run.request.servers.destination.control().await?;
        let record = self.lease.record(&mut control).await.map_err(Ending::of_lost)?;
        let Some(keys) = expired(run, &record, self.destination.databases, &mut control).await? else { return Ok(()) };
        self.begin_count_again(record.removed.as_ref(), &mut control).await?;
        self.doubt(&format!("{keys} keys expired at the destination although their deadlines were deferred"), run)
    }

    /// Counts what is gone at the destination from now on.
    async fn begin_count_again(&self, before: Option<&Removed>, control: &mut Control) -> Result<(), Ending> {
        if let (Some(before), Some(now)) = (before, Removed::ask(control).await?) {
            self.lease.note_removed(control, &before.begun_again(&now)).await.map_err(Ending::of_lost)?;
        }
        Ok(())
    }
}

/// Keys that expired at the destination since the copy began, beyond those of the run's own that may have; `None` where that cannot
/// be judged.
async fn expired(run: &Run, record: &RunRecord, databases: u32, control: &mut Control) -> Result<Option<u64>, Ending> {
    let Some((then, now)) = record.removed.as_ref().zip(Removed::ask(control).await?) else { return Ok(None) };
    let targets = run.targets(databases);
    let info = servers::info(control).await?;
    // Database 0 has the run's heartbeat.
    let theirs = |(db, held): (Db, Keyspace)| !targets.contains(&db) && held.expires > u64::from(db == Db(0));
    if !record.occupied.is_empty() || info.keyspace().into_iter().any(theirs) {
        return Ok(None);
    }
    // A heartbeat for each process that died, and what each lane left behind a lost connection.
    let own = u64::from(run.journal.state().attempts).saturating_add(OWN);
    Ok(now.expired_since(then).filter(|expired| *expired > own))
}

/// How long replicas are waited for before writers are blocked.
const LEVEL: Duration = Duration::from_secs(3);

/// Keys of the run itself that may have expired besides its heartbeats: one for each of the most lanes, and one for the stream.
const OWN: u64 = 65;

/// Looks whether somebody has emptied or swapped databases since the copy began, and counts from now on.
pub(super) async fn look_for_emptied(
    run: &mut Run,
    there: &mut DestinationState,
    lease: &Lease,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let Some((then, now)) = there.record.removed.clone().zip(Removed::ask(control).await?) else { return Ok(()) };
    let times = now.emptied_since(&then);
    if times == 0 {
        return Ok(());
    }
    let why = LeaseFault::Emptied { times }.to_string();
    teller.notice(format!("At the destination, {why}. Both sides are compared before the run says that it is done."));
    run.journal.append(&Record::Doubt { why: Some(why.clone()) })?;
    lease.note_doubt(control, Some(&why)).await?;
    let removed = then.begun_again(&now);
    lease.note_removed(control, &removed).await?;
    (there.record.doubt, there.record.removed) = (Some(why), Some(removed));
    Ok(())
}
