//! Sockets with deadlines, the control connection, and where secrets are read.
//!
//! [`Access`] is the only way by which anything connects. Every wait on a [`Stream`] has a limit and every failure says
//! which server and what happened.
//! [`Control`] is the `redis` crate's client over such a stream, for questions and settings; bulk data never passes it.
//! [`serve`] answers HTTP requests for one page.
//! [`metered`] says how many bytes went over all connections of this process to a server.
//! [`LocalListener`] and [`LocalStream`] are for processes of one user on this host.
//! [`tls`] says how a connection is encrypted and what can be wrong with that.
//! [`secret::resolve`] turns a plan's reference into the secret.

mod access;
mod control;
mod control_error;
mod dial;
pub mod environ;
mod error;
mod excess;
mod greeting;
mod http;
mod local;
mod meter;
mod pace;
pub mod secret;
mod socket;
mod stream;
mod timeouts;
pub mod tls;

pub use access::Access;
pub use control::Control;
pub use control_error::ControlError;
use dial::dial;
pub use error::{NetError, NetFault};
pub use excess::Excess;
pub use http::{Page, Served, serve};
pub use local::{LocalListener, LocalStream};
pub use meter::{Metered, metered};
pub use stream::Stream;
pub use timeouts::Timeouts;
pub use tls::TlsFault;
