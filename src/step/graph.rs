//! The step graph.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    CutoverWork, DestinationExpect, Endpoint, Hook, IncrementalWork, Selection, Side, SourceExpect, VerifyWork, Windows,
};
use crate::unit::{ByteRate, ByteSize, CountRate, Period, SecretRef};

/// A plan expanded: what will be done, in which order. Its canonical JSON is what the digest is taken over, so it
/// holds everything that decides what a run does and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Format of this structure, 1.
    pub format: u32,
    /// The plan's name: names the run, the state directory and the run record.
    pub name: String,
    /// The change this belongs to, free text.
    pub change: Option<String>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Where the data is.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// When heavy steps may run; `None` is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// Programs that run at moments of the run, in the plan's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// In an order in which each step comes after those it needs.
    pub steps: Vec<Step>,
}

/// The kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepId {
    /// Raises the source's replica output-buffer limit.
    Buffer,
    /// Judges both servers before anything is written.
    Precheck,
    /// Copies the dataset.
    Full,
    /// Follows the source.
    Incremental,
    /// Compares both sides.
    Verify,
    /// Moves the writers over.
    Cutover,
    /// Puts back and removes what only the run needed.
    Cleanup,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// The steps that must be done before.
    pub after: Vec<StepId>,
    /// Runs on every ending, also when an earlier step failed.
    pub always: bool,
    /// What it does.
    pub work: Work,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// See [`StepId::Buffer`].
    Buffer(BufferWork),
    /// See [`StepId::Precheck`].
    Precheck(PrecheckWork),
    /// See [`StepId::Full`].
    Full(FullWork),
    /// See [`StepId::Incremental`].
    Incremental(IncrementalWork),
    /// See [`StepId::Cutover`].
    Cutover(CutoverWork),
    /// See [`StepId::Verify`].
    Verify(VerifyWork),
    /// See [`StepId::Cleanup`].
    Cleanup(CleanupWork),
}

/// What `buffer` does: records `client-output-buffer-limit` of class `slave`, and raises it when asked to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferWork {
    /// Set the limit to unlimited; otherwise it is only read and recorded.
    pub unlimited: bool,
}

/// What `precheck` looks at beside what every run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecheckWork {
    /// What the plan says the source is.
    pub source: SourceExpect,
    /// What the plan says the destination is.
    pub destination: DestinationExpect,
    /// Which databases must be empty depends on where keys go.
    pub selection: Selection,
    /// What a key that exists already means.
    pub on_conflict: OnConflict,
    /// Bounds whose room is checked.
    pub limits: Limits,
}

/// What `full` does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FullWork {
    /// What moves where.
    pub selection: Selection,
    /// What a key that exists already means.
    pub on_conflict: OnConflict,
    /// What a value that the destination cannot hold means.
    pub on_unsupported: OnUnsupported,
    /// What a stream that cannot continue means. Left out where it is `hold`: it came later, and digests stay the same.
    #[serde(default, skip_serializing_if = "OnStreamLost::is_hold")]
    pub on_stream_lost: OnStreamLost,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes per second read from the source; `None` is unlimited.
    pub bandwidth: Option<ByteRate>,
    /// Commands per second sent to the destination; `None` is unlimited.
    pub writes: Option<CountRate>,
    /// Writing connections to the destination, 1 to 64; `None` leaves their number to the destination's distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// The most that the spool may hold on disk.
    pub spool: ByteSize,
    /// Serialized values above this go to the destination in chunks, read back from the spool.
    pub chunk_above: ByteSize,
    /// How long a server may not answer while the source is followed; `None` is an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<Period>,
}

impl Limits {
    /// The most connections that are opened where the plan names no number.
    pub const MOST_CONNECTIONS: u32 = 16;

    /// How long a server may not answer while the source is followed.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience.map_or(Duration::from_hours(1), |patience| patience.0)
    }

    /// How many connections write to a destination at this distance. A connection has one batch under way, so far from the
    /// destination only more of them keep it busy; near to it four do. At 20 ms to and back four took 1.4 times as long as
    /// sixteen, and thirty-two were no faster.
    #[must_use]
    pub fn connections_at(&self, round_trip: Duration) -> u32 {
        self.connections.unwrap_or(match round_trip.as_millis() {
            0 => 4,
            1..5 => 8,
            _ => Self::MOST_CONNECTIONS,
        })
    }
}

/// What `cleanup` does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleanupWork {
    /// How long the run record stays at the destination; `None` is for ever.
    pub keep_run_record: Option<Period>,
    /// Accounts that only the migration needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
}

/// An account that is removed at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Where it is.
    pub side: Side,
    /// How it is removed.
    pub removal: Removal,
}

/// How an account is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// The ACL user is deleted, and proved deleted.
    User(String),
    /// A program removes it; that its password is refused afterwards is proved where the plan has it.
    Run(Vec<String>),
}

/// What a key that this run did not write and that exists already means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The run fails.
    Fail,
    /// The key stays as it is and is reported.
    Skip,
    /// The key is replaced.
    Replace,
}

/// What it means that the run cannot continue from what it has written, so that a new full copy would replace that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStreamLost {
    /// The run ends with exit code 4 and says what a new copy would replace.
    #[default]
    Hold,
    /// A new full copy begins, unless the source has become empty or much smaller.
    Recopy,
}

impl OnStreamLost {
    /// Whether it is what a plan without the key means.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_hold(&self) -> bool {
        matches!(self, Self::Hold)
    }
}

/// What a value that the destination cannot hold means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnsupported {
    /// The run fails.
    Fail,
    /// The key is left out, or loses what cannot be held, and is reported.
    Report,
}

impl Graph {
    /// The environment variables that hold a password. No program that a run starts gets to see them.
    #[must_use]
    pub fn secret_variables(&self) -> Vec<&str> {
        let passwords = [&self.source.password, &self.destination.password];
        let variables = passwords.into_iter().flatten().filter_map(|from| match from {
            SecretRef::Env(name) => Some(name.as_str()),
            _ => None,
        });
        variables.collect()
    }
}

impl StepId {
    /// The step's name, as in plans, events and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buffer => "buffer",
            Self::Precheck => "precheck",
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Verify => "verify",
            Self::Cutover => "cutover",
            Self::Cleanup => "cleanup",
        }
    }
}

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farther_a_destination_is_the_more_connections_it_gets() {
        let (bandwidth, writes, connections) = (None, None, None);
        let (spool, chunk_above) = (ByteSize(1), ByteSize(1));
        let bounds = Limits { bandwidth, writes, connections, spool, chunk_above, patience: None };
        let at = |limits: &Limits, micros| limits.connections_at(Duration::from_micros(micros));
        assert_eq!([0, 999, 1000, 4999, 5000, 80_000].map(|micros| at(&bounds, micros)), [4, 4, 8, 8, 16, 16]);
        assert_eq!(at(&Limits { connections: Some(2), ..bounds }, 80_000), 2);
    }
}
