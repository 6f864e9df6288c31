//! Making all deadlines exact of a run that no process follows any more.

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use async_channel::bounded;

use crate::{
    engine::{background, ending::Ending, run::Run, servers},
    net::Control,
    sink::{
        BatchSize, DeadlineJob, DeadlinePass, DeadlineStep, Destination, InFlight, Job, Lane, LaneSetup,
        LargeValuePermits, Lease, Mark, Part, RunRecord,
    },
    step::{OnConflict, Selection},
    store::spool::SpoolLevel,
    unit::Db,
};

/// How long a destination may be unreachable.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pass over the databases that the run writes to.
pub(super) fn pass(
    run: &Run,
    selection: &Selection,
    (destination, left_alone): (&Destination, Arc<HashSet<Vec<u8>>>),
    (ahead, doubtful): (Option<Duration>, bool),
) -> DeadlinePass {
    let named = selection.named().into_iter().map(|db| db.0.saturating_add(1)).max().unwrap_or(0);
    let all: Vec<Db> = (0..destination.databases.max(named)).map(Db).collect();
    let sources = |to: Db| all.iter().copied().filter(|from| selection.targets(&[*from]).contains(&to)).collect();
    let targets = selection.targets(&all).into_iter().filter(|db| db.0 < destination.databases);
    DeadlinePass {
        databases: targets.map(|db| (db, sources(db))).collect(),
        selection: selection.clone(),
        left_alone,
        ahead,
        doubtful,
        folder: run.request.state_dir.clone(),
    }
}

/// Makes all deadlines exact of a run that no process follows any more; answers how many.
pub(in crate::engine) async fn settle_at_once(
    run: &Run,
    lease: &Lease,
    record: &RunRecord,
    control: &mut Control,
) -> Result<u64, Ending> {
    let Some(selection) = run.selection().filter(|_| record.deadlines.defers()) else { return Ok(0) };
    let destination = servers::destination(control, &run.keys.token).await?;
    let left_alone = Arc::new(servers::left_alone(control, &run.keys).await?);
    let pass = pass(run, selection, (&destination, left_alone), (None, false));
    let (part, from) = match &record.stream {
        Some(checkpoint) => (Part::Stream, Mark { at: checkpoint.offset.0, elements: 0 }),
        None => (Part::Dump(0), record.marks.first().copied().unwrap_or_default()),
    };
    let setup = LaneSetup {
        part,
        access: run.request.servers.destination.clone(),
        destination,
        keys: run.keys.clone(),
        token: lease.token.clone(),
        from,
        on_conflict: OnConflict::Replace,
        clock_ahead: servers::clock_ahead(control).await?,
        spool: PathBuf::new(),
        spool_tag: 0,
        level: SpoolLevel::default(),
        turns: LargeValuePermits::new(),
        patience: PATIENCE,
        size: BatchSize::new(1),
    };
    let (jobs, work) = bounded(1);
    let (reports, heard) = bounded(64);
    let lane = Lane::new(setup, work, reports, InFlight::new(1));
    let (told, ended) = bounded(1);
    let working = background::own_thread(move || async move {
        let _ = told.send(lane.run().await).await;
    });
    // A pass may take longer than the lease lasts without a heartbeat, and the lane may tell more than a channel holds.
    let hearing = async_std::task::spawn(async move { while heard.recv().await.is_ok() {} });
    let (signals, lost) = bounded(1);
    let beating = background::heartbeat(run, lease.clone(), signals, |fault| fault, None);
    let mut step = DeadlineStep::Begin(Box::new(pass));
    let mut written = 0;
    let mut outcome = Ok(());
    loop {
        let (reply, replied) = bounded(1);
        let sent = jobs.send(Job::Deadlines(Box::new(DeadlineJob { step, reply }))).await;
        match replied.recv().await {
            Ok(settled) if sent.is_ok() => {
                written = settled.written;
                if settled.done {
                    break;
                }
            }
            _ => break, // The lane says why below.
        }
        if let Ok(fault) = lost.try_recv() {
            outcome = Err(Ending::of_lost(fault));
            break;
        }
        step = DeadlineStep::Page;
    }
    drop(jobs);
    working.await;
    background::end([beating, hearing]).await;
    outcome?;
    ended.recv().await.unwrap_or(Ok(()))?;
    run.remove_deadline_lists()?;
    Ok(written)
}
