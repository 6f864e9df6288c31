//! The number of a logical database.

use serde::{Deserialize, Serialize};

/// A logical database, as in `SELECT n`. Servers default to 16 databases; the number is bounded by the server's
/// `databases` setting, not by this type.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Db(pub u32);

impl std::fmt::Display for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
