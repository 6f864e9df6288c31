//! `windows`: when heavy steps may run.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::Window;

/// When heavy steps may run; outside of its windows a step waits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Windows")]
pub struct WindowsBlock {
    /// The IANA name of the time zone the windows are in.
    #[schemars(example = "Europe/Berlin")]
    pub timezone: String,
    /// When the copy may run.
    #[schemars(length(min = 1))]
    pub full: Option<Vec<Window>>,
    /// When the cutover may start.
    #[schemars(length(min = 1))]
    pub cutover: Option<Vec<Window>>,
}
