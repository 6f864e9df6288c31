//! An open connection.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_std::future::timeout;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    NetError, NetFault, Timeouts,
    pace::ReadPace,
    socket::{Socket, Wish},
    tls::Session,
};
use crate::unit::Address;

/// A connection to a server. Clones share the socket, so that one task may read while another writes; the socket is
/// closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Stream {
    channel: Channel,
    address: Arc<Address>,
    timeouts: Timeouts,
    /// Whether waiting holds the thread.
    holds: bool,
    /// How what is awaited comes, where it has to come to an end.
    pace: Option<ReadPace>,
}

#[derive(Clone, Debug)]
enum Channel {
    Plain(Socket),
    Encrypted { session: Session, socket: Socket },
}

impl Stream {
    pub(super) fn plain(socket: Socket, address: Address, timeouts: Timeouts) -> Self {
        Self { channel: Channel::Plain(socket), address: Arc::new(address), timeouts, holds: false, pace: None }
    }

    /// `session` runs over `socket`.
    pub(super) fn encrypted(session: Session, socket: Socket, address: Address, timeouts: Timeouts) -> Self {
        Self {
            channel: Channel::Encrypted { session, socket },
            address: Arc::new(address),
            timeouts,
            holds: false,
            pace: None,
        }
    }

    /// The server's address as it was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Reads some bytes; 0 when the server has closed the connection. Fails after [`Timeouts::read`] of silence.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        self.read_within(buffer, self.timeouts.read).await
    }

    /// Reads some bytes; 0 when the server has closed the connection. Fails after `limit` of silence, and when what is
    /// [expected](Self::expect) comes so slowly that it does not come to an end.
    pub async fn read_within(&mut self, buffer: &mut [u8], limit: Duration) -> Result<usize, NetError> {
        let begun = self.pace.map(|_| Instant::now());
        self.hold(Wish::Read);
        let reading = AsyncReadExt::read(&mut self.channel, buffer);
        let count = within(limit, "reading", reading).await.map_err(|fault| self.fault(fault))?;
        if let (Some(pace), Some(begun)) = (&mut self.pace, begun)
            && pace.is_too_slow_after(begun.elapsed(), count, limit)
        {
            let after = pace.waited();
            return Err(self.fault(NetFault::Slow { after }));
        }
        Ok(count)
    }

    /// From now on, what is read has to come to an end: an answer, a dump.
    pub fn expect(&mut self) {
        self.pace = Some(ReadPace::default());
    }

    /// What is read from now on comes when it comes.
    pub const fn expect_nothing(&mut self) {
        self.pace = None;
    }

    /// Writes all of `bytes`. Fails when the server takes none of them for [`Timeouts::write`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        self.write_all_within(bytes, self.timeouts.write).await
    }

    /// Writes all of `bytes`. Fails when the server takes none of them for `limit`.
    pub async fn write_all_within(&mut self, bytes: &[u8], limit: Duration) -> Result<(), NetError> {
        self.write_pieces([bytes, &[]], limit).await
    }

    /// Writes all of both pieces, in one call where that is possible. Fails as [`Self::write_all`] does.
    pub async fn write_both(&mut self, pieces: [&[u8]; 2]) -> Result<(), NetError> {
        self.write_pieces(pieces, self.timeouts.write).await
    }

    async fn write_pieces(&mut self, [mut first, mut second]: [&[u8]; 2], limit: Duration) -> Result<(), NetError> {
        while !first.is_empty() || !second.is_empty() {
            self.hold(Wish::Write);
            let pieces = [IoSlice::new(first), IoSlice::new(second)];
            let writing = AsyncWriteExt::write_vectored(&mut self.channel, &pieces);
            let taken = within(limit, "writing", writing).await.map_err(|fault| self.fault(fault))?;
            if taken == 0 {
                return Err(self.fault(NetFault::Closed("writing")));
            }
            second = second.get(taken.saturating_sub(first.len())..).unwrap_or_default();
            first = first.get(taken..).unwrap_or_default();
        }
        if let Channel::Encrypted { session, .. } = &mut self.channel {
            // What was taken may be encrypted and not sent yet.
            let sending = async { session.flush().await.map(|()| 0) };
            within(limit, "writing", sending).await.map_err(|fault| self.fault(fault))?;
        }
        Ok(())
    }

    /// From now on, waiting holds the thread, for a moment at a time. For a connection on a thread of its own: being woken by
    /// the runtime costs more than short reads themselves. An encrypted connection, which may hold bytes that its socket does
    /// not, waits as before. While bytes keep coming, a future that only reads lets nothing beside it have a turn: it must yield.
    pub const fn hold_thread(&mut self) {
        self.holds = true;
    }

    fn hold(&self, wish: Wish) {
        if self.holds
            && let Channel::Plain(socket) = &self.channel
        {
            socket.hold(wish);
        }
    }

    /// Lets whoever waits for bytes sleep until `bytes` of them are there, or the connection ends. They must be known to come:
    /// a wait for more than that ends with its deadline. An encrypted connection, whose bytes are others, is left as it is.
    pub fn set_low_water(&self, bytes: usize) {
        if let Channel::Plain(socket) = &self.channel {
            socket.set_low_water(bytes);
        }
    }

    /// Ends the connection in both directions for all clones; a task that reads sees it closed.
    pub fn shutdown(&self) {
        match &self.channel {
            Channel::Plain(socket) | Channel::Encrypted { socket, .. } => socket.shutdown(),
        }
    }

    /// This fault, on this connection.
    pub fn fault(&self, fault: NetFault) -> NetError {
        NetError { address: (*self.address).clone(), fault }
    }
}

async fn within(
    limit: Duration,
    doing: &'static str,
    work: impl Future<Output = io::Result<usize>>,
) -> Result<usize, NetFault> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome.map_err(|error| NetFault::of(&error, doing)),
        Err(_) => Err(NetFault::Timeout { doing, after: limit }),
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Encrypted { session, .. } => Pin::new(session).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Encrypted { session, .. } => Pin::new(session).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Self::Encrypted { session, .. } => Pin::new(session).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Encrypted { session, .. } => Pin::new(session).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_close(cx),
            Self::Encrypted { session, .. } => Pin::new(session).poll_close(cx),
        }
    }
}

/// Without deadlines, for what brings its own.
impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_read(cx, buffer)
    }
}

/// Without deadlines, for what brings its own.
impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().channel).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_close(cx)
    }
}
