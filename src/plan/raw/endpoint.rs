//! `source` and `destination`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::{DestinationExpect, Plaintext, SourceExpect};
use crate::unit::SecretRef;

/// Where the data is: a server (`url`) or a dump file (`rdb`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Source")]
pub struct SourceBlock {
    /// The server: `redis://host:port`, `rediss://host:port` for TLS, or `unix:///path`. No user, password or database
    /// number in it.
    #[schemars(example = "redis://10.0.0.5:6379")]
    pub url: Option<String>,
    /// A dump file to read instead of a server.
    #[schemars(example = "dump.rdb")]
    pub rdb: Option<PathBuf>,
    /// What stands behind the url; `standalone` by default.
    pub topology: Option<Topology>,
    /// The ACL user (Redis 6 and later).
    #[schemars(example = &"migrator")]
    pub username: Option<String>,
    /// Where the password is read from. The password itself never stands in a plan.
    pub password: Option<SecretRef>,
    /// The password may travel without encryption, over `redis://`: say so where nobody else reads the network.
    pub plaintext: Option<Plaintext>,
    /// Certificates for a `rediss://` url.
    pub tls: Option<Tls>,
    /// What the server must be; compared at every start.
    pub expect: Option<SourceExpect>,
}

/// Where the data goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Destination")]
pub struct DestinationBlock {
    /// The server: `redis://host:port`, `rediss://host:port` for TLS, or `unix:///path`. No user, password or database
    /// number in it.
    #[schemars(example = "redis://10.0.0.9:6379")]
    pub url: String,
    /// What stands behind the url; `standalone` by default.
    pub topology: Option<Topology>,
    /// The ACL user (Redis 6 and later).
    #[schemars(example = &"migrator")]
    pub username: Option<String>,
    /// Where the password is read from. The password itself never stands in a plan.
    pub password: Option<SecretRef>,
    /// The password may travel without encryption, over `redis://`: say so where nobody else reads the network.
    pub plaintext: Option<Plaintext>,
    /// Certificates for a `rediss://` url.
    pub tls: Option<Tls>,
    /// What the server must be; compared at every start.
    pub expect: Option<DestinationExpect>,
}

/// What stands behind a url.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Topology {
    /// One server.
    Standalone,
    /// A cluster; the url names one of its nodes.
    Cluster,
    /// Sentinels; the url names one of them.
    Sentinel {
        /// The name the sentinels know the master by.
        master: String,
    },
}

/// Certificates, as PEM files; relative paths are relative to the plan file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The authorities to trust instead of the system's.
    #[schemars(example = "ca.pem")]
    pub ca: Option<PathBuf>,
    /// Certificate revocation lists (PEM) of every authority in the server's chain. Without them nothing says that a
    /// certificate was revoked.
    #[schemars(example = "crl.pem")]
    pub crl: Option<PathBuf>,
    /// The client's certificate chain.
    #[schemars(example = "client.pem")]
    pub cert: Option<PathBuf>,
    /// The client's private key.
    #[schemars(example = "client.key")]
    pub key: Option<PathBuf>,
    /// The name to expect in the server's certificate, when it is not the url's host.
    #[schemars(example = "redis.internal")]
    pub server_name: Option<String>,
}
