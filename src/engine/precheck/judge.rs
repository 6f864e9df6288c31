//! Asking both servers at once, and judging what they said.

use std::{cell::Cell, collections::HashSet};

use futures_util::future::{self, Either};

use super::{
    finding::Finding,
    items::{CheckItem, ITEMS, Judge},
    link, probe, rate, sample,
    scene::{Begun, CheckContext, CheckInput, DestinationProbes, SourceProbes, fence, follows, targets},
    server::{CheckedServer, heard},
};
use crate::{
    engine::{Servers, drift, ending::Ending, quiet::or_told, run::Run, sentinels, servers, teller::Teller},
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{LeaseFault, RecordKeys, neighbours},
    step::{Check, Event, Graph, Outcome, PrecheckWork, Side, Verdict, Work},
    unit::Db,
};

/// Judges for a run; fails if any item fails. Nothing was written then.
pub(in crate::engine) async fn precheck(
    run: &mut Run,
    work: &PrecheckWork,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    // A dump that is whole in the spool needs no source, and what it has written is no conflict.
    let dump = run.journal.state().dump.clone();
    let place = CheckContext {
        state_dir: run.request.state_dir.clone(),
        source_needed: dump.as_ref().is_none_or(|dump| dump.received.is_none() || dump.lost || dump.left.is_some()),
        begun: if dump.is_some() { Begun::Yes } else { Begun::Ask(run.keys.clone()) },
    };
    let graph = run.request.graph.clone();
    let scene = judge(&graph, &run.request.servers, (work, &place), &Wanted::all(), teller).await?;
    let sides = [&scene.source, &scene.destination].into_iter().flatten();
    let mut prints: Vec<_> = sides.map(|server| (server.side, drift::print(&server.info, server.eviction()))).collect();
    if let Some(Ok(held)) = &scene.to.held {
        let occupied: Vec<Db> = held.iter().map(|(db, _)| *db).collect();
        let there = prints.iter_mut().filter(|(side, _)| *side == Side::Destination);
        there.for_each(|(_, print)| print.occupied = Some(occupied.clone()));
    }
    drift::record(run, prints, teller)
}

/// Whether this run has written to a destination before; asked on the connection that the verdicts are drawn from, so that
/// a lost answer ends the precheck and is not taken for a no.
async fn has_begun(begun: &Begun, control: Option<&mut Control>) -> Result<bool, Ending> {
    match (begun, control) {
        (Begun::Yes, _) => Ok(true),
        // A destination that was not reached has no verdict but that.
        (Begun::No, _) | (Begun::Ask(_), None) => Ok(false),
        (Begun::Ask(keys), Some(control)) => match crate::sink::has_begun(control, keys).await {
            Ok(begun) => Ok(begun),
            // Where the record may not be read, the item of permissions fails.
            Err(LeaseFault::Control(error)) if error.refusal().is_some() && !error.retryable() => Ok(false),
            Err(fault) => Err(fault.into()),
        },
    }
}

/// Judges without a run. Of all items those in `only`, or all when there are none in it.
pub(in crate::engine) async fn alone(
    graph: &Graph,
    servers: &Servers,
    only: &[String],
    stop: &async_channel::Receiver<()>,
    teller: &mut Teller<'_>,
) -> Result<Ending, Ending> {
    let Some(work) = graph.steps.iter().find_map(|step| match &step.work {
        Work::Precheck(work) => Some(work),
        _ => None,
    }) else {
        return Ok(Ending::done("This plan has no precheck."));
    };
    let place = CheckContext { state_dir: std::path::Path::new(".").to_owned(), source_needed: true, begun: Begun::No };
    let wanted = Wanted::of(only);
    let judging = std::pin::pin!(judge(graph, servers, (work, &place), &wanted, teller));
    let stopped = std::pin::pin!(stop.recv());
    match future::select(stopped, judging).await {
        Either::Left(_) => Err(Ending::of(&runs::STOPPED_BY_SIGNAL, "Stopped.")),
        Either::Right((judged, _)) => judged.map(|_| Ending::done("Both servers are fit for this plan.")),
    }
}

/// Which items are judged.
struct Wanted(Option<HashSet<String>>);

impl Wanted {
    fn all() -> Self {
        Self(None)
    }

    fn of(only: &[String]) -> Self {
        Self((!only.is_empty()).then(|| only.iter().cloned().collect()))
    }

    /// Whether the run of this graph needs this item, and it was asked for.
    fn takes(&self, item: &CheckItem, graph: &Graph) -> bool {
        item.is_of(graph) && self.0.as_ref().is_none_or(|names| names.contains(item.name))
    }

    fn needs(&self, side: Side, graph: &Graph) -> bool {
        ITEMS.iter().any(|item| self.takes(item, graph) && item.needs(side))
    }
}

async fn judge<'a>(
    graph: &'a Graph,
    servers: &Servers,
    (work, place): (&'a PrecheckWork, &'a CheckContext),
    wanted: &Wanted,
    teller: &mut Teller<'_>,
) -> Result<CheckInput<'a>, Ending> {
    let follows = follows(graph);
    let waited_for = Cell::new([None; 2]);
    let waiting = &waited_for;
    let asked = |side: Side, needed: bool| async move {
        let place = usize::from(side == Side::Destination);
        if !needed {
            return None;
        }
        note(waiting, place, Some(side));
        let answer = CheckedServer::ask(side, servers.of(side)).await;
        note(waiting, place, None);
        Some(answer)
    };
    let asking = future::join(
        asked(Side::Source, place.source_needed && wanted.needs(Side::Source, graph)),
        asked(Side::Destination, wanted.needs(Side::Destination, graph)),
    );
    let silent = || match waiting.get() {
        [Some(_), Some(_)] => "Both servers".to_owned(),
        [Some(side), None] | [None, Some(side)] => format!("The {side}"),
        [None, None] => "A server".to_owned(),
    };
    let (source, destination) = or_told(Box::pin(asking), silent, teller).await;
    let mut checks = vec![];
    let mut scene = CheckInput {
        graph,
        work,
        place,
        begun: false,
        source: None,
        destination: None,
        from: SourceProbes::default(),
        to: DestinationProbes::default(),
    };
    let mut from = reached(Side::Source, source, &mut scene.source, &mut checks);
    let mut to = reached(Side::Destination, destination, &mut scene.destination, &mut checks);
    let asked = has_begun(&place.begun, to.as_mut());
    scene.begun = or_told(Box::pin(asked), || "The destination".to_owned(), teller).await?;
    let tried = future::join(
        try_source(from.as_mut(), scene.source.as_ref(), &scene, follows),
        try_destination(to.as_mut(), scene.destination.as_ref(), &scene, follows),
    )
    .await;
    match tried {
        (Ok(from), Ok(to)) => (scene.from, scene.to) = (from, to),
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    }
    tell(&scene, wanted, checks, teller)?;
    Ok(scene)
}

fn note(waiting: &Cell<[Option<Side>; 2]>, place: usize, side: Option<Side>) {
    let mut sides = waiting.get();
    if let Some(slot) = sides.get_mut(place) {
        *slot = side;
    }
    waiting.set(sides);
}

/// Notes whether a side was reached.
fn reached(
    side: Side,
    asked: Option<Result<(Control, CheckedServer), ControlError>>,
    server: &mut Option<CheckedServer>,
    checks: &mut Vec<(Side, Finding)>,
) -> Option<Control> {
    let (control, asked) = match asked? {
        Ok((control, asked)) => (Some(control), Ok(asked)),
        Err(error) => (None, Err(error)),
    };
    checks.push((side, link::reached(side, &asked)));
    *server = asked.ok();
    control
}

async fn try_source(
    control: Option<&mut Control>,
    server: Option<&CheckedServer>,
    scene: &CheckInput<'_>,
    follows: bool,
) -> Result<SourceProbes, ControlError> {
    let (Some(control), Some(server)) = (control, server) else { return Ok(SourceProbes::default()) };
    let own = || server.access.control();
    let replication = Some(probe::replication(own().await?, server).await?);
    let fence = match fence(scene.graph) {
        Some(fence) => probe::fence(own().await?, server, fence).await?,
        None => None,
    };
    let rate = if follows { rate::measure(control).await? } else { rate::WriteRate::Unknown };
    let smallest = scene.destination.as_ref().and_then(super::pair::longest_string);
    let could_be = server.info.used_memory().zip(smallest).is_some_and(|(used, limit)| used.0 > limit / 2);
    let dbs: Vec<Db> = server.info.keyspace().into_keys().filter(|db| scene.work.selection.reads(*db)).collect();
    let lacks_modules =
        scene.destination.as_ref().is_some_and(|there| !super::pair::missing_modules(server, there).is_empty());
    let sample =
        if could_be || lacks_modules { sample::look(control, &dbs, &scene.work.selection).await? } else { None };
    let sentinels = sentinels::listening(control).await?;
    let neighbours = heard(neighbours(control, &RecordKeys::of("")).await)?;
    Ok(SourceProbes { replication, fence, rate, sample, sentinels, neighbours })
}

async fn try_destination(
    control: Option<&mut Control>,
    server: Option<&CheckedServer>,
    scene: &CheckInput<'_>,
    follows: bool,
) -> Result<DestinationProbes, ControlError> {
    let (Some(control), Some(server)) = (control, server) else { return Ok(DestinationProbes::default()) };
    let own = server.access.control().await?;
    let taken = probe::taken(own, server, (scene.work, &scene.graph.name, follows)).await?;
    let databases = Some(servers::databases(control).await.map_err(|error| error.to_string()));
    let mut held = Ok(vec![]);
    for db in targets(scene.source.as_ref(), scene.work) {
        match servers::foreign_keys(control, db).await {
            Ok(0) => {}
            Ok(keys) => held.iter_mut().for_each(|held| held.push((db, keys))),
            Err(error) if error.refusal() == Some(crate::resp::RefusalKind::DbRange) => {}
            Err(error) => {
                held = Err(error.to_string());
                heard::<()>(Err(error))?;
            }
        }
    }
    let neighbours = heard(neighbours(control, &RecordKeys::of(&scene.graph.name)).await)?;
    Ok(DestinationProbes { taken, databases, held: Some(held), neighbours })
}

/// Tells every item's check in the order of the table; fails if any item failed.
fn tell(
    scene: &CheckInput<'_>,
    wanted: &Wanted,
    mut reached: Vec<(Side, Finding)>,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    let mut failed = 0;
    for item in &ITEMS {
        let finding = match item.judge {
            // Said also when it was not asked for: without it there is nothing else to say.
            Judge::Reached(side) => {
                let position = reached.iter().position(|(own, _)| *own == side);
                position.map(|position| reached.swap_remove(position).1)
            }
            _ if wanted.takes(item, scene.graph) => item.judge(scene),
            _ => None,
        };
        let Some(check) = finding.map(|finding| finding.check(item.name, item.place())) else { continue };
        failed += usize::from(check.verdict == Verdict::Fail);
        tell_one(check, teller);
    }
    if failed == 0 {
        return Ok(());
    }
    let items = if failed == 1 { "One item".to_owned() } else { format!("{failed} items") };
    Err(Ending::new(Outcome::Refused, format!("{items} of the precheck failed; nothing was written.")))
}

fn tell_one(check: Check, teller: &mut Teller<'_>) {
    teller.tell(Event::Checked { check });
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;
    use crate::{net::Access, unit::Address};

    /// Whether a run has begun at a server that answers a greeting, then this, and is gone.
    fn begun_at(answer: &'static str) -> Result<bool, Ending> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            for answer in ["+PONG\r\n", answer] {
                let _ = std::io::Read::read(&mut link, &mut [0; 1024]).unwrap();
                link.write_all(answer.as_bytes()).unwrap();
            }
        });
        let access = Access::plain(Address::Tcp { host: "127.0.0.1".into(), port });
        let begun = async_std::task::block_on(async {
            let mut control = access.control().await.unwrap();
            has_begun(&Begun::Ask(RecordKeys::of("move")), Some(&mut control)).await
        });
        server.join().unwrap();
        begun
    }

    #[test]
    fn a_lost_or_odd_answer_is_not_a_run_that_has_not_begun() {
        for answer in ["", ":1\r\n", "$1\r\nx\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "-LOADING it loads\r\n"] {
            assert!(begun_at(answer).is_err(), "{answer:?}");
        }
        assert!(!begun_at("-NOPERM not yours\r\n").unwrap());
    }
}
