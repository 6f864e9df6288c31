//! A replication connection.

use std::time::{Duration, Instant};

use super::{SourceError, SourceFacts};
use crate::net::{NetError, NetFault, Stream, Timeouts, dial};
use crate::repl::{self, Action, Cut, Handshake, HandshakeOptions, HeaderLine, Payload, PayloadHeader, PsyncReply};
use crate::resp::Buffer;
use crate::step::Endpoint;
use crate::unit::{Address, Offset, ReplId, Secret};

/// Bytes asked of the socket at once.
const CHUNK: usize = 256 << 10;

/// A connection on which the source takes us for a replica. It reads into memory of its own, a few hundred KiB, and
/// only when asked: whoever reads a dump slowly makes the source hold its changes, and lose patience.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    inbox: Buffer,
    /// Silence after which the source counts as gone.
    patience: Duration,
    dump: Option<Dump>,
}

#[derive(Debug)]
struct Dump {
    payload: Payload,
    /// What the inbox begins with.
    cut: Cut,
    expected: Option<u64>,
    received: u64,
}

/// What a dump stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpHeader {
    /// The replication history; `None` from a source that knows only SYNC: such a session cannot be resumed.
    pub replid: Option<ReplId>,
    /// The history's offset at the moment of the dump; the stream behind it begins at the next byte.
    pub offset: Option<Offset>,
    /// Length in bytes; `None` when it is streamed without a disk.
    pub length: Option<u64>,
}

/// A sign of life while a dump is prepared, about one a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What is awaited.
    pub what: WaitingFor,
    /// Since the dump was requested.
    pub elapsed: Duration,
}

/// What is awaited of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// That it begins to save: it waits for `repl-diskless-sync-delay`, or for a save that runs already.
    Start,
    /// That its dump is written to its disk.
    Save,
}

impl Link {
    /// Connects and introduces itself, with 10 s to connect and 60 s of silence allowed.
    pub async fn open(endpoint: &Endpoint, secret: Option<&Secret>, facts: &SourceFacts) -> Result<Self, SourceError> {
        Self::open_within(endpoint, secret, facts, Timeouts::default()).await
    }

    /// As [`Self::open`], with these limits.
    pub async fn open_within(
        endpoint: &Endpoint,
        secret: Option<&Secret>,
        facts: &SourceFacts,
        timeouts: Timeouts,
    ) -> Result<Self, SourceError> {
        let stream = dial(&endpoint.address, timeouts).await?;
        let mut link = Self { stream, inbox: Buffer::default(), patience: timeouts.read, dump: None };
        link.introduce(HandshakeOptions {
            username: endpoint.username.clone(),
            password: secret.cloned(),
            source: facts.version,
            listening_port: None,
        })
        .await?;
        Ok(link)
    }

    /// Requests a dump and waits for its beginning, which may take minutes: `on_wait` is called at each sign of life.
    /// Asks with PSYNC, and with SYNC where that is not known. Retries nothing.
    pub async fn request_dump(&mut self, mut on_wait: impl FnMut(Waiting)) -> Result<DumpHeader, SourceError> {
        let begun = Instant::now();
        let mut wait = |what| on_wait(Waiting { what, elapsed: begun.elapsed() });
        let history = match self.psync(&mut wait).await? {
            Some((replid, offset)) => (Some(replid), Some(offset)),
            None => {
                self.send(&repl::sync()).await?;
                (None, None)
            }
        };
        let header = self.header(&mut wait).await?;
        let length = match header {
            PayloadHeader::Length(length) => Some(length),
            PayloadHeader::Mark(_) => None,
        };
        self.dump = Some(Dump { payload: Payload::new(&header), cut: Cut::default(), expected: length, received: 0 });
        Ok(DumpHeader { replid: history.0, offset: history.1, length })
    }

    /// Reads bytes of the dump, without its frame; 0 once it is complete, and only then: its stated length came, or its
    /// end mark was seen.
    pub async fn read_dump(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        loop {
            let Some(dump) = &mut self.dump else { return Err(SourceError::NotRequested) };
            if let Some(count) = dump.hand_out(&mut self.inbox, buffer) {
                return Ok(count);
            }
            let (received, expected) = (dump.received, dump.expected);
            let broken = |address, cause| SourceError::ClosedDuringDump { address, received, expected, cause };
            match self.fill().await {
                Ok(true) => {}
                Ok(false) => return Err(broken(self.address(), None)),
                Err(SourceError::Net(error)) => return Err(broken(error.address, Some(error.fault))),
                Err(error) => return Err(error),
            }
        }
    }

    async fn introduce(&mut self, options: HandshakeOptions) -> Result<(), SourceError> {
        let mut handshake = Handshake::new(options);
        loop {
            match handshake.next() {
                Action::Send(request) => {
                    self.send(&request).await?;
                    handshake.on_reply(&self.line().await?);
                }
                Action::Done => return Ok(()),
                Action::Fail(error) => {
                    return Err(SourceError::Handshake { address: self.address(), error });
                }
            }
        }
    }

    /// Asks with PSYNC; `None` when the source knows only SYNC. From here to the payload header nothing may be sent.
    async fn psync(&mut self, wait: &mut impl FnMut(WaitingFor)) -> Result<Option<(ReplId, Offset)>, SourceError> {
        self.send(&repl::psync_full()).await?;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                wait(WaitingFor::Start);
                continue;
            }
            let address = self.address();
            return match PsyncReply::classify(&line) {
                PsyncReply::FullResync { replid, offset } => Ok(Some((replid, offset))),
                PsyncReply::Fallback(_) => Ok(None),
                PsyncReply::Retry(refusal) => Err(SourceError::NotNow { address, refusal }),
                PsyncReply::Fatal(refusal) => Err(SourceError::Refused { address, refusal }),
                PsyncReply::Continue { .. } => {
                    let seen = "+CONTINUE".to_owned();
                    Err(SourceError::Strange { address, request: "PSYNC ? -1", seen })
                }
                PsyncReply::Strange(seen) => Err(SourceError::Strange { address, request: "PSYNC", seen }),
            };
        }
    }

    async fn header(&mut self, wait: &mut impl FnMut(WaitingFor)) -> Result<PayloadHeader, SourceError> {
        loop {
            let line = self.line().await?;
            let address = self.address();
            match HeaderLine::classify(&line) {
                HeaderLine::KeepAlive => wait(WaitingFor::Save),
                HeaderLine::Header(header) => return Ok(header),
                HeaderLine::Refused { refusal, retryable: true } => {
                    return Err(SourceError::NotNow { address, refusal });
                }
                HeaderLine::Refused { refusal, .. } => {
                    return Err(SourceError::Refused { address, refusal });
                }
                HeaderLine::Strange(seen) => {
                    return Err(SourceError::Strange { address, request: "the request for a dump", seen });
                }
            }
        }
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), SourceError> {
        Ok(self.stream.write_all(request).await?)
    }

    /// The next line without its line end.
    async fn line(&mut self) -> Result<Vec<u8>, SourceError> {
        loop {
            match repl::line(self.inbox.unread()) {
                Ok(Some((line, length))) => {
                    let line = line.to_vec();
                    self.inbox.consume(length);
                    return Ok(line);
                }
                Ok(None) => {}
                Err(fault) => return Err(SourceError::NoLine { address: self.address(), fault }),
            }
            if !self.fill().await? {
                return Err(SourceError::ClosedBeforeDump { address: self.address() });
            }
        }
    }

    /// Takes in what the source sends next; false when it has closed the connection.
    async fn fill(&mut self) -> Result<bool, SourceError> {
        match self.stream.read_within(self.inbox.space(CHUNK), self.patience).await {
            Ok(count) => {
                self.inbox.commit(count);
                Ok(count > 0)
            }
            Err(NetError { address, fault: NetFault::Timeout { after, .. } }) => {
                Err(SourceError::Silent { address, after })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn address(&self) -> Address {
        self.stream.address().clone()
    }
}

impl Dump {
    /// Moves bytes of the dump into `buffer`: how many, 0 at the dump's proven end, `None` when more are needed.
    fn hand_out(&mut self, inbox: &mut Buffer, buffer: &mut [u8]) -> Option<usize> {
        loop {
            let count = self.cut.payload.min(buffer.len());
            if count > 0 {
                buffer.get_mut(..count)?.copy_from_slice(inbox.consume(count));
                self.cut.payload -= count;
                self.received += count as u64;
                return Some(count);
            }
            if self.cut.payload == 0 {
                inbox.consume(std::mem::take(&mut self.cut.mark));
            }
            if buffer.is_empty() || self.payload.is_complete() {
                return Some(0);
            }
            self.cut = self.payload.cut(inbox.unread());
            if self.cut.payload == 0 && self.cut.mark == 0 {
                return None;
            }
        }
    }
}
