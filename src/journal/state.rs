//! What the records of a journal add up to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fingerprint, Record};
use crate::{
    rdb::SafePoint,
    step::{CutoverResult, Outcome, Side, StepId},
    unit::{Db, Offset, ReplId, UnixMillis},
};

/// The state of a run as its journal tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// The run's id.
    pub run: String,
    /// Processes that worked on it.
    pub attempts: u32,
    /// How the processes named themselves at the destination, the last one last.
    pub owners: Vec<String>,
    /// Steps that are done.
    pub done: BTreeSet<StepId>,
    /// What the destination had confirmed when the last step that writes was done.
    pub position: Option<String>,
    /// Why both sides are to be compared before success is said.
    pub doubt: Option<String>,
    /// The source's settings to put back, by name: what each was and what we set.
    pub settings: BTreeMap<String, (String, String)>,
    /// Hooks that have run and run once.
    pub hooks: BTreeSet<usize>,
    /// Accounts that are removed.
    pub accounts: BTreeSet<usize>,
    /// What the last cutover came to that was about to be sealed.
    pub sealing: Option<CutoverResult>,
    /// When it was sealed.
    pub sealed: Option<UnixMillis>,
    /// The newest dump.
    pub dump: Option<DumpState>,
    /// When the source was followed for the first time.
    pub follow_began: Option<UnixMillis>,
    /// What the source was when it was last found as it should be.
    pub source: Option<Fingerprint>,
    /// The same of the destination.
    pub destination: Option<Fingerprint>,
    /// How the last process ended, if it said so.
    pub ended: Option<Outcome>,
}

/// How far a dump came.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpState {
    /// Counts the dumps of this run, from 1.
    pub generation: u32,
    /// Its length, once all of it is in the spool.
    pub received: Option<u64>,
    /// It or its spool is damaged.
    pub lost: bool,
    /// Where the stream begins behind it.
    pub history: Option<(ReplId, Offset)>,
    /// The id under which the source goes on now.
    pub replid: Option<ReplId>,
    /// Every id under which the stream was spooled here; the last one is `replid`.
    pub ids: Vec<ReplId>,
    /// The database that is selected there; `None` when the stream says it.
    pub db: Option<Db>,
    /// A key that was not written, for which the plan wants the run to fail.
    pub left: Option<String>,
    /// Where decoding can begin.
    pub safe_point: Option<SafePoint>,
    /// Keys confirmed before the safe point.
    pub keys: u64,
}

impl RunState {
    /// Takes one more record in.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Run { run, .. } => self.run.clone_from(run),
            Record::Attempt { number, owner, .. } => {
                self.attempts = *number;
                self.owners.push(owner.clone());
                self.ended = None;
            }
            Record::StepDone { step, position } => {
                self.done.insert(*step);
                if position.is_some() {
                    self.position.clone_from(position);
                }
            }
            Record::SetBack => self.copies_again(),
            Record::Doubt { why } => self.doubt.clone_from(why),
            Record::SettingWas { name, was, set_to } => {
                // What a process found that an earlier one had set is not what it was.
                let before = self.settings.get(name).map_or(was, |(was, _)| was).clone();
                self.settings.insert(name.clone(), (before, set_to.clone()));
            }
            Record::SettingRestored { name } => _ = self.settings.remove(name),
            Record::HookDone { hook } => _ = self.hooks.insert(*hook),
            Record::AccountRemoved { account } => _ = self.accounts.insert(*account),
            Record::Sealing { result } => self.sealing = Some(result.clone()),
            Record::NotSealed => self.sealing = None,
            Record::Sealed { at } => {
                self.sealed = Some(*at);
                self.done.insert(StepId::Incremental);
            }
            Record::DumpStarted { generation, .. } => {
                self.doubt = None;
                self.dump = Some(DumpState {
                    generation: *generation,
                    received: None,
                    history: None,
                    replid: None,
                    ids: vec![],
                    db: None,
                    lost: false,
                    left: None,
                    safe_point: None,
                    keys: 0,
                });
            }
            Record::History { generation, replid, offset } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.history = Some((*replid, *offset));
                    dump.go_by(*replid);
                }
            }
            Record::StreamDb { generation, db } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.db = Some(*db);
                }
            }
            Record::Renamed { generation, replid } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.go_by(*replid);
                }
            }
            Record::FollowBegan { at } => self.follow_began = self.follow_began.or(Some(*at)),
            Record::DumpReceived { generation, bytes } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.received = Some(*bytes);
                }
            }
            Record::DumpLost { generation } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.lost = true;
                }
                self.copies_again();
            }
            Record::KeyLeft { generation, key } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.left = Some(key.clone());
                }
                self.done.remove(&StepId::Full);
            }
            Record::SafePoint { generation, point, keys } => {
                if let Some(dump) = self.dump_of(*generation) {
                    dump.safe_point = Some(**point);
                    dump.keys = *keys;
                }
            }
            Record::Print { side, print } => *self.print_mut(*side) = Some((**print).clone()),
            Record::Ended { outcome, .. } => self.ended = Some(*outcome),
        }
    }

    /// The copy and what follows it are not done any more.
    fn copies_again(&mut self) {
        self.done.remove(&StepId::Full);
        self.done.remove(&StepId::Incremental);
        self.position = None;
    }

    /// What a server was when it was last found as it should be; `None` before a precheck has passed.
    #[must_use]
    pub fn print(&self, side: Side) -> Option<&Fingerprint> {
        match side {
            Side::Source => self.source.as_ref(),
            Side::Destination => self.destination.as_ref(),
        }
    }

    fn print_mut(&mut self, side: Side) -> &mut Option<Fingerprint> {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }

    fn dump_of(&mut self, generation: u32) -> Option<&mut DumpState> {
        self.dump.as_mut().filter(|dump| dump.generation == generation)
    }
}

impl DumpState {
    fn go_by(&mut self, replid: ReplId) {
        self.replid = Some(replid);
        if !self.ids.contains(&replid) {
            self.ids.push(replid);
        }
    }
}
