//! How a server is entered.

use super::{
    Control, ControlError, NetError, Stream, Timeouts, dial,
    greeting::{Greeting, enter},
};
use crate::unit::{Address, Secret, TlsFiles};

/// One server: where it is, how the connection is encrypted, and as whom. The only way by which anything connects.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where the server listens.
    pub address: Address,
    /// How the connection is encrypted, with paths that lead from the working directory; `None` is in plain text.
    pub tls: Option<TlsFiles>,
    /// The ACL user; `None` is the default user, or a server before Redis 6.
    pub username: Option<String>,
    /// The password; `None` means that no `AUTH` is sent.
    pub password: Option<Secret>,
}

impl Access {
    /// To an address in plain text, without a password.
    pub const fn plain(address: Address) -> Self {
        Self { address, tls: None, username: None, password: None }
    }

    /// A connection for questions and settings, with 10 s to connect and 60 s for each answer.
    pub async fn control(&self) -> Result<Control, ControlError> {
        self.control_within(Timeouts::default()).await
    }

    /// As [`Self::control`], with these limits.
    pub async fn control_within(&self, timeouts: Timeouts) -> Result<Control, ControlError> {
        Control::open(self, timeouts).await
    }

    /// A connection for many commands, signed in and called `name` in the server's `CLIENT LIST`.
    pub async fn session(&self, name: &str, timeouts: Timeouts) -> Result<Stream, ControlError> {
        enter(self, &Greeting::Name(name), timeouts).await
    }

    /// A connection on which nothing has been said.
    pub async fn link(&self, timeouts: Timeouts) -> Result<Stream, NetError> {
        dial(&self.address, self.tls.as_ref(), timeouts).await
    }
}
