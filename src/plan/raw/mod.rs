//! What a user wrote: one type per block of the plan file, and the only source of its JSON schema. An absent key is
//! `None` here; what it stands for is decided in [`super::checked`].
//!
//! No `flatten` and no `untagged`: both lose the position of a mistake.

mod cleanup;
mod cutover;
mod databases;
mod endpoint;
mod hooks;
mod limits;
mod plan_file;
mod stop;
mod verify;
mod windows;

pub use cleanup::{AccountEntry, CleanupBlock, Keep, RunRecordBlock};
pub use cutover::CutoverBlock;
pub use databases::{DatabaseEntry, DatabaseRule, Databases, From, KeyPatterns};
pub use endpoint::{DestinationBlock, SourceBlock, Tls, Topology};
pub use hooks::HookEntry;
pub use limits::{BufferBlock, Connections, LimitsBlock, ReplicaOutput, RestoreWhen};
pub use plan_file::{MigrationKind, PlanFile};
pub use stop::{At, ComparisonResult, ConditionEntry, DeadlineBlock, LagBound, OperatorCommand, SourceIdle, StopBlock};
pub use verify::{VerifyBlock, VerifyModeBlock};
pub use windows::WindowsBlock;
