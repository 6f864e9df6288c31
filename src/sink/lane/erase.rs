//! Erasing keys by what they are called: a pass over a database, again and again until it finds none.

use std::time::Instant;

use super::{
    LaneFault,
    connection::Executed,
    run::{Lane, LaneReport, Trouble, arm},
};
use crate::{resp, sink::Erase};

/// How many keys a step of the pass looks at.
const LOOK_AT: &[u8] = b"1000";

impl Lane {
    /// Erases what `erase` names. Begun anew after any trouble: what is gone stays gone.
    pub(super) async fn erase(&mut self, erase: &Erase) -> Result<(), LaneFault> {
        self.settle_pending().await?;
        let mut since = Instant::now();
        loop {
            match self.pass(erase).await {
                Ok(0) => return Ok(()),
                Ok(erased) => {
                    since = Instant::now();
                    self.tell(LaneReport::Emptied { db: erase.db, keys: erased as u64 }).await;
                }
                Err(trouble) => {
                    self.judge(&trouble, since).await?;
                    async_std::task::sleep(std::time::Duration::from_millis(250)).await;
                    if let Err(again) = self.reconnect().await {
                        self.judge(&again, since).await?;
                    }
                }
            }
        }
    }

    /// One pass over the database; answers how many keys were erased.
    async fn pass(&mut self, erase: &Erase) -> Result<usize, Trouble> {
        if self.connection.is_none() {
            self.reconnect().await?;
        }
        let mut cursor = b"0".to_vec();
        let mut erased = 0;
        loop {
            let (next, keys) = self.look(erase, &cursor).await?;
            if !keys.is_empty() {
                erased += keys.len();
                self.delete(erase, &keys).await?;
            }
            if next == b"0" {
                break;
            }
            cursor = next;
        }
        let Some(connection) = &mut self.connection else { return Err(Trouble::NotConnected) };
        let mut arming = vec![];
        arm(&self.setup, &mut arming);
        connection.send(&arming).await?;
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() == Some(self.setup.token.as_bytes()) { Ok(erased) } else { Err(Trouble::Token(token)) }
    }

    async fn look(&mut self, erase: &Erase, cursor: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), Trouble> {
        let Some(connection) = &mut self.connection else { return Err(Trouble::NotConnected) };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"SELECT", erase.db.to_string().as_bytes()]);
        resp::command(&mut asking, &[b"SCAN", cursor, b"COUNT", LOOK_AT]);
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        connection.send(&asking).await?;
        connection.line().await?;
        let (next, mut keys) = connection.scanned().await?;
        connection.line().await?;
        keys.retain(|key| erase.takes(key));
        Ok((next, keys))
    }

    async fn delete(&mut self, erase: &Erase, keys: &[Vec<u8>]) -> Result<(), Trouble> {
        let Some(mut connection) = self.connection.take() else { return Err(Trouble::NotConnected) };
        let mut deleting = vec![];
        resp::command(&mut deleting, &[b"SELECT", erase.db.to_string().as_bytes()]);
        resp::array_header(&mut deleting, keys.len() + 1);
        resp::bulk(&mut deleting, b"DEL");
        for key in keys {
            resp::bulk(&mut deleting, key);
        }
        resp::command(&mut deleting, &[b"SELECT", b"0"]);
        let executed = self.guarded(&mut connection, &deleting, 3).await?;
        self.connection = Some(connection);
        match executed {
            Executed::Done(_) => Ok(()),
            Executed::Untouched => Err(Trouble::Untouched),
            Executed::Aborted(error) => Err(Trouble::Aborted(error)),
        }
    }
}
