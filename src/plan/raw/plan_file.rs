//! The plan file as a whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BufferBlock, CleanupBlock, CutoverBlock, Databases, DestinationBlock, HookEntry, LimitsBlock, SourceBlock,
    StopBlock, VerifyBlock, WindowsBlock,
};
use crate::step::{OnConflict, OnStreamLost, OnUnsupported};

/// A redis-plan plan: what moves where, and when it may stop.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "redis-plan plan file, version 1")]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The format of this file; always 1.
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// Names the run, the state directory and the run record at the destination: 1 to 64 of a-z, 0-9 and `-`, the
    /// first and the last not a `-`.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"), example = "cart-prod")]
    pub name: String,
    /// The change this migration belongs to; free text that every report carries.
    #[schemars(example = &"CHG0042317")]
    pub change: Option<String>,
    /// Free labels that every report carries.
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"}))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Where the data is.
    pub source: SourceBlock,
    /// Where the data goes.
    pub destination: DestinationBlock,
    /// Which databases and keys move: `all` (the default), a list of database numbers, or rules.
    pub databases: Option<Databases>,
    /// The phases, in order: `[full]`, or `[full, incremental]` to follow the source after the copy.
    #[schemars(length(min = 1), example = ["full"], example = ["full", "incremental"])]
    pub migration: Vec<MigrationKind>,
    /// What a key that this run did not write and that exists already at the destination means; `fail` by default.
    pub on_conflict: Option<OnConflict>,
    /// What it means that the run cannot continue from what it has written, for example when the source's backlog is
    /// overrun or its history is another one: a new full copy would replace what is at the destination. `hold` by default.
    pub on_stream_lost: Option<OnStreamLost>,
    /// What a value that the destination cannot hold means; `fail` by default.
    pub on_unsupported: Option<OnUnsupported>,
    /// The source's replica output buffer while the run follows it.
    pub buffer: Option<BufferBlock>,
    /// Bounds of the run.
    pub limits: Option<LimitsBlock>,
    /// How source and destination are compared before the cutover.
    pub verify: Option<VerifyBlock>,
    /// When the incremental phase may end.
    pub stop: Option<StopBlock>,
    /// When heavy steps may run.
    pub windows: Option<WindowsBlock>,
    /// How the writers move over.
    pub cutover: Option<CutoverBlock>,
    /// Programs of yours that run at moments of the run.
    pub hooks: Option<Vec<HookEntry>>,
    /// What is put back and removed at the end.
    pub cleanup: Option<CleanupBlock>,
}

/// A phase of the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Phase")]
pub enum MigrationKind {
    /// Copies the whole dataset.
    Full,
    /// Follows the source's writes after the copy.
    Incremental,
}
