//! What a journal records.

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use crate::{
    rdb::SafePoint,
    step::{CutoverResult, Outcome, Side, StepId},
    unit::{Db, Offset, ReplId, UnixMillis},
};

/// One fact about a run, in the order in which they became true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The run began: always the first record.
    Run {
        /// Format of the journal, 2.
        format: u32,
        /// The run's id.
        run: String,
        /// The plan's name.
        plan: String,
        /// The graph's digest.
        digest: String,
        /// When.
        at: UnixMillis,
    },
    /// A process took the run up.
    Attempt {
        /// 1 for the first.
        number: u32,
        /// Names the process at the destination's heartbeat.
        owner: String,
        /// When.
        at: UnixMillis,
    },
    /// A step is done and need not run again.
    StepDone {
        /// Which.
        step: StepId,
        /// What the destination had confirmed by then, as the run record writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<String>,
    },
    /// The destination lost what it had confirmed: what was copied and followed has to be looked at again.
    SetBack,
    /// Both sides are to be compared before success is said, or were compared since.
    Doubt {
        /// Why; `None` when they were compared and are equal.
        why: Option<String>,
    },
    /// A setting of the source, before it is changed.
    SettingWas {
        /// Which.
        name: String,
        /// What it was.
        was: String,
        /// What it is being set to.
        set_to: String,
    },
    /// The setting is as it was, or was changed by somebody else meanwhile.
    SettingRestored {
        /// Which.
        name: String,
    },
    /// A hook that runs once in a run has run.
    HookDone {
        /// Its place in the plan, from 0.
        hook: usize,
    },
    /// The destination is about to be sealed.
    Sealing {
        /// What the cutover came to.
        result: CutoverResult,
    },
    /// The destination was not sealed after all.
    NotSealed,
    /// The destination is sealed: what is left to do is behind the cutover.
    Sealed {
        /// When.
        at: UnixMillis,
    },
    /// An account is removed, and that was proved.
    AccountRemoved {
        /// Its place in the plan, from 0.
        account: usize,
    },
    /// A dump is requested of the source.
    DumpStarted {
        /// Counts the dumps of this run, from 1.
        generation: u32,
    },
    /// Where the source's stream begins, behind the dump.
    History {
        /// Which dump.
        generation: u32,
        /// The history.
        replid: ReplId,
        /// The offset that the dump stands for.
        offset: Offset,
    },
    /// The database that is selected where the stream begins; a source that is a replica itself does not say it there.
    StreamDb {
        /// Which dump.
        generation: u32,
        /// The database.
        db: Db,
    },
    /// The source goes on under this id, which a failover changes.
    Renamed {
        /// Which dump.
        generation: u32,
        /// The history's id from now on.
        replid: ReplId,
    },
    /// The source is followed for the first time.
    FollowBegan {
        /// When.
        at: UnixMillis,
    },
    /// The whole dump is in the spool, synced.
    DumpReceived {
        /// Which dump.
        generation: u32,
        /// Its bytes.
        bytes: u64,
    },
    /// The dump or its spool turned out to be damaged: it cannot go on.
    DumpLost {
        /// Which dump.
        generation: u32,
    },
    /// A key of the dump was not written and the plan wants the run to fail then. The marks are behind it.
    KeyLeft {
        /// Which dump.
        generation: u32,
        /// The key, as it is shown.
        key: String,
    },
    /// Everything of the dump before this point is confirmed; decoding can begin here.
    SafePoint {
        /// Which dump.
        generation: u32,
        /// What the decoder needs.
        point: Box<SafePoint>,
        /// Keys confirmed so far.
        keys: u64,
    },
    /// What a server is, found fit for the run or changed since in a way that does no harm.
    Print {
        /// Which server.
        side: Side,
        /// What it is.
        print: Box<Fingerprint>,
    },
    /// A process ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// When.
        at: UnixMillis,
    },
}
