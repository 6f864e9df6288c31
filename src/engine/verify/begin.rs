//! What a comparison needs to know of both servers before it begins.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use async_channel::Sender;
use async_std::task::JoinHandle;
use redis::cmd;

use crate::{
    compare::{self, Begun, CompareEvent, CompareFault, ComparedServer, Recheck, Setup},
    engine::{Servers, ending::Ending, run::Run, servers},
    net::{Access, Control, ControlError},
    sink::{RecordKeys, RunRecord},
    step::{Graph, Side, VerifyWork},
    unit::Db,
};

/// Pairs of connections where the plan says nothing else.
const WORKERS: u32 = 4;

/// The files of a comparison in a run, and of one by itself.
const IN_A_RUN: &str = "verify.json";
pub(super) const ALONE: &str = "verify-alone.json";

/// Begins a comparison within a run, at the end of its copying or between the fence and the seal. Whoever asks takes what it
/// tells, judges the result by [`super::verdict`], and ends it.
pub(in crate::engine) async fn begin(run: &Run, work: &VerifyWork) -> Result<Begun, Ending> {
    let mut setup = setup((&run.request.graph, &run.request.servers), work, Recheck::Alone).await?;
    setup.seed = seed(run);
    setup.checkpoint = checkpoint(&run.request.state_dir, IN_A_RUN, &run.request.digest, &setup);
    Ok(compare::begin(setup))
}

/// Begins a comparison beside a step that goes on meanwhile. What it tells, and why it could not begin, goes to `tell`.
pub(in crate::engine) fn beside(
    run: &Run,
    work: &VerifyWork,
    recheck: Recheck,
    tell: Sender<CompareEvent>,
) -> JoinHandle<()> {
    let (graph, servers, work) = (run.request.graph.clone(), run.request.servers.clone(), work.clone());
    let seed = seed(run);
    async_std::task::spawn(async move {
        match setup((&graph, &servers), &work, recheck).await {
            Ok(setup) => compare::tell_to(Setup { seed, ..setup }, tell).await,
            Err(fault) => _ = tell.send(CompareEvent::Done(Box::new(Err(fault)))).await,
        }
    })
}

/// The keys of a sample are the same in every process of a run.
fn seed(run: &Run) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, run.journal.state().run.as_bytes())
}

/// Where a comparison notes how far it is, and what must be the same for another process to go on with it. Nothing is noted
/// where a server does not say which process it is.
pub(super) fn checkpoint(state_dir: &Path, name: &str, digest: &str, setup: &Setup) -> Option<(PathBuf, String)> {
    let (source, destination) = (&setup.source.process, &setup.destination.process);
    let known = !source.is_empty() && !destination.is_empty() && state_dir.is_dir();
    known.then(|| (state_dir.join(name), format!("{digest} {} {source} {destination}", setup.mode)))
}

/// Asks both servers.
pub(super) async fn setup(
    (graph, servers): (&Graph, &Servers),
    work: &VerifyWork,
    recheck: Recheck,
) -> Result<Setup, CompareFault> {
    let at = |side| move |error| CompareFault::Control { side, error };
    let there = destination(graph, &servers.destination).await.map_err(at(Side::Destination))?;
    let (record, skipped, destination) = there;
    let source = source(&servers.source).await.map_err(at(Side::Source))?;
    let connections = crate::engine::run::limits(graph).and_then(|limits| limits.connections).unwrap_or(WORKERS);
    Ok(Setup {
        source,
        destination,
        selection: work.selection.clone(),
        mode: work.mode,
        seed: 0,
        rate: work.rate.map(|rate| rate.0),
        workers: usize::try_from(connections).unwrap_or(1),
        skipped,
        occupied: record.map(|record| record.occupied).unwrap_or_default(),
        recheck,
        checkpoint: None,
        only: None,
    })
}

async fn source(access: &Access) -> Result<ComparedServer, ControlError> {
    let mut control = access.control().await?;
    server(&mut control, access).await
}

/// The destination, what it knows of the run, and the keys that the copy left as they were.
async fn destination(
    graph: &Graph,
    access: &Access,
) -> Result<(Option<RunRecord>, HashSet<Vec<u8>>, ComparedServer), ControlError> {
    let mut control = access.control().await?;
    let keys = RecordKeys::of(&graph.name);
    let record = record(&mut control, &keys).await?;
    let skipped = skipped(&mut control, &keys).await?;
    let mut destination = server(&mut control, access).await?;
    destination.deferred = record.as_ref().is_some_and(|record| record.deadlines.defers());
    Ok((record, skipped, destination))
}

/// The keys that the copy left as they were.
async fn skipped(control: &mut Control, keys: &RecordKeys) -> Result<HashSet<Vec<u8>>, ControlError> {
    let (mut found, mut cursor) = (HashSet::new(), 0u64);
    loop {
        let scan = cmd("SSCAN").arg(&keys.skipped).arg(cursor).arg("COUNT").arg(1000).clone();
        let (next, members): (u64, Vec<Vec<u8>>) = control.query(&scan).await?;
        found.extend(members);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

/// The run record; `None` where the destination has none. One that cannot be read is an error, for it may say what is the run's.
pub(super) async fn record(control: &mut Control, keys: &RecordKeys) -> Result<Option<RunRecord>, ControlError> {
    let fields: BTreeMap<String, String> = control.query(cmd("HGETALL").arg(&keys.run)).await?;
    if fields.is_empty() {
        return Ok(None);
    }
    let unreadable = || ControlError::Unexpected {
        address: control.address().clone(),
        command: "HGETALL".to_owned(),
        seen: format!("a run record in `{}` that this version cannot read", keys.run),
    };
    RunRecord::read(&fields).map(Some).ok_or_else(unreadable)
}

async fn server(control: &mut Control, access: &Access) -> Result<ComparedServer, ControlError> {
    let info = servers::info(control).await?;
    let mut keys: Vec<(Db, u64)> = info.keyspace().into_iter().map(|(db, space)| (db, space.keys)).collect();
    if keys.is_empty() {
        keys = counted(control).await?;
    }
    Ok(ComparedServer {
        access: access.clone(),
        version: servers::version_of(&info),
        clock_ahead: servers::clock_ahead(control).await?,
        process: info.run_id().unwrap_or_default().to_owned(),
        deferred: false,
        keys,
    })
}

/// The databases that hold keys, of a server whose INFO does not tell.
async fn counted(control: &mut Control) -> Result<Vec<(Db, u64)>, ControlError> {
    let mut found = vec![];
    for db in 0..servers::databases(control).await? {
        control.command(cmd("SELECT").arg(db)).await?;
        let size: u64 = control.query(&cmd("DBSIZE")).await?;
        found.extend((size > 0).then_some((Db(db), size)));
    }
    control.command(cmd("SELECT").arg(0)).await?;
    Ok(found)
}
