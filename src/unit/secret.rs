//! Secrets, and the references a plan holds instead of them.

use serde::{Deserialize, Serialize};

/// A secret in memory: wiped when dropped, never printed.
pub type Secret = secrecy::SecretString;

/// Where a secret is to be read from. A plan, a graph and a journal hold only this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretRef {
    /// The environment variable with this name.
    Env(String),
    /// The file at this path; one trailing newline is dropped.
    File(std::path::PathBuf),
    /// The standard output of this program and its arguments, run without a shell; one trailing newline is dropped.
    Command(Vec<String>),
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}
