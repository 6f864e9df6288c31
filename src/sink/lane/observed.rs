//! What the stream's batches do to deadlines that are being made exact: whoever defers them again finds all of them in the
//! ledger.

use std::{io, path::PathBuf};

use super::{
    LaneFault,
    deadline_reads::Commands,
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
    ///
    /// One that writes the run record back does so with these `settings`, and with how deadlines stand.
    pub(super) async fn observe(
        &mut self,
        batch: &mut Batch,
        settings: &[(String, String)],
    ) -> Result<Option<PathBuf>, LaneFault> {
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
        if batch.restores_record {
            let run = self.setup.keys.run.as_bytes();
            let mode = self.noted.map(|mode| (DEADLINES.to_owned(), mode.to_string()));
            for (field, value) in settings.iter().chain(&mode) {
                resp::command(&mut batch.bytes, &[b"HSET", run, field.as_bytes(), value.as_bytes()]);
                batch.commands += 1;
            }
        }
        Ok(late)
    }

    /// Behind a batch that has written the run record back with the settings `restored`: notes those again that have changed
    /// since. Where they were noted between, the batch has removed them.
    pub(super) async fn note_settings(&mut self, restored: &[(String, String)]) -> Result<(), LaneFault> {
        self.settle_pending().await?;
        let now = self.settings.fields();
        let gone = restored.iter().filter(|(field, _)| now.iter().all(|(other, _)| other != field));
        let gone = gone.map(|(field, _)| (field.clone(), String::new()));
        let changed: Vec<_> = now.iter().filter(|field| !restored.contains(field)).cloned().chain(gone).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let run = self.setup.keys.run.clone();
        self.persist(async |lane| {
            let mut out = Commands::default();
            for (field, value) in &changed {
                out.add(&[b"HSET", run.as_bytes(), field.as_bytes(), value.as_bytes()]);
            }
            lane.carry_out(out).await
        })
        .await
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
