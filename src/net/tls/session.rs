//! A TLS session that clones share.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_rustls::{TlsConnector, client::TlsStream};
use futures_util::{AsyncRead, AsyncWrite};
use rustls::{ClientConfig, pki_types::ServerName};

use crate::net::socket::Socket;

/// An encrypted connection. One task may read while another writes: the lock is held for one poll, in which nothing waits,
/// and the socket below wakes its reader and its writer apart.
#[derive(Clone, Debug)]
pub(in crate::net) struct Session(Arc<Mutex<SharedSession>>);

#[derive(Debug)]
struct SharedSession {
    stream: TlsStream<Socket>,
    /// What broke reading after some bytes, which were handed out first.
    failed: Option<io::Error>,
}

impl Session {
    /// Shakes hands.
    pub(in crate::net) async fn open(
        socket: Socket,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let stream = TlsConnector::from(config).connect(name, socket).await?;
        Ok(Self(Arc::new(Mutex::new(SharedSession { stream, failed: None }))))
    }

    fn lock(&self) -> MutexGuard<'_, SharedSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Session {
    /// Fills the buffer with what is here already, so that a long transfer is not read record by record.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.lock();
        if let Some(error) = shared.failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match Pin::new(&mut shared.stream).poll_read(cx, space) {
                Poll::Ready(Ok(0)) => break,
                Poll::Ready(Ok(count)) => filled += count,
                // Many servers end a connection without saying so in TLS. What it carries tells by itself where it ends.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Poll::Pending if filled > 0 => break,
                Poll::Ready(Err(error)) if filled > 0 => {
                    shared.failed = Some(error);
                    break;
                }
                unfinished => return unfinished,
            }
        }
        Poll::Ready(Ok(filled))
    }
}

impl AsyncWrite for Session {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.lock().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_close(cx)
    }
}
