//! Whether a new full copy may replace what is at the destination.
//!
//! A database that was empty when the run began may hold keys of others by now, so emptiness proves nothing. What came from
//! this run is known for certain only while the dump that brought it is in the spool and no stream was applied on top. In
//! every other case somebody has to agree: the plan, by `on_stream_lost: recopy`, or an operator, who names the number of
//! keys that they were shown.

use crate::{
    engine::{ending::Ending, run::Run, servers},
    net::{Control, ControlError},
    plan::fault::catalogue::{Fault, runs},
    resp::RefusalKind,
    sink::{Lease, RunRecord},
    step::{FullWork, OnStreamLost},
    unit::Db,
};

/// Keys on both sides, in the databases that the run reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyCounts {
    /// Keys of each database at the destination that holds some, the tool's own left out.
    pub(super) destination: Vec<(Db, u64)>,
    /// Keys at the source.
    source: u64,
    /// Whether keys of others are known to be among those at the destination.
    others: bool,
}

/// What becomes of the keys at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecopyVerdict {
    /// They may be replaced.
    Replace,
    /// They stay, for this reason.
    Hold(Reason),
}

/// Why keys stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Nobody has agreed.
    Unasked,
    /// An operator has agreed to fewer.
    TooFew(u64),
    /// The source has lost its data, as it seems.
    Shrunk,
}

impl KeyCounts {
    /// Asks both sides.
    pub(super) async fn ask(
        run: &Run,
        work: &FullWork,
        control: &mut Control,
        (lease, record): (&Lease, &RunRecord),
        databases: u32,
    ) -> Result<Self, ControlError> {
        let destination = keys_in(control, &run.targets(databases)).await?;
        let left_alone: u64 = control.query(redis::cmd("SCARD").arg(&lease.keys.skipped)).await?;
        let occupied = destination.iter().any(|(db, _)| record.occupied.contains(db));
        let keyspace = crate::source::survey(&mut run.request.servers.source.control().await?).await?.keyspace;
        let read = keyspace.iter().filter(|(db, _)| work.selection.reads(**db));
        Ok(Self { destination, source: read.map(|(_, held)| held.keys).sum(), others: occupied || left_alone > 0 })
    }

    /// Keys at the destination.
    pub(super) fn keys(&self) -> u64 {
        self.destination.iter().map(|(_, keys)| keys).sum()
    }

    /// Whether what a dump is known to have `written` may be taken back: a source that has lost its data would bring less.
    /// `agreed`: to how many keys at the destination an operator has agreed.
    pub(super) fn permits_taking_back(&self, written: u64, agreed: Option<u64>) -> bool {
        agreed.is_some_and(|agreed| self.keys() <= agreed) || !self.has_shrunk(written)
    }

    /// Whether the source seems to have lost its data, by how many keys were copied from it.
    fn has_shrunk(&self, copied: u64) -> bool {
        copied > 0 && (self.source == 0 || self.source < copied / 2)
    }

    fn judge(&self, policy: OnStreamLost, agreed: Option<u64>) -> RecopyVerdict {
        let keys = self.keys();
        match (agreed, policy) {
            _ if keys == 0 => RecopyVerdict::Replace,
            (Some(agreed), _) if keys <= agreed => RecopyVerdict::Replace,
            (Some(agreed), _) => RecopyVerdict::Hold(Reason::TooFew(agreed)),
            // A source that was restarted without its data looks like this.
            (None, _) if self.has_shrunk(keys) => RecopyVerdict::Hold(Reason::Shrunk),
            (None, OnStreamLost::Recopy) if !self.others => RecopyVerdict::Replace,
            (None, _) => RecopyVerdict::Hold(Reason::Unasked),
        }
    }

    /// Whether the keys at the destination may be replaced, for a new copy that is due because of `why`.
    pub(super) fn permit(&self, run: &Run, policy: OnStreamLost, why: &str) -> Result<(), Ending> {
        match self.judge(policy, run.request.recopy) {
            RecopyVerdict::Replace => Ok(()),
            RecopyVerdict::Hold(reason) => Err(self.held(reason, why)),
        }
    }

    fn held(&self, reason: Reason, why: &str) -> Ending {
        let (keys, source) = (self.keys(), self.source);
        let (cause, because): (&'static Fault, String) = match reason {
            Reason::Unasked => (&runs::RECOPY_HELD, String::new()),
            Reason::TooFew(agreed) => (&runs::RECOPY_HELD, format!(" `--recopy {agreed}` agrees to fewer keys.")),
            Reason::Shrunk => {
                let text = " The source may have lost its data, and a new copy would do the same to the destination: find \
                            out what happened to it first.";
                (&runs::SOURCE_SHRANK, text.to_owned())
            }
        };
        let others = if self.others { " Keys that this run did not write are among them." } else { "" };
        Ending::of(
            cause,
            format!(
                "{why}, so a new full copy is needed. It would delete what is at the destination ({}) and copy the source's \
                 {source} keys. Which keys at the destination came from this run could not be verified, so nothing was \
                 deleted.{others}{because} To have them deleted and the source copied again, run `plan apply --recopy {keys}` \
                 with the same plan.",
                self.shown()
            ),
        )
    }

    /// The keys at the destination, for people.
    pub(super) fn shown(&self) -> String {
        let one = |(db, keys): &(Db, u64)| format!("{keys} key{} in database {db}", if *keys == 1 { "" } else { "s" });
        match self.destination.as_slice() {
            [] => "no keys".to_owned(),
            dbs => dbs.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    }
}

/// The keys of each of these databases that holds some; one that is not there holds none.
pub(super) async fn keys_in(control: &mut Control, dbs: &[Db]) -> Result<Vec<(Db, u64)>, ControlError> {
    let mut held = vec![];
    for db in dbs {
        match servers::foreign_keys(control, *db).await {
            Ok(0) => {}
            Ok(keys) => held.push((*db, keys)),
            Err(error) if error.refusal() == Some(RefusalKind::DbRange) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(destination: u64, source: u64, others: bool) -> KeyCounts {
        KeyCounts { destination: vec![(Db(0), destination)], source, others }
    }

    #[test]
    fn nothing_is_replaced_that_nobody_agreed_to() {
        let (hold, recopy) = (OnStreamLost::Hold, OnStreamLost::Recopy);
        let unasked = RecopyVerdict::Hold(Reason::Unasked);
        for (standing, policy, agreed, verdict) in [
            (standing(0, 0, false), hold, None, RecopyVerdict::Replace),
            (standing(100, 90, false), hold, None, unasked),
            (standing(100, 90, false), recopy, None, RecopyVerdict::Replace),
            (standing(100, 90, true), recopy, None, unasked),
            (standing(100, 90, true), hold, Some(100), RecopyVerdict::Replace),
            (standing(100, 90, false), recopy, Some(99), RecopyVerdict::Hold(Reason::TooFew(99))),
        ] {
            assert_eq!(standing.judge(policy, agreed), verdict, "{standing:?} {policy:?} {agreed:?}");
        }
    }

    #[test]
    fn a_source_that_lost_its_data_empties_nothing_whatever_the_plan_says() {
        let recopy = OnStreamLost::Recopy;
        for source in [0, 1, 49] {
            assert_eq!(standing(100, source, false).judge(recopy, None), RecopyVerdict::Hold(Reason::Shrunk));
            assert_eq!(standing(100, source, false).judge(recopy, Some(100)), RecopyVerdict::Replace);
        }
        assert_eq!(standing(1, 0, false).judge(recopy, None), RecopyVerdict::Hold(Reason::Shrunk));
        assert_eq!(standing(100, 50, false).judge(recopy, None), RecopyVerdict::Replace);
    }

    #[test]
    fn what_a_dump_has_written_is_not_taken_back_for_a_source_that_lost_its_data() {
        for (source, written, agreed, permitted) in [
            (90, 60, None, true),
            (30, 60, None, true),
            (29, 60, None, false),
            (0, 1, None, false),
            (0, 0, None, true),
            (29, 60, Some(99), false),
            (29, 60, Some(100), true),
        ] {
            let standing = standing(100, source, false);
            assert_eq!(standing.permits_taking_back(written, agreed), permitted, "{source} {written} {agreed:?}");
        }
    }

    #[test]
    fn what_is_held_says_the_number_to_agree_to() {
        let held = standing(2000, 1990, false).held(Reason::Unasked, "The source's backlog is too short").summary;
        assert!(held.contains("2000 keys in database 0") && held.contains("1990 keys"), "{held}");
        assert!(held.contains("`plan apply --recopy 2000`"), "{held}");
    }
}
