//! `verify`: how both sides are compared.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unit::CountRate;

/// How source and destination are compared.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Verify")]
pub struct VerifyBlock {
    /// How thoroughly.
    #[schemars(example = &"full", example = serde_json::json!({ "sample": { "keys": 10_000 } }))]
    pub mode: VerifyModeBlock,
    /// Keys a second that are read; as fast as both servers answer without it.
    pub rate: Option<CountRate>,
}

/// How thoroughly both sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "VerifyMode")]
pub enum VerifyModeBlock {
    /// Not at all.
    None,
    /// Every key's existence, type and expiry.
    Keys,
    /// Every element of every key, and its expiry.
    Full,
    /// So many keys of all types and databases, chosen at random, with every element and expiry.
    Sample {
        /// How many.
        #[schemars(range(min = 1))]
        keys: u64,
    },
}
