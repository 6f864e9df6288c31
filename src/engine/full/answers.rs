//! What the destination answered to a full copy.

use super::attempt::Copy;
use crate::{
    engine::{ending::Ending, run::Run, teller::Teller},
    journal::Record,
    plan::fault::catalogue::runs,
    sink::{LaneReport, Part},
    step::{Event, OnConflict, OnUnsupported, StepId},
};

impl Copy {
    /// Takes what a lane reports.
    pub(super) fn take_report(
        &mut self,
        report: LaneReport,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        match report {
            LaneReport::Confirmed { part, mark, keys } => {
                self.waiting = None;
                if let Part::Dump(lane) = part {
                    self.tally.confirm(lane, mark, keys);
                }
            }
            LaneReport::Unseen { .. } | LaneReport::Emptied { .. } | LaneReport::Swapped { .. } => {}
            LaneReport::Conflict(failure) => {
                let text = format!(
                    "The {} `{}` exists in database {} of the destination",
                    failure.kind, failure.key, failure.db
                );
                let key = failure.key.clone();
                teller.tell(Event::KeyFailed { failure });
                if self.work.on_conflict != OnConflict::Skip {
                    run.journal.append(&Record::KeyLeft { generation: self.generation, key })?;
                    return Err(Ending::of(
                        &runs::FOREIGN_KEY,
                        format!(
                            "{text}, and this run did not write it. It was not overwritten. Find out what else writes to \
                             the destination, or set `on_conflict` to `skip` or `replace`."
                        ),
                    ));
                }
                self.tally.skip();
            }
            LaneReport::Failed(failure) | LaneReport::ScriptFailed(failure) => {
                let text = format!("The {} `{}` could not be written: {}", failure.kind, failure.key, failure.reason);
                self.tally.fail(&failure);
                let key = failure.key.clone();
                teller.tell(Event::KeyFailed { failure });
                if self.work.on_unsupported == OnUnsupported::Fail {
                    run.journal.append(&Record::KeyLeft { generation: self.generation, key })?;
                    return Err(Ending::of(
                        &runs::UNSUPPORTED,
                        format!("{text}. With `on_unsupported: report` such keys are listed and left out."),
                    ));
                }
            }
            LaneReport::Lossy(failure) => {
                self.tally.fail(&failure);
                teller.tell(Event::KeyFailed { failure });
            }
            LaneReport::Waiting { reason } => {
                self.waiting = Some(reason.clone());
                teller.tell(Event::Waiting { step: StepId::Full, reason });
            }
            LaneReport::GoesOn => teller.notice("The destination takes writes again."),
        }
        Ok(())
    }
}
