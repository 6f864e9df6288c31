//! What the stream's batches do to deadlines that are being made exact: whoever defers them again finds all of them in the
//! ledger.

use std::{io, path::PathBuf};

use super::{
    LaneFault,
    deadlines::{Settling, unwritten},
    run::Lane,
};
use crate::{
    resp,
    sink::{Batch, DeadlineMode, DeadlinePass, deadlines::Concerned, record::DEADLINES},
    store::KeyLog,
};

impl Settling {
    /// Notes what a batch of the stream does to deadlines; answers whether databases change places.
    fn observe(&mut self, batch: &Batch) -> io::Result<bool> {
        let concerned = Concerned::of(&batch.bytes);
        for key in concerned.deferred {
            self.remembered.add(key)?;
        }
        for key in concerned.exact {
            self.ledger.add(key)?;
        }
        self.ledger.flush()?;
        if concerned.swapped {
            self.everywhere = true;
            self.restart();
        }
        Ok(concerned.swapped)
    }
}

impl Lane {
    /// Notes what a batch does to deadlines before it is written; answers the folder of the ledger from which they are to be
    /// deferred again behind it: far ones in it are exact, and meanwhile the cutover that wanted them so was undone.
    pub(super) async fn observe(&mut self, batch: &mut Batch) -> Result<Option<PathBuf>, LaneFault> {
        let mut late = None;
        if let Some(settling) = &mut self.settling {
            if settling.observe(batch).map_err(unwritten)? {
                // The ledger does not say any more where its keys are.
                let mode = DeadlineMode::Settling(DeadlineMode::AT_ONCE);
                settling.settled.mode = mode;
                self.settle_pending().await?;
                self.note_mode(mode).await?;
            }
        } else if batch.settles
            && let Some(folder) = self.deferred_in.clone()
        {
            self.settle_pending().await?;
            let mode = self.settling_again();
            self.note_mode(mode).await?;
            let mut ledger = KeyLog::create(&DeadlinePass::ledger(&folder), mode.since()).map_err(unwritten)?;
            for key in Concerned::of(&batch.bytes).exact {
                ledger.add(key).map_err(unwritten)?;
            }
            ledger.flush().map_err(unwritten)?;
            late = Some(folder);
        }
        if batch.restores_record
            && let Some(mode) = self.noted
        {
            let (run, mode) = (self.setup.keys.run.as_bytes(), mode.to_string());
            resp::command(&mut batch.bytes, &[b"HSET", run, DEADLINES.as_bytes(), mode.as_bytes()]);
            batch.commands += 1;
        }
        Ok(late)
    }

    /// How deadlines stand while some are exact for a moment.
    fn settling_again(&self) -> DeadlineMode {
        let is_doubtful = self.noted == Some(DeadlineMode::Doubtful);
        DeadlineMode::Settling(if is_doubtful { DeadlineMode::AT_ONCE } else { self.now() })
    }

    /// Defers again what a batch brought that was observed to be late.
    pub(super) async fn defer_late(&mut self, folder: &std::path::Path) -> Result<(), LaneFault> {
        self.settle_pending().await?;
        let mode = self.noted.unwrap_or(DeadlineMode::Deferred);
        self.defer(folder, mode).await.map(drop)
    }
}
