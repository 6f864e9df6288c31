//! The connection of a lane.

use std::time::Duration;

use async_channel::Sender;
use async_std::future::timeout;

use super::{
    run::LaneReport,
    wire::{self, NotAReply, ReplyHead, ReplyWalk},
};
use crate::{
    net::{Access, ControlError, NetError, NetFault, Stream, Timeouts},
    store::KeyBlock,
    unit::{Db, KeyText, UnixMillis},
};

/// The longest a destination may take for one answer: a transaction of a lane takes milliseconds, a blocked server
/// (fork, slow script, swap) seconds.
const ANSWER: Duration = Duration::from_mins(2);

/// After so long without an answer somebody is told that one is waited for.
const QUIET: Duration = Duration::from_secs(10);

/// Why a conversation broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkFault {
    /// The connection failed.
    Link(String),
    /// The server answered a command of ours with this error.
    Refused(String),
    /// The server sent no reply.
    Protocol,
}

impl From<NetError> for LinkFault {
    fn from(error: NetError) -> Self {
        Self::Link(error.to_string())
    }
}

impl From<ControlError> for LinkFault {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Net(error) => error.into(),
            ControlError::Refused { refusal, .. } => Self::Refused(refusal.text),
            ControlError::Unexpected { .. } => Self::Protocol,
        }
    }
}

impl From<NotAReply> for LinkFault {
    fn from(_: NotAReply) -> Self {
        Self::Protocol
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It was carried out; these commands answered with an error.
    Done(Vec<(u32, String)>),
    /// A watched key had changed: nothing was carried out.
    Untouched,
    /// A command was refused when it was queued: nothing was carried out.
    Aborted(String),
}

/// What a reply that is passed over was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing to look at.
    Fine,
    /// A string that is absent.
    Nil,
    /// An array of nothing.
    Empty,
    /// The number 0.
    Zero,
    /// An error.
    Error(String),
}

/// What nil means among the answers of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nil {
    /// An answer like others.
    Answer,
    /// A SET did not replace the key that exists.
    KeyExists,
}

/// [`Nil::KeyExists`] in the words of a RESTORE that is refused for the same reason (cluster.c, `restoreCommand`).
const KEY_EXISTS: &str = "BUSYKEY Target key name already exists.";

/// What an empty answer to a claim means (`t_stream.c`, `xclaimCommand` from 7.0 on).
const IN_VAIN: &str =
    "the entry is deleted from the stream, so this server does not keep it pending, and the source does";

/// What it means when a command that makes a key, and did at the source, made none.
const NOT_MADE: &str = "the destination has a key of this name that the source did not have, so nothing was written";
/// The longest string that is held: the longest name of a key that is taken, with room to spare.
const HELD: u64 = 64 << 20;

/// Bytes of input that are read at once.
const INPUT: usize = 64 << 10;
/// Missing bytes of replies from which on they are waited for together: a server sends some for every 16 KiB that it reads,
/// and each wake-up costs more than its bytes.
const MANY: usize = 1 << 10;

/// A connection with its unread input.
pub(super) struct Connection {
    stream: Stream,
    /// What was read is at its beginning, room behind it.
    input: Vec<u8>,
    /// The first byte of the next reply.
    at: usize,
    /// The first byte of the room.
    end: usize,
    /// Bytes below which the socket does not wake us.
    low_water: usize,
    /// Who is told that the server does not answer.
    listener: Option<Sender<LaneReport>>,
}

impl Connection {
    /// Connects and signs in; `listener` is told when the server does not answer for a while.
    pub(super) async fn open(
        access: &Access,
        name: &str,
        listener: Option<Sender<LaneReport>>,
    ) -> Result<Self, LinkFault> {
        let timeouts = Timeouts { read: ANSWER, write: ANSWER, ..Timeouts::default() };
        let mut stream = access.session(name, timeouts).await?;
        stream.hold_thread();
        Ok(Self { stream, input: vec![0; INPUT], at: 0, end: 0, low_water: 1, listener })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkFault> {
        self.send_both([bytes, &[]]).await
    }

    /// Sends two pieces, together where the connection can.
    pub(super) async fn send_both(&mut self, pieces: [&[u8]; 2]) -> Result<(), LinkFault> {
        self.stream.expect();
        let Some(listener) =
            self.listener.clone().filter(|_| pieces.iter().map(|piece| piece.len()).sum::<usize>() > INPUT)
        else {
            return Ok(self.stream.write_both(pieces).await?);
        };
        // What fits into the sockets' buffers is taken whether or not the server reads.
        let mut writing = std::pin::pin!(self.stream.write_both(pieces));
        if let Ok(written) = timeout(QUIET, writing.as_mut()).await {
            return Ok(written?);
        }
        let _ = listener.send(silent("take what is sent to it")).await;
        Ok(writing.await?)
    }

    /// Reads one reply that must not be an error.
    pub(super) async fn line(&mut self) -> Result<(), LinkFault> {
        match self.whole(0).await? {
            Answer::Error(error) => Err(LinkFault::Refused(error)),
            Answer::Nil | Answer::Zero | Answer::Empty | Answer::Fine => Ok(()),
        }
    }

    /// Reads a reply that is a bulk string or nothing. It is held, so it must be one that is short or a key.
    pub(super) async fn bulk(&mut self) -> Result<Option<Vec<u8>>, LinkFault> {
        let mut out = vec![];
        Ok(self.bulk_into(&mut out).await?.then_some(out))
    }

    /// The same, appended to `out`; answers whether there is one.
    pub(super) async fn bulk_into(&mut self, out: &mut Vec<u8>) -> Result<bool, LinkFault> {
        let size = match self.head().await? {
            ReplyHead::Bulk(None) => return Ok(false),
            ReplyHead::Bulk(Some(size @ ..=HELD)) => usize::try_from(size).map_err(|_| LinkFault::Protocol)?,
            ReplyHead::Error(error) => return Err(LinkFault::Refused(text(error))),
            ReplyHead::Bulk(Some(_)) | ReplyHead::Line(_) | ReplyHead::Array(_) => return Err(LinkFault::Protocol),
        };
        let whole = size.checked_add(2).ok_or(LinkFault::Protocol)?;
        while self.unread().len() < whole {
            self.fill(0).await?;
        }
        let body = self.unread().get(..whole).and_then(|body| body.strip_suffix(b"\r\n"));
        out.extend_from_slice(body.ok_or(LinkFault::Protocol)?);
        self.at += whole;
        Ok(true)
    }

    /// Reads a reply that is a number.
    pub(super) async fn number(&mut self) -> Result<i64, LinkFault> {
        if let Some((number, len)) = wire::integer(self.unread()) {
            self.at += len;
            return Ok(number);
        }
        match self.head().await? {
            ReplyHead::Line(digits) => {
                std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(LinkFault::Protocol)
            }
            ReplyHead::Error(error) => Err(LinkFault::Refused(text(error))),
            ReplyHead::Bulk(_) | ReplyHead::Array(_) => Err(LinkFault::Protocol),
        }
    }

    /// Reads the reply to a `CONFIG GET` of one setting: its value, if it is shown.
    pub(super) async fn pair(&mut self) -> Result<Option<Vec<u8>>, LinkFault> {
        match self.head().await? {
            ReplyHead::Array(Some(2)) => {}
            ReplyHead::Array(Some(0) | None) | ReplyHead::Error(_) => return Ok(None),
            _ => return Err(LinkFault::Protocol),
        }
        self.bulk().await?;
        self.bulk().await
    }

    /// Reads the reply to TIME, in milliseconds.
    pub(super) async fn time(&mut self) -> Result<UnixMillis, LinkFault> {
        let ReplyHead::Array(Some(2)) = self.head().await? else { return Err(LinkFault::Protocol) };
        let mut parts = [0i64; 2];
        for part in &mut parts {
            let digits = self.bulk().await?.ok_or(LinkFault::Protocol)?;
            *part = text(&digits).parse().map_err(|_| LinkFault::Protocol)?;
        }
        let [seconds, micros] = parts;
        Ok(UnixMillis(seconds.saturating_mul(1000).saturating_add(micros / 1000)))
    }

    /// Reads a reply that is an array of numbers; a null array is empty.
    pub(super) async fn numbers(&mut self) -> Result<Vec<i64>, LinkFault> {
        let count = match self.head().await? {
            ReplyHead::Array(count) => count.unwrap_or(0),
            ReplyHead::Error(error) => return Err(LinkFault::Refused(text(error))),
            _ => return Err(LinkFault::Protocol),
        };
        let mut numbers = vec![];
        for _ in 0..count {
            numbers.push(self.number().await?);
        }
        Ok(numbers)
    }

    /// Reads the reply to SCAN: the next cursor and the keys.
    pub(super) async fn scanned(&mut self) -> Result<(Vec<u8>, Vec<Vec<u8>>), LinkFault> {
        match self.scanned_if_there().await? {
            Some(scanned) => Ok(scanned),
            None => Err(LinkFault::Protocol),
        }
    }

    /// The same, with keys of `db` that are added to `keys`.
    pub(super) async fn scanned_into(
        &mut self,
        keys: &mut KeyBlock,
        (db, fields): (Db, bool),
    ) -> Result<Vec<u8>, LinkFault> {
        let (cursor, count) = self.scan_head().await?.ok_or(LinkFault::Protocol)?;
        for _ in 0..count {
            if !self.bulk_into(keys.room()).await? {
                return Err(LinkFault::Protocol);
            }
            keys.end_key(db, fields);
        }
        Ok(cursor)
    }

    /// The same for HSCAN; `None` when the key is of another type.
    pub(super) async fn scanned_if_there(&mut self) -> Result<Option<(Vec<u8>, Vec<Vec<u8>>)>, LinkFault> {
        let Some((cursor, count)) = self.scan_head().await? else { return Ok(None) };
        let mut keys = vec![];
        for _ in 0..count {
            keys.push(self.bulk().await?.ok_or(LinkFault::Protocol)?);
        }
        Ok(Some((cursor, keys)))
    }

    /// The next cursor and how many elements follow; `None` when the key is of another type.
    async fn scan_head(&mut self) -> Result<Option<(Vec<u8>, u64)>, LinkFault> {
        match self.head().await? {
            ReplyHead::Array(Some(2)) => {}
            ReplyHead::Error(error) if error.starts_with(b"WRONGTYPE") => return Ok(None),
            ReplyHead::Error(error) => return Err(LinkFault::Refused(text(error))),
            _ => return Err(LinkFault::Protocol),
        }
        let cursor = self.bulk().await?.ok_or(LinkFault::Protocol)?;
        let ReplyHead::Array(Some(count)) = self.head().await? else { return Err(LinkFault::Protocol) };
        Ok(Some((cursor, count)))
    }

    /// Reads the replies to `MULTI`, `count` commands and `EXEC`. An answer of nothing to
    /// one that is `watched` is an error of its.
    pub(super) async fn executed(&mut self, count: u32, nil: Nil, watched: &[u32]) -> Result<Executed, LinkFault> {
        self.line().await?;
        let mut left = count;
        let mut refused = None;
        while left > 0 {
            let queued = self.pass(wire::QUEUED, left);
            left -= queued;
            if queued == 0 {
                // A refusal is no shorter: it names its kind and says why.
                if let Answer::Error(error) = self.whole(wire::QUEUED.len().saturating_mul(left as usize)).await? {
                    refused.get_or_insert(error);
                }
                left -= 1;
            }
        }
        self.results(count, refused, (nil, watched)).await
    }

    async fn results(
        &mut self,
        count: u32,
        refused: Option<String>,
        (nil, watched): (Nil, &[u32]),
    ) -> Result<Executed, LinkFault> {
        match self.head().await? {
            // An answer for each command, or what comes behind them would be taken for one.
            ReplyHead::Array(Some(answers)) if answers == u64::from(count) => {}
            ReplyHead::Array(None) => return Ok(Executed::Untouched),
            ReplyHead::Error(error) => return Ok(Executed::Aborted(refused.unwrap_or_else(|| text(error)))),
            _ => return Err(LinkFault::Protocol),
        }
        let mut errors = vec![];
        let mut left = count;
        while left > 0 {
            let fine = match self.pass(wire::OK, left) {
                0 => self.pass(wire::ONE, left),
                fine => fine,
            };
            left -= fine;
            if fine == 0 {
                match self.whole(wire::SHORTEST.saturating_mul(left as usize)).await? {
                    Answer::Error(error) => errors.push((count - left, error)),
                    Answer::Nil if nil == Nil::KeyExists => errors.push((count - left, KEY_EXISTS.to_owned())),
                    Answer::Empty if watched.binary_search(&(count - left)).is_ok() => {
                        errors.push((count - left, IN_VAIN.to_owned()));
                    }
                    Answer::Nil | Answer::Zero if watched.binary_search(&(count - left)).is_ok() => {
                        errors.push((count - left, NOT_MADE.to_owned()));
                    }
                    Answer::Nil | Answer::Zero | Answer::Empty | Answer::Fine => {}
                }
                left -= 1;
            }
        }
        Ok(Executed::Done(errors))
    }

    /// Passes over replies that are this line, `most` at most; answers how many are there.
    fn pass(&mut self, line: &[u8], most: u32) -> u32 {
        let there = wire::repeats(self.unread(), line, most);
        self.at += there as usize * line.len();
        there
    }

    /// Takes the head of the next reply; what follows it is still to be read.
    async fn head(&mut self) -> Result<ReplyHead<'_>, LinkFault> {
        while wire::head(self.unread())?.is_none() {
            self.fill(0).await?;
        }
        let Some((_, len)) = wire::head(self.unread())? else { return Err(LinkFault::Protocol) };
        let start = self.at;
        self.at += len;
        let taken = self.input.get(start..self.at).unwrap_or_default();
        wire::head(taken)?.map(|(head, _)| head).ok_or(LinkFault::Protocol)
    }

    /// Passes over a whole reply, however large, and holds nothing of it. `expected` bytes at least, this reply's among them,
    /// are still to be taken.
    async fn whole(&mut self, expected: usize) -> Result<Answer, LinkFault> {
        let answer = loop {
            match wire::head(self.unread())? {
                Some((ReplyHead::Error(error), _)) => break Answer::Error(text(error)),
                Some((ReplyHead::Bulk(None), _)) => break Answer::Nil,
                Some((ReplyHead::Array(Some(0)), _)) => break Answer::Empty,
                Some((ReplyHead::Line(b"0"), _)) => break Answer::Zero,
                Some(_) => break Answer::Fine,
                None => self.fill(expected).await?,
            }
        };
        let (mut walk, mut passed) = (ReplyWalk::new(), 0);
        loop {
            let some = walk.pass(self.unread())?;
            self.at += some;
            passed += some;
            if walk.is_over() {
                return Ok(answer);
            }
            self.fill(expected.saturating_sub(passed)).await?;
        }
    }

    fn unread(&self) -> &[u8] {
        self.input.get(self.at..self.end).unwrap_or_default()
    }

    /// Reads on. Where many of the `expected` bytes are missing, a wait ends only when all of them are there.
    async fn fill(&mut self, expected: usize) -> Result<(), LinkFault> {
        self.input.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        if self.input.len() - self.end < INPUT / 2 {
            self.input.resize(self.input.len() + INPUT, 0);
        }
        let missing = expected.saturating_sub(self.end);
        let low_water = if missing > MANY { missing } else { 1 };
        if low_water != self.low_water {
            self.stream.set_low_water(low_water);
            self.low_water = low_water;
        }
        let count = self.read().await?;
        if count == 0 {
            return Err(LinkFault::Link("it closed the connection".to_owned()));
        }
        self.end += count;
        Ok(())
    }

    /// Reads some bytes; tells when none come for a while, and when some come after that.
    async fn read(&mut self) -> Result<usize, NetError> {
        let room = self.input.get_mut(self.end..).unwrap_or_default();
        let Some(listener) = &self.listener else { return self.stream.read(room).await };
        match self.stream.read_within(room, QUIET).await {
            Err(NetError { fault: NetFault::Timeout { .. }, .. }) => {
                let _ = listener.send(silent("answer")).await;
                let room = self.input.get_mut(self.end..).unwrap_or_default();
                let count = self.stream.read_within(room, ANSWER.saturating_sub(QUIET)).await?;
                let _ = listener.send(LaneReport::GoesOn).await;
                Ok(count)
            }
            read => read,
        }
    }
}

/// What is told of a server that is silent.
fn silent(what: &str) -> LaneReport {
    LaneReport::Waiting { reason: format!("destination: it does not {what} for {} s", QUIET.as_secs()) }
}

fn text(bytes: &[u8]) -> String {
    crate::unit::quoted(bytes, KeyText::LIMIT)
}
