//! What a TLS connection is made with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How to encrypt a connection: paths of PEM files, never what is in them. The default trusts the system's authorities,
/// shows no certificate and expects the address's own name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// The authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Revocation lists of the authorities in the server's chain; left out of a graph that has none, whose digest was
    /// approved before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<PathBuf>,
    /// The client's certificate chain.
    pub cert: Option<PathBuf>,
    /// The client's private key.
    pub key: Option<PathBuf>,
    /// The name to expect in the server's certificate, when it is not the address's host.
    pub server_name: Option<String>,
}

impl TlsFiles {
    /// The same with relative paths taken from `folder`.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        let place = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
        Self {
            ca: place(&self.ca),
            crl: place(&self.crl),
            cert: place(&self.cert),
            key: place(&self.key),
            server_name: self.server_name.clone(),
        }
    }
}
