//! The vocabulary of a run: the graph of steps that a plan expands to, and the events that running it produces.
//! Data only: the planner builds it, the engine follows it, the report renders it.

mod endpoint;
mod event;
mod expect;
mod following;
mod graph;
mod outcome;
mod pattern;
mod selection;

pub use endpoint::Endpoint;
pub use event::{Check, Difference, Event, FullProgress, KeyFailure, Side, Stamped, Verdict};
pub use expect::{DestinationExpect, Eviction, Role, RunId, SourceExpect, VersionRange};
pub use following::{
    Activity, Answer, Condition, ConditionState, Deadline, DeadlineEnd, FollowProgress, IncrementalWork, Lag, Order,
    Setting, Status, WhenMet,
};
pub use graph::{
    BufferWork, CleanupWork, FullWork, Graph, Limits, OnConflict, OnUnsupported, PrecheckWork, Step, StepId, Work,
};
pub use outcome::Outcome;
pub use pattern::KeyPattern;
pub use selection::{DbRule, DbSource, Selection};
