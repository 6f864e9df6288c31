//! `cleanup`: what is put back and removed at the end.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::Side;
use crate::unit::Period;

/// What is put back and removed at the end.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Cleanup")]
pub struct CleanupBlock {
    /// Accounts that only the migration needed.
    pub accounts: Option<Vec<AccountEntry>>,
    /// The run record at the destination.
    pub run_record: Option<RunRecordBlock>,
}

/// An account that only the migration needed: an ACL `user` that is deleted, or a program to `run` that removes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Account")]
pub struct AccountEntry {
    /// Where it is.
    pub side: Side,
    /// The ACL user: deleted, and proved deleted.
    pub user: Option<String>,
    /// A program and its arguments, run without a shell; a source before Redis 6 has no ACL.
    #[schemars(length(min = 1), example = ["./ops/rotate-password.sh"])]
    pub run: Option<Vec<String>>,
}

/// The run record at the destination.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunRecord")]
pub struct RunRecordBlock {
    /// How long it stays after the end: a duration, or `forever`; `30d` by default.
    pub keep: Option<Keep>,
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// This long.
    For(Period),
    /// For ever.
    Forever,
}

impl std::str::FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "forever" => Ok(Self::Forever),
            text => text.parse().map(Self::For).map_err(|error| format!("{error}, or `forever`")),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "keep",
            "description": "A length of time with its unit, such as `30d`, or `forever`.",
            "examples": ["30d", "forever"],
        })
    }
}
