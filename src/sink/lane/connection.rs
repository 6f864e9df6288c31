//! The connection of a lane.

use std::time::Duration;

use secrecy::{ExposeSecret, zeroize::Zeroizing};

use super::wire::{self, Head, NotAReply};
use crate::{
    net::{NetError, Stream, Timeouts, dial},
    resp,
    step::Endpoint,
    unit::Secret,
};

/// How to get into a server.
#[derive(Clone)]
pub struct Access {
    /// Where it is and as whom.
    pub endpoint: Endpoint,
    /// The password, resolved.
    pub secret: Option<Secret>,
}

/// The longest a destination may take for one answer: a transaction of a lane takes milliseconds, a blocked server
/// (fork, slow script, swap) seconds.
const ANSWER: Duration = Duration::from_mins(2);

/// Why a conversation broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The connection failed.
    Link(String),
    /// The server answered a command of ours with this error.
    Refused(String),
    /// The server sent no reply.
    Protocol,
}

impl From<NetError> for Broken {
    fn from(error: NetError) -> Self {
        Self::Link(error.to_string())
    }
}

impl From<NotAReply> for Broken {
    fn from(_: NotAReply) -> Self {
        Self::Protocol
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It was carried out; these commands answered with an error.
    Done(Vec<(u32, String)>),
    /// A watched key had changed: nothing was carried out.
    Untouched,
    /// A command was refused when it was queued: nothing was carried out.
    Aborted(String),
}

/// A connection with its unread input.
pub(super) struct Connection {
    stream: Stream,
    input: Vec<u8>,
    at: usize,
}

impl Connection {
    pub(super) async fn open(access: &Access, name: &str) -> Result<Self, Broken> {
        let timeouts = Timeouts { read: ANSWER, write: ANSWER, ..Timeouts::default() };
        let stream = dial(&access.endpoint.address, access.endpoint.tls.as_ref(), timeouts).await?;
        let mut connection = Self { stream, input: Vec::with_capacity(64 << 10), at: 0 };
        if let Some(secret) = &access.secret {
            let (user, secret_len) = (access.endpoint.username.as_ref(), secret.expose_secret().len());
            // Wiped when it is sent, and with room from the start: a vector that grows leaves copies behind.
            let mut auth = Zeroizing::new(Vec::with_capacity(secret_len + user.map_or(0, String::len) + 128));
            match user {
                Some(user) => resp::command(&mut auth, &[b"AUTH", user.as_bytes(), secret.expose_secret().as_bytes()]),
                None => resp::command(&mut auth, &[b"AUTH", secret.expose_secret().as_bytes()]),
            }
            connection.send(&auth).await?;
            connection.line().await?;
        }
        // A name helps whoever reads CLIENT LIST; a server that refuses it is none the worse.
        let mut naming = vec![];
        resp::command(&mut naming, &[b"CLIENT", b"SETNAME", name.as_bytes()]);
        connection.send(&naming).await?;
        match connection.line().await {
            Ok(()) | Err(Broken::Refused(_)) => Ok(connection),
            Err(broken) => Err(broken),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads one reply that must not be an error.
    pub(super) async fn line(&mut self) -> Result<(), Broken> {
        match self.whole().await? {
            (Head::Error(error), _) => Err(Broken::Refused(text(error))),
            _ => Ok(()),
        }
    }

    /// Reads a reply that is a bulk string or nothing.
    pub(super) async fn bulk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        match self.whole().await? {
            (Head::Bulk(bulk), _) => Ok(bulk.map(<[u8]>::to_vec)),
            (Head::Error(error), _) => Err(Broken::Refused(text(error))),
            _ => Err(Broken::Protocol),
        }
    }

    /// Reads a reply that is a number.
    pub(super) async fn number(&mut self) -> Result<i64, Broken> {
        match self.whole().await? {
            (Head::Line(digits), _) => text(digits).parse().map_err(|_| Broken::Protocol),
            (Head::Error(error), _) => Err(Broken::Refused(text(error))),
            _ => Err(Broken::Protocol),
        }
    }

    /// Reads the reply to SCAN: the next cursor and the keys.
    pub(super) async fn scanned(&mut self) -> Result<(Vec<u8>, Vec<Vec<u8>>), Broken> {
        match self.head().await? {
            Head::Array(Some(2)) => {}
            Head::Error(error) => return Err(Broken::Refused(text(error))),
            _ => return Err(Broken::Protocol),
        }
        let cursor = self.bulk().await?.ok_or(Broken::Protocol)?;
        let Head::Array(Some(count)) = self.head().await? else { return Err(Broken::Protocol) };
        let mut keys = vec![];
        for _ in 0..count {
            keys.push(self.bulk().await?.ok_or(Broken::Protocol)?);
        }
        Ok((cursor, keys))
    }

    /// Reads the replies to `MULTI`, `count` commands and `EXEC`.
    pub(super) async fn executed(&mut self, count: u32) -> Result<Executed, Broken> {
        self.line().await?;
        let mut left = count;
        let mut refused = None;
        while left > 0 {
            let queued = wire::queued(self.unread(), left);
            self.at += queued as usize * wire::QUEUED.len();
            left -= queued;
            if queued == 0 {
                if let (Head::Error(error), _) = self.whole().await? {
                    refused.get_or_insert_with(|| text(error));
                }
                left -= 1;
            }
        }
        self.results(refused).await
    }

    async fn results(&mut self, refused: Option<String>) -> Result<Executed, Broken> {
        let count = match self.head().await? {
            Head::Array(Some(count)) => count,
            Head::Array(None) => return Ok(Executed::Untouched),
            Head::Error(error) => return Ok(Executed::Aborted(refused.unwrap_or_else(|| text(error)))),
            _ => return Err(Broken::Protocol),
        };
        let mut errors = vec![];
        for index in 0..u32::try_from(count).map_err(|_| Broken::Protocol)? {
            if let (Head::Error(error), _) = self.whole().await? {
                errors.push((index, text(error)));
            }
        }
        Ok(Executed::Done(errors))
    }

    /// Takes the head of the next reply; for an array its elements are still to be read.
    async fn head(&mut self) -> Result<Head<'_>, Broken> {
        while wire::head(self.unread())?.is_none() {
            self.fill().await?;
        }
        let start = self.at;
        let Some((_, len)) = wire::head(self.unread())? else { return Err(Broken::Protocol) };
        self.at += len;
        let taken = self.input.get(start..start + len).unwrap_or_default();
        wire::head(taken)?.map(|(head, _)| head).ok_or(Broken::Protocol)
    }

    /// Takes a whole reply; answers its head and length.
    async fn whole(&mut self) -> Result<(Head<'_>, usize), Broken> {
        let len = loop {
            match wire::whole(self.unread())? {
                Some(len) => break len,
                None => self.fill().await?,
            }
        };
        let start = self.at;
        self.at += len;
        let taken = self.input.get(start..start + len).unwrap_or_default();
        wire::head(taken)?.ok_or(Broken::Protocol)
    }

    fn unread(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        self.input.drain(..self.at);
        self.at = 0;
        let held = self.input.len();
        self.input.resize(held + (32 << 10), 0);
        let space = self.input.get_mut(held..).unwrap_or_default();
        let count = self.stream.read(space).await?;
        self.input.truncate(held + count);
        if count == 0 { Err(Broken::Link("it closed the connection".to_owned())) } else { Ok(()) }
    }
}

fn text(bytes: &[u8]) -> String {
    crate::unit::KeyText(bytes).to_string()
}
