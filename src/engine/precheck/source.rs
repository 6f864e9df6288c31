//! Whether the source can be copied.

use redis::{Value, cmd};

use super::verdicts::Checks;
use crate::{
    command::{Info, Mode, Role},
    net::Control,
    resp::RefusalKind,
    step::{self, PrecheckWork},
};

pub(super) async fn judge(control: &mut Control, info: &Info, work: &PrecheckWork, checks: &mut Checks) {
    version(info, work, checks);
    role(info, work, checks);
    replication(control, checks).await;
}

fn version(info: &Info, work: &PrecheckWork, checks: &mut Checks) {
    let item = "source-version";
    let Some(version) = info.server_version() else {
        return checks.unknown(item, "it hides its version", "Make sure that it is 2.8 or newer.");
    };
    if let Some(range) = work.source.version.as_ref().filter(|range| !range.takes(version)) {
        let seen = format!("{version} is not in `{range}`, which the plan expects");
        return checks.fail(item, seen, "This may not be the server that was reviewed; check `source.url`.");
    }
    if !version.has_redis((2, 8)) {
        return checks.fail(item, format!("{version} has no PSYNC"), "Sources from 2.8 on can be copied.");
    }
    if version.has((8, 8), (9, 2)) {
        let remedy = "It is newer than this version of redis-plan knows; an unknown value type would stop the copy.";
        return checks.warn(item, version.to_string(), remedy);
    }
    checks.pass(item, version.to_string());
}

fn role(info: &Info, work: &PrecheckWork, checks: &mut Checks) {
    let item = "source-role";
    let role = info.role();
    let expected = work.source.role.map(|role| match role {
        step::Role::Master => Role::Master,
        step::Role::Replica => Role::Replica,
    });
    if info.mode() == Some(Mode::Sentinel) {
        return checks.fail(
            item,
            "it is a Sentinel, which holds no data",
            "Name the master's own address in `source.url`.",
        );
    }
    if info.cluster_enabled() == Some(true) {
        let remedy = "This version copies one server, and a cluster's other nodes would be missing.";
        return checks.fail(item, "it is a node of a cluster", remedy);
    }
    if info.loading() == Some(true) {
        return checks.fail(item, "it is loading its dataset", "Wait until it has loaded, then try again.");
    }
    match (role, expected) {
        (Some(role), Some(expected)) if role != expected => {
            let seen = format!("it is a {}, the plan expects a {}", word(role), word(expected));
            checks.fail(item, seen, "The roles may have changed in a failover; check `source.url`.");
        }
        (Some(Role::Replica), _) if info.master_link_up() == Some(false) => {
            let remedy = "A replica without its master serves no dump. Mend the link, or copy from the master.";
            checks.fail(item, "it is a replica whose link to its master is down", remedy);
        }
        (Some(role), _) => checks.pass(item, word(role)),
        (None, _) => checks.unknown(item, "it hides its role", "A read-only user may lack the permission for INFO."),
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Replica => "replica",
    }
}

/// Whether the source lets us replicate. `REPLCONF` is asked for real, it changes nothing but this connection; `PSYNC`
/// would start a dump, so its presence is read from the command table (2.8.13 on).
async fn replication(control: &mut Control, checks: &mut Checks) {
    let item = "source-replication";
    let grant = "Grant the user replication: `ACL SETUSER <user> +psync +replconf +ping +info`.";
    if let Err(error) = control.command(cmd("REPLCONF").arg("listening-port").arg(0)).await {
        match error.refusal() {
            Some(RefusalKind::NoPermission) => return checks.fail(item, error.to_string(), grant),
            Some(RefusalKind::UnknownCommand) => {
                let remedy =
                    "The service does not offer replication (PSYNC), or renamed it; it cannot be copied this way.";
                return checks.fail(item, error.to_string(), remedy);
            }
            _ => {}
        }
    }
    let table = control.command(cmd("COMMAND").arg("INFO").arg("psync").arg("sync")).await;
    if let Ok(Value::Array(rows)) = &table
        && rows.iter().all(|row| matches!(row, Value::Nil) || matches!(row, Value::Array(fields) if fields.is_empty()))
    {
        let remedy = "The service does not offer replication, or renamed PSYNC; it cannot be copied this way.";
        return checks.fail(item, "it knows neither PSYNC nor SYNC", remedy);
    }
    match control.command(cmd("ACL").arg("WHOAMI")).await {
        Ok(Value::BulkString(user)) => {
            permission(control, &String::from_utf8_lossy(&user), (item, grant), checks).await;
        }
        _ => checks.pass(item, "REPLCONF and PSYNC are offered"),
    }
}

/// Asks a server with ACLs whether the user may PSYNC (`ACL DRYRUN`, Redis 7.0 on).
async fn permission(control: &mut Control, user: &str, (item, grant): (&str, &str), checks: &mut Checks) {
    match control.command(cmd("ACL").arg("DRYRUN").arg(user).arg("PSYNC").arg("?").arg("-1")).await {
        Ok(Value::BulkString(refusal)) => checks.fail(item, String::from_utf8_lossy(&refusal).into_owned(), grant),
        Ok(_) => checks.pass(item, format!("the user `{user}` may REPLCONF and PSYNC")),
        Err(_) => checks.pass(item, format!("the user `{user}` may REPLCONF; PSYNC is offered")),
    }
}
