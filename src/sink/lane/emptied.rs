//! Counting what a batch is about to empty: keys that others have written into the run's databases go with the rest.

use super::{
    LaneFault,
    run::{Lane, LaneReport, Trouble},
};
use crate::{resp, sink::record::RUNS, unit::Db};

impl Lane {
    /// Tells how many keys each of these databases holds. Where the connection breaks they are not counted: what is to be
    /// written is written on the next one.
    pub(super) async fn count(&mut self, dbs: &[Db]) -> Result<(), LaneFault> {
        if dbs.is_empty() {
            return Ok(());
        }
        self.settle_pending().await?;
        if self.connection.is_none() && self.reconnect().await.is_err() {
            return Ok(());
        }
        for db in dbs {
            match self.keys_in(*db).await {
                Ok(0) => {}
                Ok(keys) => self.tell(LaneReport::Emptied { db: *db, keys }).await,
                Err(_) => {
                    self.connection = None;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The keys of a database, those of the run record left out.
    async fn keys_in(&mut self, db: Db) -> Result<u64, Trouble> {
        let keys = &self.setup.keys;
        let own: [&str; 6] = [&keys.token, &keys.heartbeat, &keys.run, &keys.skipped, &keys.scripts, RUNS];
        let own: &[&str] = if db == Db(0) { &own } else { &[] };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"SELECT", db.to_string().as_bytes()]);
        resp::command(&mut asking, &[b"DBSIZE"]);
        for key in own {
            resp::command(&mut asking, &[b"EXISTS", key.as_bytes()]);
        }
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        let Some(connection) = &mut self.connection else { return Err(Trouble::NotConnected) };
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
