//! A socket of either kind, whose bytes are counted.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_std::{net::TcpStream, os::unix::net::UnixStream};
use futures_util::{AsyncRead, AsyncWrite};

use super::meter::Meter;

/// An open socket. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    kind: Kind,
    meter: Arc<Meter>,
}

#[derive(Clone, Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) const fn tcp(socket: TcpStream, meter: Arc<Meter>) -> Self {
        Self { kind: Kind::Tcp(socket), meter }
    }

    pub(super) const fn unix(socket: UnixStream, meter: Arc<Meter>) -> Self {
        Self { kind: Kind::Unix(socket), meter }
    }

    /// Ends it in both directions.
    pub(super) fn shutdown(&self) {
        // It may be closed already, which is what is wanted.
        let _ = match &self.kind {
            Kind::Tcp(socket) => socket.shutdown(Shutdown::Both),
            Kind::Unix(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { kind, meter } = self.get_mut();
        let read = match kind {
            Kind::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            Kind::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
        };
        if let Poll::Ready(Ok(count)) = &read {
            meter.received(*count);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { kind, meter } = self.get_mut();
        let written = match kind {
            Kind::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            Kind::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(count)) = &written {
            meter.sent(*count);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Kind::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Tcp(socket) => Pin::new(socket).poll_close(cx),
            Kind::Unix(socket) => Pin::new(socket).poll_close(cx),
        }
    }
}
