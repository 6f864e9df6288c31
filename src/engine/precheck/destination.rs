//! Whether the destination can take the data.

use redis::cmd;

use super::verdicts::{Checks, Where};
use crate::{
    command::{Info, Role},
    engine::servers,
    net::Control,
    sink::RecordKeys,
    step::{OnConflict, PrecheckWork},
    unit::{ByteSize, Db},
};

pub(super) async fn judge(
    control: &mut Control,
    info: &Info,
    source: Option<(&mut Control, &Info)>,
    (work, place): (&PrecheckWork, &Where),
    checks: &mut Checks,
) {
    version(info, work, checks);
    role(info, checks);
    writable(control, place, checks).await;
    let source_info = source.as_ref().map(|(_, info)| *info);
    if place.source_needed {
        memory(info, source_info, work, checks);
    }
    eviction(info, work, checks);
    databases(control, info, source_info, work, checks).await;
    emptiness(control, source_info, (work, place), checks).await;
    if let Some((source, _)) = source {
        clocks(source, control, checks).await;
    }
}

fn version(info: &Info, work: &PrecheckWork, checks: &mut Checks) {
    let item = "destination-version";
    let Some(version) = info.server_version() else {
        let remedy = "It is taken for an old one: values go as native commands, which is slower.";
        return checks.unknown(item, "it hides its version", remedy);
    };
    match work.destination.version.as_ref().filter(|range| !range.takes(version)) {
        Some(range) => {
            let seen = format!("{version} is not in `{range}`, which the plan expects");
            checks.fail(item, seen, "This may not be the server that was reviewed; check `destination.url`.");
        }
        None => checks.pass(item, version.to_string()),
    }
}

fn role(info: &Info, checks: &mut Checks) {
    let item = "destination-role";
    if info.loading() == Some(true) {
        return checks.fail(item, "it is loading its dataset", "Wait until it has loaded, then try again.");
    }
    match info.role() {
        Some(Role::Master) => checks.pass(item, "master"),
        Some(Role::Replica) => {
            checks.fail(item, "it is a replica and takes no writes", "Point `destination.url` at its master.");
        }
        None => checks.unknown(item, "it hides its role", "It must take writes."),
    }
}

/// Asks for every command the run needs by queueing it: ACL, role, memory and disk refusals come at that time, and the
/// transaction is discarded.
async fn writable(control: &mut Control, place: &Where, checks: &mut Checks) {
    let item = "destination-writable";
    let keys = RecordKeys::of(&place.name);
    let commands = [
        cmd("SET").arg(&keys.token).arg("").clone(),
        cmd("GET").arg(&keys.token).clone(),
        cmd("PSETEX").arg(&keys.heartbeat).arg(1).arg("").clone(),
        cmd("HMSET").arg(&keys.run).arg("run").arg("").clone(),
        cmd("HSET").arg(&keys.run).arg("run").arg("").clone(),
        cmd("HGETALL").arg(&keys.run).clone(),
        cmd("PERSIST").arg(&keys.run).clone(),
        cmd("PEXPIRE").arg(&keys.run).arg(1).clone(),
        cmd("DEL").arg(&keys.run).clone(),
        cmd("EXISTS").arg(&keys.run).clone(),
        cmd("DUMP").arg(&keys.run).clone(),
        cmd("SADD").arg(&keys.skipped).arg("").clone(),
        cmd("SCARD").arg(&keys.skipped).clone(),
        cmd("SISMEMBER").arg(&keys.skipped).arg("").clone(),
        cmd("RESTORE").arg(&keys.run).arg(0).arg("").clone(),
        cmd("SELECT").arg(0).clone(),
    ];
    let mut refusals = vec![];
    if let Err(error) = control.command(cmd("WATCH").arg(&keys.token)).await {
        refusals.push(error.to_string());
    }
    match control.command(&cmd("MULTI")).await {
        Ok(_) => {
            for command in &commands {
                if let Err(error) = control.command(command).await {
                    refusals.push(error.to_string());
                }
            }
            let _ = control.command(&cmd("DISCARD")).await;
        }
        Err(error) => refusals.push(error.to_string()),
    }
    let _ = control.command(&cmd("UNWATCH")).await;
    let remedy = "The run needs these on every key: `ACL SETUSER <user> ~* +@all -@dangerous +restore +info +dbsize \
                  +flushdb` is enough.";
    match refusals.first() {
        None => checks.pass(item, "it takes the commands of the run"),
        Some(first) if refusals.len() == 1 => checks.fail(item, first.clone(), remedy),
        Some(first) => checks.fail(item, format!("{first} (and {} more)", refusals.len() - 1), remedy),
    }
}

fn memory(info: &Info, source: Option<&Info>, work: &PrecheckWork, checks: &mut Checks) {
    let item = "destination-memory";
    let limit = info.maxmemory().filter(|limit| limit.0 > 0);
    let (Some(used), Some(needed)) = (info.used_memory(), source.and_then(Info::used_memory)) else {
        return checks.unknown(item, "memory figures are not shown", "Make sure that the dataset fits.");
    };
    let Some(limit) = limit else {
        let Some(total) = info.total_system_memory().filter(|total| total.0 < needed.0) else {
            return checks.pass(item, format!("no `maxmemory`; the source uses {needed}"));
        };
        let seen = format!("its host has {total} of memory, the source uses {needed}");
        return checks.warn(item, seen, "The dataset may not fit.");
    };
    let free = ByteSize(limit.0.saturating_sub(used.0));
    let seen = format!("{free} free of {limit}, the source uses {needed}");
    let share = work.destination.free_memory.map_or(100, |share| u64::from(share.0));
    if u128::from(free.0) * 100 < u128::from(needed.0) * u128::from(share) {
        let remedy = format!("At least {share} % of the source's memory must be free: raise `maxmemory` there.");
        return checks.fail(item, seen, remedy);
    }
    checks.pass(item, seen);
}

fn eviction(info: &Info, work: &PrecheckWork, checks: &mut Checks) {
    let item = "destination-eviction";
    let Some(policy) = info.maxmemory_policy() else {
        return checks.unknown(item, "the policy is not shown", "With any but `noeviction` keys can vanish unseen.");
    };
    let expected = work.destination.eviction.and_then(|policy| serde_json::to_value(policy).ok());
    if let Some(expected) = expected.as_ref().and_then(|expected| expected.as_str()).filter(|word| *word != policy) {
        let remedy = format!("`CONFIG SET maxmemory-policy {expected}`, or change the plan's expectation.");
        return checks.fail(item, format!("`{policy}`, the plan expects `{expected}`"), remedy);
    }
    let limited = info.maxmemory().is_some_and(|limit| limit.0 > 0);
    if policy == "noeviction" || !limited {
        return checks.pass(item, format!("`{policy}`{}", if limited { "" } else { " without `maxmemory`" }));
    }
    let remedy = "A full server would drop keys that were copied, without a word: `CONFIG SET maxmemory-policy noeviction` \
                  until the migration is over.";
    checks.warn(item, format!("`{policy}` with `maxmemory`"), remedy);
}

async fn databases(
    control: &mut Control,
    info: &Info,
    source: Option<&Info>,
    work: &PrecheckWork,
    checks: &mut Checks,
) {
    let item = "destination-databases";
    let count = match servers::databases(control).await {
        Ok(count) => count,
        Err(error) => return checks.unknown(item, error.to_string(), "It must have every database that keys go to."),
    };
    let targets = targets(source, work);
    let Some(highest) = targets.last() else { return checks.pass(item, format!("{count} databases")) };
    if info.cluster_enabled() == Some(true) {
        let remedy = "This version writes to one server; name a server that is no cluster.";
        return checks.fail(item, "it is a node of a cluster", remedy);
    }
    if highest.0 < count {
        return checks.pass(item, format!("{count} databases, keys go up to database {highest}"));
    }
    let remedy = "Raise `databases` in its configuration, or renumber with rules under the plan's `databases`.";
    checks.fail(item, format!("it has {count} databases, and keys go to database {highest}"), remedy);
}

/// Databases that the source's keys go to, ascending.
fn targets(source: Option<&Info>, work: &PrecheckWork) -> Vec<Db> {
    let held: Vec<Db> = source.map(|info| info.keyspace().into_keys().collect()).unwrap_or_default();
    work.selection.targets(&held)
}

async fn emptiness(
    control: &mut Control,
    source: Option<&Info>,
    (work, place): (&PrecheckWork, &Where),
    checks: &mut Checks,
) {
    let item = "destination-empty";
    if place.begun {
        return checks.pass(item, "this run has begun: what it wrote is its own");
    }
    let mut held = vec![];
    for db in targets(source, work) {
        match servers::foreign_keys(control, db).await {
            Ok(0) => {}
            Ok(keys) => held.push(format!("database {db} holds {keys} keys")),
            Err(error) if error.refusal() == Some(crate::resp::RefusalKind::DbRange) => {}
            Err(error) => return checks.unknown(item, error.to_string(), "Keys there may be in the way."),
        }
    }
    let seen = held.join(", ");
    match (held.is_empty(), work.destination.empty, work.on_conflict) {
        (true, Some(false), _) => {
            checks.fail(
                item,
                "it is empty, the plan expects keys there",
                "This may not be the server that was reviewed.",
            );
        }
        (true, _, _) => checks.pass(item, "no keys where keys go"),
        (false, Some(true), _) => {
            checks.fail(item, seen, "The plan expects it to be empty: `destination.expect.empty`.");
        }
        (false, _, OnConflict::Fail) => {
            let remedy = "With `on_conflict: fail` nothing may be in the way: empty it, or say `skip` or `replace`.";
            checks.fail(item, seen, remedy);
        }
        (false, _, OnConflict::Skip) => checks.warn(item, seen, "Keys of the same name stay as they are there."),
        (false, _, OnConflict::Replace) => checks.warn(item, seen, "Keys of the same name are replaced."),
    }
}

/// Expiries are absolute, so clocks that differ end lives early or late.
async fn clocks(source: &mut Control, destination: &mut Control, checks: &mut Checks) {
    let item = "clocks";
    let (Ok(source), Ok(destination)) = (servers::clock_ahead(source).await, servers::clock_ahead(destination).await)
    else {
        return checks.unknown(item, "TIME is not answered", "Expiries are judged by each server's own clock.");
    };
    let apart = (source - destination).abs();
    if apart < 1000 {
        return checks.pass(item, format!("{apart} ms apart"));
    }
    let remedy = "Keys with a time to live end by the destination's clock: synchronise the clocks.";
    checks.warn(
        item,
        format!("{:.1} s apart", std::time::Duration::from_millis(apart.unsigned_abs()).as_secs_f64()),
        remedy,
    );
}
