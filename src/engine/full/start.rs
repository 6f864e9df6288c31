//! Where a full copy begins: in the middle of a dump that is whole in the spool, or with a new dump.

use std::collections::BTreeSet;

use super::recopy::{KeyCounts, keys_in};
use crate::{
    engine::{admission, ending::Ending, run::Run, servers, settings::SourceSetting, teller::Teller},
    journal::{DumpState, Record},
    net::Control,
    plan::fault::catalogue::runs,
    rdb::SafePoint,
    sink::{
        Checkpoint, Claim, Claimant, DeadlineMode, Destination, Extent, Lease, LeaseFault, Libraries, Mark, Removed,
        RunRecord, UndoFault, clear_databases, undo,
    },
    step::FullWork,
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
    /// The destination's function libraries.
    pub(super) libraries: Libraries,
    /// Whether libraries of an earlier dump, which the record does not name, may be replaced.
    pub(super) replaces_libraries: bool,
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
    if record.generation == 0
        && let Err(ending) = admission::overlap(run, control).await
    {
        // Another run has begun at the same moment.
        lease.withdraw(control).await?;
        return Err(ending);
    }
    let dump = run.journal.state().dump.clone();
    // This state directory may know that the stream of that copy cannot go on.
    let given_up = record.left.is_some()
        || dump
            .as_ref()
            .is_some_and(|dump| ours && dump.generation == record.generation && (dump.lost || dump.left.is_some()));
    if let Some(checkpoint) = record.stream.filter(|_| run.follows() && !given_up) {
        return Ok(Started::Copied(Box::new((lease, record.generation, checkpoint))));
    }
    let mut destination = servers::destination(control, &run.keys.token).await?;
    let lanes = work.limits.connections;
    let going_on =
        if ours && record.left.is_none() { whole_dump(run, &record, dump.as_ref(), lanes, teller)? } else { None };
    if going_on.is_none() {
        if record.generation > 0 {
            let why = match &record.left {
                Some(left) => format!("This copy is not whole: {}", left.trim_end_matches('.')),
                None => why_anew(ours, dump.as_ref()),
            };
            let taken = take_back(run, work, control, (&lease, &mut record, ours), &destination, (&why, teller)).await;
            if let Err(ending) = taken {
                // The next process need not wait for the heartbeat to end; if this fails it does end.
                let _ = lease.release(control).await;
                return Err(ending);
            }
            teller.notice(format!("{why}; a new full copy begins."));
        }
        let lanes = work.limits.connections_at(servers::round_trip(control).await?);
        record.removed = Removed::ask(control).await?;
        // A copy that is not followed has exact deadlines: nothing that comes later prolongs a key.
        let deadlines = if run.follows() { DeadlineMode::Deferred } else { DeadlineMode::Exact };
        lease.begin_generation(control, &mut record, (lanes as usize, deadlines)).await?;
        run.journal.append(&Record::DumpStarted { generation: record.generation })?;
        run.remove_spools(Some(record.generation))?;
    }
    destination.expiry = servers::expiry(record.deadlines);
    let libraries = Libraries::new(&record, servers::libraries(control).await?.unwrap_or_default(), work.on_conflict);
    let replaces_libraries = record.generation > 1 && record.libraries.is_none();
    let (generation, marks, occupied) = (record.generation, record.marks, record.occupied);
    Ok(Started::Copying(Box::new(Start {
        lease,
        destination,
        generation,
        marks,
        occupied,
        libraries,
        replaces_libraries,
        going_on,
    })))
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
    let databases = Some(run.targets(servers::databases(control).await?));
    let claimant = Claimant { databases, ..run.claimant() };
    match crate::sink::claim(control, &run.keys, &claimant, &occupied).await? {
        Claim::Taken { lease, record, ours } => {
            run.settings_are_shared = true;
            if run.adopt_settings(&record.settings)?
                && let Err(ending) = run.restore_settings(&SourceSetting::FENCE, teller).await
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
            "This run cannot continue from its dump (it was damaged, or the stream after it broke)"
        }
        Some(DumpState { received: None, .. }) => {
            "This run's dump was not received to its end, and a source never resumes one"
        }
        Some(_) => "This run's dump cannot be resumed from what the spool and the destination hold",
    };
    why.to_owned()
}

/// Deletes all that the run has written, where it is known what that is; deletes nothing where it is not.
pub(in crate::engine) async fn take_back_all(
    run: &Run,
    control: &mut Control,
    record: (&Lease, &RunRecord, bool),
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let Some(work) = run.full_work().cloned().filter(|_| has_written(record.1)) else { return Ok(()) };
    let destination = servers::destination(control, &run.keys.token).await?;
    if take_back_known(run, &work, control, record, &destination, teller).await? {
        return Ok(take_back_libraries(control, record.0, record.1).await?);
    }
    let held = keys_in(control, &run.targets(destination.databases)).await?;
    let keys: u64 = held.iter().map(|(_, keys)| keys).sum();
    if keys == 0 {
        return Ok(());
    }
    Err(Ending::of(
        &runs::ABORT_HELD,
        format!(
            "The databases that this run writes to hold {keys} keys, and which of them came from this run could not be \
             verified: others may have written there since it began. Nothing was deleted, and the run is not aborted. `plan \
             abort` without `--delete` ends it and leaves the keys there; delete those that are yours to delete yourself."
        ),
    ))
}

/// Whether anything was written from the record's dump.
fn has_written(record: &RunRecord) -> bool {
    record.generation > 0 && (record.stream.is_some() || record.marks.iter().any(|mark| *mark != Mark::default()))
}

/// Takes back what was written from a dump that cannot be continued, because of `why`.
async fn take_back(
    run: &Run,
    work: &FullWork,
    control: &mut Control,
    (lease, record, ours): (&Lease, &mut RunRecord, bool),
    destination: &Destination,
    (why, teller): (&str, &mut Teller<'_>),
) -> Result<(), Ending> {
    if !has_written(record) {
        return Ok(());
    }
    let standing = KeyCounts::ask(run, work, control, (lease, record), destination.databases).await?;
    let known = written_known(run, work, control, (lease, record, ours), destination, Extent::Count).await?;
    if known.is_some_and(|written| standing.permits_taking_back(written, run.request.recopy))
        && take_back_known(run, work, control, (lease, record, ours), destination, teller).await?
    {
        take_back_libraries(control, lease, record).await?;
        record.libraries = record.libraries.take().map(|_| BTreeSet::new());
        return Ok(());
    }
    standing.permit(run, work.on_stream_lost, why)?;
    let targets = run.targets(destination.databases);
    clear_databases(control, lease, record, &targets, destination.knows_async_flush()).await?;
    take_back_libraries(control, lease, record).await?;
    record.libraries = record.libraries.take().map(|_| BTreeSet::new());
    record.occupied.retain(|db| !targets.contains(db));
    let agreed = if run.request.recopy.is_some() { "an operator" } else { "the plan" };
    teller.notice(format!("What was at the destination is deleted, as {agreed} agreed: {}.", standing.shown()));
    Ok(())
}

/// Deletes the function libraries that came from the source, as far as they are still there.
async fn take_back_libraries(control: &mut Control, lease: &Lease, record: &RunRecord) -> Result<(), LeaseFault> {
    let Some(ours) = record.libraries.as_ref().filter(|ours| !ours.is_empty()) else { return Ok(()) };
    // Where they may not be listed, each is named: the destination refuses one that is not there, and none is left in silence.
    let listed = servers::libraries(control).await?.unwrap_or_else(|| ours.iter().cloned().collect());
    let delete = |name: &String| redis::cmd("FUNCTION").arg("DELETE").arg(name).clone();
    let commands: Vec<redis::Cmd> = listed.iter().filter(|name| ours.contains(*name)).map(delete).collect();
    if commands.is_empty() { Ok(()) } else { lease.guarded(control, &commands).await }
}

/// Deletes what the run's dump has brought, where its spool says which keys that is; answers whether it does.
async fn take_back_known(
    run: &Run,
    work: &FullWork,
    control: &mut Control,
    record: (&Lease, &RunRecord, bool),
    destination: &Destination,
    teller: &mut Teller<'_>,
) -> Result<bool, Ending> {
    let Some(keys) = written_known(run, work, control, record, destination, Extent::Delete).await? else {
        return Ok(false);
    };
    teller.notice(format!("{keys} keys that the earlier dump had brought were taken back."));
    Ok(true)
}

/// Counts what the run's dump has brought, or deletes it too; `None` where its spool does not say which keys that is.
async fn written_known(
    run: &Run,
    work: &FullWork,
    control: &mut Control,
    (lease, record, ours): (&Lease, &RunRecord, bool),
    destination: &Destination,
    extent: Extent,
) -> Result<Option<u64>, Ending> {
    // Once the stream is applied, what the run wrote is no longer what its dump holds.
    if !ours || record.stream.is_some() {
        return Ok(None);
    }
    let folder = run.spool(record.generation);
    let tag = run.spool_tag(record.generation);
    let stored = stored(&folder, tag)?.map_or(0, |stored| stored.end);
    let place = (folder.as_path(), tag, stored);
    match undo(control, lease, record, place, (&work.selection, destination), extent).await {
        Ok(keys) => Ok(Some(keys)),
        Err(UndoFault::Lease(fault)) => Err(fault.into()),
        Err(UndoFault::Short | UndoFault::Spool(_)) => Ok(None),
    }
}
