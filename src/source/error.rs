//! Why a source's dump cannot be had.

use std::time::Duration;

use crate::net::{NetError, NetFault};
use crate::repl::{HandshakeError, LineFault};
use crate::resp::Refusal;
use crate::unit::Address;

/// A failed session with a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The connection failed before a dump began.
    #[error("the connection to the source failed: {0}")]
    Net(#[from] NetError),
    /// The source does not take us as a replica.
    #[error("{address}: {error}")]
    Handshake {
        /// The source.
        address: Address,
        /// Why.
        error: HandshakeError,
    },
    /// The source cannot send a dump now.
    #[error("the source {address} cannot send a dump now: {refusal}{}", waiting_for(.refusal))]
    NotNow {
        /// The source.
        address: Address,
        /// Its words.
        refusal: Refusal,
    },
    /// The source does not send dumps to us.
    #[error(
        "the source {address} refused replication: {refusal}. The user needs `+psync +replconf +ping`, and the commands \
         SYNC or PSYNC must not be renamed; a service that offers neither cannot be the source of a migration"
    )]
    Refused {
        /// The source.
        address: Address,
        /// Its words.
        refusal: Refusal,
    },
    /// No byte for longer than a living source ever stays silent.
    #[error(
        "the source {address} sent nothing for {} s: the network is cut, or the source hangs. Its own `repl-timeout` \
         (60 s by default) ends the session on its side as well",
        .after.as_secs()
    )]
    Silent {
        /// The source.
        address: Address,
        /// How long.
        after: Duration,
    },
    /// The source ended the session before its dump began; its log says why.
    #[error(
        "the source {address} closed the connection before it sent a dump: see its log (a failed background save, \
         a reached output-buffer limit, a shutdown or CLIENT KILL)"
    )]
    ClosedBeforeDump {
        /// The source.
        address: Address,
    },
    /// The dump is not complete.
    #[error(
        "the source {address} ended the connection after {received} bytes of its dump{}: see its log (a reached \
         client-output-buffer-limit of class slave, repl-timeout, a failed save, a shutdown); the dump is incomplete",
        of(.expected.as_ref())
    )]
    ClosedDuringDump {
        /// The source.
        address: Address,
        /// Bytes of the dump that came.
        received: u64,
        /// Bytes it should have; `None` for one that is streamed without a disk.
        expected: Option<u64>,
        /// What broke the connection, when it was not closed in order.
        cause: Option<NetFault>,
    },
    /// An answer that no server gives.
    #[error("the source {address} answered {request} with `{seen}`, which is no answer to it")]
    Strange {
        /// The source.
        address: Address,
        /// The request.
        request: &'static str,
        /// What came, shortened.
        seen: String,
    },
    /// Bytes without a line end where a line was awaited.
    #[error("the source {address} does not speak the replication protocol: {fault}")]
    NoLine {
        /// The source.
        address: Address,
        /// What came.
        fault: LineFault,
    },
    /// [`super::Link::read_dump`] without a dump that was requested.
    #[error("no dump was requested on this connection")]
    NotRequested,
}

impl SourceError {
    /// Whether a new session may succeed without anybody changing anything. What was received of a dump is of no use to
    /// it: a source never goes on with a dump that broke off.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Net(error) => error.fault.passes(),
            Self::Handshake { error, .. } => error.retryable(),
            Self::NotNow { .. }
            | Self::Silent { .. }
            | Self::ClosedBeforeDump { .. }
            | Self::ClosedDuringDump { .. } => true,
            Self::Refused { .. } | Self::Strange { .. } | Self::NoLine { .. } | Self::NotRequested => false,
        }
    }
}

fn of(expected: Option<&u64>) -> String {
    expected.map(|bytes| format!(" of {bytes}")).unwrap_or_default()
}

/// What has to come to pass, where the source's words leave it open.
fn waiting_for(refusal: &Refusal) -> &'static str {
    use crate::resp::RefusalKind as Kind;
    match refusal.kind {
        Kind::NoMasterLink | Kind::MasterDown => {
            ". It is a replica without a link to its master: fix that link, or take the master as the source"
        }
        Kind::Loading => ". It is loading its own dataset",
        Kind::Other => ". Its log says why (memory to fork, disk space)",
        _ => "",
    }
}
