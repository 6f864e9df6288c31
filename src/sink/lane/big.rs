//! Writing a value that is too large to be held, in chunks read back from the spool.
//!
//! Each chunk is a batch of its own, whose mark says how many elements are written: a resume goes on behind them.

use std::borrow::Cow;

use super::{
    LaneFault,
    run::{Lane, LaneReport, LaneSetup},
    turns::{LargeValuePermit, LargeValuePermits},
};
use crate::{
    rdb::{Body, ElementReader, Entry, Value},
    resp,
    sink::{
        Batch, Form, Mark,
        batch::{BigEntry, Probe},
        deal::leaves_alone,
        encode::restore,
        native::{Features, NativeWriter},
    },
    step::{KeyFailure, OnConflict},
    store::spool::SpoolReader,
    unit::{KeyText, UnixMillis},
};

/// A chunk is sent once its commands have this many bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// An element of more bytes makes its value wait until no other lane writes such a one.
const LARGE: usize = 4 << 20;

impl Lane {
    /// Writes the value in chunks; a module's value, which only RESTORE can bring, at once.
    pub(super) async fn write_big(&mut self, entry: BigEntry) -> Result<(), LaneFault> {
        let form = self.setup.destination.form(entry.kind, entry.module);
        if let (Form::Restore { version }, Some(_)) = (&form, entry.module) {
            let batch = whole(&self.setup, &entry, *version)?;
            return self.write(batch).await;
        }
        let mut chunks = match Chunks::new(&self.setup, &entry) {
            Ok(chunks) => chunks,
            Err(reason) => {
                self.tell(LaneReport::Failed(failure(&entry, reason))).await;
                return self.write(passed(&entry)).await;
            }
        };
        loop {
            let (returned, chunk) = async_std::task::spawn_blocking(move || {
                let chunk = chunks.next();
                (chunks, chunk)
            })
            .await;
            chunks = returned;
            let Some(batch) = chunk? else { break };
            let guarded = !batch.probes.is_empty();
            let large = batch.bytes.len() > LARGE;
            let conflicts = self.conflicts;
            self.write(batch).await?;
            if self.window.is_closed() {
                return Ok(());
            }
            if large {
                self.settle_pending().await?; // Before the next one takes as much again.
            }
            if guarded && self.conflicts > conflicts {
                return Ok(()); // The key is somebody else's; the mark is behind it already.
            }
        }
        for loss in chunks.writer.losses() {
            let failure = failure(&entry, loss.to_string());
            let report = if loss.touches_data() { LaneReport::Failed(failure) } else { LaneReport::Lossy(failure) };
            self.tell(report).await;
        }
        Ok(())
    }
}

/// The chunks of one value, made by a blocking thread.
struct Chunks {
    reader: SpoolReader,
    elements: ElementReader,
    writer: NativeWriter,
    entry: BigEntry,
    /// Bytes of the value not read yet.
    left: u64,
    /// Elements that are written already and not passed over yet.
    skip: u64,
    on_conflict: OnConflict,
    begun: bool,
    finished: bool,
    turns: LargeValuePermits,
    /// The turn, once an element was large; kept to the value's end, whose buffers keep their size.
    turn: Option<LargeValuePermit>,
}

impl Chunks {
    fn new(setup: &LaneSetup, entry: &BigEntry) -> Result<Self, String> {
        let caps = Features::of(setup.destination.version);
        let writer = NativeWriter::new(&entry.key, entry.kind, &caps, CHUNK_BYTES / 4).map_err(|e| e.to_string())?;
        let now = UnixMillis(UnixMillis::now().0.saturating_add(setup.clock_ahead));
        Ok(Self {
            reader: SpoolReader::new(&setup.spool, setup.spool_tag, entry.value_at, setup.level.clone()),
            elements: ElementReader::new(entry.kind, entry.value_at).expanding(LARGE as u64),
            writer: writer.with_deadlines(setup.destination.expiry, now),
            left: entry.size,
            skip: entry.done,
            on_conflict: setup.on_conflict,
            begun: entry.done > 0,
            finished: false,
            turns: setup.turns.clone(),
            turn: None,
            entry: entry.clone(),
        })
    }

    /// The next chunk; `None` when the value is written whole.
    fn next(&mut self) -> Result<Option<Batch>, LaneFault> {
        if self.finished {
            return Ok(None);
        }
        let mut batch = Batch::default();
        resp::command(&mut batch.bytes, &[b"SELECT", self.entry.to.to_string().as_bytes()]);
        batch.commands = 1;
        let guard_from = batch.bytes.len();
        if !self.begun && self.on_conflict == OnConflict::Replace {
            resp::command(&mut batch.bytes, &[b"DEL", &self.entry.key]);
            batch.commands += 1;
        }
        self.fill(&mut batch)?;
        if !self.begun && self.on_conflict != OnConflict::Replace {
            let (db, key, bytes) = (self.entry.to, self.entry.key.clone(), guard_from..batch.bytes.len());
            batch.probes = vec![Probe { db, key, bytes, commands: batch.commands - 1 }];
            batch.mark_if_left_alone = Some(Mark { at: self.entry.end, elements: 0 });
        }
        self.begun = true;
        Ok(Some(batch))
    }

    fn fill(&mut self, batch: &mut Batch) -> Result<(), LaneFault> {
        let spool = |error: &dyn std::fmt::Display| LaneFault::Spool(error.to_string());
        while batch.bytes.len() < CHUNK_BYTES {
            if let Some(element) = self.elements.next().map_err(|error| spool(&error))? {
                if self.skip > 0 {
                    self.writer.skip(&element);
                    self.skip -= 1;
                } else {
                    batch.commands += self.writer.push(&element, &mut batch.bytes);
                }
                continue;
            }
            if self.elements.is_done() {
                batch.commands += self.writer.finish(self.entry.expires_at, &mut batch.bytes);
                batch.mark = Mark { at: self.entry.end, elements: 0 };
                batch.keys = 1;
                self.finished = true;
                return Ok(());
            }
            if self.turn.is_none() && (self.elements.held() > LARGE || self.elements.is_large()) {
                self.turn = Some(self.turns.take());
                self.elements.expand(u64::MAX);
                continue;
            }
            let bytes = self.reader.read().map_err(|error| spool(&error))?.unwrap_or_default();
            let part = bytes.get(..usize::try_from(self.left).unwrap_or(usize::MAX)).unwrap_or(bytes);
            if part.is_empty() {
                return Err(spool(&format!("the value of `{}` ends early", KeyText(&self.entry.key))));
            }
            self.elements.feed(part);
            self.left -= part.len() as u64;
        }
        batch.mark = Mark { at: self.entry.at, elements: self.writer.written() };
        Ok(())
    }
}

/// The RESTORE of a value that cannot be written in chunks.
fn whole(setup: &LaneSetup, big: &BigEntry, version: u16) -> Result<Batch, LaneFault> {
    let spool = |error: &dyn std::fmt::Display| LaneFault::Spool(error.to_string());
    let mut reader = SpoolReader::new(&setup.spool, setup.spool_tag, big.value_at, setup.level.clone());
    let size = usize::try_from(big.size).unwrap_or(usize::MAX);
    let mut body = vec![];
    while body.len() < size {
        let bytes = reader.read().map_err(|error| spool(&error))?.ok_or_else(|| spool(&"the value ends early"))?;
        body.extend_from_slice(bytes.get(..size - body.len()).unwrap_or(bytes));
    }
    let value = Value { kind: big.kind, module: big.module, at: big.value_at, size: big.size, body: Body::Spooled };
    let (at, end, db, expires_at) = (big.at, big.end, big.from, big.expires_at);
    let key = Cow::Borrowed(&big.key[..]);
    let entry = Entry { at, end, db, key, expires_at, access: None, key_meta: false, value };
    let mut batch = Batch { mark: Mark { at: end, elements: 0 }, keys: 1, commands: 1, ..Batch::default() };
    resp::command(&mut batch.bytes, &[b"SELECT", big.to.to_string().as_bytes()]);
    let now = UnixMillis(UnixMillis::now().0.saturating_add(setup.clock_ahead));
    let start = batch.bytes.len();
    let value = (&entry, &body[..], version);
    let commands = restore(&mut batch.bytes, value, &setup.destination, setup.on_conflict, now);
    if leaves_alone(setup.on_conflict, commands) {
        let bytes = start..batch.bytes.len();
        batch.probes.push(Probe { db: big.to, key: big.key.clone(), bytes, commands });
    }
    batch.commands += commands;
    Ok(batch)
}

/// Nothing but the mark behind the entry.
fn passed(entry: &BigEntry) -> Batch {
    Batch { mark: Mark { at: entry.end, elements: 0 }, ..Batch::default() }
}

fn failure(entry: &BigEntry, reason: String) -> KeyFailure {
    KeyFailure {
        key: KeyText(&entry.key).to_string(),
        db: entry.from,
        kind: entry.kind.type_name().to_owned(),
        size: entry.size,
        reason,
    }
}
