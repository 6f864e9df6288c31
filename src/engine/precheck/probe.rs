//! What we may do, tried without doing it: queued in a transaction that is never carried out.
//!
//! Each probe has a connection of its own, and ends with it. `DISCARD` may be refused, and a connection that is left in a
//! transaction would take what comes next into it.

use redis::{Cmd, Value, cmd};

use super::server::{CheckedServer, heard};
use crate::{
    net::{Control, ControlError},
    resp::RefusalKind,
    sink::RecordKeys,
    step::{Fence, PrecheckWork},
    unit::quoted,
};

/// Whether the source lets us replicate.
pub(super) enum Permission {
    Granted(String),
    Refused(String),
    NotOffered(String),
    Unknown(String),
}

/// The commands of a run that the destination did not take when they were queued.
#[derive(Default)]
pub(super) struct ProbeResult {
    /// Those that every run needs.
    pub(super) refused: Vec<RefusedCommand>,
    /// Those that the source's stream may hold.
    pub(super) stream_refused: Vec<RefusedCommand>,
    /// How many were tried.
    pub(super) tried: usize,
}

/// A command that was not taken.
pub(super) struct RefusedCommand {
    pub(super) command: String,
    pub(super) kind: Option<RefusalKind>,
    pub(super) error: String,
}

/// Whether the source lets us replicate. `REPLCONF` is asked for real, it changes nothing but this connection; `PSYNC`
/// would start a dump, so its presence is read from the command table (2.8.13 on), and its permission asked for.
pub(super) async fn replication(mut control: Control, server: &CheckedServer) -> Result<Permission, ControlError> {
    if let Err(error) = control.command(cmd("REPLCONF").arg("listening-port").arg(-1)).await {
        match error.refusal() {
            Some(RefusalKind::NoPermission) => return Ok(Permission::Refused(error.to_string())),
            Some(RefusalKind::UnknownCommand) => return Ok(Permission::NotOffered(error.to_string())),
            Some(_) => {}
            None => return Err(error),
        }
    }
    if server.lacks("psync") && server.lacks("sync") {
        return Ok(Permission::NotOffered("it knows neither PSYNC nor SYNC".to_owned()));
    }
    if !server.version().has_redis((6, 0)) {
        let sync = if server.lacks("psync") { "SYNC" } else { "PSYNC" };
        return Ok(Permission::Granted(format!("REPLCONF and {sync} are offered")));
    }
    permission(&mut control, server).await
}

/// A server with users: `ACL DRYRUN` (Redis 7.0), or queueing PSYNC in a transaction, which Redis 6 lets us.
async fn permission(control: &mut Control, server: &CheckedServer) -> Result<Permission, ControlError> {
    let user = server.user();
    let granted = || Permission::Granted(format!("the user `{user}` may REPLCONF and PSYNC"));
    let dry = cmd("ACL").arg("DRYRUN").arg(user).arg("PSYNC").arg("?").arg("-1").clone();
    match heard(control.command(&dry).await)? {
        Some(Value::BulkString(refusal)) => {
            return Ok(Permission::Refused(quoted(&refusal, usize::MAX)));
        }
        Some(_) => return Ok(granted()),
        None => {}
    }
    // From 7.0 on PSYNC is never queued, and outside of a transaction it would be carried out.
    if !server.version().has_redis((7, 0)) && heard(control.command(&cmd("MULTI")).await)?.is_some() {
        match control.command(cmd("PSYNC").arg("?").arg("-1")).await {
            Ok(_) => return Ok(granted()),
            Err(error) if error.refusal() == Some(RefusalKind::NoPermission) => {
                return Ok(Permission::Refused(error.to_string()));
            }
            Err(error) => drop(heard::<()>(Err(error))?),
        }
    }
    Ok(Permission::Unknown(format!("the user `{user}` may REPLCONF; whether it may PSYNC it cannot ask")))
}

/// Queues what puts up a fence at the source; answers the first refusal.
pub(super) async fn fence(
    mut control: Control,
    server: &CheckedServer,
    fence: &Fence,
) -> Result<Option<RefusedCommand>, ControlError> {
    let commands = match fence {
        Fence::ClientPause => {
            let mut pause = cmd("CLIENT");
            pause.arg("PAUSE").arg(1);
            if server.version().has_redis((6, 2)) {
                pause.arg("WRITE");
            }
            vec![pause]
        }
        Fence::MinReplicas => {
            let get = cmd("CONFIG").arg("GET").arg("min-slaves-to-write").clone();
            vec![get, cmd("CONFIG").arg("SET").arg("min-slaves-to-write").arg(0).clone()]
        }
        Fence::None | Fence::Hook(_) => return Ok(None),
    };
    if let Some(refused) = refused(&mut control, &cmd("MULTI")).await? {
        // Without a transaction the fence would be put up.
        return Ok(Some(refused));
    }
    let mut first = None;
    for command in &commands {
        let refused = refused(&mut control, command).await?;
        first = first.or(refused);
    }
    Ok(first)
}

/// Asks the destination for every command the run needs by queueing it: ACL, role, memory and disk refusals come at that
/// time.
pub(super) async fn taken(
    mut control: Control,
    server: &CheckedServer,
    (work, name, follows): (&PrecheckWork, &str, bool),
) -> Result<ProbeResult, ControlError> {
    let keys = RecordKeys::of(name);
    let mut taken = ProbeResult::default();
    if let Some(refused) = refused(&mut control, cmd("WATCH").arg(&keys.token)).await? {
        taken.refused.push(refused);
    }
    if let Some(refused) = refused(&mut control, &cmd("MULTI")).await? {
        // Without a transaction everything below would be carried out.
        taken.refused.push(refused);
        return Ok(taken);
    }
    for command in needed(&keys, server, work) {
        taken.tried += 1;
        taken.refused.extend(refused(&mut control, &command).await?);
    }
    if follows {
        for command in of_the_stream(&keys, server) {
            taken.tried += 1;
            taken.stream_refused.extend(refused(&mut control, &command).await?);
        }
    }
    Ok(taken)
}

async fn refused(control: &mut Control, command: &Cmd) -> Result<Option<RefusedCommand>, ControlError> {
    match control.command(command).await {
        Ok(_) => Ok(None),
        Err(ControlError::Net(error)) => Err(error.into()),
        Err(error) => {
            let command = match command.args_iter().next() {
                Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
                _ => String::new(),
            };
            Ok(Some(RefusedCommand { command, kind: error.refusal(), error: error.to_string() }))
        }
    }
}

/// What every run needs: the record's own commands, and those that write values.
fn needed(keys: &RecordKeys, server: &CheckedServer, work: &PrecheckWork) -> Vec<Cmd> {
    let value = value_key(keys, work);
    let mut commands = vec![
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
        cmd("SET").arg(&value).arg("").arg("NX").clone(),
        cmd("MSET").arg(&value).arg("").clone(),
        cmd("RESTORE").arg(&value).arg(0).arg("").clone(),
        cmd("APPEND").arg(&value).arg("").clone(),
        cmd("RPUSH").arg(&value).arg("").clone(),
        cmd("ZADD").arg(&value).arg(0).arg("").clone(),
        cmd("PEXPIREAT").arg(&value).arg(1).clone(),
        cmd("SELECT").arg(0).clone(),
    ];
    if server.version().has_redis((5, 0)) {
        commands.push(cmd("XADD").arg(&value).arg("*").arg("").arg("").clone());
    }
    commands
}

/// What a source's stream may hold at any time, of what services and operators like to take away.
fn of_the_stream(keys: &RecordKeys, server: &CheckedServer) -> Vec<Cmd> {
    let mut commands = vec![
        cmd("FLUSHDB"),
        cmd("FLUSHALL"),
        cmd("RENAME").arg(&keys.run).arg(&keys.run).clone(),
        cmd("EVAL").arg("return 1").arg(0).clone(),
        cmd("PUBLISH").arg(&keys.run).arg("").clone(),
    ];
    if server.version().has_redis((4, 0)) && server.info.cluster_enabled() != Some(true) {
        commands.push(cmd("SWAPDB").arg(0).arg(0).clone());
    }
    commands
}

/// A key as the plan's may be: rules that take only some names may go with a user that may touch only those.
fn value_key(keys: &RecordKeys, work: &PrecheckWork) -> String {
    let named = work.selection.rules.iter().all(|rule| !rule.include.is_empty());
    if named { keys.run.clone() } else { "redis plan asks, and writes nothing".to_owned() }
}
