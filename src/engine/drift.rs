//! Drift: a server that is not what it was when the run began. What both were is in the journal since their precheck
//! passed; it is compared at every start after that.
//!
//! What may change without harm is told and taken over: a process that was restarted, a failover to a server that goes
//! on with the same history, an upgrade, a policy that loses nothing. Whether the stream goes on is the source's to say,
//! by its answer to PSYNC. Anything else refuses to go on.

use futures_util::future;

use super::{ending::Ending, precheck::heard, run::Run, servers, teller::Teller};
use crate::{
    command::{self, Info},
    journal::{Fingerprint, Record},
    net::ControlError,
    plan::fault::catalogue::runs,
    resp::RefusalKind,
    step::{Difference, Event, PrecheckWork, Role, ServerFacts, Side, Work},
    unit::{Db, ReplId, quoted},
};

/// Characters of what a server calls itself that are noted.
const SHOWN: usize = 64;

/// What a server is, by what it said.
pub(super) fn print(info: &Info, eviction: Option<&str>) -> Fingerprint {
    Fingerprint {
        run_id: info.run_id().map(|id| quoted(id.as_bytes(), SHOWN)),
        replid: info.replid(),
        former: info.get("master_replid2").and_then(|id| ReplId::parse(id.as_bytes())),
        role: info.role().map(|role| match role {
            command::ServerRole::Master => Role::Master,
            command::ServerRole::Replica => Role::Replica,
        }),
        version: info.server_version(),
        eviction: eviction.map(|policy| quoted(policy.as_bytes(), SHOWN)),
        occupied: None,
    }
}

/// Notes and tells what the servers are that a precheck found fit, unless that was done before.
pub(super) fn record(run: &mut Run, prints: Vec<(Side, Fingerprint)>, teller: &mut Teller<'_>) -> Result<(), Ending> {
    for (side, print) in prints {
        if run.journal.state().print(side).is_none() {
            teller.tell(Event::Server { server: facts(side, &print) });
            run.journal.append(&Record::Print { side, print: Box::new(print) })?;
        }
    }
    Ok(())
}

fn facts(side: Side, print: &Fingerprint) -> ServerFacts {
    ServerFacts {
        side,
        version: print.version.map(|version| version.to_string()),
        role: print.role.map(|role| role.name().to_owned()),
        run_id: print.run_id.clone(),
        replid: print.replid.map(|id| id.to_string()),
        eviction: print.eviction.clone(),
    }
}

/// Compares both servers with what they were. One that cannot be connected to is for the step that needs it to report; one
/// that can must answer, or what it is now would go unseen.
pub(super) async fn compare(run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let state = run.journal.state();
    let work = run.request.graph.steps.iter().find_map(|step| match &step.work {
        Work::Precheck(work) => Some(work.clone()),
        _ => None,
    });
    let (Some(work), true) = (work, state.source.is_some() || state.destination.is_some()) else { return Ok(()) };
    // A dump that is whole in the spool needs no source, and what has become of it is nobody's business here.
    let copied = state.dump.as_ref().is_some_and(|dump| dump.received.is_some() && !dump.lost && dump.left.is_none());
    let source = async { if copied && !run.follows() { Ok(None) } else { look(run, Side::Source).await } };
    let (source, destination) = future::try_join(source, look(run, Side::Destination)).await?;
    let mut now = vec![];
    now.extend(source.as_ref().map(|(print, _)| (Side::Source, print.clone())));
    if let Some((mut print, _)) = destination {
        if let (None, Some((_, keyspace))) = (&state.dump, &source) {
            print.occupied = occupied(run, &work, keyspace).await?;
        }
        now.push((Side::Destination, print));
    }
    let mut differences = vec![];
    let mut changed = vec![];
    for (side, now) in now {
        let Some(was) = state.print(side) else { continue };
        // A source takes a new id when its first replica comes: what the run follows by now is the dump's.
        let followed = state.dump.as_ref().and_then(|dump| dump.replid).or(was.replid);
        let found = differ(side, &Fingerprint { replid: followed, ..was.clone() }, &now, &work);
        if !found.is_empty() {
            changed.push((side, Fingerprint { occupied: now.occupied.clone().or(was.occupied.clone()), ..now }));
        }
        differences.extend(found);
    }
    if differences.is_empty() {
        return Ok(());
    }
    let refused = differences.iter().filter(|difference| difference.refused).count();
    teller.tell(Event::Drifted { differences });
    if refused > 0 {
        return Err(Ending::of(
            &runs::DRIFTED,
            "A server is not what it was when this run began (see above), and the run does not continue. Give the server back \
             what it was; or, if this is the migration that is wanted now, begin a run of its own: a plan with another name.",
        ));
    }
    for (side, print) in changed {
        run.journal.append(&Record::Print { side, print: Box::new(print) })?;
    }
    Ok(())
}

/// What a side is now, and the databases that it has keys in; `None` when it cannot be connected to.
async fn look(run: &Run, side: Side) -> Result<Option<(Fingerprint, Vec<Db>)>, ControlError> {
    let Ok(mut control) = run.request.servers.of(side).control().await else { return Ok(None) };
    let info = servers::info(&mut control).await?;
    let asked = match info.maxmemory_policy() {
        None => heard(control.config_get("maxmemory-policy").await)?.flatten(),
        Some(_) => None,
    };
    let policy = info.maxmemory_policy().or(asked.as_deref()).filter(|_| side == Side::Destination);
    Ok(Some((print(&info, policy), info.keyspace().into_keys().collect())))
}

/// The databases that keys go to in which others have keys; `None` once the run itself has written.
async fn occupied(run: &Run, work: &PrecheckWork, keyspace: &[Db]) -> Result<Option<Vec<Db>>, Ending> {
    let mut control = run.request.servers.destination.control().await?;
    if crate::sink::has_begun(&mut control, &run.keys).await? {
        return Ok(None);
    }
    let mut occupied = vec![];
    for db in work.selection.targets(keyspace) {
        match servers::foreign_keys(&mut control, db).await {
            Ok(0) => {}
            Ok(_) => occupied.push(db),
            Err(error) if error.refusal() == Some(RefusalKind::DbRange) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(occupied))
}

/// Everything that is not as it was, or not as the plan expects it.
fn differ(side: Side, was: &Fingerprint, now: &Fingerprint, work: &PrecheckWork) -> Vec<Difference> {
    let mut found = vec![];
    let mut add = |what: &str, was: String, now: String, refused| {
        found.push(Difference { side, what: what.to_owned(), was, now, refused });
    };
    if let (Some(was_id), Some(now_id)) = (&was.run_id, &now.run_id)
        && was_id != now_id
    {
        let note = if side == Side::Source { history(was, now) } else { "" };
        let pinned = side == Side::Source && work.source.run_id.as_ref().is_some_and(|id| id.as_str() != now_id);
        add("run id", short(was_id), format!("{}{note}", short(now_id)), pinned);
    }
    if let (Some(was), Some(now)) = (was.role, now.role)
        && was != now
    {
        add("role", was.name().to_owned(), now.name().to_owned(), true);
    }
    let range = match side {
        Side::Source => work.source.version.as_ref(),
        Side::Destination => work.destination.version.as_ref(),
    };
    if let (Some(was), Some(now)) = (was.version, now.version) {
        let unexpected = range.filter(|range| !range.takes(now));
        let newer = was.dialect == now.dialect && was.number <= now.number;
        if was != now || unexpected.is_some() {
            let expected = unexpected.map(|range| format!(" (the plan expects {range})")).unwrap_or_default();
            add("version", format!("{was}{expected}"), now.to_string(), !newer || unexpected.is_some());
        }
    }
    if let (Some(was), Some(now)) = (&was.eviction, &now.eviction)
        && was != now
    {
        // A policy under which nothing is lost any more does no harm, unless the plan wants another.
        let expected = work.destination.eviction.is_none_or(|expected| expected.name() == now);
        add("eviction policy", was.clone(), now.clone(), now != "noeviction" || !expected);
    }
    if let (Some(was), Some(now)) = (&was.occupied, &now.occupied)
        && was != now
    {
        let filled = now.iter().any(|db| !was.contains(db));
        add("foreign keys", in_databases(was), in_databases(now), filled);
    }
    found
}

/// Whether a source that was started anew, or is another one, goes on with the same history.
fn history(was: &Fingerprint, now: &Fingerprint) -> &'static str {
    let goes_on = was.replid.is_some() && (now.replid == was.replid || now.former == was.replid);
    if goes_on { ", with the same history" } else { ", with another history" }
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

fn in_databases(dbs: &[Db]) -> String {
    if dbs.is_empty() {
        return "none".to_owned();
    }
    let dbs: Vec<String> = dbs.iter().map(Db::to_string).collect();
    format!("in database {}", dbs.join(", "))
}
