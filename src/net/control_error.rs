//! What can go wrong on a control connection.

use std::time::Duration;

use super::{NetError, NetFault};
use crate::resp::{Refusal, RefusalKind};
use crate::unit::{Address, quoted};

/// A failed question to a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The connection failed. Whether the command ran is not known.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The server refused.
    #[error("{address} refused {command}: {refusal}{}", advice(.command, .refusal.kind))]
    Refused {
        /// The server.
        address: Address,
        /// The command's name.
        command: String,
        /// Its words.
        refusal: Refusal,
    },
    /// The server answered something else than it should.
    #[error("{address} answered {command} with {seen}: is it a Redis or Valkey server?")]
    Unexpected {
        /// The server.
        address: Address,
        /// The command's name.
        command: String,
        /// What came, shortened.
        seen: String,
    },
}

impl ControlError {
    /// The kind of refusal, when the server refused.
    pub fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.kind),
            _ => None,
        }
    }

    /// Whether trying again later may succeed without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Net(error) => error.fault.passes(),
            Self::Refused { refusal, .. } => matches!(
                refusal.kind,
                RefusalKind::Loading
                    | RefusalKind::Busy
                    | RefusalKind::MasterDown
                    | RefusalKind::NoMasterLink
                    | RefusalKind::MaxClients
            ),
            Self::Unexpected { .. } => false,
        }
    }

    pub(super) fn of(error: &redis::RedisError, address: &Address, command: &str, limit: Duration) -> Self {
        const DOING: &str = "waiting for a reply";
        let net = |fault| Self::Net(NetError { address: address.clone(), fault });
        if let (Some(code), true) = (error.code(), is_server(error)) {
            let detail = error.detail().map(str::to_owned).or_else(|| cause(error));
            let text = detail.map_or_else(|| code.to_owned(), |detail| format!("{code} {detail}"));
            let refusal = Refusal::of(&text);
            return Self::Refused { address: address.clone(), command: command.to_owned(), refusal };
        }
        if error.is_timeout() {
            return net(NetFault::Timeout { doing: DOING, after: limit });
        }
        if error.kind() == redis::ErrorKind::Io {
            let text = error.to_string();
            let reset = text.contains("reset by peer");
            return net(match (reset, error.is_connection_dropped()) {
                (true, _) => NetFault::Reset(DOING),
                (_, true) => NetFault::Closed(DOING),
                _ => NetFault::Other { doing: DOING, text },
            });
        }
        let text = error.to_string();
        // The connection ended within a reply.
        if error.kind() == redis::ErrorKind::Parse && text.contains("Unexpected end of input") {
            return net(NetFault::Closed(DOING));
        }
        let seen = quoted(text.as_bytes(), 120);
        Self::Unexpected { address: address.clone(), command: command.to_owned(), seen }
    }
}

fn is_server(error: &redis::RedisError) -> bool {
    matches!(error.kind(), redis::ErrorKind::Server(_) | redis::ErrorKind::Extension)
}

/// The first refusal inside a transaction, for which all of it was dropped.
fn cause(error: &redis::RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    let (_, first) = errors.first()?;
    Some(format!("because of: {} {}", first.code(), first.details().unwrap_or_default()))
}

/// What to do about it; empty where the server's words say enough.
fn advice(command: &str, kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Arity if command == "AUTH" => {
            ". It is older than Redis 6 and knows no users: remove `username` from the plan"
        }
        RefusalKind::NoAuth => ". It needs a password: give `password` (and `username`) in the plan",
        RefusalKind::WrongPassword => ". Check `username` and what `password` refers to",
        RefusalKind::NoPasswordSet => ". It has no password: remove `password` from the plan",
        RefusalKind::ProtectedMode => ". Connect locally, or give the server a password or `protected-mode no`",
        RefusalKind::MaxClients => ". Raise its `maxclients` or close other connections",
        RefusalKind::Loading => ". It is loading its dataset: wait until it is done",
        _ => "",
    }
}
