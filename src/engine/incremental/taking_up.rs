//! Taking up where the stream stands, before following begins.

use std::time::Duration;

use super::setup::There;
use crate::{
    engine::{
        ending::Ending,
        intake::{self, DumpPlace, Intake},
        run::Run,
        servers,
        teller::Teller,
    },
    journal::Record,
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{Checkpoint, Lease},
    step::{Event, StepId},
    store::spool::{Level, remove_all},
    unit::{ServerVersion, UnixMillis},
};

/// How long a source that does not answer is left alone before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Learns where the stream goes on, and the source's clock minus ours. A source that does not answer is waited for, as it
/// is while it is followed.
pub(super) async fn prepare(
    run: &mut Run,
    lease: &Lease,
    control: &mut Control,
    teller: &mut Teller<'_>,
) -> Result<(There, i64), Ending> {
    let mut there = There::ask(control, lease).await?;
    if run.journal.state().follow_began.is_none() {
        run.journal.append(&Record::FollowBegan { at: UnixMillis::now() })?;
    }
    // Only the copy needed it, and its room is the stream's now.
    remove_all(&run.spool(there.record.generation))?;
    let mut last = String::new();
    loop {
        let fault = match ask_source(run).await {
            Ok((source_ahead, version)) => {
                there.source = version;
                return Ok((there, source_ahead));
            }
            Err(fault) if fault.retryable() => fault.to_string(),
            Err(fault) => return Err(fault.into()),
        };
        if fault != last {
            teller.tell(Event::Waiting { step: StepId::Incremental, reason: format!("source: {fault}") });
            last = fault;
        }
        // Nothing is ever sent: the channel is closed when a stop is asked for.
        if async_std::future::timeout(ASK_AGAIN, run.request.stop.recv()).await.is_ok() {
            return Err(Ending::of(
                &runs::STOPPED_BY_SIGNAL,
                "Stopped while the source did not answer. The same command goes on.",
            ));
        }
        lease.renew(control).await?;
    }
}

async fn ask_source(run: &Run) -> Result<(i64, Option<ServerVersion>), ControlError> {
    let graph = &run.request.graph;
    let mut source = servers::connect(&graph.source, run.request.passwords.source.as_ref()).await?;
    let ahead = servers::clock_ahead(&mut source).await?;
    Ok((ahead, crate::source::survey(&mut source).await?.version))
}

/// Goes on with a stream that an earlier process took in. What is spooled here counts only if the checkpoint is of a
/// history that was spooled here: another process may have followed a failover since, which what is here knows nothing of.
pub(super) fn take_up(run: &mut Run, there: &There) -> Result<Intake, Ending> {
    let (generation, Checkpoint { replid, offset, .. }) = (there.record.generation, there.checkpoint);
    let known = run.journal.state().dump.as_ref().filter(|dump| dump.generation == generation);
    let is_known = known.is_some();
    let spooled = known.filter(|dump| dump.ids.contains(&replid)).and_then(|dump| dump.replid);
    if spooled.is_none() {
        remove_all(&run.stream(generation).folder)?;
    }
    if !is_known {
        // Another process has copied anew since.
        run.journal.append(&Record::DumpStarted { generation })?;
        run.journal.append(&Record::History { generation, replid, offset })?;
    } else if spooled.is_none() {
        run.journal.append(&Record::Renamed { generation, replid })?;
    }
    let (folder, tag) = (run.spool(generation), run.spool_tag(generation));
    let place = DumpPlace { folder, tag, level: Level::default(), drains: true };
    intake::resume(run.intake(place, generation), spooled.unwrap_or(replid), offset)
}
