//! What taking in tells.

use async_channel::Sender;

use crate::{
    engine::ending::Ending,
    source::Gap,
    unit::{Offset, ReplId},
};

/// What happened while taking in.
#[derive(Debug)]
pub(in crate::engine) enum IntakeEvent {
    /// The source has not begun yet.
    Waiting(String),
    /// A dump begins.
    Header {
        /// `None` from a source that knows only SYNC.
        replid: Option<ReplId>,
        /// What the dump stands for.
        offset: Option<Offset>,
        /// Its bytes, where the source says.
        length: Option<u64>,
    },
    /// The dump ended: its length, all of it in the spool.
    DumpReceived(Result<u64, Ending>),
    /// The stream goes on behind `offset`.
    Following {
        /// The history, from now on.
        replid: ReplId,
        /// The last byte received.
        offset: Offset,
        /// To be answered once the id is noted: nothing that comes under it is spooled before.
        noted: Sender<()>,
    },
    /// The connection is lost; it will be opened again.
    LinkLost(String),
    /// The spool is at its bound, so nothing is read; or there is room again.
    Holding(bool),
    /// The source cannot go on where this run stands.
    Gap(Gap),
    /// Taking in ended for another reason.
    Failed(Ending),
}
