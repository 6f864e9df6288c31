//! Conversations with both servers, and what is learnt in them.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use redis::{Value, cmd};

use crate::{
    command::Info,
    net::{Control, ControlError},
    rdb,
    sink::{DeadlineMode, Destination, RecordKeys},
    unit::{Db, Expiry, ServerVersion, UnixMillis},
};

/// The sections of INFO together; servers that hide INFO give an empty one.
pub(super) async fn info(control: &mut Control) -> Result<Info, ControlError> {
    Ok(Info::parse(&control.info(None).await?))
}

/// A server's version; one that hides it is taken for the oldest that can be.
pub(super) fn version_of(info: &Info) -> ServerVersion {
    info.server_version().unwrap_or(ServerVersion::redis(2, 8, 0))
}

/// Learns what the destination can take. Its own RDB version is read from a DUMP of `key`, which must exist, so that it
/// is known and not guessed from a version number.
pub(super) async fn destination(control: &mut Control, key: &str) -> Result<Destination, ControlError> {
    let version = version_of(&info(control).await?);
    let dump: Option<Vec<u8>> = control.query(cmd("DUMP").arg(key)).await?;
    let rdb_version = dump.as_deref().and_then(rdb::verify).map_or(6, |payload| payload.version);
    let (modules, databases) = (modules(control).await?, databases(control).await?);
    Ok(Destination { version, rdb_version, modules, databases, expiry: Expiry::Exact })
}

/// The keys that the full copy left as they were: `<database at the destination>:<key>`.
pub(super) async fn left_alone(control: &mut Control, keys: &RecordKeys) -> Result<HashSet<Vec<u8>>, ControlError> {
    control.query(cmd("SMEMBERS").arg(&keys.skipped)).await
}

/// How deadlines are written where they stand so.
pub(super) fn expiry(mode: DeadlineMode) -> Expiry {
    if mode.defers() { Expiry::Deferred } else { Expiry::Exact }
}

/// The names of function libraries; `None` where there are no functions (before Redis 7.0), or where they may not be listed.
/// An answer of another form is an error: it does not say that there are none.
pub(super) async fn libraries(control: &mut Control) -> Result<Option<Vec<String>>, ControlError> {
    let command = cmd("FUNCTION").arg("LIST").clone();
    match control.command(&command).await {
        Ok(listed) => match all_names_of(&listed, "library_name") {
            Some(names) => Ok(Some(names)),
            None => Err(control.unexpected_answer(&command, &listed)),
        },
        Err(error) if error.refusal().is_some() && !error.retryable() => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`names_of`]; `None` also where a row has no such field.
fn all_names_of(answer: &Value, field: &str) -> Option<Vec<String>> {
    let Value::Array(rows) = answer else { return None };
    names_of(answer.clone(), field).filter(|names| names.len() == rows.len())
}

/// The names of loaded modules; `None` where `MODULE LIST` is not known or not allowed. A lost answer is no such refusal.
async fn modules(control: &mut Control) -> Result<Option<Vec<String>>, ControlError> {
    match control.command(cmd("MODULE").arg("LIST")).await {
        Ok(modules) => Ok(names_of(modules, "name")),
        Err(error) if error.refusal().is_some() && !error.retryable() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The values of `field` in an answer that is a list of fields and values, as of `MODULE LIST`.
pub(super) fn names_of(answer: Value, field: &str) -> Option<Vec<String>> {
    let Value::Array(rows) = answer else { return None };
    let name = |row: Value| {
        let Value::Array(fields) = row else { return None };
        fields.chunks_exact(2).find_map(|pair| match pair {
            [key, value] if text(key)? == field => text(value),
            _ => None,
        })
    };
    Some(rows.into_iter().filter_map(name).collect())
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

/// How many databases the server has: as it says, or found out by selecting.
pub(super) async fn databases(control: &mut Control) -> Result<u32, ControlError> {
    match control.config_get("databases").await {
        Ok(count) => {
            if let Some(count) = count.and_then(|count| count.parse().ok()) {
                return Ok(count);
            }
        }
        // A service may refuse CONFIG or answer it in its own way. What passes, as a broken connection, says nothing.
        Err(error @ ControlError::Net(_)) => return Err(error),
        Err(error) if error.retryable() => return Err(error),
        Err(_) => {}
    }
    let (mut good, mut bad) = (1u32, 1u32 << 16);
    while good + 1 < bad {
        let middle = if good < 16 { (good * 2).min(bad - 1) } else { good.midpoint(bad) };
        match control.command(cmd("SELECT").arg(middle - 1)).await {
            Ok(_) => good = middle,
            Err(error) if error.refusal().is_some() && !error.retryable() => bad = middle,
            Err(error) => return Err(error),
        }
    }
    control.command(cmd("SELECT").arg(0)).await?;
    Ok(good)
}

/// The server's clock minus ours, in milliseconds, good to the round trip.
pub(super) async fn clock_ahead(control: &mut Control) -> Result<i64, ControlError> {
    let before = UnixMillis::now();
    let (seconds, micros): (i64, i64) = control.query(&cmd("TIME")).await?;
    let after = UnixMillis::now();
    Ok(seconds.saturating_mul(1000) + micros / 1000 - before.0.midpoint(after.0))
}

/// Questions that a round trip is taken from.
const PINGS: usize = 5;

/// The middle one of some round trips. A refusal takes as long as an answer.
pub(super) async fn round_trip(control: &mut Control) -> Result<Duration, ControlError> {
    let mut times = [Duration::ZERO; PINGS];
    for time in &mut times {
        let begun = Instant::now();
        match control.command(&cmd("PING")).await {
            Err(ControlError::Net(error)) => return Err(error.into()),
            Ok(_) | Err(_) => *time = begun.elapsed(),
        }
    }
    times.sort();
    Ok(times.get(PINGS / 2).copied().unwrap_or_default())
}

/// How many keys there are in `db` beside this tool's own.
pub(super) async fn foreign_keys(control: &mut Control, db: Db) -> Result<u64, ControlError> {
    control.command(cmd("SELECT").arg(db.0)).await?;
    let size: u64 = control.query(&cmd("DBSIZE")).await?;
    let foreign = if size == 0 || size > 10_000 { size } else { size - own_keys(control, size).await?.min(size) };
    control.command(cmd("SELECT").arg(0)).await?;
    Ok(foreign)
}

/// How many of the `size` keys are this tool's own.
async fn own_keys(control: &mut Control, size: u64) -> Result<u64, ControlError> {
    let mut cursor = 0u64;
    let mut found = std::collections::HashSet::new();
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg("redis-plan:{*").arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<Vec<u8>>) = control.query(&scan).await?;
        found.extend(keys);
        // A server that names more than it has is believed no further.
        if next == 0 || found.len() as u64 > size {
            return Ok(found.len() as u64);
        }
        cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_libraries_is_read_whole_or_not_at_all() {
        let word = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let row = |field: &str| Value::Array(vec![word(field), word("one")]);
        let listed = |answer| all_names_of(&answer, "library_name");
        assert_eq!(listed(Value::Array(vec![row("library_name")])), Some(vec!["one".to_owned()]));
        assert_eq!(listed(Value::Array(vec![])), Some(vec![]));
        assert_eq!(listed(Value::Array(vec![row("library_name"), row("name")])), None);
        for odd in [Value::Nil, Value::Int(0), word("one"), Value::Array(vec![Value::Nil])] {
            assert_eq!(listed(odd.clone()), None, "{odd:?}");
        }
    }

    /// What [`databases`] makes of a server that answers so to everything but a greeting.
    fn databases_at(answer: &'static str) -> Result<u32, ControlError> {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            let mut next = "+PONG\r\n";
            while link.read(&mut [0; 1024]).is_ok_and(|count| count > 0) && link.write_all(next.as_bytes()).is_ok() {
                next = answer;
            }
        });
        let access = crate::net::Access::plain(crate::unit::Address::Tcp { host: "127.0.0.1".into(), port });
        async_std::task::block_on(async { databases(&mut access.control().await.unwrap()).await })
    }

    #[test]
    fn a_server_that_loads_is_not_one_of_a_single_database() {
        assert!(databases_at("-LOADING it loads\r\n").is_err());
        assert_eq!(databases_at("*2\r\n$9\r\ndatabases\r\n$2\r\n20\r\n").unwrap(), 20);
        assert_eq!(databases_at("+OK\r\n").unwrap(), (1 << 16) - 1);
    }
}
