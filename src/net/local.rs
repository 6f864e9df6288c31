//! Lines of text between processes of one user on one host, over a Unix socket in a folder.
//!
//! The folder is ours, the socket file has mode 0600, and the kernel is asked on both sides who is there: only the user of
//! this process, and root, are listened to and believed. A socket's path may be 107 bytes long (`unix(7)`); the folder's may
//! be longer, so it is reached through a descriptor.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_std::{
    future::timeout,
    io::{BufReader, ReadExt, WriteExt, prelude::BufReadExt},
    os::unix::net::{UnixListener, UnixStream},
};
use rustix::{fs::Mode, net::sockopt::socket_peercred, process::Uid};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::store::own::{NotOurs, OwnFault, OwnFolder};

/// The longest line that is read.
const LONGEST: u64 = 1 << 20;
/// How long a line may take to be sent.
const SENDING: Duration = Duration::from_secs(10);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// Listens in a folder. Dropping it removes the socket's file.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
}

impl LocalListener {
    /// Listens as `name` in `folder`, in place of a dead process that did. Whoever calls holds the folder's lock.
    pub fn bind(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        let folder = OwnFolder::open(folder)?;
        match std::fs::remove_file(folder.through(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // The file gets the socket's own mode, so that it never has a wider one.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        socket.bind(&SockAddr::unix(folder.through(name))?)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket));
        Ok(Self { listener: UnixListener::from(listener), path })
    }

    /// The next connection of this user. Others are closed without a word.
    pub async fn accept(&self) -> io::Result<LocalStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let user = socket_peercred(&stream)?.uid;
            if is_trusted(user, rustix::process::geteuid()) {
                return Ok(LocalStream::of(stream));
            }
            tracing::warn!("user {} was not let in to {}", user.as_raw(), self.path.display());
        }
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        // What cannot be removed is replaced by the next listener.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a process of `user` is listened to, and believed, by one of `own`.
fn is_trusted(user: Uid, own: Uid) -> bool {
    user == own || user.is_root()
}

/// A connection of lines.
#[derive(Debug)]
pub struct LocalStream {
    reader: BufReader<UnixStream>,
}

impl LocalStream {
    fn of(stream: UnixStream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    /// Connects to the process of this user, or of root, that listens as `name` in `folder`.
    pub async fn connect(folder: &Path, name: &str) -> io::Result<Self> {
        let through = OwnFolder::open(folder)?;
        let stream = UnixStream::connect(through.through(name)).await?;
        let user = socket_peercred(&stream)?.uid;
        if !is_trusted(user, rustix::process::geteuid()) {
            let path = folder.join(name);
            let fault = OwnFault::Owner { owner: user.as_raw(), own: rustix::process::geteuid().as_raw() };
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, NotOurs { path, fault }));
        }
        Ok(Self::of(stream))
    }

    /// The next line, without its end; `None` when the other side has closed.
    pub async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = vec![];
        let read = (&mut self.reader).take(LONGEST).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line that does not end"));
        }
        String::from_utf8(line)
            .map(Some)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a line that is no text"))
    }

    /// Sends a line.
    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        timeout(SENDING, self.reader.get_mut().write_all(line.as_bytes()))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use async_std::task::block_on;

    use super::*;

    #[test]
    fn lines_go_both_ways_from_a_folder_however_deep() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a".repeat(200));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("control.sock"), "left by a dead process").unwrap();
        block_on(async {
            let listener = LocalListener::bind(&folder, "control.sock").unwrap();
            let mode = std::fs::metadata(folder.join("control.sock")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mut client = LocalStream::connect(&folder, "control.sock").await.unwrap();
            let mut server = listener.accept().await.unwrap();
            client.send("how are you").await.unwrap();
            assert_eq!(server.line().await.unwrap().as_deref(), Some("how are you"));
            server.send("well").await.unwrap();
            assert_eq!(client.line().await.unwrap().as_deref(), Some("well"));
            drop(server);
            assert_eq!(client.line().await.unwrap(), None);
            drop(listener);
            assert!(!folder.join("control.sock").exists());
        });
    }

    #[test]
    fn nobody_but_the_owner_and_root_is_listened_to() {
        let user = |number: u32| Uid::from_raw(number);
        for (who, own, may) in [(1000, 1000, true), (0, 1000, true), (1001, 1000, false), (1000, 0, false)] {
            assert_eq!(is_trusted(user(who), user(own)), may, "{who} {own}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let listener = LocalListener::bind(folder.path(), "s").unwrap();
            let mut client = LocalStream::connect(folder.path(), "s").await.unwrap();
            let mut server = listener.accept().await.unwrap();
            let sending = async_std::task::spawn(async move { client.send(&"x".repeat(3 << 20)).await });
            assert_eq!(server.line().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            drop(server);
            assert!(sending.await.is_err());
        });
    }
}
