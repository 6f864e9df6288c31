//! What both servers are entered with: passwords and certificates, from where the plan says they are.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::engine::Servers;
use crate::net::secret::{SecretError, resolve};
use crate::net::{Access, TlsFault, environ, tls};
use crate::step::{Graph, Side};
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

/// How both servers are entered: with passwords and certificates read from where the plan says, relative paths taken from
/// `folder`, the plan file's. From then on no other process of this user reads the passwords out of this one.
pub(super) fn servers(graph: &Graph, folder: &Path) -> Result<Servers, CredentialError> {
    let sides = [(Side::Source, &graph.source), (Side::Destination, &graph.destination)];
    let [mut source, mut destination] = [&graph.source, &graph.destination].map(|endpoint| Access {
        address: endpoint.address.clone(),
        tls: endpoint.tls.as_ref().map(|files| files.within(folder)),
        username: endpoint.username.clone(),
        password: None,
    });
    certificates(Side::Source, &source)?;
    certificates(Side::Destination, &destination)?;
    let withheld = graph.secret_variables();
    // Variables first: they are gone before a program is asked for the other password.
    for from_variables in [true, false] {
        for ((side, endpoint), access) in sides.iter().zip([&mut source, &mut destination]) {
            if let Some(from) = endpoint.password.as_ref().filter(|from| is_variable(from) == from_variables) {
                access.password = Some(password(*side, from, folder, &withheld)?);
            }
        }
        if from_variables {
            keep_to_ourselves(&withheld);
        }
    }
    Ok(Servers { source, destination })
}

const fn is_variable(from: &SecretRef) -> bool {
    matches!(from, SecretRef::Env(_))
}

/// Empties the variables that held passwords where the system shows them, and closes this process's memory to others.
fn keep_to_ourselves(variables: &[&str]) {
    if let Err(error) = environ::wipe(variables) {
        tracing::warn!("programs that this process starts can read its passwords in its environment: {error}");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("other processes of this user can read this one's memory: {error}");
    }
}

fn password(side: Side, from: &SecretRef, folder: &Path, withheld: &[&str]) -> Result<Secret, CredentialError> {
    let from = match from {
        SecretRef::File(path) => SecretRef::File(folder.join(path)),
        SecretRef::Env(_) | SecretRef::Command(_) => from.clone(),
    };
    if let SecretRef::File(path) = &from {
        warn_of_readers(path);
    }
    resolve(&from, folder, withheld).map_err(|error| CredentialError::Password { side, error })
}

fn certificates(side: Side, access: &Access) -> Result<(), CredentialError> {
    let Some(files) = &access.tls else { return Ok(()) };
    files.key.as_deref().into_iter().for_each(warn_of_readers);
    tls::check(files, &access.address).map_err(|error| CredentialError::Tls { side, error })
}

fn warn_of_readers(path: &Path) {
    if let Ok(found) = std::fs::metadata(path)
        && found.is_file()
    {
        let own = rustix::process::geteuid().as_raw();
        for text in exposures(path, found.uid(), found.mode() & 0o777, own) {
            tracing::warn!("{text}");
        }
    }
}

/// Who else may use a secret: a user who owns its file, everybody on this host who may read it, a group that may change it.
/// That root owns it and a group reads it is how a service often gets it.
fn exposures(path: &Path, owner: u32, mode: u32, own: u32) -> Vec<String> {
    const TOO_WIDE: u32 = 0o027;
    let path = path.display();
    let foreign = (owner != own && owner != 0).then(|| {
        format!(
            "{path} holds a secret and belongs to user {owner}, who may read and replace it; `plan` runs as user {own}: \
             `chown {own} {path}`"
        )
    });
    let wide = (mode & TOO_WIDE != 0).then(|| {
        format!("{path} holds a secret and has mode {mode:03o}: others on this host may use it; `chmod 600 {path}`")
    });
    foreign.into_iter().chain(wide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_else_may_use_a_secret_is_named() {
        let count = |owner, mode| exposures(Path::new("/run/secret"), owner, mode, 1000).len();
        assert_eq!([count(1000, 0o600), count(1000, 0o640), count(0, 0o440)], [0, 0, 0]);
        assert_eq!([count(1000, 0o644), count(1001, 0o600), count(1001, 0o666)], [1, 1, 2]);
        let text = exposures(Path::new("/run/secret"), 1001, 0o600, 1000).concat();
        assert!(text.contains("belongs to user 1001") && text.contains("`chown 1000 /run/secret`"), "{text}");
    }
}
