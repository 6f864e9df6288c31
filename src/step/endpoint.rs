//! A server as a step sees it.

use serde::{Deserialize, Serialize};

use crate::unit::{Address, SecretRef};

/// One side of a migration. Holds a reference to the password, never the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where the server listens.
    pub address: Address,
    /// The ACL user; `None` is the default user (or a server before Redis 6).
    pub username: Option<String>,
    /// Where the password is; `None` means that no AUTH is sent.
    pub password: Option<SecretRef>,
}
