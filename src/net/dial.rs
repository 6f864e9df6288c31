//! Opening a connection.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use async_std::{
    future::timeout,
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    task::spawn_blocking,
};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use socket2::{SockRef, TcpKeepalive};

use super::{
    NetError, NetFault, Stream, Timeouts, meter,
    socket::Socket,
    tls::{self, Session, TlsFault},
};
use crate::unit::{Address, TlsFiles};

/// A broken path is noticed after 30 s + 3 × 10 s of silence even while nothing is to be sent.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10)).with_retries(3);

/// Connects to a server, and encrypts the connection when `tls` says how. Of a name with several addresses each is tried
/// in turn; the last failure is reported.
pub(super) async fn dial(address: &Address, tls: Option<&TlsFiles>, timeouts: Timeouts) -> Result<Stream, NetError> {
    let fail = |fault| NetError { address: address.clone(), fault };
    let socket = connected(address, timeouts).await.map_err(fail)?;
    let Some(files) = tls else { return Ok(Stream::plain(socket, address.clone(), timeouts)) };
    let session = encrypt(socket.clone(), files, address, timeouts).await.map_err(fail)?;
    Ok(Stream::encrypted(session, socket, address.clone(), timeouts))
}

async fn connected(address: &Address, timeouts: Timeouts) -> Result<Socket, NetFault> {
    let meter = meter::of(address);
    match address {
        Address::Unix { path } => {
            within(timeouts, UnixStream::connect(path)).await.map(|socket| Socket::unix(socket, meter))
        }
        Address::Tcp { host, port } => tcp(host, *port, timeouts).await.map(|socket| Socket::tcp(socket, meter)),
    }
}

async fn encrypt(socket: Socket, files: &TlsFiles, address: &Address, timeouts: Timeouts) -> Result<Session, NetFault> {
    let name = tls::name(files, address)?;
    let files = files.clone();
    let config = spawn_blocking(move || tls::config(&files)).await?;
    match timeout(timeouts.connect, Session::open(socket.clone(), config, name)).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(match NetFault::of(&error, "agreeing on encryption") {
            NetFault::Closed(_) | NetFault::Reset(_) => last_words(socket).await.unwrap_or(TlsFault::BrokenOff).into(),
            fault => fault,
        }),
        Err(_) if speaks_plainly(address, timeouts).await => Err(TlsFault::PlainText.into()),
        Err(_) => Err(TlsFault::NoAnswer(timeouts.connect).into()),
    }
}

/// Whether a server that is silent to a handshake answers without one: many servers wait for more of what they take for
/// the beginning of a command.
async fn speaks_plainly(address: &Address, timeouts: Timeouts) -> bool {
    let Ok(mut socket) = connected(address, timeouts).await else { return false };
    let asking = async {
        socket.write_all(b"PING\r\n").await?;
        let mut first = [0];
        socket.read_exact(&mut first).await?;
        io::Result::Ok(first)
    };
    matches!(timeout(LAST_WORDS, asking).await, Ok(Ok([b'+' | b'-'])))
}

/// Why a server hung up, when it said so while we were still sending: a write fails before that is read.
async fn last_words(mut socket: Socket) -> Option<TlsFault> {
    let mut buffer = [0; 64];
    let read = timeout(LAST_WORDS, socket.read(&mut buffer)).await.ok()?.ok()?;
    TlsFault::of_record(buffer.get(..read)?)
}

/// Whether a server that hangs up on plain text answers a handshake. Nothing is sent on the connection, nobody is trusted.
pub(super) async fn speaks_tls(address: &Address, timeouts: Timeouts) -> bool {
    let Ok(config) = tls::trusting_nobody() else { return false };
    let (Ok(name), Ok(socket)) = (tls::name(&TlsFiles::default(), address), connected(address, timeouts).await) else {
        return false;
    };
    match timeout(LAST_WORDS, Session::open(socket, config, name)).await {
        Ok(Err(error)) => TlsFault::shows_tls(&error),
        Ok(Ok(_)) => true,
        Err(_) => false,
    }
}

/// They are here already.
const LAST_WORDS: Duration = Duration::from_secs(1);

async fn tcp(host: &str, port: u16, timeouts: Timeouts) -> Result<TcpStream, NetFault> {
    let found = timeout(timeouts.connect, (host, port).to_socket_addrs())
        .await
        .map_err(|_| NetFault::Timeout { doing: "resolving the host name", after: timeouts.connect })?
        .map_err(|error| NetFault::Resolve(error.to_string()))?;
    let mut failure = NetFault::Resolve("it has no address".into());
    for candidate in found {
        match within(timeouts, connect(candidate)).await {
            Ok(socket) => return Ok(socket),
            Err(fault) => failure = fault,
        }
    }
    Err(failure)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    SockRef::from(&socket).set_tcp_keepalive(&KEEPALIVE)?;
    Ok(socket)
}

async fn within<T>(timeouts: Timeouts, connecting: impl Future<Output = io::Result<T>>) -> Result<T, NetFault> {
    const DOING: &str = "connecting";
    match timeout(timeouts.connect, connecting).await {
        Ok(outcome) => outcome.map_err(|error| NetFault::of(&error, DOING)),
        Err(_) => Err(NetFault::Timeout { doing: DOING, after: timeouts.connect }),
    }
}

#[cfg(test)]
mod tests {
    use async_std::{net::TcpListener, task::block_on};

    use super::*;

    fn local(port: u16) -> Address {
        Address::Tcp { host: "127.0.0.1".into(), port }
    }

    #[test]
    fn a_closed_port_is_refused() {
        let port = block_on(TcpListener::bind("127.0.0.1:0")).unwrap().local_addr().unwrap().port();
        let error = block_on(dial(&local(port), None, Timeouts::default())).unwrap_err();
        assert_eq!(error, NetError { address: local(port), fault: NetFault::Refused });
        assert!(error.to_string().starts_with(&format!("127.0.0.1:{port}: the connection was refused")));
    }

    #[test]
    fn an_unknown_name_is_told_apart() {
        let address = Address::Tcp { host: "no-such-host.invalid".into(), port: 6379 };
        let error = block_on(dial(&address, None, Timeouts::default())).unwrap_err();
        assert!(matches!(error.fault, NetFault::Resolve(_)), "{error}");
    }

    #[test]
    fn a_missing_unix_socket_is_told_apart() {
        let path = tempfile::tempdir().unwrap().path().join("redis.sock");
        let error = block_on(dial(&Address::Unix { path }, None, Timeouts::default())).unwrap_err();
        assert_eq!(error.fault, NetFault::NoSocket);
    }

    #[test]
    fn silence_and_closing_are_told_apart() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = local(listener.local_addr().unwrap().port());
            let mut stream = dial(&address, None, Timeouts::default()).await.unwrap();
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 8];

            peer.write_all(b"abc").await.unwrap();
            assert_eq!(stream.read_within(&mut buffer, Duration::from_secs(5)).await, Ok(3));
            let silence = Duration::from_millis(20);
            let error = stream.read_within(&mut buffer, silence).await.unwrap_err();
            assert_eq!(error.fault, NetFault::Timeout { doing: "reading", after: silence });
            drop(peer);
            assert_eq!(stream.read_within(&mut buffer, Duration::from_secs(5)).await, Ok(0));
        });
    }

    #[test]
    fn a_peer_that_takes_nothing_is_a_timeout() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = local(listener.local_addr().unwrap().port());
            let mut stream = dial(&address, None, Timeouts::default()).await.unwrap();
            let _peer = listener.accept().await.unwrap();
            let after = Duration::from_millis(50);
            let error = stream.write_all_within(&vec![0; 64 << 20], after).await.unwrap_err();
            assert_eq!(error.fault, NetFault::Timeout { doing: "writing", after });
        });
    }

    #[test]
    fn halves_work_in_two_tasks_and_shutdown_ends_both() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = local(listener.local_addr().unwrap().port());
            let mut writer = dial(&address, None, Timeouts::default()).await.unwrap();
            let mut reader = writer.clone();
            let (mut peer, _) = listener.accept().await.unwrap();
            let reading = async_std::task::spawn(async move {
                let mut buffer = [0; 8];
                let mut total = 0;
                loop {
                    match reader.read(&mut buffer).await.unwrap() {
                        0 => return total,
                        count => total += count,
                    }
                }
            });
            writer.write_all(b"ping").await.unwrap();
            peer.write_all(b"pong").await.unwrap();
            async_std::task::sleep(Duration::from_millis(20)).await;
            writer.shutdown();
            assert_eq!(reading.await, 4);
        });
    }
}
