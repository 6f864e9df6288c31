//! `limits` and `buffer`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::unit::{ByteRate, ByteSize, CountRate, Period};

/// Bounds of the run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct LimitsBlock {
    /// Bytes per second read from the source; unlimited by default.
    pub bandwidth: Option<ByteRate>,
    /// Commands per second sent to the destination; unlimited by default.
    pub writes: Option<CountRate>,
    /// Writing connections to the destination, 1 to 64; by default 4 near it and up to 16 far from it, as measured.
    pub connections: Option<Connections>,
    /// The most that the spool may hold on the runner's disk; `64 GiB` by default.
    pub spool: Option<ByteSize>,
    /// Serialized values larger than this go to the destination in chunks; `16 MiB` by default.
    pub chunk_above: Option<ByteSize>,
    /// How long a server may not answer while the source is followed, before the process ends with a durable checkpoint
    /// (exit code 75); `1h` by default.
    pub patience: Option<Period>,
}

/// A number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Connections(#[schemars(range(min = 1, max = 64))] pub u32);

/// The source's replica output buffer (`client-output-buffer-limit` of class `slave`) while the run follows it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Buffer")]
pub struct BufferBlock {
    /// What the limit is set to. By default `unlimited` while changes are followed and `keep` for a copy alone.
    pub replica_output: Option<ReplicaOutput>,
    /// When the source gets its own limit back; on every ending.
    pub restore: Option<RestoreWhen>,
}

/// What the limit is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaOutput {
    /// No limit.
    Unlimited,
    /// It stays as it is and is only recorded.
    Keep,
}

/// When the source gets its settings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Restore")]
pub enum RestoreWhen {
    /// On every ending of the run.
    Always,
}
