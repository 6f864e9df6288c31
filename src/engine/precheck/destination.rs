//! Whether the destination can take the data.

use super::{finding::Finding, probe::RefusedCommand, rules, scene::CheckInput, server::CheckedServer};
use crate::{
    command::{Mode, ServerRole},
    resp::RefusalKind,
    step::OnConflict,
    unit::ByteSize,
};

pub(super) fn version(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(version) = server.info.server_version() else {
        let remedy = "It is taken for an old one: values go as native commands, which is slower.";
        return Finding::unknown("it hides its version", remedy);
    };
    match scene.work.destination.version.as_ref().filter(|range| !range.takes(version)) {
        Some(range) => {
            let seen = format!("{version} is not in `{range}`, which the plan expects");
            let remedy = "This may not be the server that was reviewed; check `destination.url`.";
            Finding::fail(seen, remedy).at("destination.expect.version")
        }
        None => Finding::pass(version.to_string()),
    }
}

pub(super) fn role(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    if server.info.loading() == Some(true) {
        return Finding::fail("it is loading its dataset", "Wait until it has loaded, then try again.");
    }
    match server.info.role() {
        Some(ServerRole::Master) => Finding::pass("master"),
        Some(ServerRole::Replica) => {
            let info = &server.info;
            let (host, port) = (info.get("master_host").unwrap_or("?"), info.get("master_port").unwrap_or("?"));
            let remedy = format!("Point `destination.url` at its master, {host}:{port}.");
            Finding::fail("it is a replica and takes no writes", remedy)
        }
        None if server.info.mode() == Some(Mode::Sentinel) => Finding::pass("none, it is a Sentinel"),
        None => Finding::unknown("it hides its role", "It must take writes."),
    }
}

pub(super) fn mode(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    if server.info.mode() == Some(Mode::Sentinel) {
        let remedy =
            "Name the master's own address in `destination.url`: `SENTINEL GET-MASTER-ADDR-BY-NAME <name>` shows it.";
        return Finding::fail("it is a Sentinel, which holds no data", remedy);
    }
    if server.info.cluster_enabled() == Some(true) {
        let remedy = "This version writes to one server; name a server that is no cluster.";
        return Finding::fail("it is a node of a cluster", remedy);
    }
    Finding::pass("a server of its own")
}

/// What was refused because of who we are or how the server is.
pub(super) fn writable(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let refused: Vec<&RefusedCommand> = scene.to.taken.refused.iter().filter(|refused| !is_missing(refused)).collect();
    let Some(first) = refused.first() else {
        return Finding::pass(format!("it takes the {} commands that were tried", scene.to.taken.tried));
    };
    let seen = match refused.len() {
        1 => first.error.clone(),
        count => format!("{} (and {} more)", first.error, count.saturating_sub(1)),
    };
    let user = server.user();
    let (place, remedy) = match first.kind {
        Some(RefusalKind::NoPermission) => (
            server.user_place(),
            format!("The run needs it on every key: `{}` is enough.", rules::at_destination(user)),
        ),
        Some(RefusalKind::OutOfMemory) => {
            ("destination.url".to_owned(), "Its memory is full already: raise `maxmemory` there.".to_owned())
        }
        Some(RefusalKind::Misconf) => (
            "destination.url".to_owned(),
            "It refuses writes because its last dump failed; see `destination-persistence`.".to_owned(),
        ),
        Some(RefusalKind::NoReplicas) => (
            "destination.url".to_owned(),
            "It refuses writes while it has too few replicas: attach them, or `CONFIG SET min-slaves-to-write 0`."
                .to_owned(),
        ),
        Some(RefusalKind::ReadOnly) => {
            ("destination.url".to_owned(), "It is a read-only replica: point the plan at its master.".to_owned())
        }
        _ => ("destination.url".to_owned(), "The run cannot do without it; see the server's words.".to_owned()),
    };
    Finding::fail(seen, remedy).at(place)
}

/// What was refused because the server does not know it, or knows it by another name.
pub(super) fn commands(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let names = |refused: &[RefusedCommand]| -> Vec<String> {
        refused.iter().filter(|refused| is_missing(refused)).map(|refused| refused.command.clone()).collect()
    };
    let missing = names(&scene.to.taken.refused);
    if !missing.is_empty() {
        let remedy = "Every run needs them: let `rename-command` (or the service) give them back.";
        return Finding::fail(format!("disabled or renamed: {}", missing.join(", ")), remedy);
    }
    let stream = &scene.to.taken.stream_refused;
    if !stream.is_empty() {
        let (mut missing, mut forbidden) = (names(stream), vec![]);
        forbidden.extend(stream.iter().filter(|refused| !is_missing(refused)).map(|refused| refused.command.clone()));
        missing.extend(forbidden.iter().cloned());
        let place = if forbidden.is_empty() { "destination.url".to_owned() } else { server.user_place() };
        let remedy = "A run that follows stops when the source's stream brings one of these: give them back, or grant them \
                      to the user, unless nobody uses them at the source.";
        return Finding::warn(format!("not taken: {}", missing.join(", ")), remedy).at(place);
    }
    Finding::pass("none that a run needs is disabled or renamed")
}

fn is_missing(refused: &RefusedCommand) -> bool {
    refused.kind == Some(RefusalKind::UnknownCommand)
}

pub(super) fn databases(_: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let count = match &scene.to.databases {
        Some(Ok(count)) => *count,
        Some(Err(error)) => return Finding::unknown(error, "It must have every database that keys go to."),
        None => return Finding::unknown("it was not asked", "It must have every database that keys go to."),
    };
    let Some(highest) = scene.targets().pop() else { return Finding::pass(format!("{count} databases")) };
    if highest.0 < count {
        return Finding::pass(format!("{count} databases, keys go up to database {highest}"));
    }
    let remedy = "Raise `databases` in its configuration, or renumber with rules under the plan's `databases`.";
    Finding::fail(format!("it has {count} databases, and keys go to database {highest}"), remedy).at("databases")
}

/// Keys that are there already, against what the plan says of them.
pub(super) fn emptiness(_: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    if scene.begun {
        return Finding::pass("this run has begun: what it wrote is its own");
    }
    let held = match &scene.to.held {
        Some(Ok(held)) => held,
        Some(Err(error)) => return Finding::unknown(error, "The destination may already have keys of the same names."),
        None => {
            return Finding::unknown("it was not asked", "The destination may already have keys of the same names.");
        }
    };
    let counted =
        |(db, keys): &(_, u64)| format!("database {db} holds {keys} key{}", if *keys == 1 { "" } else { "s" });
    let seen: Vec<String> = held.iter().map(counted).collect();
    let seen = seen.join(", ");
    match (held.is_empty(), scene.work.destination.empty, scene.work.on_conflict) {
        (true, Some(false), _) => {
            let remedy = "This may not be the server that was reviewed.";
            Finding::fail("it is empty, the plan expects keys there", remedy).at("destination.expect.empty")
        }
        (true, _, _) if scene.follows() => {
            Finding::pass("no keys where keys go; these databases belong to the run while it lasts")
        }
        (true, _, _) => Finding::pass("no keys where keys go"),
        (false, Some(true), _) => {
            let remedy = "The plan expects it to be empty: `destination.expect.empty`.";
            Finding::fail(seen, remedy).at("destination.expect.empty")
        }
        (false, _, OnConflict::Fail) => {
            let remedy = "With `on_conflict: fail` no key may exist there: empty it, or set `skip` or `replace`.";
            Finding::fail(seen, remedy).at("on_conflict")
        }
        (false, _, OnConflict::Skip) => {
            Finding::warn(seen, "Keys of the same name stay as they are there.").at("on_conflict")
        }
        (false, _, OnConflict::Replace) => Finding::warn(seen, "Keys of the same name are replaced.").at("on_conflict"),
    }
}

/// Whether what is written stays: saves that fail refuse writes, and saves that are not made lose them.
pub(super) fn persistence(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let (info, settings) = (&server.info, &server.settings);
    let saves = settings.get("save").map(|points| !points.is_empty());
    if info.get("aof_last_write_status") == Some("err") {
        let remedy =
            "It refuses writes until its append-only file can be written: see its log, often the disk is full.";
        return Finding::fail("its append-only file cannot be written (`aof_last_write_status:err`)", remedy);
    }
    if info.last_save_ok() == Some(false) && saves != Some(false) {
        let remedy = "It refuses writes (MISCONF) until a dump succeeds: fix the folder of `CONFIG GET dir` and `BGSAVE`, or \
                      `CONFIG SET stop-writes-on-bgsave-error no` until the migration is over.";
        let seen = "its last dump failed (`rdb_last_bgsave_status:err`)";
        let stops = settings.get("stop-writes-on-bgsave-error") != Some("no");
        return if stops { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) };
    }
    let keeps = |server: &CheckedServer| {
        let saves = server.settings.get("save").map(|points| !points.is_empty());
        Some(saves? || server.info.aof_enabled()?)
    };
    match (keeps(server), scene.source.as_ref().and_then(keeps)) {
        (Some(false), Some(true)) => {
            let remedy = "The source keeps its data over a restart, the destination does not, and a restart there in the \
                          middle of a run restarts the copy: `CONFIG SET appendonly yes`, or `CONFIG SET save \"3600 1\"`.";
            Finding::warn("neither dumps nor an append-only file", remedy)
        }
        (Some(true), _) => Finding::pass(if info.aof_enabled() == Some(true) { "append-only file" } else { "dumps" }),
        (Some(false), _) => Finding::pass("neither dumps nor an append-only file, as at the source"),
        (None, _) => {
            Finding::unknown("it does not show what it keeps", "What is only in memory is gone after a restart.")
        }
    }
}

/// Bounds of the server that the run's own must fit into.
pub(super) fn limits(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let (settings, limits) = (&server.settings, &scene.work.limits);
    let own = scene.work.limits.chunk_above.0;
    let bounds = ["proto-max-bulk-len", "client-query-buffer-limit"];
    let smallest =
        bounds.iter().filter_map(|name| Some((settings.number(name)?, *name))).filter(|(limit, _)| *limit > 0).min();
    if let Some((limit, name)) = smallest.filter(|(limit, _)| *limit < own.saturating_add(MARGIN)) {
        let seen = format!("`{name}` is {}, values up to {} go in one piece", ByteSize(limit), limits.chunk_above);
        let remedy = format!(
            "The connection would be closed at the first large value: `CONFIG SET {name} 512mb` there, or a \
             `limits.chunk_above` below it."
        );
        return Finding::fail(seen, remedy).at("limits.chunk_above");
    }
    let connected: Option<u64> = server.info.get("connected_clients").and_then(|count| count.parse().ok());
    let needed = u64::from(limits.connections_at(server.latency)).saturating_add(OTHERS);
    if let (Some(most), Some(connected)) = (settings.number("maxclients"), connected)
        && most.saturating_sub(connected) < needed
    {
        let remedy = format!(
            "The run opens up to {needed} connections: `CONFIG SET maxclients {}` there, or fewer `limits.connections`.",
            connected.saturating_add(needed).saturating_mul(2)
        );
        return Finding::fail(format!("{connected} of {most} connections are taken"), remedy).at("limits.connections");
    }
    if settings.refused.is_some() {
        return Finding::unknown(
            "it does not show its settings",
            "Large values need `proto-max-bulk-len` above `limits.chunk_above`.",
        );
    }
    Finding::pass(format!("values of {} and {needed} connections fit", limits.chunk_above))
}

/// What a command has around its value.
const MARGIN: u64 = 64 << 10;
/// Connections of a run beside its lanes.
const OTHERS: u64 = 3;
