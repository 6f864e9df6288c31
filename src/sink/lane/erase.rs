//! Erasing keys by what they are called: a pass over a database, again and again until it finds none.

use std::time::Instant;

use super::{
    LaneFault,
    connection::Executed,
    run::{Lane, LaneError, LaneReport, arm},
    settle::done,
};
use crate::{resp, sink::Erase};

/// How many keys a step of the pass looks at.
const LOOK_AT: &[u8] = b"1000";

/// What a pass has erased.
#[derive(Default)]
struct Erased {
    keys: u64,
    /// Keys whose deletion was sent, and not answered.
    unsure: Vec<Vec<u8>>,
}

impl Lane {
    /// Erases what `erase` names. Begun again after any trouble: what is gone stays gone.
    pub(super) async fn erase(&mut self, erase: &Erase) -> Result<(), LaneFault> {
        self.settle_pending().await?;
        let mut since = Instant::now();
        let mut erased = Erased::default();
        loop {
            let outcome = self.pass(erase, &mut erased).await;
            let keys = std::mem::take(&mut erased.keys);
            if keys > 0 {
                since = Instant::now();
                self.tell(LaneReport::Emptied { db: erase.db, keys }).await;
            }
            match outcome {
                Ok(()) if keys == 0 => return Ok(()),
                Ok(()) => {}
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

    /// One pass over the database.
    async fn pass(&mut self, erase: &Erase, erased: &mut Erased) -> Result<(), LaneError> {
        if self.connection.is_none() {
            self.reconnect().await?;
        }
        if !erased.unsure.is_empty() {
            erased.keys += self.missing(erase, &erased.unsure).await?;
            erased.unsure.clear();
        }
        let mut cursor = b"0".to_vec();
        loop {
            let (next, keys) = self.look(erase, &cursor).await?;
            if !keys.is_empty() {
                self.delete(erase, keys, erased).await?;
            }
            if next == b"0" {
                break;
            }
            cursor = next;
        }
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut arming = vec![];
        arm(&self.setup, &mut arming);
        connection.send(&arming).await?;
        connection.line().await?;
        let token = connection.bulk().await?;
        if token.as_deref() == Some(self.setup.token.as_bytes()) { Ok(()) } else { Err(LaneError::Token(token)) }
    }

    async fn look(&mut self, erase: &Erase, cursor: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
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

    /// How many of these keys are not there.
    async fn missing(&mut self, erase: &Erase, keys: &[Vec<u8>]) -> Result<u64, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut asking = vec![];
        resp::command(&mut asking, &[b"SELECT", erase.db.to_string().as_bytes()]);
        for key in keys {
            resp::command(&mut asking, &[b"EXISTS", key]);
        }
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        connection.send(&asking).await?;
        connection.line().await?;
        let mut missing = 0;
        for _ in keys {
            missing += u64::from(connection.number().await? == 0);
        }
        connection.line().await?;
        Ok(missing)
    }

    async fn delete(&mut self, erase: &Erase, keys: Vec<Vec<u8>>, erased: &mut Erased) -> Result<(), LaneError> {
        let Some(mut connection) = self.connection.take() else { return Err(LaneError::NotConnected) };
        let mut deleting = vec![];
        resp::command(&mut deleting, &[b"SELECT", erase.db.to_string().as_bytes()]);
        resp::array_header(&mut deleting, keys.len() + 1);
        resp::bulk(&mut deleting, b"DEL");
        for key in &keys {
            resp::bulk(&mut deleting, key);
        }
        resp::command(&mut deleting, &[b"SELECT", b"0"]);
        erased.unsure = keys;
        let executed = self.guarded(&mut connection, &deleting, 3).await?;
        let keys = std::mem::take(&mut erased.unsure);
        self.connection = Some(connection);
        match executed {
            Executed::Done(errors) => done(errors).map(|()| erased.keys += keys.len() as u64),
            Executed::Untouched => Err(LaneError::Untouched),
            Executed::Aborted(error) => Err(LaneError::Aborted(error)),
        }
    }
}
