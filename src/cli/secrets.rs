//! What both servers are entered with: passwords and certificates, from where the plan says they are.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::engine::Passwords;
use crate::net::secret::{SecretError, resolve};
use crate::net::{TlsFault, tls};
use crate::step::{Endpoint, Graph, Side};
use crate::unit::{Secret, SecretRef};

/// What a server is entered with could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialError {
    /// A password.
    #[error("the {side}'s password: {error}")]
    Password { side: Side, error: SecretError },
    /// A certificate or its key.
    #[error("the {side}'s `tls`: {error}")]
    Tls { side: Side, error: TlsFault },
}

/// Reads the passwords of both servers, and sees that their certificates can be used.
pub(super) fn passwords(graph: &Graph) -> Result<Passwords, CredentialError> {
    let withheld = graph.secret_variables();
    certificates(Side::Source, &graph.source)?;
    certificates(Side::Destination, &graph.destination)?;
    Ok(Passwords {
        source: password(Side::Source, graph.source.password.as_ref(), &withheld)?,
        destination: password(Side::Destination, graph.destination.password.as_ref(), &withheld)?,
    })
}

fn password(side: Side, from: Option<&SecretRef>, withheld: &[&str]) -> Result<Option<Secret>, CredentialError> {
    if let Some(SecretRef::File(path)) = from {
        warn_of_readers(path);
    }
    from.map(|from| resolve(from, withheld)).transpose().map_err(|error| CredentialError::Password { side, error })
}

fn certificates(side: Side, endpoint: &Endpoint) -> Result<(), CredentialError> {
    let Some(files) = &endpoint.tls else { return Ok(()) };
    files.key.as_deref().into_iter().for_each(warn_of_readers);
    tls::check(files, &endpoint.address).map_err(|error| CredentialError::Tls { side, error })
}

/// A secret that everybody on this host may read, or that a group may change. That a group reads it is how a service often
/// gets it.
fn warn_of_readers(path: &Path) {
    const TOO_WIDE: u32 = 0o027;
    if let Ok(found) = std::fs::metadata(path)
        && found.is_file()
        && found.mode() & TOO_WIDE != 0
    {
        let (shown, mode) = (path.display(), found.mode() & 0o777);
        tracing::warn!(
            "{shown} holds a secret and has mode {mode:03o}: others on this host may use it; `chmod 600 {shown}`"
        );
    }
}
