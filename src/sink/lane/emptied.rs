//! Counting what a batch is about to empty or to swap: keys that others have written into the run's databases go with the
//! rest.

use super::{
    LaneFault,
    run::{Lane, LaneError, LaneReport},
};
use crate::{resp, sink::Batch, unit::Db};

impl Lane {
    /// Tells how many keys the databases hold that a batch empties or swaps. Where the connection breaks they are not counted:
    /// what is to be written is written on the next one.
    pub(super) async fn count(&mut self, batch: &Batch) -> Result<(), LaneFault> {
        if batch.empties.is_empty() && batch.swaps.is_empty() {
            return Ok(());
        }
        self.settle_pending().await?;
        if self.connection.is_none() && self.reconnect().await.is_err() {
            return Ok(());
        }
        match self.counted(batch).await {
            Ok(reports) => {
                for report in reports {
                    self.tell(report).await;
                }
            }
            Err(_) => self.connection = None,
        }
        Ok(())
    }

    async fn counted(&mut self, batch: &Batch) -> Result<Vec<LaneReport>, LaneError> {
        let mut reports = vec![];
        for db in &batch.empties {
            let keys = self.keys_in(*db).await?;
            reports.extend((keys > 0).then_some(LaneReport::Emptied { db: *db, keys }));
        }
        for (first, second) in &batch.swaps {
            let keys = (self.keys_in(*first).await?, self.keys_in(*second).await?);
            reports.extend((keys != (0, 0)).then_some(LaneReport::Swapped { dbs: (*first, *second), keys }));
        }
        Ok(reports)
    }

    /// The keys of a database, those of the run record left out.
    async fn keys_in(&mut self, db: Db) -> Result<u64, LaneError> {
        let own = if db == Db(0) { self.setup.keys.all() } else { vec![] };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"SELECT", db.to_string().as_bytes()]);
        resp::command(&mut asking, &[b"DBSIZE"]);
        for key in &own {
            resp::command(&mut asking, &[b"EXISTS", key.as_bytes()]);
        }
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        connection.send(&asking).await?;
        connection.line().await?;
        let mut held = connection.number().await?;
        for _ in own {
            held = held.saturating_sub(connection.number().await?);
        }
        connection.line().await?;
        Ok(u64::try_from(held).unwrap_or(0))
    }
}
