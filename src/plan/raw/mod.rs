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

pub use cleanup::{Account, Cleanup, Keep, RunRecord};
pub use cutover::Cutover;
pub use databases::{Databases, Entry, From, Keys, Rule};
pub use endpoint::{Destination, Source, Tls, Topology};
pub use hooks::Hook;
pub use limits::{Buffer, Connections, Limits, ReplicaOutput, Restore};
pub use plan_file::{Phase, PlanFile};
pub use stop::{At, Comparison, Condition, Deadline, Lag, OperatorCommand, SourceIdle, Stop};
pub use verify::{Verify, VerifyMode};
pub use windows::Windows;
