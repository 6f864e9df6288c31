//! Walking over the names of a server's keys.

use super::{CompareFault, link::CompareLink, side::ComparedServer, sum::Sum, windows};
use crate::{
    resp::{Reply, command},
    step::Side,
    unit::Db,
};

/// How every key of the tool itself begins.
const OWN: &[u8] = b"redis-plan:";
/// Slots of the keyspace that one SCAN looks at.
const COUNT: &[u8] = b"500";

/// A key on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Pair {
    /// The database at the source.
    pub from: Db,
    /// The database at the destination.
    pub to: Db,
    /// The key.
    pub key: Vec<u8>,
}

impl Pair {
    /// Stands for the key's place at the destination, where one key is one.
    pub(super) fn name(&self) -> Sum {
        Sum::of_numbered(self.to.0.into(), &self.key)
    }
}

/// Whether a key belongs to the tool.
pub(super) fn is_own(key: &[u8]) -> bool {
    key.starts_with(OWN)
}

/// Where a walk stands: everything before is behind it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct ScanPlace {
    pub(super) db: Db,
    pub(super) cursor: String,
}

/// A walk over all keys of some databases.
pub(super) struct Scanner {
    link: CompareLink,
    /// Databases still to be walked, the one under way first.
    dbs: std::collections::VecDeque<Db>,
    cursor: String,
    selected: Option<Db>,
    /// The next names are asked for.
    asked: bool,
}

impl Scanner {
    /// A walk over `dbs`, which are sorted, from `place` on.
    pub(super) async fn open(
        server: &ComparedServer,
        side: Side,
        dbs: &[Db],
        place: Option<&ScanPlace>,
    ) -> Result<Self, CompareFault> {
        let link = CompareLink::open(server, side).await?;
        let begin = place.map_or(Db(0), |place| place.db);
        let dbs: std::collections::VecDeque<Db> = dbs.iter().copied().filter(|db| *db >= begin).collect();
        let cursor = place.filter(|place| dbs.front() == Some(&place.db)).map(|place| place.cursor.clone());
        Ok(Self { link, dbs, cursor: cursor.unwrap_or_else(|| "0".to_owned()), selected: None, asked: false })
    }

    /// Where the walk stands; `None` at its end.
    pub(super) fn place(&self) -> Option<ScanPlace> {
        self.dbs.front().map(|db| ScanPlace { db: *db, cursor: self.cursor.clone() })
    }

    /// The next names, maybe none, and their database; `None` at the end. Those behind them are asked for at once: they
    /// come while these are worked on.
    pub(super) async fn next(&mut self) -> Result<Option<(Db, Vec<Vec<u8>>)>, CompareFault> {
        let Some(db) = self.dbs.front().copied() else { return Ok(None) };
        self.ask().await?;
        self.asked = false;
        if self.selected != Some(db) {
            self.link.accepted().await?;
            self.selected = Some(db);
        }
        let side = self.link.side;
        let (cursor, keys) = names(&self.link.reply().await?).map_err(|broken| match broken {
            windows::ReadFault::Refused(refusal) => CompareFault::Refused { side, refusal },
            windows::ReadFault::Moved => CompareFault::Protocol { side, what: "SCAN was not answered".to_owned() },
        })?;
        self.cursor = cursor;
        if self.cursor == "0" {
            self.dbs.pop_front();
        }
        self.ask().await?;
        Ok(Some((db, keys)))
    }

    /// Asks for the next names, unless that was done or there are none.
    async fn ask(&mut self) -> Result<(), CompareFault> {
        let Some(db) = self.dbs.front().filter(|_| !self.asked) else { return Ok(()) };
        let mut out = vec![];
        if self.selected != Some(*db) {
            command(&mut out, &[b"SELECT", db.0.to_string().as_bytes()]);
        }
        command(&mut out, &[b"SCAN", self.cursor.as_bytes(), b"COUNT", COUNT]);
        self.asked = true;
        self.link.send(&out).await
    }
}

fn names(reply: &Reply<'_>) -> Result<(String, Vec<Vec<u8>>), windows::ReadFault> {
    let [cursor, keys] = windows::items(reply)? else { return Err(windows::unexpected(reply)) };
    let cursor = String::from_utf8_lossy(windows::text(cursor)?).into_owned();
    let keys = windows::items(keys)?.iter().map(|key| windows::text(key).map(<[u8]>::to_vec));
    Ok((cursor, keys.collect::<Result<_, _>>()?))
}
