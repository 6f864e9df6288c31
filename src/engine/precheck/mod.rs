//! The precheck: judges both servers and the disk before anything is written. Read-only: what may be written is asked
//! by queueing commands in a transaction that is then discarded.

mod destination;
mod disk;
mod source;
mod verdicts;

use super::{Passwords, ending::Ending, run::Run, servers, teller::Teller};
use crate::{
    command::Info,
    net::{Control, ControlError},
    step::{Event, Graph, Outcome, PrecheckWork, Side, Verdict, Work},
    unit::Secret,
};
use verdicts::{Checks, Where};

/// Judges for a run; fails if any item fails. Nothing was written then.
pub(super) async fn precheck(run: &mut Run, work: &PrecheckWork, teller: &mut Teller<'_>) -> Result<(), Ending> {
    // A dump that is whole in the spool needs no source, and what it has written is no conflict.
    let dump = run.journal.state().dump.clone();
    let place = Where {
        name: run.request.graph.name.clone(),
        state_dir: run.request.state_dir.clone(),
        source_needed: dump.as_ref().is_none_or(|dump| dump.received.is_none() || dump.lost || dump.left.is_some()),
        begun: dump.is_some() || begun_elsewhere(run).await,
    };
    let graph = run.request.graph.clone();
    judge(&graph, &run.request.passwords, work, &place, teller).await
}

/// Whether this run has written from another state directory.
async fn begun_elsewhere(run: &Run) -> bool {
    let (endpoint, secret) = (&run.request.graph.destination, run.request.passwords.destination.as_ref());
    let Ok(mut control) = servers::connect(endpoint, secret).await else { return false };
    crate::sink::has_begun(&mut control, &run.keys).await.unwrap_or(false)
}

/// Judges without a run.
pub(super) async fn alone(
    graph: &Graph,
    passwords: &Passwords,
    stop: &async_channel::Receiver<()>,
    teller: &mut Teller<'_>,
) -> Result<Ending, Ending> {
    let Some(work) = graph.steps.iter().find_map(|step| match &step.work {
        Work::Precheck(work) => Some(work),
        _ => None,
    }) else {
        return Ok(Ending::done("This plan has no precheck."));
    };
    if stop.is_closed() {
        return Err(Ending::stopped("Stopped."));
    }
    let state_dir = std::path::Path::new(".").to_owned();
    let place = Where { name: graph.name.clone(), state_dir, source_needed: true, begun: false };
    judge(graph, passwords, work, &place, teller).await?;
    Ok(Ending::done("Both servers are fit for this plan."))
}

async fn judge(
    graph: &Graph,
    passwords: &Passwords,
    work: &PrecheckWork,
    place: &Where,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let mut checks = Checks::default();
    let tell = |checks: &mut Checks, teller: &mut Teller<'_>| {
        for check in checks.take_new() {
            teller.tell(Event::Checked { check });
        }
    };
    let mut source_info = None;
    if place.source_needed {
        if let Some((mut control, info)) = reach(graph, passwords, Side::Source, &mut checks).await {
            source::judge(&mut control, &info, work, &mut checks).await;
            source_info = Some((control, info));
        }
        tell(&mut checks, teller);
    }
    if let Some((mut control, info)) = reach(graph, passwords, Side::Destination, &mut checks).await {
        let source = source_info.as_mut().map(|(control, info)| (control, &*info));
        destination::judge(&mut control, &info, source, (work, place), &mut checks).await;
    }
    tell(&mut checks, teller);
    if place.source_needed {
        disk::judge(source_info.as_ref().map(|(_, info)| info), work, place, &mut checks);
    }
    tell(&mut checks, teller);
    let failed = checks.count(Verdict::Fail);
    if failed == 0 {
        return Ok(());
    }
    let items = if failed == 1 { "One item".to_owned() } else { format!("{failed} items") };
    Err(Ending::new(Outcome::Refused, format!("{items} of the precheck failed; nothing was written.")))
}

/// Connects, authenticates and asks for INFO.
async fn reach(graph: &Graph, passwords: &Passwords, side: Side, checks: &mut Checks) -> Option<(Control, Info)> {
    let (endpoint, secret): (_, Option<&Secret>) = match side {
        Side::Source => (&graph.source, passwords.source.as_ref()),
        Side::Destination => (&graph.destination, passwords.destination.as_ref()),
    };
    let item = format!("{side}-reachable");
    let reached: Result<(Control, Info), ControlError> = async {
        let mut control = servers::connect(endpoint, secret).await?;
        let info = servers::info(&mut control).await?;
        Ok((control, info))
    }
    .await;
    match reached {
        Ok(reached) => {
            checks.pass(&item, format!("{} answers: {}", endpoint.address, servers::version_of(&reached.1)));
            Some(reached)
        }
        Err(error) => {
            checks.fail(
                &item,
                error.to_string(),
                format!("Check the plan's `{side}`: its address, user and password."),
            );
            None
        }
    }
}
