//! Where a full copy begins: in the middle of a dump that is whole in the spool, or with a new dump.

use crate::{
    engine::{ending::Ending, run::Run, servers, settings::Setting, teller::Teller},
    journal::{DumpState, Record},
    net::Control,
    rdb::SafePoint,
    sink::{Checkpoint, Claim, Destination, Lease, Mark, RunRecord, UndoFault, clear_databases, undo},
    step::{FullWork, OnConflict, Work},
    store::spool::stored,
    unit::Db,
};

/// How a full copy stands before it begins.
pub(super) enum Started {
    /// There is something to copy.
    Copying(Box<Start>),
    /// An earlier process has copied everything, with this state directory or another: the stream goes on from the
    /// checkpoint at the destination.
    Copied(Box<(Lease, u32, Checkpoint)>),
}

/// The right to write and where writing begins.
pub(super) struct Start {
    pub(super) lease: Lease,
    pub(super) destination: Destination,
    pub(super) generation: u32,
    pub(super) marks: Vec<Mark>,
    /// Databases that held keys when the run first took the lease.
    pub(super) occupied: Vec<Db>,
    /// The dump that goes on; `None` begins a new one.
    pub(super) going_on: Option<GoingOn>,
}

/// A whole dump in the spool.
pub(super) struct GoingOn {
    pub(super) bytes: u64,
    pub(super) from: Option<SafePoint>,
    pub(super) keys: u64,
}

/// Takes the lease and finds out where to begin; takes back what an earlier dump left that cannot go on.
pub(super) async fn start(
    run: &mut Run,
    work: &FullWork,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<Started, Ending> {
    let (lease, mut record, ours) = claim(run, control, teller).await?;
    let dump = run.journal.state().dump.clone();
    // This state directory may know that the stream of that copy cannot go on.
    let given_up = dump
        .as_ref()
        .is_some_and(|dump| ours && dump.generation == record.generation && (dump.lost || dump.left.is_some()));
    if let Some(checkpoint) = record.stream.filter(|_| run.follows() && !given_up) {
        return Ok(Started::Copied(Box::new((lease, record.generation, checkpoint))));
    }
    let destination = servers::destination(control, &run.keys.token).await?;
    let lanes = work.limits.connections;
    let going_on = if ours { whole_dump(run, &record, dump.as_ref(), lanes, teller)? } else { None };
    if going_on.is_none() {
        if record.generation > 0 {
            let why = why_anew(ours, dump.as_ref());
            teller.notice(format!("{why}; a new full copy begins after what was written from it is taken back."));
            take_back(run, work, control, (&lease, &record, ours), &destination, teller).await?;
        }
        let lanes = work.limits.connections_at(servers::round_trip(control).await?);
        lease.begin_generation(control, &mut record, lanes as usize).await?;
        run.journal.append(&Record::DumpStarted { generation: record.generation })?;
        run.remove_spools(Some(record.generation))?;
    }
    let (generation, marks, occupied) = (record.generation, record.marks, record.occupied);
    Ok(Started::Copying(Box::new(Start { lease, destination, generation, marks, occupied, going_on })))
}

/// Takes the lease, and what another process has left to be put back at the source: a fence is put back at once.
pub(in crate::engine) async fn claim(
    run: &mut Run,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(Lease, RunRecord, bool), Ending> {
    let mut occupied = vec![];
    for db in servers::info(control).await?.keyspace().into_keys() {
        if servers::foreign_keys(control, db).await? > 0 {
            occupied.push(db);
        }
    }
    match crate::sink::claim(control, &run.keys, &run.claimant(), &occupied).await? {
        Claim::Taken { lease, record, ours } => {
            run.settings_are_shared = true;
            if run.adopt_settings(&record.settings)?
                && let Err(ending) = run.restore_settings(&Setting::FENCE, teller).await
            {
                // The next process, which tries again, need not wait for the heartbeat to end.
                lease.release(control).await?;
                return Err(ending);
            }
            Ok((lease, *record, ours))
        }
        claim => Err(Ending::of_claim(&claim, &run.keys.run)
            .unwrap_or_else(|| Ending::failed("the lease was neither granted nor refused"))),
    }
}

/// The dump of the journal, if all of it that is still needed is in the spool.
fn whole_dump(
    run: &Run,
    record: &RunRecord,
    dump: Option<&DumpState>,
    lanes: Option<u32>,
    teller: &mut Teller<'_>,
) -> Result<Option<GoingOn>, Ending> {
    let as_many = lanes.is_none_or(|lanes| record.marks.len() == lanes as usize);
    let Some(dump) = dump.filter(|dump| dump.generation == record.generation && as_many) else {
        return Ok(None);
    };
    let Some(bytes) = dump.received.filter(|_| !dump.lost && dump.left.is_none()) else { return Ok(None) };
    let stored = stored(&run.spool(dump.generation), run.spool_tag(dump.generation))?.map_or(0, |stored| stored.end);
    if stored < bytes {
        teller.notice(format!("The spool holds {stored} of the dump's {bytes} bytes."));
        return Ok(None);
    }
    if dump.safe_point.is_some_and(|point| record.marks.iter().any(|mark| mark.at < point.at)) {
        teller.notice("The destination has lost writes that it had confirmed.");
        return Ok(None);
    }
    Ok(Some(GoingOn { bytes, from: dump.safe_point, keys: dump.keys }))
}

fn why_anew(ours: bool, dump: Option<&DumpState>) -> String {
    if let Some(key) = dump.and_then(|dump| dump.left.as_ref()).filter(|_| ours) {
        return format!("The last attempt stopped because the key `{key}` could not be written");
    }
    let why = match dump {
        _ if !ours => "The run was begun from another state directory, and its dump is not here",
        None => "This state directory has no dump of this run",
        Some(DumpState { lost: true, .. }) => {
            "This run's dump cannot be gone on with (it was damaged, or the stream behind it broke)"
        }
        Some(DumpState { received: None, .. }) => {
            "This run's dump was not received to its end, and a source never goes on with one"
        }
        Some(_) => "This run's dump cannot go on from what the spool and the destination hold",
    };
    why.to_owned()
}

/// Takes back all that the run has written, where it is known what that is.
pub(in crate::engine) async fn take_back_all(
    run: &Run,
    control: &mut Control,
    record: (&Lease, &RunRecord, bool),
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let work = run.request.graph.steps.iter().find_map(|step| match &step.work {
        Work::Full(work) => Some(work.clone()),
        _ => None,
    });
    let Some(work) = work.filter(|_| record.1.generation > 0) else { return Ok(()) };
    let destination = servers::destination(control, &run.keys.token).await?;
    take_back(run, &work, control, record, &destination, teller).await
}

/// Takes back what was written from a dump that cannot go on.
async fn take_back(
    run: &Run,
    work: &FullWork,
    control: &mut Control,
    (lease, record, ours): (&Lease, &RunRecord, bool),
    destination: &Destination,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    if record.marks.iter().all(|mark| *mark == Mark::default()) {
        return Ok(());
    }
    if ours && record.stream.is_none() {
        let folder = run.spool(record.generation);
        let tag = run.spool_tag(record.generation);
        let stored = stored(&folder, tag)?.map_or(0, |stored| stored.end);
        let place = (folder.as_path(), tag, stored);
        match undo(control, lease, record, place, (&work.selection, destination)).await {
            Ok(keys) => {
                teller.notice(format!("{keys} keys that the earlier dump had brought were taken back."));
                return Ok(());
            }
            Err(UndoFault::Lease(fault)) => return Err(fault.into()),
            Err(UndoFault::Short | UndoFault::Spool(_)) => {}
        }
    }
    let all: Vec<Db> = (0..destination.databases).map(Db).collect();
    let targets = work.selection.targets(&all);
    // Once the stream is applied, what the run wrote is no longer what its dump holds.
    let known = (work.on_conflict == OnConflict::Fail || record.stream.is_some())
        && !targets.iter().any(|db| record.occupied.contains(db));
    if known {
        clear_databases(control, lease, record, &targets, destination.knows_async_flush()).await?;
        teller.notice("The databases, which were empty when this run began, were emptied.");
        return Ok(());
    }
    let why = if record.stream.is_some() {
        "The source's stream was applied on top of an earlier dump, and the destination's databases held keys of others when \
         this run began, so which keys are this run's is not known"
    } else {
        "An earlier dump of this run was partly written, and the spool that says which keys came from it is lost"
    };
    Err(Ending::failed(format!(
        "{why}. Nothing was deleted, because keys of others may be among them. Empty the destination's databases yourself, \
         delete the hash `{}` there, and apply again.",
        run.keys.run
    )))
}
