//! What can go wrong with a socket.

use std::{io, time::Duration};

use super::{Excess, TlsFault};
use crate::unit::Address;

/// A failure of a connection and the server it was to or with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {fault}")]
pub struct NetError {
    /// The server.
    pub address: Address,
    /// What happened.
    pub fault: NetFault,
}

/// The kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetFault {
    /// The name has no address.
    #[error("the host name cannot be resolved ({0})")]
    Resolve(String),
    /// Nothing listens there.
    #[error("the connection was refused: no server listens there, or a firewall rejects it")]
    Refused,
    /// No route, or the network is down.
    #[error("the host cannot be reached ({0})")]
    Unreachable(String),
    /// Silence beyond the limit.
    #[error("no answer within {} s while {doing}", .after.as_secs_f32())]
    Timeout {
        /// What was waited for.
        doing: &'static str,
        /// How long.
        after: Duration,
    },
    /// Bytes come, and too few of them.
    #[error("the answer came by less than 1 KiB/s and was not complete after {} s", .after.as_secs())]
    Slow {
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection was reset while {0}")]
    Reset(&'static str),
    /// The server ended the connection.
    #[error("the server closed the connection while {0}")]
    Closed(&'static str),
    /// There is no such unix socket.
    #[error("there is no such socket")]
    NoSocket,
    /// The unix socket may not be used by this account.
    #[error("this account may not use the socket")]
    Forbidden,
    /// The connection cannot be encrypted as the plan says.
    #[error("{0}")]
    Tls(#[from] TlsFault),
    /// The server sends more than one that answers as it should.
    #[error(
        "the server sends {0}, which no answer needs: it is not what the plan takes it for, or something stands in between"
    )]
    Excess(#[from] Excess),
    /// Anything else the system says.
    #[error("{text} while {doing}")]
    Other {
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        text: String,
    },
}

impl NetFault {
    /// Whether trying again later may succeed without anybody changing anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::Forbidden | Self::Excess(_) => false,
            Self::Tls(fault) => fault.passes(),
            _ => true,
        }
    }

    pub(super) fn of(error: &io::Error, doing: &'static str) -> Self {
        if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            return TlsFault::of(error).into();
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::Reset(doing)
            }
            io::ErrorKind::UnexpectedEof => Self::Closed(doing),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
                Self::Unreachable(error.to_string())
            }
            io::ErrorKind::NotFound => Self::NoSocket,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Other { doing, text: error.to_string() },
        }
    }
}
