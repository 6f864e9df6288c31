//! Writing only what does not exist yet.

use std::{borrow::Cow, time::Instant};

use super::{
    LaneFault,
    run::{Lane, LaneError, LaneReport, commit, send_multi, settle},
};
use crate::{
    resp,
    sink::Batch,
    step::KeyFailure,
    unit::{Db, KeyText},
};

impl Lane {
    /// Writes a batch without the keys that exist already. They are watched from the look to the EXEC, so that a key
    /// that somebody else makes in between is left alone too. Nothing may be pending.
    pub(super) async fn write_probed(&mut self, batch: Batch) -> Result<(), LaneFault> {
        let since = Instant::now();
        let mut attempt = 0u64;
        let mut written = false;
        let mut existing = vec![];
        let errors = loop {
            match self.probe_and_write(&batch, &mut existing, written).await {
                Ok(errors) => break errors,
                Err(trouble) => {
                    self.judge(&trouble, since).await?;
                    async_std::task::sleep(std::time::Duration::from_millis((attempt * 100).min(2000))).await;
                    attempt += 1;
                    match self.reconnect().await {
                        Ok(mark) => written = mark >= batch.mark,
                        Err(again) => self.judge(&again, since).await?,
                    }
                }
            }
        };
        for probe in existing.iter().filter_map(|index| batch.probes.get(*index)) {
            self.conflicts += 1;
            self.tell(LaneReport::Conflict(conflict(probe.db, &probe.key, probe.bytes.len()))).await;
        }
        let left = u32::try_from(existing.len()).unwrap_or(u32::MAX);
        let mark = batch.mark_if_left_alone.filter(|_| left > 0).unwrap_or(batch.mark);
        // The errors count the commands that were sent.
        let bytes = match without(&batch, &existing, &self.setup.keys.skipped) {
            Cow::Borrowed(_) => batch.bytes,
            Cow::Owned(rest) => rest.bytes,
        };
        let settled = Batch { bytes, keys: batch.keys.saturating_sub(left), mark, probes: vec![], ..batch };
        self.confirmed(settled, errors).await
    }

    async fn probe_and_write(
        &mut self,
        batch: &Batch,
        existing: &mut Vec<usize>,
        written: bool,
    ) -> Result<Vec<(u32, String)>, LaneError> {
        if self.connection.is_none() {
            self.reconnect().await?;
        }
        if written {
            return self.rewrite_missing(&without(batch, existing, &self.setup.keys.skipped)).await;
        }
        self.check_size(batch).await?;
        *existing = self.probe(batch).await?;
        let rest = without(batch, existing, &self.setup.keys.skipped);
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        send_multi(connection, &rest).await?;
        connection.send(&commit(&self.setup, &rest)).await?;
        settle(connection, &rest, &self.setup).await
    }

    /// Which of the batch's probes exist; all of them are watched.
    async fn probe(&mut self, batch: &Batch) -> Result<Vec<usize>, LaneError> {
        let Some(connection) = &mut self.connection else { return Err(LaneError::NotConnected) };
        let mut asking = vec![];
        for probe in &batch.probes {
            resp::command(&mut asking, &[b"SELECT", probe.db.to_string().as_bytes()]);
            resp::command(&mut asking, &[b"WATCH", &probe.key]);
            resp::command(&mut asking, &[b"EXISTS", &probe.key]);
        }
        resp::command(&mut asking, &[b"SELECT", b"0"]);
        connection.send(&asking).await?;
        let mut existing = vec![];
        for index in 0..batch.probes.len() {
            connection.line().await?;
            connection.line().await?;
            if connection.number().await? > 0 {
                existing.push(index);
            }
        }
        connection.line().await?;
        Ok(existing)
    }
}

/// The batch without the commands of the probes `existing`, which are noted in the run record instead: a later
/// dump must not take them for ours.
fn without<'a>(batch: &'a Batch, existing: &[usize], skipped: &str) -> Cow<'a, Batch> {
    if existing.is_empty() {
        return Cow::Borrowed(batch);
    }
    let mark = batch.mark_if_left_alone.unwrap_or(batch.mark);
    let mut rest = Batch { mark, commands: batch.commands, ..Batch::default() };
    let mut at = 0;
    for probe in existing.iter().filter_map(|index| batch.probes.get(*index)) {
        rest.bytes.extend_from_slice(batch.bytes.get(at..probe.bytes.start).unwrap_or_default());
        rest.commands -= probe.commands;
        at = probe.bytes.end;
    }
    rest.bytes.extend_from_slice(batch.bytes.get(at..).unwrap_or_default());
    resp::command(&mut rest.bytes, &[b"SELECT", b"0"]);
    rest.commands += 1;
    for probe in existing.iter().filter_map(|index| batch.probes.get(*index)) {
        let member = [format!("{}:", probe.db).as_bytes(), &probe.key].concat();
        resp::command(&mut rest.bytes, &[b"SADD", skipped.as_bytes(), &member]);
        rest.commands += 1;
    }
    Cow::Owned(rest)
}

fn conflict(db: Db, key: &[u8], size: usize) -> KeyFailure {
    KeyFailure {
        key: KeyText(key).to_string(),
        db,
        kind: "key".to_owned(),
        size: size as u64,
        reason: "it exists at the destination already and was left as it is".to_owned(),
    }
}
