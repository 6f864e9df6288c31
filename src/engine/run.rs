//! What the steps of one process share.

use std::path::{Path, PathBuf};

use super::{
    ApplyRequest,
    ending::Ending,
    gate::Gate,
    intake::{DumpPlace, IntakeSetup, StreamPlace},
    pace::Throttle,
    steering::{PendingOrder, StatusBoard, Steering},
};
use crate::{
    journal::{Journal, Record},
    plan::fault::catalogue::runs,
    sink::{self, Checkpoint, Claimant, DeadlinePass, NotedSettings, RecordKeys},
    step::{
        Activity, CutoverWork, Event, FullWork, Graph, Limits, OnConflict, Selection, Status, StepId, VerifyWork, Work,
    },
    store::{
        FolderLock, KeyLog,
        own::{NotOurs, OwnFolder},
    },
    unit::{ByteSize, Db, UnixMillis},
};
use async_channel::Receiver;

/// One process at work on a run.
pub(super) struct Run {
    pub(super) request: ApplyRequest,
    pub(super) journal: Journal,
    claimant: Claimant,
    /// The destination knows what this run has changed at the source: whoever takes the run over puts it back.
    pub(super) settings_are_shared: bool,
    /// What it has changed there and not put back yet.
    pub(super) noted: NotedSettings,
    pub(super) keys: RecordKeys,
    /// Commands a second to the destination.
    pub(super) writes: Throttle,
    /// Bytes a second from the source.
    pub(super) bandwidth: Throttle,
    /// What operators ask.
    pub(super) asked: Receiver<PendingOrder>,
    /// An order to end the run for good, to be answered once that is done.
    pub(super) abort: Option<PendingOrder>,
    /// Operators who wait until nothing is written any more.
    pub(super) pausing: Vec<PendingOrder>,
    /// Closed while the run is paused.
    pub(super) gate: Gate,
    /// How the run stands, for whoever asks.
    pub(super) board: StatusBoard,
    /// What never changes of how it stands.
    pub(super) blank: Status,
    /// When the traffic was last told.
    pub(super) metered_at: Option<std::time::Instant>,
    /// The control socket; `None` when it could not be opened.
    pub(super) steering: Option<Steering>,
    _lock: FolderLock,
}

impl Run {
    /// Locks the state directory and takes its journal up, or begins one.
    pub(super) fn open(request: ApplyRequest) -> Result<Self, Ending> {
        let folder = &request.state_dir;
        let unusable = |error: &dyn std::fmt::Display| {
            Ending::of(
                &runs::STATE_UNUSABLE,
                format!(
                    "The state directory {} cannot be used: {error}. Make it writable or point --state elsewhere.",
                    folder.display()
                ),
            )
        };
        OwnFolder::make(folder).and_then(|folder| folder.inspect()).map_err(|error| match NotOurs::of(&error) {
            Some(fault) => not_ours(folder, fault),
            None => unusable(&error),
        })?;
        let lock = FolderLock::take(folder).map_err(|error| match error {
            crate::store::LockError::Held => Ending::of(
                &runs::STATE_IN_USE,
                format!("Another process works in the state directory {}.", folder.display()),
            ),
            crate::store::LockError::Io(error) => unusable(&error),
        })?;
        let name = &request.graph.name;
        let mut journal = match Journal::open(folder, name, &request.digest)? {
            Some(journal) => journal,
            None => Journal::create(folder, &first_record(&request))?,
        };
        let state = journal.state();
        let owner = owner();
        let claimant = Claimant {
            run: state.run.clone(),
            digest: request.digest.clone(),
            owner: owner.clone(),
            previous: state.owners.clone(),
            settings: sink::ChangedSettings::new(),
            databases: None,
        };
        let keys = RecordKeys::of(name);
        if state.ended != Some(crate::step::Outcome::Done) {
            let number = state.attempts + 1;
            journal.append(&Record::Attempt { number, owner, at: UnixMillis::now() })?;
        }
        let noted = NotedSettings::default();
        noted.set(journal.state().settings.clone());
        let blank = blank(&request, &journal);
        let board = StatusBoard::new(blank.clone());
        let (steering, asked) = match Steering::open(folder, board.clone()) {
            Ok((steering, asked)) => (Some(steering), asked),
            Err(error) => {
                tracing::warn!("this process cannot be steered: no control socket in {}: {error}", folder.display());
                (None, async_channel::bounded(1).1)
            }
        };
        let limits = limits(&request.graph);
        let writes = Throttle::new(limits.and_then(|limits| limits.writes).map(|rate| rate.0));
        let bandwidth = Throttle::new(limits.and_then(|limits| limits.bandwidth).map(|rate| rate.0));
        Ok(Self {
            request,
            journal,
            claimant,
            settings_are_shared: false,
            noted,
            keys,
            writes,
            bandwidth,
            asked,
            abort: None,
            pausing: vec![],
            gate: Gate::open(),
            board,
            blank,
            metered_at: None,
            steering,
            _lock: lock,
        })
    }

    /// That this process begins its work on the run.
    pub(super) fn started(&self) -> Event {
        let state = self.journal.state();
        Event::RunStarted {
            run: state.run.clone(),
            plan: self.request.graph.name.clone(),
            digest: self.request.digest.clone(),
            attempt: state.attempts,
        }
    }

    pub(super) fn is_done(&self, step: StepId) -> bool {
        self.journal.state().done.contains(&step)
    }

    /// Whether somebody asked for a stop.
    pub(super) fn stopping(&self) -> bool {
        self.request.stop.is_closed()
    }

    /// Who asks for the lease.
    pub(super) fn claimant(&self) -> Claimant {
        Claimant { settings: self.journal.state().settings.clone(), ..self.claimant.clone() }
    }

    /// The folder of the spool of dump number `generation`.
    pub(super) fn spool(&self, generation: u32) -> PathBuf {
        self.request.state_dir.join(format!("spool-{generation}"))
    }

    /// The tag of that spool's segments: a spool of another run or dump is not taken for this one.
    pub(super) fn spool_tag(&self, generation: u32) -> u64 {
        let name = format!("{} {generation}", self.journal.state().run);
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, name.as_bytes())
    }

    /// Whether all data has moved: what is left to do concerns the end.
    pub(super) fn has_moved(&self) -> bool {
        let steps = self.request.graph.steps.iter().map(|step| step.id);
        steps.filter(|id| matches!(id, StepId::Full | StepId::Incremental)).all(|id| self.is_done(id))
    }

    /// How both sides are compared, in a plan that says so.
    pub(super) fn verify_work(&self) -> Option<&VerifyWork> {
        self.request.graph.steps.iter().find_map(|step| match &step.work {
            Work::Verify(work) => Some(work),
            _ => None,
        })
    }

    /// How the writers move over, in a plan that says so.
    pub(super) fn cutover_work(&self) -> Option<&CutoverWork> {
        self.request.graph.steps.iter().find_map(|step| match &step.work {
            Work::Cutover(work) => Some(work),
            _ => None,
        })
    }

    /// Whether the run is sealed: what is left to do is behind the cutover.
    pub(super) fn is_sealed(&self) -> bool {
        self.journal.state().sealed.is_some()
    }

    /// Whether the source is followed after the copy.
    pub(super) fn follows(&self) -> bool {
        self.request.graph.steps.iter().any(|step| step.id == StepId::Incremental)
    }

    /// The plan's bound on what is spooled.
    pub(super) fn spool_bound(&self) -> ByteSize {
        spool_bound(&self.request.graph)
    }

    /// The databases of a destination with so many that the run writes to.
    pub(super) fn targets(&self, databases: u32) -> Vec<Db> {
        let all: Vec<Db> = (0..databases).map(Db).collect();
        self.selection().map_or_else(|| all.clone(), |selection| selection.targets(&all))
    }

    /// What the plan's copy does.
    pub(super) fn full_work(&self) -> Option<&FullWork> {
        self.request.graph.steps.iter().find_map(|step| match &step.work {
            Work::Full(work) => Some(work),
            _ => None,
        })
    }

    /// Which keys move, and to which database.
    pub(super) fn selection(&self) -> Option<&Selection> {
        self.full_work().map(|work| &work.selection)
    }

    /// What a key that exists already means.
    pub(super) fn on_conflict(&self) -> OnConflict {
        self.full_work().map_or(OnConflict::Fail, |work| work.on_conflict)
    }

    /// Where the stream behind dump number `generation` is spooled.
    pub(super) fn stream(&self, generation: u32) -> StreamPlace {
        let folder = self.request.state_dir.join(format!("stream-{generation}"));
        StreamPlace { folder, tag: self.spool_tag(generation).rotate_left(32) }
    }

    /// What taking in dump number `generation` needs.
    pub(super) fn intake(&self, dump: DumpPlace, generation: u32) -> IntakeSetup {
        IntakeSetup {
            source: self.request.servers.source.clone(),
            bandwidth: self.bandwidth.clone(),
            spool: self.spool_bound(),
            dump,
            stream: self.follows().then(|| self.stream(generation)),
        }
    }

    /// Where the stream behind the newest dump begins, under the id that the source goes by now.
    pub(super) fn stream_begins(&self) -> Result<Checkpoint, Ending> {
        let dump = self.journal.state().dump.as_ref();
        let begins = dump.and_then(|dump| {
            let (replid, offset) = dump.history?;
            Some(Checkpoint { offset, replid: dump.replid.unwrap_or(replid), db: dump.db })
        });
        begins.ok_or_else(|| Ending::failed("The journal does not say where the source's stream begins."))
    }

    /// Removes the lists that making deadlines exact needed.
    pub(super) fn remove_deadline_lists(&self) -> Result<(), Ending> {
        let folder = &self.request.state_dir;
        for list in [DeadlinePass::ledger(folder), DeadlinePass::remembered(folder)] {
            KeyLog::remove(&list)
                .map_err(|error| Ending::failed(format!("{} cannot be removed: {error}.", list.display())))?;
        }
        Ok(())
    }

    /// Removes the spools of all dumps but one; `None` removes all.
    pub(super) fn remove_spools(&self, except: Option<u32>) -> Result<(), Ending> {
        if except.is_none() {
            self.remove_deadline_lists()?;
        }
        let newest = self.journal.state().dump.as_ref().map_or(0, |dump| dump.generation);
        for generation in 1..=newest {
            if Some(generation) != except {
                crate::store::spool::remove_all(&self.spool(generation))?;
                crate::store::spool::remove_all(&self.stream(generation).folder)?;
            }
        }
        Ok(())
    }
}

/// The bounds of the copy, which are those of the run.
pub(super) fn limits(graph: &Graph) -> Option<&Limits> {
    graph.steps.iter().find_map(|step| match &step.work {
        Work::Full(work) => Some(&work.limits),
        _ => None,
    })
}

fn spool_bound(graph: &Graph) -> ByteSize {
    limits(graph).map_or(ByteSize(u64::MAX), |limits| limits.spool)
}

/// How a run stands of which nothing is known but what it is.
fn blank(request: &ApplyRequest, journal: &Journal) -> Status {
    Status {
        format: 1,
        plan: request.graph.name.clone(),
        run: journal.state().run.clone(),
        digest: request.digest.clone(),
        pid: std::process::id(),
        at: UnixMillis::now(),
        step: None,
        activity: Activity::Preparing,
        reasons: vec![],
        full: None,
        following: None,
        backlog_lasts: None,
        spool_lasts: None,
        settling: None,
        spool_limit: spool_bound(&request.graph),
        bandwidth: None,
        writes: None,
        conditions: vec![],
        can_cutover: false,
        blockers: vec!["the run does not follow the source yet".to_owned()],
    }
}

fn first_record(request: &ApplyRequest) -> Record {
    let at = UnixMillis::now();
    let run = format!("{}-{:08x}", stamp(at), std::process::id() ^ nanos());
    Record::Run { format: 2, run, plan: request.graph.name.clone(), digest: request.digest.clone(), at }
}

fn stamp(at: UnixMillis) -> String {
    at.to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect()
}

fn nanos() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos())
}

/// Names this process so that a person can find it: host, process, start.
pub(super) fn owner() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}/{}", std::process::id(), UnixMillis::now())
}

/// What anybody else could have written is not believed.
pub(super) fn not_ours(folder: &Path, fault: &NotOurs) -> Ending {
    Ending::of(
        &runs::STATE_NOT_OURS,
        format!(
            "The state directory {} is not trusted: {fault}. Nothing in it was read, and neither server was changed. Find out \
             who wrote it, move it away, or name a directory of your own with `--state`.",
            folder.display()
        ),
    )
}
