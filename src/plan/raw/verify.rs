//! `verify`: how both sides are compared.

use schemars::JsonSchema;
use serde::Deserialize;

/// How source and destination are compared.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// How thoroughly.
    #[schemars(example = &"full", example = serde_json::json!({ "sample": { "keys": 10_000 } }))]
    pub mode: VerifyMode,
}

/// How thoroughly both sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VerifyMode {
    /// Not at all.
    None,
    /// The names of all keys.
    Keys,
    /// Every key with its value and expiry.
    Full,
    /// So many keys, chosen at random, with value and expiry.
    Sample {
        /// How many.
        #[schemars(range(min = 1))]
        keys: u64,
    },
}
