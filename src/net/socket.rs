//! A socket of either kind, whose bytes are counted.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_std::{net::TcpStream, os::unix::net::UnixStream};
use futures_util::{AsyncRead, AsyncWrite};

use nix::{libc, setsockopt_impl, sockopt_impl, sys::socket::setsockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::meter::Meter;

sockopt_impl!(LowWater, SetOnly, libc::SOL_SOCKET, libc::SO_RCVLOWAT, i32);

/// How long a thread is held by a socket before it waits as others do, so that it hears what else happens.
const HELD: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What a socket is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Read,
    Write,
}

/// An open socket. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    kind: SocketKind,
    meter: Arc<Meter>,
}

#[derive(Clone, Debug)]
enum SocketKind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) const fn tcp(socket: TcpStream, meter: Arc<Meter>) -> Self {
        Self { kind: SocketKind::Tcp(socket), meter }
    }

    pub(super) const fn unix(socket: UnixStream, meter: Arc<Meter>) -> Self {
        Self { kind: SocketKind::Unix(socket), meter }
    }

    /// Wakes who waits for bytes only when so many are there (socket(7), `SO_RCVLOWAT`). Only saves wake-ups, so a system that
    /// does not know it is left alone.
    pub(super) fn set_low_water(&self, bytes: usize) {
        if let SocketKind::Tcp(socket) = &self.kind {
            let _ = setsockopt(socket, LowWater, &i32::try_from(bytes).unwrap_or(i32::MAX));
        }
    }

    /// Holds the thread until the socket can be read or, for `Wish::Write`, written, [`HELD`] at most.
    pub(super) fn hold(&self, wish: Wish) {
        let wished = match wish {
            Wish::Read => PollFlags::IN,
            Wish::Write => PollFlags::OUT,
        };
        let socket = match &self.kind {
            SocketKind::Tcp(socket) => PollFd::new(socket, wished),
            SocketKind::Unix(socket) => PollFd::new(socket, wished),
        };
        // What went wrong is seen by whoever reads or writes then.
        let _ = poll(&mut [socket], Some(&HELD));
    }

    /// Ends it in both directions.
    pub(super) fn shutdown(&self) {
        // It may be closed already, which is what is wanted.
        let _ = match &self.kind {
            SocketKind::Tcp(socket) => socket.shutdown(Shutdown::Both),
            SocketKind::Unix(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { kind, meter } = self.get_mut();
        let read = match kind {
            SocketKind::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            SocketKind::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
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
            SocketKind::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            SocketKind::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(count)) = &written {
            meter.sent(*count);
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { kind, meter } = self.get_mut();
        let written = match kind {
            SocketKind::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            SocketKind::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
        };
        if let Poll::Ready(Ok(count)) = &written {
            meter.sent(*count);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            SocketKind::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            SocketKind::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            SocketKind::Tcp(socket) => Pin::new(socket).poll_close(cx),
            SocketKind::Unix(socket) => Pin::new(socket).poll_close(cx),
        }
    }
}
