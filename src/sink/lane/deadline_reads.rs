//! Reading deadlines at the destination, and the commands that write them.

use super::{
    connection::LinkFault,
    run::{Lane, LaneError},
};
use crate::{
    command::Info,
    resp,
    sink::deadlines::DatabaseWalk,
    store::LoggedKey,
    unit::{Db, UnixMillis},
};

/// How many keys a SCAN looks at.
const LOOK_AT: &[u8] = b"2000";
/// How many fields an HSCAN looks at.
const FIELDS_AT: &[u8] = b"512";
/// Before 7.0 a deadline is known only relative to the clock: keys between two questions for the time.
const BETWEEN_CLOCKS: usize = 16;
/// Rounds after which keys are asked for one by one.
const ROUNDS: usize = 3;

impl Lane {
    /// What the destination's databases hold; nothing where it does not tell.
    pub(super) async fn keyspace(&mut self) -> Result<Info, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"INFO", b"keyspace"]);
        connection.send(&asking).await?;
        match connection.bulk().await {
            Ok(text) => Ok(Info::parse(&String::from_utf8_lossy(&text.unwrap_or_default()))),
            Err(LinkFault::Refused(_)) => Ok(Info::default()),
            Err(broken) => Err(broken.into()),
        }
    }

    /// A step of a walk over fields: the next cursor, and hashes.
    pub(super) async fn walk(
        &mut self,
        walk: DatabaseWalk,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<LoggedKey>), LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"SELECT", walk.db.to_string().as_bytes()]);
        resp::command(&mut asking, &[b"SCAN", cursor, b"COUNT", LOOK_AT, b"TYPE", b"hash"]);
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        connection.send(&asking).await?;
        connection.line().await?;
        let (next, keys) = connection.scanned().await?;
        connection.line().await?;
        Ok((next, keys.into_iter().map(|key| LoggedKey { db: walk.db, fields: true, key }).collect()))
    }

    /// Watches keys: before 7.0 PEXPIREAT has no condition.
    pub(super) async fn watch(&mut self, keys: &[LoggedKey]) -> Result<(), LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut out = Commands::default();
        for some in keys.chunk_by(|one, other| one.db == other.db) {
            out.select(some.first().map_or(Db(0), |key| key.db));
            let words: Vec<&[u8]> =
                std::iter::once(&b"WATCH"[..]).chain(some.iter().map(|key| key.key.as_slice())).collect();
            out.add(&words);
        }
        out.select(Db(0));
        connection.send(&out.bytes).await?;
        for _ in 0..out.count {
            connection.line().await?;
        }
        Ok(())
    }

    /// When keys end, before 7.0, which tells only how long they still live: exact where the clock showed the same millisecond
    /// before and after the question, else asked again.
    pub(super) async fn ends_by_clock(&mut self, keys: &[LoggedKey]) -> Result<Vec<Option<UnixMillis>>, LaneError> {
        let mut ends = vec![None; keys.len()];
        let mut open: Vec<usize> = (0..keys.len()).collect();
        let mut round = 0;
        while !open.is_empty() {
            let size = if round < ROUNDS { BETWEEN_CLOCKS } else { 1 };
            round += 1;
            let groups: Vec<Vec<usize>> = open
                .chunk_by(|one, other| keys.get(*one).map(|key| key.db) == keys.get(*other).map(|key| key.db))
                .flat_map(|same| same.chunks(size))
                .map(<[usize]>::to_vec)
                .collect();
            open = self.one_round(keys, &groups, &mut ends).await?;
        }
        Ok(ends)
    }

    /// Asks for groups of keys; answers those for which the clock moved on meanwhile.
    async fn one_round(
        &mut self,
        keys: &[LoggedKey],
        groups: &[Vec<usize>],
        ends: &mut [Option<UnixMillis>],
    ) -> Result<Vec<usize>, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut out = vec![];
        for group in groups {
            let db = group.first().and_then(|index| keys.get(*index)).map_or(Db(0), |key| key.db);
            resp::command(&mut out, &[b"SELECT", db.to_string().as_bytes()]);
            resp::command(&mut out, &[b"TIME"]);
            for key in group.iter().filter_map(|index| keys.get(*index)) {
                resp::command(&mut out, &[b"PTTL", &key.key]);
            }
            resp::command(&mut out, &[b"TIME"]);
        }
        resp::command(&mut out, &[b"SELECT", b"0"]);
        connection.send(&out).await?;
        let mut again = vec![];
        for group in groups {
            connection.line().await?;
            let before = connection.time().await?;
            let mut left = vec![];
            for _ in group {
                left.push(connection.number().await?);
            }
            let is_exact = connection.time().await? == before;
            for (index, left) in group.iter().zip(left).filter(|(_, left)| *left >= 0) {
                match ends.get_mut(*index) {
                    Some(end) if is_exact => *end = Some(UnixMillis(before.0.saturating_add(left))),
                    _ => again.push(*index),
                }
            }
        }
        connection.line().await?;
        Ok(again)
    }

    /// The next fields of hashes, with each hash; `open` keeps those that have more. A key that is no hash has none.
    pub(super) async fn some_fields(
        &mut self,
        open: &mut Vec<(LoggedKey, Vec<u8>)>,
    ) -> Result<Vec<(LoggedKey, Vec<Vec<u8>>)>, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut out = vec![];
        for (key, cursor) in open.iter() {
            resp::command(&mut out, &[b"SELECT", key.db.to_string().as_bytes()]);
            resp::command(&mut out, &[b"HSCAN", &key.key, cursor, b"COUNT", FIELDS_AT]);
        }
        resp::command(&mut out, &[b"SELECT", b"0"]);
        connection.send(&out).await?;
        let mut found = vec![];
        let mut more = vec![];
        for (key, _) in open.drain(..) {
            connection.line().await?;
            let Some((next, pairs)) = connection.scanned_if_there().await? else { continue };
            let names: Vec<Vec<u8>> = pairs.into_iter().step_by(2).collect();
            if next != b"0" {
                more.push((key.clone(), next));
            }
            if !names.is_empty() {
                found.push((key, names));
            }
        }
        connection.line().await?;
        *open = more;
        Ok(found)
    }

    /// When fields end, in milliseconds since the epoch; negative for one that does not, or is not there.
    pub(super) async fn field_ends(
        &mut self,
        fields: &[(LoggedKey, Vec<Vec<u8>>)],
    ) -> Result<Vec<Vec<i64>>, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut out = vec![];
        for (key, names) in fields {
            resp::command(&mut out, &[b"SELECT", key.db.to_string().as_bytes()]);
            resp::array_header(&mut out, 4 + names.len());
            for word in [&b"HPEXPIRETIME"[..], &key.key, b"FIELDS", names.len().to_string().as_bytes()] {
                resp::bulk(&mut out, word);
            }
            for name in names {
                resp::bulk(&mut out, name);
            }
        }
        resp::command(&mut out, &[b"SELECT", b"0"]);
        connection.send(&out).await?;
        let mut ends = vec![];
        for _ in fields {
            connection.line().await?;
            ends.push(connection.numbers().await?);
        }
        connection.line().await?;
        Ok(ends)
    }
}

/// Commands that are put together, beginning in database 0.
#[derive(Default)]
pub(super) struct Commands {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    /// Deadlines that they write.
    pub(super) written: u64,
    selected: Db,
}

impl Commands {
    pub(super) fn select(&mut self, db: Db) {
        if self.selected != db {
            self.selected = db;
            self.add(&[b"SELECT", db.to_string().as_bytes()]);
        }
    }

    pub(super) fn add(&mut self, words: &[&[u8]]) {
        resp::command(&mut self.bytes, words);
        self.count += 1;
    }

    /// HPEXPIREAT for the fields of each moment.
    pub(super) fn expire_fields(&mut self, key: &LoggedKey, mut due: Vec<(UnixMillis, &[u8])>) {
        due.sort_unstable();
        for same in due.chunk_by(|one, other| one.0 == other.0) {
            self.select(key.db);
            let at = same.first().map_or(0, |(at, _)| at.0).to_string();
            let count = same.len().to_string();
            let head: [&[u8]; 6] = [b"HPEXPIREAT", &key.key, at.as_bytes(), b"XX", b"FIELDS", count.as_bytes()];
            let words: Vec<&[u8]> = head.into_iter().chain(same.iter().map(|(_, name)| *name)).collect();
            self.add(&words);
        }
    }
}
