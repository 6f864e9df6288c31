//! TLS: whom we trust, who we are, and a session that one task reads while another writes.
//!
//! Certificates are always verified: against the plan's own authorities, or against the system's. The files are read anew
//! for every connection, so that a certificate that was renewed while a run goes on is the one that is shown.

mod config;
mod fault;
mod session;

pub use config::check;
pub(super) use config::{config, name, trusting_nobody};
pub use fault::TlsFault;
pub(super) use session::Session;
