//! Both servers' passwords, from where the plan says they are.

use crate::engine::Passwords;
use crate::net::secret::{SecretError, resolve};
use crate::step::{Graph, Side};
use crate::unit::{Secret, SecretRef};

/// A password that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the {side}'s password: {error}")]
pub(super) struct PasswordError {
    side: Side,
    error: SecretError,
}

/// Reads the passwords of both servers.
pub(super) fn passwords(graph: &Graph) -> Result<Passwords, PasswordError> {
    Ok(Passwords {
        source: password(Side::Source, graph.source.password.as_ref())?,
        destination: password(Side::Destination, graph.destination.password.as_ref())?,
    })
}

fn password(side: Side, from: Option<&SecretRef>) -> Result<Option<Secret>, PasswordError> {
    from.map(resolve).transpose().map_err(|error| PasswordError { side, error })
}
