//! What is too large for the destination: it closes the connection at it, every time anew, and says nothing.

use super::{
    connection::{Connection, LinkFault},
    run::{Lane, LaneError},
    settle::each_command,
};
use crate::{
    resp,
    sink::Batch,
    unit::{ByteSize, KeyText},
};

/// No server can be set to refuse less (config.c: the least of both settings is 1 MiB).
const LEAST: usize = 1 << 20;
/// The longest string, where the server has no setting for it or does not show it.
const BULK: u64 = 512 << 20;
/// The most of a client's unfinished input, likewise.
const QUERY: u64 = 1 << 30;
/// What a server keeps for a queued command beside its words (server.h, `multiCmd`).
const QUEUED: u64 = 48;

/// A setting of the destination that a command or transaction goes beyond.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {size}, and `{setting}` is {limit} there")]
pub struct TooLarge {
    /// The command or transaction.
    what: String,
    size: ByteSize,
    pub(super) setting: &'static str,
    limit: ByteSize,
}

impl Lane {
    /// Whether the destination can take the batch at all; asked when a connection broke over one.
    pub(super) async fn check_size(&mut self, batch: &Batch) -> Result<(), LaneError> {
        let Some(connection) = self.connection.as_mut().filter(|_| batch.len() > LEAST) else { return Ok(()) };
        let bulk = limit(connection, "proto-max-bulk-len").await?.unwrap_or(BULK);
        let query = limit(connection, "client-query-buffer-limit").await?.unwrap_or(QUERY);
        too_large(batch, bulk, query).map_or(Ok(()), |large| Err(LaneError::TooLarge(large)))
    }
}

/// A setting of the destination; `None` where it has none of the name, shows it not, or does not limit.
async fn limit(connection: &mut Connection, setting: &str) -> Result<Option<u64>, LinkFault> {
    let mut asking = vec![];
    resp::command(&mut asking, &[b"CONFIG", b"GET", setting.as_bytes()]);
    connection.send(&asking).await?;
    let value = connection.pair().await?;
    Ok(value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()).filter(|limit| *limit > 0))
}

/// What of the batch is beyond a limit.
fn too_large(batch: &Batch, bulk: u64, query: u64) -> Option<TooLarge> {
    // Looking at the commands holds the batch once more.
    if batch.len() as u64 + QUEUED * u64::from(batch.commands) <= bulk.min(query) {
        return None;
    }
    let mut found = None;
    let mut largest = (0, String::new());
    each_command(batch, |_, command| {
        let name = KeyText(command.name()).to_string();
        let what = command.arg(1).map_or_else(|| name.clone(), |key| format!("`{name}` on `{}`", KeyText(key)));
        let word = batch.longest_word_of(command) as u64;
        if word > bulk && found.is_none() {
            let (size, limit) = (ByteSize(word), ByteSize(bulk));
            found = Some(TooLarge { what: what.clone(), size, setting: "proto-max-bulk-len", limit });
        }
        let size = batch.size_of(command);
        if size > largest.0 {
            largest = (size, what);
        }
    });
    let size = batch.len() as u64 + QUEUED * u64::from(batch.commands);
    let transaction = || {
        let what = format!("a transaction of {} commands (the largest is {})", batch.commands, largest.1);
        TooLarge { what, size: ByteSize(size), setting: "client-query-buffer-limit", limit: ByteSize(query) }
    };
    found.or_else(|| (size > query).then(transaction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_a_limit_is_named_with_its_size() {
        let mut batch = Batch { commands: 2, ..Batch::default() };
        resp::command(&mut batch.bytes, &[b"SET", b"small", b"x"]);
        resp::command(&mut batch.bytes, &[b"SET", b"large", &vec![b'x'; 3 << 20]]);
        let said = |bulk, query| too_large(&batch, bulk, query).map(|large| large.to_string());
        assert_eq!(said(4 << 20, 4 << 20), None);
        let word = "`SET` on `large` has 3 MiB, and `proto-max-bulk-len` is 1 MiB there";
        assert_eq!(said(1 << 20, 1 << 20).as_deref(), Some(word));
        let all = said(4 << 20, 2 << 20).unwrap();
        assert!(all.starts_with("a transaction of 2 commands (the largest is `SET` on `large`) has 3"), "{all}");
        assert!(all.ends_with("and `client-query-buffer-limit` is 2 MiB there"), "{all}");
    }
}
