//! One server, and reading keys on it.

use super::{
    CompareFault, batch::Ask, caps::ReadFeatures, link::CompareLink, reader::KeyReader, reading::SeenKey, stream::Clock,
};
use crate::{
    net::Access,
    resp::command,
    step::Side,
    unit::{Db, ServerVersion, UnixMillis},
};

/// A server that is compared, and what is known of it.
#[derive(Clone)]
pub struct ComparedServer {
    /// Where it is and as whom.
    pub access: Access,
    /// Its version.
    pub version: ServerVersion,
    /// Its clock minus ours, in milliseconds.
    pub clock_ahead: i64,
    /// Names the process: another one is another keyspace, in which a walk cannot go on.
    pub process: String,
    /// Deadlines are deferred there, or some of them.
    pub deferred: bool,
    /// Its databases that hold keys, and how many.
    pub keys: Vec<(Db, u64)>,
}

/// How much is asked in one round, in average small keys.
const ROUND: usize = 512;

/// A connection that reads keys.
pub(super) struct SideReader {
    link: CompareLink,
    caps: ReadFeatures,
    clock_ahead: i64,
    selected: Db,
}

impl SideReader {
    pub(super) async fn open(server: &ComparedServer, side: Side) -> Result<Self, CompareFault> {
        let link = CompareLink::open_for_values(server, side).await?;
        let caps = ReadFeatures { deferred: server.deferred, ..ReadFeatures::of(server.version) };
        Ok(Self { link, caps, clock_ahead: server.clock_ahead, selected: Db(0) })
    }

    /// Reads keys; answers come in the order of what is asked. Those of one database should stand together.
    pub(super) async fn read(&mut self, asks: &[Ask<'_>]) -> Result<Vec<SeenKey>, CompareFault> {
        let mut readers: Vec<(Db, KeyReader<'_>)> =
            asks.iter().map(|ask| (ask.db, KeyReader::new(ask, self.caps))).collect();
        let mut open: Vec<usize> = (0..readers.len()).collect();
        while !open.is_empty() {
            for round in rounds(&open, &readers) {
                self.round(&round, &mut readers).await?;
            }
            open.retain(|index| readers.get(*index).is_some_and(|(_, reader)| !reader.is_done()));
        }
        let side = self.link.side;
        let seen = |(_, key): (_, KeyReader<'_>)| match key.seen() {
            Ok(seen) => seen.ok_or(CompareFault::Lost),
            Err(refusal) => Err(CompareFault::Refused { side, refusal }),
        };
        readers.into_iter().map(seen).collect()
    }

    /// One round of questions of these readers.
    async fn round(&mut self, round: &[usize], readers: &mut [(Db, KeyReader<'_>)]) -> Result<(), CompareFault> {
        let mut out = Vec::with_capacity(32 << 10);
        let mut asked = vec![];
        for index in round {
            let Some((db, reader)) = readers.get_mut(*index) else { continue };
            let selects = *db != self.selected;
            if selects {
                self.selected = *db;
                command(&mut out, &[b"SELECT", db.0.to_string().as_bytes()]);
            }
            asked.push((*index, selects, reader.ask(&mut out)));
        }
        let sent = UnixMillis::now();
        self.link.send(&out).await?;
        for (index, selects, count) in asked {
            if selects {
                self.link.accepted().await?;
            }
            for _ in 0..count {
                let ahead = self.clock_ahead;
                let from = sent.0.saturating_add(ahead);
                while !self.link.is_ready()? {
                    self.link.fill().await?;
                }
                let clock = Clock { from, to: self.link.heard.0.saturating_add(ahead) };
                let reply = self.link.reply().await?;
                if let Some((_, reader)) = readers.get_mut(index) {
                    reader.take(&reply, clock);
                }
            }
        }
        Ok(())
    }
}

/// The readers in groups that cost a server about the same.
fn rounds(open: &[usize], readers: &[(Db, KeyReader<'_>)]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = vec![vec![]];
    let mut weight = 0;
    for index in open {
        weight += readers.get(*index).map_or(1, |(_, reader)| reader.weight());
        if weight > ROUND {
            weight = 1;
            rounds.push(vec![]);
        }
        if let Some(round) = rounds.last_mut() {
            round.push(*index);
        }
    }
    rounds
}
