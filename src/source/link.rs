//! A replication connection.

use std::time::{Duration, Instant};

use super::{SourceError, SourceFacts};
use crate::net::{Access, NetError, NetFault, Stream, Timeouts};
use crate::repl::{
    self, Action, Cut, Handshake, HandshakeOptions, HeaderLine, PayloadHeader, PayloadReader, PsyncReply,
};
use crate::resp::Buffer;
use crate::unit::{Address, Offset, ReplId};

/// Bytes asked of the socket at once.
const CHUNK: usize = 256 << 10;

/// A connection on which the source takes us for a replica. It reads into memory of its own, a few hundred KiB, and
/// only when asked: whoever reads a dump slowly makes the source hold its changes, and lose patience.
#[derive(Debug)]
pub struct Link {
    pub(super) stream: Stream,
    pub(super) inbox: Buffer,
    /// Silence after which the source counts as gone.
    pub(super) patience: Duration,
    dump: Option<Dump>,
}

#[derive(Debug)]
struct Dump {
    payload: PayloadReader,
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
    pub async fn open(access: &Access, facts: &SourceFacts) -> Result<Self, SourceError> {
        Self::open_within(access, facts, Timeouts::default()).await
    }

    /// As [`Self::open`], with these limits.
    pub async fn open_within(access: &Access, facts: &SourceFacts, timeouts: Timeouts) -> Result<Self, SourceError> {
        let stream = access.link(timeouts).await?;
        let mut link = Self { stream, inbox: Buffer::default(), patience: timeouts.read, dump: None };
        link.introduce(HandshakeOptions {
            username: access.username.clone(),
            password: access.password.clone(),
            source: facts.version,
        })
        .await?;
        Ok(link)
    }

    /// From now on, waiting for the source holds the thread: see [`Stream::hold_thread`].
    pub const fn hold_thread(&mut self) {
        self.stream.hold_thread();
    }

    /// Requests a dump and waits for its beginning, which may take minutes: `on_wait` is called at each sign of life.
    /// Asks with PSYNC, and with SYNC where that is not known. Retries nothing.
    pub async fn request_dump(&mut self, mut on_wait: impl FnMut(Waiting)) -> Result<DumpHeader, SourceError> {
        let begun = Instant::now();
        let mut wait = |what| on_wait(Waiting { what, elapsed: begun.elapsed() });
        let history = self.psync(&mut wait).await?;
        if history.is_none() {
            self.send(&repl::sync()).await?;
        }
        let header = self.header(&mut wait).await?;
        let length = match header {
            PayloadHeader::Length(length) => Some(length),
            PayloadHeader::Mark(_) => None,
        };
        self.dump =
            Some(Dump { payload: PayloadReader::new(&header), cut: Cut::default(), expected: length, received: 0 });
        self.stream.expect();
        let (replid, offset) = history.unzip();
        Ok(DumpHeader { replid, offset, length })
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
        match self.psync_reply(wait).await? {
            PsyncReply::FullResync { replid, offset } => Ok(Some((replid, offset))),
            PsyncReply::Fallback(_) => Ok(None),
            PsyncReply::Continue { .. } => {
                let seen = "+CONTINUE".to_owned();
                Err(SourceError::Strange { address: self.address(), request: "PSYNC ? -1", seen })
            }
            refused => Err(self.refused(refused)),
        }
    }

    /// The answer to PSYNC; empty lines before it are signs of life.
    pub(super) async fn psync_reply(&mut self, wait: &mut impl FnMut(WaitingFor)) -> Result<PsyncReply, SourceError> {
        loop {
            let line = self.line().await?;
            if !line.is_empty() {
                let reply = PsyncReply::classify(&line);
                tracing::info!(source = %self.address(), ?reply, "PSYNC is answered");
                return Ok(reply);
            }
            wait(WaitingFor::Start);
        }
    }

    /// An answer to PSYNC that is neither a dump nor a continuation.
    pub(super) fn refused(&self, reply: PsyncReply) -> SourceError {
        let address = self.address();
        match reply {
            PsyncReply::Retry(refusal) => SourceError::NotNow { address, refusal },
            PsyncReply::Fatal(refusal) | PsyncReply::Fallback(refusal) => SourceError::Refused { address, refusal },
            PsyncReply::Strange(seen) => SourceError::Strange { address, request: "PSYNC", seen },
            PsyncReply::FullResync { .. } | PsyncReply::Continue { .. } => {
                SourceError::Strange { address, request: "PSYNC", seen: "an answer to another request".to_owned() }
            }
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

    pub(super) async fn send(&mut self, request: &[u8]) -> Result<(), SourceError> {
        Ok(self.stream.write_all(request).await?)
    }

    /// The next line without its line end.
    async fn line(&mut self) -> Result<Vec<u8>, SourceError> {
        self.stream.expect();
        loop {
            match repl::line(self.inbox.unread()) {
                Ok(Some((line, length))) => {
                    let line = line.to_vec();
                    self.inbox.consume(length);
                    self.stream.expect_nothing();
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
    pub(super) async fn fill(&mut self) -> Result<bool, SourceError> {
        match self.stream.read_within(self.inbox.space(CHUNK), self.patience).await {
            Ok(count) => {
                self.inbox.commit(count);
                Ok(count > 0)
            }
            Err(error) => Err(self.silence(error)),
        }
    }

    /// A reading that failed: silence is told apart.
    #[expect(clippy::unused_self, reason = "reads as the link's own")]
    pub(super) fn silence(&self, error: NetError) -> SourceError {
        match error {
            NetError { address, fault: NetFault::Timeout { after, .. } } => SourceError::Silent { address, after },
            error => error.into(),
        }
    }

    pub(super) fn address(&self) -> Address {
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

#[cfg(test)]
mod tests {
    use async_std::{
        io::{ReadExt, WriteExt},
        net::{TcpListener, TcpStream},
        task::block_on,
    };

    use super::*;
    use crate::unit::Address;

    const ID: &str = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
    const MARK: &str = "0123456789abcdef0123456789abcdef01234567";

    /// What a source does after the handshake.
    enum Act {
        /// Awaits a request that begins with this word.
        Await(&'static str),
        Send(String),
        /// Stays silent for 30 ms and fails the test when anything is sent to it.
        Quiet,
        /// Stays silent for as long as the replica stays.
        Hang,
    }

    fn send(text: &str) -> Act {
        Act::Send(text.to_owned())
    }

    /// Plays a source, then closes; the dump that a link gets from it, with its header.
    fn play(acts: Vec<Act>) -> Result<(DumpHeader, Vec<u8>, usize), SourceError> {
        play_within(acts, Duration::from_secs(20))
    }

    fn play_within(acts: Vec<Act>, patience: Duration) -> Result<(DumpHeader, Vec<u8>, usize), SourceError> {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let source = async_std::task::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                expect(&mut socket, "PING").await;
                socket.write_all(b"+PONG\r\n").await.unwrap();
                for _ in 0..2 {
                    expect(&mut socket, "REPLCONF").await;
                    socket.write_all(b"+OK\r\n").await.unwrap();
                }
                for act in acts {
                    perform(&mut socket, act).await;
                }
            });
            let address = Address::Tcp { host: "127.0.0.1".into(), port };
            let outcome = receive(&Access::plain(address), patience).await;
            source.await;
            outcome
        })
    }

    async fn receive(access: &Access, patience: Duration) -> Result<(DumpHeader, Vec<u8>, usize), SourceError> {
        let timeouts = Timeouts { read: patience, ..Timeouts::default() };
        let mut link = Link::open_within(access, &SourceFacts::default(), timeouts).await?;
        let mut waits = 0;
        let header = link.request_dump(|_| waits += 1).await?;
        let mut dump = vec![];
        let mut buffer = [0; 7];
        loop {
            match link.read_dump(&mut buffer).await? {
                0 => return Ok((header, dump, waits)),
                count => dump.extend_from_slice(&buffer[..count]),
            }
        }
    }

    async fn expect(socket: &mut TcpStream, word: &str) {
        let mut buffer = [0; 512];
        let count = socket.read(&mut buffer).await.unwrap();
        let seen = String::from_utf8_lossy(&buffer[..count]).into_owned();
        assert!(seen.contains(word), "awaited {word}, saw {seen:?}");
    }

    async fn perform(socket: &mut TcpStream, act: Act) {
        let mut byte = [0];
        match act {
            Act::Await(word) => expect(socket, word).await,
            Act::Send(text) => socket.write_all(text.as_bytes()).await.unwrap(),
            Act::Quiet => {
                let read = async_std::future::timeout(Duration::from_millis(30), socket.read(&mut byte)).await;
                assert!(read.is_err(), "the replica must send nothing now");
            }
            Act::Hang => assert_eq!(socket.read(&mut byte).await.unwrap(), 0),
        }
    }

    fn full_resync() -> Act {
        Act::Send(format!("+FULLRESYNC {ID} 41\r\n"))
    }

    #[test]
    fn a_diskless_dump_ends_at_its_mark_and_nothing_is_sent_before_it() {
        let (header, dump, waits) = play(vec![
            Act::Await("PSYNC"),
            send("\n"),
            Act::Quiet,
            send("\n"),
            full_resync(),
            Act::Quiet,
            send("\n"),
            Act::Send(format!("$EOF:{MARK}\r\nREDIS-{}", &MARK[..20])),
            Act::Quiet,
            Act::Send(format!("{}{MARK}", &MARK[..30])),
        ])
        .unwrap();
        let replid = ReplId::parse(ID.as_bytes());
        assert_eq!(header, DumpHeader { replid, offset: Some(Offset(41)), length: None });
        assert_eq!(String::from_utf8(dump).unwrap(), format!("REDIS-{}{}", &MARK[..20], &MARK[..30]));
        assert_eq!(waits, 3);
    }

    #[test]
    fn a_dump_of_stated_length_ends_there() {
        let (header, dump, _) = play(vec![
            Act::Await("PSYNC"),
            full_resync(),
            send("$12\r\nREDIS0011"),
            Act::Quiet,
            send("abc*1\r\n$4\r\nPING\r\n"),
        ])
        .unwrap();
        assert_eq!((header.length, dump), (Some(12), b"REDIS0011abc".to_vec()));
    }

    #[test]
    fn a_source_without_psync_is_asked_with_sync() {
        let (header, dump, _) = play(vec![
            Act::Await("PSYNC"),
            send("-ERR unknown command 'PSYNC'\r\n"),
            Act::Await("SYNC"),
            send("\n$5\r\nREDIS"),
        ])
        .unwrap();
        assert_eq!(header, DumpHeader { replid: None, offset: None, length: Some(5) });
        assert_eq!(dump, b"REDIS");
    }

    #[test]
    fn a_dump_that_breaks_off_is_incomplete() {
        let error = play(vec![Act::Await("PSYNC"), full_resync(), send("$12\r\nREDIS")]).unwrap_err();
        let SourceError::ClosedDuringDump { received: 5, expected: Some(12), .. } = &error else { panic!("{error}") };
        assert!(error.retryable() && error.to_string().contains("after 5 bytes of its dump of 12"), "{error}");

        let text = format!("$EOF:{MARK}\r\nREDIS{}", &MARK[..39]);
        let error = play(vec![Act::Await("PSYNC"), full_resync(), Act::Send(text)]).unwrap_err();
        assert!(matches!(error, SourceError::ClosedDuringDump { received: 5, expected: None, .. }), "{error}");
    }

    #[test]
    fn silence_ends_the_session() {
        let stages = [vec![Act::Await("PSYNC"), Act::Hang], vec![Act::Await("PSYNC"), full_resync(), Act::Hang]];
        let dump = vec![Act::Await("PSYNC"), full_resync(), send("$12\r\nREDIS"), Act::Hang];
        for acts in stages.into_iter().chain([dump]) {
            let error = play_within(acts, Duration::from_millis(300)).unwrap_err();
            assert!(matches!(error, SourceError::Silent { .. }) && error.retryable(), "{error}");
        }
    }

    #[test]
    fn refusals_say_whether_to_try_again() {
        let cases = [
            ("-NOMASTERLINK Can't SYNC while not connected with my master\r\n", true, "fix that link"),
            ("-LOADING Redis is loading the dataset in memory\r\n", true, "cannot send a dump now"),
            ("-NOPERM this user has no permissions to run the 'psync' command\r\n", false, "+psync"),
            ("+OK\r\n", false, "answered PSYNC with `+OK`"),
            ("", true, "closed the connection before"),
        ];
        for (line, retryable, words) in cases {
            let error = play(vec![Act::Await("PSYNC"), send(line)]).unwrap_err();
            assert_eq!(error.retryable(), retryable, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let failed = "-ERR BGSAVE failed, replication can't continue\r\n";
        let error = play(vec![Act::Await("PSYNC"), full_resync(), send(failed)]).unwrap_err();
        assert!(matches!(error, SourceError::NotNow { .. }), "{error}");
        let sync =
            [send("-ERR unknown command 'PSYNC'\r\n"), Act::Await("SYNC"), send("-ERR unknown command 'SYNC'\r\n")];
        let error = play([Act::Await("PSYNC")].into_iter().chain(sync).collect()).unwrap_err();
        assert!(matches!(error, SourceError::Refused { .. }) && !error.retryable(), "{error}");
    }
}
