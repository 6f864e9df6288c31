//! What what runs beside the loop of following tells it.

use super::{cutting::CutoverSignal, settler::SettleOutcome};
use crate::{
    command::Info,
    compare,
    engine::{ending::Ending, intake::IntakeEvent, steering::PendingOrder},
    sink::{LaneFault, LaneReport, LeaseFault},
    source::SourceFacts,
    step::KeyFailure,
    unit::{Offset, ReplId, UnixMillis},
};

/// What the parts of following tell its loop.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something happened while taking in.
    Intake(IntakeEvent),
    /// The source, asked at this moment, said where it stands.
    Source(Box<SourceFacts>, UnixMillis),
    /// The source said where it stands and in which history, asked after the stop condition was met.
    Stands(Option<ReplId>, Offset),
    /// A command was not sent.
    Left(KeyFailure),
    /// Feeding cannot go on.
    Fed(Ending),
    /// What is spooled cannot be read on, for this reason; the source may send it again.
    Spoiled(String),
    /// The lane tells.
    Lane(LaneReport),
    /// The lane ended.
    LaneEnded(Result<(), LaneFault>),
    /// The lease is lost.
    Heartbeat(LeaseFault),
    /// The lease was kept: the destination answers.
    Kept(Box<Info>),
    /// An operator asks for something.
    Asked(PendingOrder),
    /// A part of a cutover tells.
    Cut(CutoverSignal),
    /// So many scripts came that set or read expiries, among them new ones of these names.
    Scripts(u64, Vec<String>),
    /// The source does not let this user ask when keys end, in these words.
    LivesRefused(String),
    /// Making deadlines exact tells.
    Settled(SettleOutcome),
    /// A comparison of both sides tells.
    Compared(compare::CompareEvent),
    /// Time passed.
    Tick,
    /// Somebody asked for a stop.
    Stop,
}
