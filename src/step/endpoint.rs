//! A server as a step sees it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{Address, SecretRef, TlsFiles};

/// One side of a migration. Holds references to the password and to certificates, never what they refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where the server listens.
    pub address: Address,
    /// How the connection is encrypted; `None` is in plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// The ACL user; `None` is the default user (or a server before Redis 6).
    pub username: Option<String>,
    /// Where the password is; `None` means that no AUTH is sent.
    pub password: Option<SecretRef>,
    /// What the plan says of a password that travels without encryption. No run depends on it: it is reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<Plaintext>,
}

/// A password over a connection that is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plaintext {
    /// It may travel so.
    Accepted,
}
