//! Why a source does not take us as a replica.

use crate::resp::{Refusal, RefusalKind};

/// A handshake that failed: what happened, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// A password is needed and the plan names none.
    #[error("the source needs a password: give `password` (and `username`, from Redis 6 on) in the plan")]
    NeedsPassword,
    /// The user or password is wrong.
    #[error("the source refused the password{}: {refusal}. Check what `password` refers to", user(.username.as_ref()))]
    WrongPassword {
        /// The ACL user, if the plan names one.
        username: Option<String>,
        /// Its words.
        refusal: Refusal,
    },
    /// The source has no password and refuses to be given one.
    #[error("the source has no password ({0}): remove `password` from the plan")]
    NoPasswordSet(Refusal),
    /// A user name was sent to a server before Redis 6.
    #[error("the source is older than Redis 6 and knows no users ({0}): remove `username` from the plan")]
    NoUsers(Refusal),
    /// The user lacks a right that a replica needs.
    #[error(
        "the user may not run {request} on the source ({refusal}): grant it `+psync +replconf +ping` \
         (`ACL SETUSER name +psync +replconf +ping`)"
    )]
    NoPermission {
        /// The request that was refused.
        request: &'static str,
        /// Its words.
        refusal: Refusal,
    },
    /// The source answers only local clients.
    #[error("the source is in protected mode ({0}): give it a password or `protected-mode no`, or run beside it")]
    ProtectedMode(Refusal),
    /// Not now: it is loading, or full.
    #[error("the source cannot serve replication now ({0}): try again later")]
    NotNow(Refusal),
    /// A refusal that none of the above explains.
    #[error("the source refused {request}: {refusal}")]
    Refused {
        /// The request that was refused.
        request: &'static str,
        /// Its words.
        refusal: Refusal,
    },
    /// An answer that no server gives.
    #[error("the source answered {request} with `{seen}`: is it a Redis or Valkey server, and does it expect TLS?")]
    Strange {
        /// The request.
        request: &'static str,
        /// The answer, shortened.
        seen: String,
    },
}

impl HandshakeError {
    /// Whether the same handshake may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::NotNow(_))
    }

    /// The error that a refusal of `request` stands for.
    pub(super) fn of(request: &'static str, refusal: Refusal) -> Self {
        match refusal.kind {
            RefusalKind::NoAuth => Self::NeedsPassword,
            RefusalKind::NoPermission => Self::NoPermission { request, refusal },
            RefusalKind::ProtectedMode => Self::ProtectedMode(refusal),
            RefusalKind::Loading | RefusalKind::Busy | RefusalKind::MaxClients | RefusalKind::MasterDown => {
                Self::NotNow(refusal)
            }
            _ => Self::Refused { request, refusal },
        }
    }
}

fn user(username: Option<&String>) -> String {
    username.map(|name| format!(" of user `{name}`")).unwrap_or_default()
}
