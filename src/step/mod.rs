//! The vocabulary of a run: the graph of steps that a plan expands to, and the events that running it produces.
//! Data only: the planner builds it, the engine follows it, the report renders it.

mod cutover;
mod endpoint;
mod event;
mod evidence;
mod expect;
mod following;
mod graph;
mod hook;
mod mask;
mod outcome;
mod pattern;
mod selection;
mod verify;
mod window;

pub use cutover::{CutoverMode, CutoverPart, CutoverResult, CutoverWork, Fence, FenceHook};
pub use endpoint::{Endpoint, Plaintext};
pub use event::{Check, Difference, Event, FullProgress, KeyFailure, Side, Stamped, Verdict};
pub use evidence::{LinkBytes, ServerFacts, Traffic};
pub use expect::{DestinationExpect, Eviction, Role, RunId, SourceExpect, VersionRange};
pub use following::{
    Activity, Answer, Condition, ConditionState, Deadline, DeadlineEnd, DeadlineFigures, FollowProgress,
    IncrementalWork, Lag, Order, Setting, SettlingForecast, Status, WhenMet,
};
pub use graph::{
    Account, BufferWork, CleanupWork, FullWork, Graph, Limits, OnConflict, OnStreamLost, OnUnsupported, PrecheckWork,
    Removal, Step, StepId, Work,
};
pub use hook::{Hook, Moment, OnError};
pub use mask::without_secrets;
pub use outcome::Outcome;
pub use pattern::KeyPattern;
pub use selection::{DbRule, DbSource, Selection};
pub use verify::{
    DifferenceKind, Foreign, ForeignRule, JudgedBy, KeyDifference, SideOfKey, VerifyCount, VerifyMode, VerifyPhase,
    VerifyProgress, VerifyResult, VerifyVerdict, VerifyWork,
};
pub use window::{Window, WindowState, Windows};
