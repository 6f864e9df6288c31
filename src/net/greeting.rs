//! The first words on a connection: who we are, and whether the server lets us in.

use async_std::future::timeout;

use super::{Access, ControlError, NetError, NetFault, Stream, Timeouts, TlsFault, dial::speaks_tls};
use crate::resp::{self, Refusal, RefusalKind, Reply, ReplyReader, RespLimits};

/// What is said after `AUTH`.
pub(super) enum Greeting<'a> {
    /// `PING`, the one command that every server knows.
    Ping,
    /// `CLIENT SETNAME` with this name, for whoever reads the server's `CLIENT LIST`.
    Name(&'a str),
}

/// Connects, signs in and greets, within [`Timeouts::connect`] and [`Timeouts::read`].
pub(super) async fn enter(
    access: &Access,
    greeting: &Greeting<'_>,
    timeouts: Timeouts,
) -> Result<Stream, ControlError> {
    let mut stream = access.link(timeouts).await?;
    let greeted = timeout(timeouts.read, greet(&mut stream, access, greeting)).await;
    match greeted.unwrap_or_else(|_| Err(slow(&stream, timeouts))) {
        Err(ControlError::Net(NetError { fault: NetFault::Closed(_) | NetFault::Reset(_), .. }))
            if access.tls.is_none() && speaks_tls(&access.address, timeouts).await =>
        {
            Err(stream.fault(TlsFault::Encrypted.into()).into())
        }
        Err(error) => {
            tracing::debug!(address = %access.address, %error, "not let in");
            Err(error)
        }
        Ok(()) => {
            tracing::debug!(address = %access.address, tls = access.tls.is_some(), user = access.username, "connected");
            Ok(stream)
        }
    }
}

/// What a greeting may hold: an error in words at most.
const GREETING: RespLimits = RespLimits { bulk: 64 << 10, line: 64 << 10, array: 0, depth: 1, whole: 128 << 10 };

/// A greeting that moves and does not come to its end.
fn slow(stream: &Stream, timeouts: Timeouts) -> ControlError {
    stream.fault(NetFault::Timeout { doing: "signing in", after: timeouts.read }).into()
}

/// A server that turns us away at the door (protected mode, `maxclients`) says so before it is asked.
async fn greet(stream: &mut Stream, access: &Access, greeting: &Greeting<'_>) -> Result<(), ControlError> {
    let mut reader = ReplyReader::new(GREETING);
    if let Some(password) = &access.password {
        let request = resp::auth(access.username.as_deref(), password);
        ask(stream, &mut reader, "AUTH", &request).await?;
    }
    let mut request = vec![];
    let command = match greeting {
        Greeting::Ping => {
            resp::command(&mut request, &[b"PING"]);
            "PING"
        }
        Greeting::Name(name) => {
            resp::command(&mut request, &[b"CLIENT", b"SETNAME", name.as_bytes()]);
            "CLIENT"
        }
    };
    match ask(stream, &mut reader, command, &request).await {
        // It lets us in; other commands may not meet what this one met.
        Err(ControlError::Refused { refusal, .. }) if greeting.may_be_refused(refusal.kind) => Ok(()),
        outcome => outcome,
    }
}

impl Greeting<'_> {
    /// Whether a server that refuses it so is open to us all the same.
    fn may_be_refused(&self, kind: RefusalKind) -> bool {
        match self {
            Self::Ping => PASSABLE.contains(&kind),
            // Before 2.6.9 there are no names.
            Self::Name(_) => !CLOSED.contains(&kind),
        }
    }
}

/// Refusals by a server that lets us ask nothing.
const CLOSED: [RefusalKind; 4] =
    [RefusalKind::NoAuth, RefusalKind::WrongPassword, RefusalKind::MaxClients, RefusalKind::ProtectedMode];

/// Refusals of `PING` by a server that is open to us.
const PASSABLE: [RefusalKind; 6] = [
    RefusalKind::NoPermission,
    RefusalKind::Loading,
    RefusalKind::Busy,
    RefusalKind::MasterDown,
    RefusalKind::Misconf,
    RefusalKind::UnknownCommand,
];

async fn ask(stream: &mut Stream, reader: &mut ReplyReader, command: &str, request: &[u8]) -> Result<(), ControlError> {
    // A server that has turned us away takes nothing; what it said is still to be read.
    let sent = stream.write_all(request).await;
    loop {
        if let Some(fault) = reader.unread().first().and_then(|byte| TlsFault::of_first_byte(*byte)) {
            return Err(stream.fault(fault.into()).into());
        }
        let unexpected = |seen: String| ControlError::Unexpected {
            address: stream.address().clone(),
            command: command.to_owned(),
            seen,
        };
        match reader.next() {
            Ok(Some(Reply::Simple(_) | Reply::Bulk(Some(_)))) => return Ok(()),
            Ok(Some(Reply::Error(text))) => {
                let text = String::from_utf8_lossy(text);
                let refusal = if command == "AUTH" { Refusal::of_auth(&text) } else { Refusal::of(&text) };
                let address = stream.address().clone();
                return Err(ControlError::Refused { address, command: command.to_owned(), refusal });
            }
            Ok(Some(other)) => return Err(unexpected(other.shown())),
            Ok(None) => {}
            Err(error) => return Err(unexpected(error.to_string())),
        }
        match stream.read(reader.space(4 << 10)).await {
            Ok(0) => {
                sent?;
                return Err(stream.fault(NetFault::Closed("waiting for a reply")).into());
            }
            Ok(count) => reader.commit(count),
            Err(error) => return Err(sent.err().unwrap_or(error).into()),
        }
    }
}
