//! The command stream behind a dump, or behind a byte received earlier.

use super::{Link, SourceError};
use crate::net::Stream;
use crate::repl::{self, PsyncReply};
use crate::unit::{Offset, ReplId};

/// The answer to the request to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The stream goes on behind the offset that was asked for.
    Continued {
        /// The history's id from now on, when the source names one (Redis 4.0): a failover changes it.
        replid: Option<ReplId>,
    },
    /// The source cannot go on there and would send a dump. The connection is of no use any more.
    Dump {
        /// The history it is at.
        replid: ReplId,
        /// Its offset now.
        offset: Offset,
    },
}

/// Tells a source how much was received, beside a [`Link`] that reads.
#[derive(Debug)]
pub struct Acks(Stream);

impl Link {
    /// Asks the source to go on behind `offset`, the last byte received of history `replid`. Retries nothing.
    pub async fn resume(&mut self, replid: ReplId, offset: Offset) -> Result<Resumed, SourceError> {
        self.send(&repl::psync_from(replid, offset)).await?;
        match self.psync_reply(&mut |_| {}).await? {
            PsyncReply::Continue { replid } => Ok(Resumed::Continued { replid }),
            PsyncReply::FullResync { replid, offset } => Ok(Resumed::Dump { replid, offset }),
            refused => Err(self.refused(refused)),
        }
    }

    /// Reads bytes of the stream; 0 when the source has closed the connection. To be called once the dump is read to its
    /// end or the source goes on.
    pub async fn read_stream(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let here = self.inbox.unread().len().min(buffer.len());
        if here == 0 {
            self.stream.expect_nothing();
            return match self.stream.read_within(buffer, self.patience).await {
                Err(error) => Err(self.silence(error)),
                Ok(count) => Ok(count),
            };
        }
        if let Some(space) = buffer.get_mut(..here) {
            space.copy_from_slice(self.inbox.consume(here));
        }
        Ok(here)
    }

    /// What tells the source how much was received while this link reads.
    pub fn acks(&self) -> Acks {
        Acks(self.stream.clone())
    }
}

impl Acks {
    /// Says that everything up to `offset` was received. Due at once when the stream begins and then every second: a
    /// source withholds the stream behind a diskless dump until it hears of it, and drops a replica that is silent for
    /// `repl-timeout`.
    pub async fn send(&mut self, offset: Offset) -> Result<(), SourceError> {
        Ok(self.0.write_all(&repl::ack(offset)).await?)
    }

    /// Ends the connection: the link's reading ends too.
    pub fn hang_up(&self) {
        self.0.shutdown();
    }
}
