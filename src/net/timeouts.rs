//! How long to wait.

use std::time::Duration;

/// The limits of a connection. Each is a limit on silence, not on the whole: a transfer that moves never times out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For name resolution, and then for each address that a name resolves to.
    pub connect: Duration,
    /// Without a byte from the server while one is awaited; of a [`super::Control`], until a reply is complete.
    pub read: Duration,
    /// Without the server taking a byte while some are to be sent.
    pub write: Duration,
}

impl Default for Timeouts {
    /// 10 s to connect, 60 s of silence: the servers' own default `repl-timeout`.
    fn default() -> Self {
        let silence = Duration::from_mins(1);
        Self { connect: Duration::from_secs(10), read: silence, write: silence }
    }
}
