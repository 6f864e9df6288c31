//! The lease: one process writes for a run.

use std::{collections::BTreeMap, time::Duration};

use redis::{Value, cmd};

use super::{
    ChangedSettings, DeadlineMode, Mark, RecordKeys, RecordState, RunRecord,
    record::{DEADLINES, RUNS, setting_field, setting_name},
};
use crate::{
    net::{Control, ControlError},
    unit::{Db, Period},
};

/// How long a heartbeat lasts. A process that dies without its state directory holds others up for so long.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The token of a sealed run.
pub(super) const SEALED: &str = "sealed";

/// Who asks for the lease.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// The run's id.
    pub run: String,
    /// The graph's digest.
    pub digest: String,
    /// Names this process: host, process, time.
    pub owner: String,
    /// How the processes on this state directory named themselves: all are known to be dead, since its lock was free. Not
    /// only the last: one that died before it took the lease leaves the heartbeat of the one before it.
    pub previous: Vec<String>,
    /// The source's settings that it has changed so far.
    pub settings: ChangedSettings,
    /// The databases that its run writes to, as far as they are known: noted if the run is new at the destination.
    pub databases: Option<Vec<Db>>,
}

/// What asking for the lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This process may write.
    Taken {
        /// The right to write.
        lease: Lease,
        /// The record as it is now.
        record: Box<RunRecord>,
        /// Whether the marks are those of this state directory's run, so that its spool can be continued.
        ours: bool,
    },
    /// The run is done.
    Done,
    /// The run is sealed.
    Sealed,
    /// Another process holds the lease.
    Held {
        /// How it names itself.
        owner: String,
        /// How long its heartbeat still lasts.
        left: Duration,
    },
    /// The record belongs to another graph.
    Changed {
        /// That graph's digest.
        digest: String,
        /// Whether that run is done.
        done: bool,
    },
}

/// The right to write: the token that is at the destination while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The record's keys.
    pub keys: RecordKeys,
    /// The token.
    pub token: String,
    owner: String,
}

/// Why the lease could not be asked for or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseFault {
    /// The destination did not answer as it should.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The record makes no sense.
    #[error(
        "the run record `{key}` at the destination cannot be read: something else wrote it. Look at it, and delete it if no \
         run of this plan is under way"
    )]
    Unreadable {
        /// The hash.
        key: String,
    },
    /// The record is gone.
    #[error("the run record at the destination is gone")]
    Gone,
    /// The token is one before ours: the destination does not know any more that we took the lease.
    #[error("the destination has lost writes that it had confirmed, this process's lease among them")]
    Forgot,
    /// The token is ours, and the record is before what was confirmed.
    #[error("the destination has lost writes that it had confirmed: it held `{confirmed}`, and holds `{there}` now")]
    Behind {
        /// What it had confirmed.
        confirmed: String,
        /// What it has.
        there: String,
    },
    /// The destination has removed keys to make room.
    #[error(
        "the destination evicted {keys} keys since the copy began, to make room: values that were written and confirmed are \
         not there any more"
    )]
    Evicted {
        /// How many, at least.
        keys: u64,
    },
    /// Somebody has emptied or swapped databases of the destination: whether one of the run's was among them is not known.
    #[error(
        "somebody emptied or swapped databases at the destination ({times} calls of `FLUSHDB`, `FLUSHALL` or `SWAPDB` that are not \
         this run's), so it is not known whether what was written is still there"
    )]
    Emptied {
        /// How often, at least.
        times: u64,
    },
    /// Something of this copy is not at the destination, as its record says.
    #[error("{0}")]
    Left(String),
    /// Another run under way writes to the same databases: whose the keys in them are is not known.
    #[error(
        "the run `{plan}` is under way at the destination too and writes to the same databases, so the keys there may be those \
         of that run, and nothing was deleted. Finish or abort that run, then run the same command again; or delete the keys \
         of this run yourself."
    )]
    Shared {
        /// That run's plan.
        plan: String,
    },
    /// The token is not ours any more.
    #[error("another process has taken this run over at the destination")]
    Lost,
}

/// What is at the destination.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaseState {
    pub(super) record: Option<RunRecord>,
    pub(super) token: Option<String>,
    heartbeat: Option<(String, Duration)>,
}

/// What to do about what was seen.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Answer(Claim),
    Take { record: RunRecord, ours: bool, token: String },
}

fn decide(seen: &LeaseState, claimant: &Claimant, occupied: &[Db]) -> Decision {
    if let Some(record) = &seen.record {
        let same = record.digest == claimant.digest;
        match record.state {
            RecordState::Sealed => return Decision::Answer(Claim::Sealed),
            RecordState::Done if same => return Decision::Answer(Claim::Done),
            RecordState::Done => {
                return Decision::Answer(Claim::Changed { digest: record.digest.clone(), done: true });
            }
            RecordState::Running if !same => {
                return Decision::Answer(Claim::Changed { digest: record.digest.clone(), done: false });
            }
            RecordState::Running => {}
        }
    }
    if let Some((owner, left)) = &seen.heartbeat
        && !(claimant.previous.contains(owner) && host(owner) == host(&claimant.owner))
        && *owner != claimant.owner
    {
        return Decision::Answer(Claim::Held { owner: owner.clone(), left: *left });
    }
    let count = seen.token.as_deref().and_then(count_of).unwrap_or(0);
    let token = format!("{}:{}", count.saturating_add(1), claimant.owner);
    let fresh = || RunRecord {
        run: claimant.run.clone(),
        digest: claimant.digest.clone(),
        state: RecordState::Running,
        generation: 0,
        occupied: occupied.to_vec(),
        databases: claimant.databases.clone(),
        libraries: Some([].into()),
        marks: vec![],
        stream: None,
        removed: None,
        left: None,
        doubt: None,
        heard: None,
        deadlines: DeadlineMode::Exact,
        settings: ChangedSettings::new(),
    };
    let ours = seen.record.as_ref().is_none_or(|record| record.run == claimant.run);
    let mut record = seen.record.clone().map_or_else(fresh, |record| RunRecord { run: claimant.run.clone(), ..record });
    // This run knows what it has put back; what another has changed is still to be put back.
    if ours {
        record.settings.clone_from(&claimant.settings);
    } else {
        for (name, setting) in &claimant.settings {
            record.settings.entry(name.clone()).or_insert_with(|| setting.clone());
        }
    }
    Decision::Take { record, ours, token }
}

/// A token begins with a count that only grows.
fn count_of(token: &str) -> Option<u64> {
    token.split(':').next()?.parse().ok()
}

/// Whether a token was given before another. At the destination only a server that was set back has such a one.
pub(super) fn is_before(token: &str, other: &str) -> bool {
    count_of(token).zip(count_of(other)).is_some_and(|(token, other)| token < other)
}

/// The host in a process's name, which begins with it: a copied state directory on another host proves nobody dead.
fn host(owner: &str) -> &str {
    owner.split('/').next().unwrap_or_default()
}

/// Asks without writing anything: `None` when the lease could be taken.
pub async fn peek(control: &mut Control, keys: &RecordKeys, claimant: &Claimant) -> Result<Option<Claim>, LeaseFault> {
    match decide(&see(control, keys).await?, claimant, &[]) {
        Decision::Answer(claim) => Ok(Some(claim)),
        Decision::Take { .. } => Ok(None),
    }
}

/// The run record, if there is one. Writes nothing.
pub async fn record(control: &mut Control, keys: &RecordKeys) -> Result<Option<RunRecord>, LeaseFault> {
    Ok(see(control, keys).await?.record)
}

/// Whether a run of this plan has begun to write, here or on another host, and is not done.
pub async fn has_begun(control: &mut Control, keys: &RecordKeys) -> Result<bool, LeaseFault> {
    let record = see(control, keys).await?.record;
    Ok(record.is_some_and(|record| record.state == RecordState::Running && record.generation > 0))
}

/// Takes the lease if it may be taken. `occupied` are the databases that hold keys now, noted if the run is new
/// here.
pub async fn claim(
    control: &mut Control,
    keys: &RecordKeys,
    claimant: &Claimant,
    occupied: &[Db],
) -> Result<Claim, LeaseFault> {
    loop {
        control.command(cmd("WATCH").arg(&keys.token).arg(&keys.run).arg(&keys.heartbeat)).await?;
        let (record, ours, token) = match decide(&see(control, keys).await?, claimant, occupied) {
            Decision::Answer(claim) => {
                control.command(&cmd("UNWATCH")).await?;
                return Ok(claim);
            }
            Decision::Take { record, ours, token } => (record, ours, token),
        };
        control.command(&cmd("MULTI")).await?;
        control.command(cmd("SET").arg(&keys.token).arg(&token)).await?;
        control.command(&heartbeat(keys, &claimant.owner)).await?;
        control.command(cmd("DEL").arg(&keys.run)).await?;
        control.command(&store(keys, &record)).await?;
        control.command(&listing(keys)).await?;
        if control.command(&cmd("EXEC")).await? != Value::Nil {
            tracing::info!(run = keys.run, token, owner = claimant.owner, "the lease is taken");
            let lease = Lease { keys: keys.clone(), token, owner: claimant.owner.clone() };
            return Ok(Claim::Taken { lease, record: Box::new(record), ours });
        }
    }
}

impl Claimant {
    /// The same in the place of whoever works on the run of `record`, which stays as it is but for who has the lease.
    #[must_use]
    pub fn in_place_of(self, record: &RunRecord) -> Self {
        let mut settings = self.settings;
        settings.extend(record.settings.clone());
        Self { run: record.run.clone(), settings, ..self }
    }
}

impl Lease {
    /// Renews the heartbeat while the token is ours. To be called every few seconds.
    pub async fn renew(&self, control: &mut Control) -> Result<(), LeaseFault> {
        tracing::debug!(run = self.keys.run, "the lease is renewed");
        self.guarded(control, &[heartbeat(&self.keys, &self.owner)]).await
    }

    /// Lets go: the next process need not wait for the heartbeat to end.
    pub async fn release(&self, control: &mut Control) -> Result<(), LeaseFault> {
        tracing::info!(run = self.keys.run, "the lease is released");
        self.guarded(control, &[cmd("DEL").arg(&self.keys.heartbeat).clone()]).await
    }

    /// Removes the record of a run that has not begun to write.
    pub async fn withdraw(&self, control: &mut Control) -> Result<(), LeaseFault> {
        let Self { keys: RecordKeys { run, token, heartbeat, .. }, .. } = self;
        let gone = cmd("DEL").arg(&[run, token, heartbeat]).clone();
        self.guarded(control, &[gone, unlisting(&self.keys)]).await
    }

    /// Begins dump number `generation` with so many lanes, all at its start, and deadlines written in this way.
    pub async fn begin_generation(
        &self,
        control: &mut Control,
        record: &mut RunRecord,
        (lanes, deadlines): (usize, DeadlineMode),
    ) -> Result<(), LeaseFault> {
        let mut next = record.clone();
        next.generation += 1;
        next.marks = vec![Mark::default(); lanes];
        (next.stream, next.left, next.doubt, next.heard) = (None, None, None, None);
        next.deadlines = deadlines;
        let clear = cmd("DEL").arg(&self.keys.run).arg(&self.keys.skipped).clone();
        self.guarded(control, &[clear, store(&self.keys, &next)]).await?;
        *record = next;
        Ok(())
    }

    /// The run's record after its seal: nothing is written through it but how long it stays.
    #[must_use]
    pub fn of_sealed(keys: &RecordKeys) -> Self {
        Self { keys: keys.clone(), token: SEALED.to_owned(), owner: String::new() }
    }

    /// Lets a sealed run's record stay for `keep`; `None` is for ever.
    pub async fn keep(&self, control: &mut Control, keep: Option<Period>) -> Result<(), LeaseFault> {
        let Some(keep) = keep else { return Ok(()) };
        self.guarded(control, &expiring(&self.keys, keep)).await
    }

    /// The command that renews the heartbeat.
    pub(super) fn heartbeat(&self) -> redis::Cmd {
        heartbeat(&self.keys, &self.owner)
    }

    /// Notes how the deadlines stand that the run has written.
    pub async fn note_deadlines(&self, control: &mut Control, mode: DeadlineMode) -> Result<(), LeaseFault> {
        let note = cmd("HSET").arg(&self.keys.run).arg(DEADLINES).arg(mode.to_string()).clone();
        self.guarded(control, &[note]).await
    }

    /// Notes that a setting of the source, which was and is to be so, has to be put back. To be called before it is changed.
    pub async fn note_setting(
        &self,
        control: &mut Control,
        name: &str,
        (was, set_to): (&str, &str),
    ) -> Result<(), LeaseFault> {
        let (field, value) = setting_field(name, &(was.to_owned(), set_to.to_owned()));
        self.guarded(control, &[cmd("HSET").arg(&self.keys.run).arg(field).arg(value).clone()]).await
    }

    /// Notes that settings of the source have not to be put back any more.
    pub async fn forget_settings<'n>(
        &self,
        control: &mut Control,
        names: impl Iterator<Item = &'n String>,
    ) -> Result<(), LeaseFault> {
        // Empty, not deleted: an account that may write a record need not be allowed HDEL.
        let forget = |name: &String| cmd("HSET").arg(&self.keys.run).arg(setting_name(name)).arg("").clone();
        let commands: Vec<redis::Cmd> = names.map(forget).collect();
        if commands.is_empty() { Ok(()) } else { self.guarded(control, &commands).await }
    }

    /// The run record as the destination has it.
    pub async fn record(&self, control: &mut Control) -> Result<RunRecord, LeaseFault> {
        let seen = see(control, &self.keys).await?;
        match (seen.token, seen.record) {
            (None, _) | (_, None) => Err(LeaseFault::Gone),
            (Some(token), Some(record)) if token == self.token => Ok(record),
            (Some(token), _) if is_before(&token, &self.token) => Err(LeaseFault::Forgot),
            _ => Err(LeaseFault::Lost),
        }
    }

    /// The commands that put the run record back after a flush.
    #[must_use]
    pub fn record_commands(&self, record: &RunRecord) -> Vec<redis::Cmd> {
        vec![
            cmd("SET").arg(&self.keys.token).arg(&self.token).clone(),
            heartbeat(&self.keys, &self.owner),
            store(&self.keys, record),
            listing(&self.keys),
        ]
    }

    /// What it means that another token is there.
    pub(super) fn not_ours(&self, there: Option<String>) -> LeaseFault {
        match there {
            None => LeaseFault::Gone,
            Some(there) if is_before(&there, &self.token) => LeaseFault::Forgot,
            Some(_) => LeaseFault::Lost,
        }
    }

    /// Carries commands out if the token is ours, all or none.
    pub async fn guarded(&self, control: &mut Control, commands: &[redis::Cmd]) -> Result<(), LeaseFault> {
        match while_token(control, &self.keys, Some(&self.token), commands).await? {
            Written::Done => Ok(()),
            Written::Other(token) => Err(self.not_ours(token)),
        }
    }
}

/// What became of commands that are conditional on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All were carried out.
    Done,
    /// None: this token is there.
    Other(Option<String>),
}

/// Carries commands out while this `token` is at the destination, or none where it is `None`; all or none of them.
pub async fn while_token(
    control: &mut Control,
    keys: &RecordKeys,
    token: Option<&str>,
    commands: &[redis::Cmd],
) -> Result<Written, ControlError> {
    loop {
        control.command(cmd("WATCH").arg(&keys.token)).await?;
        let there: Option<String> = control.query(cmd("GET").arg(&keys.token)).await?;
        if there.as_deref() != token {
            control.command(&cmd("UNWATCH")).await?;
            return Ok(Written::Other(there));
        }
        control.command(&cmd("MULTI")).await?;
        for command in commands {
            control.command(command).await?;
        }
        // Nothing comes back when the token was written meanwhile, also when our own flush put it back.
        if control.command(&cmd("EXEC")).await? != Value::Nil {
            return Ok(Written::Done);
        }
    }
}

pub(super) async fn see(control: &mut Control, keys: &RecordKeys) -> Result<LeaseState, LeaseFault> {
    let fields: BTreeMap<String, String> = control.query(cmd("HGETALL").arg(&keys.run)).await?;
    let record = if fields.is_empty() {
        None
    } else {
        Some(RunRecord::read(&fields).ok_or_else(|| LeaseFault::Unreadable { key: keys.run.clone() })?)
    };
    let token = control.query(cmd("GET").arg(&keys.token)).await?;
    let owner: Option<String> = control.query(cmd("GET").arg(&keys.heartbeat)).await?;
    let left: i64 = control.query(cmd("PTTL").arg(&keys.heartbeat)).await?;
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    Ok(LeaseState { record, token, heartbeat: owner.map(|owner| (owner, left)) })
}

fn heartbeat(keys: &RecordKeys, owner: &str) -> redis::Cmd {
    cmd("PSETEX").arg(&keys.heartbeat).arg(u64::try_from(HEARTBEAT.as_millis()).unwrap_or(15_000)).arg(owner).clone()
}

/// Lists the run among those under way.
fn listing(keys: &RecordKeys) -> redis::Cmd {
    cmd("SADD").arg(RUNS).arg(keys.plan()).clone()
}

/// Takes it from that list.
pub(super) fn unlisting(keys: &RecordKeys) -> redis::Cmd {
    cmd("SREM").arg(RUNS).arg(keys.plan()).clone()
}

/// What lets a run record go after `keep`.
pub(super) fn expiring(keys: &RecordKeys, keep: Period) -> [redis::Cmd; 4] {
    let millis = u64::try_from(keep.0.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 45);
    [&keys.run, &keys.token, &keys.skipped, &keys.scripts].map(|key| cmd("PEXPIRE").arg(key).arg(millis).clone())
}

fn store(keys: &RecordKeys, record: &RunRecord) -> redis::Cmd {
    // HMSET: HSET took only one field before 4.0.
    let mut command = cmd("HMSET").arg(&keys.run).clone();
    for (field, value) in record.fields() {
        command.arg(field).arg(value);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant() -> Claimant {
        Claimant {
            run: "r".into(),
            digest: "d".into(),
            owner: "here/2".into(),
            previous: vec!["here/1".into(), "here/dead before it claimed".into()],
            settings: ChangedSettings::new(),
            databases: Some(vec![Db(0)]),
        }
    }

    fn seen(state: RecordState, digest: &str, heartbeat: Option<&str>) -> LeaseState {
        let record = RunRecord {
            run: "r".into(),
            digest: digest.into(),
            state,
            generation: 1,
            occupied: vec![Db(0)],
            databases: None,
            libraries: None,
            marks: vec![Mark::default()],
            stream: None,
            removed: None,
            left: None,
            doubt: None,
            heard: None,
            deadlines: DeadlineMode::Exact,
            settings: ChangedSettings::new(),
        };
        let heartbeat = heartbeat.map(|owner| (owner.to_owned(), Duration::from_secs(9)));
        LeaseState { record: Some(record), token: Some("4:here/1".into()), heartbeat }
    }

    #[test]
    fn a_dead_process_of_this_state_directory_is_succeeded_at_once() {
        let decision = decide(&seen(RecordState::Running, "d", Some("here/1")), &claimant(), &[]);
        assert!(matches!(decision, Decision::Take { ours: true, ref token, .. } if token == "5:here/2"));
    }

    #[test]
    fn a_living_process_elsewhere_keeps_the_lease() {
        let decision = decide(&seen(RecordState::Running, "d", Some("other")), &claimant(), &[]);
        assert!(matches!(decision, Decision::Answer(Claim::Held { ref owner, .. }) if owner == "other"));
    }

    #[test]
    fn a_copied_state_directory_proves_nobody_dead() {
        let claimant = Claimant { owner: "elsewhere/2".into(), ..claimant() };
        let decision = decide(&seen(RecordState::Running, "d", Some("here/1")), &claimant, &[]);
        assert!(matches!(decision, Decision::Answer(Claim::Held { .. })));
    }

    #[test]
    fn an_ended_or_changed_run_is_not_taken() {
        let answer = |state, digest| decide(&seen(state, digest, None), &claimant(), &[]);
        assert_eq!(answer(RecordState::Done, "d"), Decision::Answer(Claim::Done));
        assert_eq!(answer(RecordState::Sealed, "d"), Decision::Answer(Claim::Sealed));
        assert!(matches!(answer(RecordState::Running, "e"), Decision::Answer(Claim::Changed { done: false, .. })));
        assert!(matches!(answer(RecordState::Done, "e"), Decision::Answer(Claim::Changed { done: true, .. })));
    }

    #[test]
    fn marks_of_another_state_directory_cannot_be_continued() {
        let mut seen = seen(RecordState::Running, "d", None);
        seen.record.as_mut().unwrap().run = "elsewhere".into();
        assert!(matches!(decide(&seen, &claimant(), &[]), Decision::Take { ours: false, .. }));
    }

    #[test]
    fn what_another_process_has_changed_at_the_source_is_taken_over() {
        let setting = |was: &str| [("limit".to_owned(), (was.to_owned(), "0".to_owned()))].into();
        let taken = |run: &str, settings| {
            let mut seen = seen(RecordState::Running, "d", None);
            let record = seen.record.as_mut().unwrap();
            (record.run, record.settings) = (run.to_owned(), setting("64"));
            match decide(&seen, &Claimant { settings, ..claimant() }, &[]) {
                Decision::Take { record, .. } => record.settings,
                Decision::Answer(claim) => panic!("{claim:?}"),
            }
        };
        assert_eq!(taken("elsewhere", ChangedSettings::new()), setting("64"));
        assert_eq!(taken("elsewhere", setting("0")), setting("64"), "who came first knows what it was");
        assert_eq!(taken("r", ChangedSettings::new()), ChangedSettings::new(), "this run has put it back");
    }

    #[test]
    fn a_token_from_before_ours_is_told_apart() {
        assert!(
            is_before("9:here", "10:here") && !is_before("10:here", "10:there") && !is_before("11:here", "10:here")
        );
        assert!(!is_before("done", "10:here") && !is_before("sealed", "10:here") && !is_before("", "10:here"));
    }

    #[test]
    fn the_first_claim_notes_what_was_occupied() {
        let decision = decide(&LeaseState::default(), &claimant(), &[Db(1)]);
        assert!(matches!(decision, Decision::Take { ours: true, ref record, .. } if record.occupied == [Db(1)]));
    }
}
