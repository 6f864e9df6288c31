//! A connection that many questions go out on before their answers are read.

use super::{CompareFault, side::ComparedServer};
use crate::{
    net::{NetFault, Stream, Timeouts},
    resp::{Refusal, Reply, ReplyReader, RespLimits},
    step::Side,
    unit::UnixMillis,
};

/// Bytes asked of the socket at once.
const READ: usize = 64 << 10;

/// What an answer may hold that is no value: names, cursors, numbers.
const SMALL: RespLimits = RespLimits { bulk: 64 << 20, line: 64 << 10, array: 1 << 20, depth: 8, whole: 64 << 20 };

/// What the connection is called in the server's `CLIENT LIST`.
const NAME: &str = "redis-plan:verify";

pub(super) struct CompareLink {
    pub(super) side: Side,
    stream: Stream,
    reader: ReplyReader,
    /// When bytes came last.
    pub(super) heard: UnixMillis,
}

impl CompareLink {
    /// A connection whose answers hold no values.
    pub(super) async fn open(server: &ComparedServer, side: Side) -> Result<Self, CompareFault> {
        Self::open_for(server, side, SMALL).await
    }

    /// A connection whose answers may hold the largest element of a value.
    pub(super) async fn open_for_values(server: &ComparedServer, side: Side) -> Result<Self, CompareFault> {
        Self::open_for(server, side, RespLimits::default()).await
    }

    async fn open_for(server: &ComparedServer, side: Side, limits: RespLimits) -> Result<Self, CompareFault> {
        let session = server.access.session(NAME, Timeouts::default()).await;
        let stream = session.map_err(|error| CompareFault::Control { side, error })?;
        Ok(Self { side, stream, reader: ReplyReader::new(limits), heard: UnixMillis::now() })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), CompareFault> {
        let side = self.side;
        self.stream.expect();
        self.stream.write_all(bytes).await.map_err(|error| CompareFault::Net { side, error })
    }

    /// Reads an answer that must not be an error.
    pub(super) async fn accepted(&mut self) -> Result<(), CompareFault> {
        let side = self.side;
        match self.reply().await?.error() {
            Some(text) => Err(CompareFault::Refused { side, refusal: Refusal::of(&text) }),
            None => Ok(()),
        }
    }

    /// The next answer.
    pub(super) async fn reply(&mut self) -> Result<Reply<'_>, CompareFault> {
        while !self.is_ready()? {
            self.fill().await?;
        }
        let side = self.side;
        let wrong = |what: String| CompareFault::Protocol { side, what };
        let reply = self.reader.next().map_err(|error| wrong(error.to_string()))?;
        reply.ok_or_else(|| wrong("nothing".to_owned()))
    }

    /// Whether the next answer has come.
    pub(super) fn is_ready(&mut self) -> Result<bool, CompareFault> {
        let side = self.side;
        self.reader.is_ready().map_err(|error| CompareFault::Protocol { side, what: error.to_string() })
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self) -> Result<(), CompareFault> {
        let side = self.side;
        let read = self.stream.read(self.reader.space(READ)).await;
        let count = read.map_err(|error| CompareFault::Net { side, error })?;
        if count == 0 {
            let error = self.stream.fault(NetFault::Closed("waiting for an answer"));
            return Err(CompareFault::Net { side, error });
        }
        self.reader.commit(count);
        self.heard = UnixMillis::now();
        Ok(())
    }
}
