//! Reading the stream from its spool, translating it, and handing batches to the lane: a thread of its own, since it
//! computes and blocks.

use std::sync::{Arc, atomic::AtomicI64};

use async_channel::Sender;

use super::{
    gauge::{Begun, Counts, StreamProgress},
    settler::written,
    signal::Signal,
};
use crate::{
    engine::{ending::Ending, gate::Gate, intake::StreamState, pace::Throttle},
    plan::fault::catalogue::runs,
    resp::{CommandReader, RespError, RespFault, RespLimits},
    sink::{
        Batch, BatchSize, Checkpoint, CommandOutcome, InFlight, Job, Mark, Outgoing, RecordKeys, Removed, Translator,
    },
    step::{KeyFailure, OnUnsupported},
    store::spool::{SpoolError, SpoolReader},
    unit::{Db, Offset, ReplId, UnixMillis},
};

/// A command that is not whole and has so many bytes already is gathered alone.
const LARGE: usize = 8 << 20;

/// What feeding needs.
pub(super) struct Feed {
    pub(super) reader: SpoolReader,
    pub(super) commands: CommandReader,
    pub(super) translator: Translator,
    pub(super) outlet: Outlet,
    /// The source's clock minus ours, in milliseconds.
    pub(super) source_ahead: i64,
    /// The destination's.
    pub(super) destination_ahead: i64,
    /// How far ahead deadlines lie that are written exact, in milliseconds; 0 defers all.
    pub(super) ahead: Arc<AtomicI64>,
}

/// Where batches go.
pub(super) struct Outlet {
    to: OutletParts,
    /// The id to write where the stream has none yet.
    replid: ReplId,
    restore: RecordRestore,
    out: Outgoing,
    /// The end of the last command in `out`, outside transactions.
    upto: Offset,
    /// The transaction that has not ended.
    begun: Option<Begun>,
    /// The end of what was handed to the lane.
    sent: Offset,
    /// The last command that writes: its end and its receipt.
    wrote: Option<(Offset, UnixMillis)>,
    /// Commands that the lane was not given yet and that write what the plan takes.
    writing: u64,
    /// How many commands in `out` were left out by the plan's rules when the last one was taken.
    filtered: u64,
}

/// What puts the run record back after a flush.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordRestore {
    /// Commands, in database 0.
    pub(super) bytes: Vec<u8>,
    /// How many.
    pub(super) commands: u32,
    /// The key of the record, and what was gone at the destination, this run's own flushes counted in.
    pub(super) removed: Option<(RecordKeys, Removed)>,
}

impl RecordRestore {
    /// The commands, and how many, that count in what this run does to so many whole databases: with it, or not at all.
    fn counted(&mut self, calls: u64) -> (Vec<u8>, u32) {
        let Some((keys, removed)) = &mut self.removed else { return (vec![], 0) };
        removed.count_own(calls);
        let mut bytes = vec![];
        crate::resp::command(&mut bytes, &[b"SELECT", b"0"]);
        bytes.extend(keys.note_removed(removed).get_packed_command());
        (bytes, 2)
    }
}

/// Why feeding ends.
enum FeedFault {
    Ending(Ending),
    /// What is spooled cannot be read on.
    Spoiled(String),
    /// Nobody takes batches any more.
    Gone,
}

impl From<SpoolError> for FeedFault {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Damaged { .. } | SpoolError::Missing { .. } => {
                Self::Spoiled(format!("The spool of the source's stream cannot be used: {error}."))
            }
            SpoolError::Full { .. } | SpoolError::Io { .. } | SpoolError::Ended { .. } => Self::Ending(error.into()),
        }
    }
}

impl From<RespError> for FeedFault {
    fn from(error: RespError) -> Self {
        match error.fault {
            RespFault::Whole(_) | RespFault::Length(1..) => Self::Ending(too_long(&error.to_string())),
            _ => Self::Spoiled(damaged(&error.to_string())),
        }
    }
}

/// Feeds until the spool ends or nobody takes batches any more.
pub(super) fn feed(mut feeding: Feed) {
    let signal = match feeding.run() {
        Err(FeedFault::Ending(ending)) => Signal::Fed(ending),
        Err(FeedFault::Spoiled(reason)) => Signal::Spoiled(reason),
        Ok(()) | Err(FeedFault::Gone) => return,
    };
    let _ = feeding.outlet.to.signals.send_blocking(signal);
}

impl Feed {
    fn run(&mut self) -> Result<(), FeedFault> {
        let Self { reader, commands, translator, outlet, source_ahead, destination_ahead, ahead } = self;
        loop {
            if reader.is_level() && !translator.in_transaction() {
                let more = (commands.pending() > 0).then(|| reader.received_at());
                outlet.flush(more, translator)?;
            }
            let received_at = match reader.read()? {
                None => return Ok(()),
                Some(bytes) => {
                    commands.feed(bytes);
                    reader.received_at()
                }
            };
            outlet.to.gauge.building(received_at);
            if commands.pending() > LARGE {
                outlet.clear_the_way(received_at, translator)?;
            }
            let at = UnixMillis(received_at.0.saturating_add(*source_ahead));
            let now = UnixMillis(UnixMillis::now().0.saturating_add(*destination_ahead));
            translator.write_deadlines(written(translator.expiry(), ahead, now));
            while let Some(command) = commands.next()? {
                let end = Offset(command.end());
                let taken = translator.take(&command, at, &mut outlet.out);
                if outlet.out.owes() {
                    outlet.out.adopt(commands.give_away());
                }
                outlet.took(taken, (end, received_at), translator)?;
            }
            outlet.to.gauge.read(outlet.upto, outlet.wrote);
            outlet.to.gauge.in_transaction(outlet.begun);
        }
    }
}

impl Outlet {
    pub(super) fn new(at: Checkpoint, restore: RecordRestore, to: OutletParts) -> Self {
        let (replid, upto) = (at.replid, at.offset);
        let out = Outgoing::default();
        Self { to, replid, restore, out, upto, begun: None, sent: upto, wrote: None, writing: 0, filtered: 0 }
    }

    fn took(
        &mut self,
        taken: CommandOutcome,
        (end, received_at): (Offset, UnixMillis),
        translator: &Translator,
    ) -> Result<(), FeedFault> {
        if std::mem::take(&mut self.out.data) {
            self.wrote = Some((end, received_at));
            self.writing += u64::from(self.out.filtered == self.filtered);
            self.filtered = self.out.filtered;
        }
        if !self.out.left.is_empty() {
            self.tell_left()?;
        }
        match taken {
            CommandOutcome::Done => {}
            CommandOutcome::Erase(erase) => {
                self.flush(Some(received_at), translator)?;
                if self.may_write(0, Job::UNIT)? {
                    self.to.jobs.send_blocking(Job::Erase(Box::new(erase))).map_err(|_| FeedFault::Gone)?;
                }
            }
            CommandOutcome::Long(what) => return Err(FeedFault::Ending(too_long(&what))),
            CommandOutcome::Damaged(what) => return Err(FeedFault::Spoiled(damaged(&what))),
        }
        if translator.in_transaction() {
            // It is never split, and is held until its end.
            self.begun.get_or_insert(Begun { after: self.upto, received: received_at });
            let most = RespLimits::default().whole;
            return if self.out.len() <= most {
                Ok(())
            } else {
                let what = format!("a transaction that began after offset {} is longer than {most} bytes", self.upto);
                Err(FeedFault::Ending(too_long(&what)))
            };
        }
        self.begun = None;
        self.upto = end;
        if self.to.size.is_full(self.out.len(), self.out.commands) || self.out.commands >= self.to.writes.at_once() {
            self.flush(Some(received_at), translator)?;
        }
        Ok(())
    }

    /// Tells what was not sent. With `on_unsupported: fail` nothing behind it is sent either.
    fn tell_left(&mut self) -> Result<(), FeedFault> {
        let left: Vec<KeyFailure> = std::mem::take(&mut self.out.left);
        for failure in left {
            let reason = failure.reason.clone();
            let _ = self.to.signals.send_blocking(Signal::Left(failure));
            if self.to.on_unsupported == OnUnsupported::Fail {
                return Err(FeedFault::Ending(Ending::of(
                    &runs::UNSUPPORTED,
                    format!(
                        "At offset {} of the source's stream: {reason} Nothing from there on was applied. With \
                         `on_unsupported: report` such commands are listed and left out.",
                        self.upto
                    ),
                )));
            }
        }
        Ok(())
    }

    /// Hands over what is collected. `more` is the receipt of what is read behind it, if there is something.
    fn flush(&mut self, more: Option<UnixMillis>, translator: &Translator) -> Result<(), FeedFault> {
        if self.upto <= self.sent {
            return Ok(());
        }
        if self.out.wipes_record {
            self.out.bytes.extend_from_slice(&self.restore.bytes);
            self.out.commands += self.restore.commands;
            self.out.reselect(Db(0));
            translator.restore_scripts(&mut self.out);
        }
        if self.out.scripts > 0 {
            let (count, names) = (std::mem::take(&mut self.out.scripts), std::mem::take(&mut self.out.new_scripts));
            let _ = self.to.signals.send_blocking(Signal::Scripts(count, names));
        }
        if self.out.whole > 0 {
            let (bytes, commands) = self.restore.counted(self.out.whole);
            self.out.bytes.extend(bytes);
            self.out.commands += commands;
        }
        let counts = Counts { commands: u64::from(self.out.commands), filtered: self.out.filtered };
        let replid = self.to.state.received().map_or(self.replid, |(replid, _)| replid);
        let checkpoint = Checkpoint { offset: self.upto, replid, db: translator.db() };
        let batch = Batch {
            charged: self.out.len() as u64,
            bytes: std::mem::take(&mut self.out.bytes),
            large: self.out.take_large(),
            commands: self.out.commands,
            mark: Mark { at: self.upto.0, elements: 0 },
            checkpoint: Some(checkpoint),
            watched: self.out.watched(translator.claims_in_vain()),
            empties: std::mem::take(&mut self.out.empties),
            swaps: std::mem::take(&mut self.out.swaps),
            settles: self.out.settles,
            restores_record: self.out.wipes_record,
            ..Batch::default()
        };
        self.out.clear();
        self.filtered = 0;
        let writing = std::mem::take(&mut self.writing);
        if !self.may_write(batch.commands, batch.charged)? {
            self.to.gauge.read(self.upto, self.wrote);
            self.to.gauge.left_behind(self.upto, writing);
            self.sent = self.upto;
            return Ok(());
        }
        self.to.gauge.read(self.upto, self.wrote);
        self.to.gauge.sent(checkpoint, more, counts);
        self.sent = self.upto;
        self.to.jobs.send_blocking(Job::Batch(Box::new(batch))).map_err(|_| FeedFault::Gone)
    }

    /// Waits until nothing is under way: a large command is gathered, and two of them are not held at once.
    fn clear_the_way(&mut self, more: UnixMillis, translator: &Translator) -> Result<(), FeedFault> {
        if !translator.in_transaction() {
            self.flush(Some(more), translator)?;
        }
        if self.to.window.wait_until_whole() || self.to.gauge.is_sealed() { Ok(()) } else { Err(FeedFault::Gone) }
    }

    /// Waits until so much may be written and there is room for it; `false` behind the seal, where nothing is written.
    fn may_write(&self, commands: u32, bytes: u64) -> Result<bool, FeedFault> {
        let window = &self.to.window;
        if self.to.writes.wait(u64::from(commands), || window.is_closed()) && self.to.gate.take(window, bytes) {
            return Ok(true);
        }
        if self.to.gauge.is_sealed() { Ok(false) } else { Err(FeedFault::Gone) }
    }
}

/// What an outlet is connected to.
pub(super) struct OutletParts {
    pub(super) jobs: Sender<Job>,
    pub(super) signals: Sender<Signal>,
    pub(super) window: InFlight,
    pub(super) gate: Gate,
    pub(super) writes: Throttle,
    pub(super) gauge: StreamProgress,
    pub(super) size: BatchSize,
    pub(super) state: StreamState,
    pub(super) on_unsupported: OnUnsupported,
}

fn too_long(what: &str) -> Ending {
    Ending::of(
        &runs::TOO_LONG,
        format!(
            "The source's stream has a command that this version does not take: {what}. Nothing from there on was applied. A \
             new run under another name copies what that command left at the source."
        ),
    )
}

fn damaged(what: &str) -> String {
    format!(
        "The source's stream cannot be read any further: {what}. Nothing from there on was applied. Something between this host and \
         the source may have changed it (a proxy), or the source is newer than this version."
    )
}
