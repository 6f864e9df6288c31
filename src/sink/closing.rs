//! What ends a part of a run at the destination: the copy, the run, its seal. Each is carried out only where the record, which
//! is watched, still shows everything that was confirmed.

use std::collections::BTreeMap;

use redis::{Cmd, FromRedisValue, Value, cmd, pipe};

use super::{
    Checkpoint, DeadlineMode, Lease, LeaseFault, Position, RecordState, Removed, RunRecord,
    lease::{SEALED, expiring, see, unlisting},
    record::{DEADLINES, DOUBT, HEARD},
    removed,
};
use crate::{
    command::Info,
    net::Control,
    unit::{Offset, Period},
};

/// The field that is written to make void what is under way.
const VOID: &str = "void";
/// The field that says why a copy is not whole.
const LEFT: &str = "left";

/// What the record must show.
type Needed<'a> = (&'a Position, Deadlines);

/// How deadlines must stand.
#[derive(Clone, Copy, Debug)]
enum Deadlines {
    Any,
    Exact,
}

impl Lease {
    /// Marks the run as done. The token changes, so nothing can be written through this run again. The record stays
    /// for `keep`; `None` is for ever. `position`: what the run has confirmed, as far as that is known.
    pub async fn finish(
        &self,
        control: &mut Control,
        keep: Option<Period>,
        position: Option<&Position>,
    ) -> Result<(), LeaseFault> {
        let keys = &self.keys;
        let mut commands = vec![
            self.closed_as(RecordState::Done),
            cmd("SET").arg(&keys.token).arg("done").clone(),
            cmd("DEL").arg(&keys.heartbeat).clone(),
            unlisting(keys),
        ];
        commands.extend(keep.into_iter().flat_map(|keep| expiring(keys, keep)));
        self.close(control, &commands, position.map(|position| (position, Deadlines::Exact))).await
    }

    /// Seals the run, whatever it has confirmed: the token changes for good, so nothing can be written through it again.
    pub async fn seal(&self, control: &mut Control) -> Result<(), LeaseFault> {
        self.close(control, &self.sealing(), None).await
    }

    /// Queues the seal where the destination holds `position`: it needs [`Self::carry_out`]; a connection
    /// that is dropped before drops it.
    pub async fn queue_seal(&self, control: &mut Control, position: &Position) -> Result<(), LeaseFault> {
        self.queue(control, &self.sealing(), Some((position, Deadlines::Exact))).await
    }

    /// Carries out what is queued; `false` when the token or the record was written meanwhile, and nothing was carried out.
    pub async fn carry_out(&self, control: &mut Control) -> Result<bool, LeaseFault> {
        Ok(control.command(&cmd("EXEC")).await? != Value::Nil)
    }

    /// Notes what the run has come to: success is said only of exact deadlines.
    fn closed_as(&self, state: RecordState) -> Cmd {
        let deadlines = DeadlineMode::Exact.to_string();
        cmd("HMSET").arg(&self.keys.run).arg(DEADLINES).arg(deadlines).arg("state").arg(state.word()).clone()
    }

    fn sealing(&self) -> [Cmd; 4] {
        let keys = &self.keys;
        [
            self.closed_as(RecordState::Sealed),
            cmd("SET").arg(&keys.token).arg(SEALED).clone(),
            cmd("DEL").arg(&keys.heartbeat).clone(),
            unlisting(keys),
        ]
    }

    /// Makes void what this process has under way that would close the run: it watches the record, which is written here.
    pub async fn make_void(&self, control: &mut Control) -> Result<(), LeaseFault> {
        self.guarded(control, &[cmd("HSET").arg(&self.keys.run).arg(VOID).arg(1).clone()]).await
    }

    /// Whether the run is sealed.
    pub async fn is_sealed(&self, control: &mut Control) -> Result<bool, LeaseFault> {
        let record = see(control, &self.keys).await?.record;
        Ok(record.is_some_and(|record| record.state == RecordState::Sealed))
    }

    /// Fails where the destination does not hold `position` any more, or has lost something else since the copy began.
    pub async fn holds(&self, control: &mut Control, position: &Position) -> Result<(), LeaseFault> {
        self.shows(control, (position, Deadlines::Any)).await
    }

    /// The same, and where deadlines are not exact any more: a destination that was set back has lost that too.
    pub async fn holds_exact(&self, control: &mut Control, position: &Position) -> Result<(), LeaseFault> {
        self.shows(control, (position, Deadlines::Exact)).await
    }

    async fn shows(&self, control: &mut Control, (position, deadlines): Needed<'_>) -> Result<(), LeaseFault> {
        let (record, _) = self.look(control).await?;
        if position.is_held(&record) {
            let mode = record.deadlines;
            return match deadlines {
                Deadlines::Exact if !mode.is_exact() => Err(LeaseFault::Behind {
                    confirmed: "deadlines that are exact".to_owned(),
                    there: format!("deadlines that are {mode}"),
                }),
                _ => Ok(()),
            };
        }
        let there = record.position().map_or_else(|| "nothing of the run".to_owned(), |there| there.to_string());
        Err(LeaseFault::Behind { confirmed: position.to_string(), there })
    }

    /// The record while the token is ours. Fails where the destination has lost something since the copy began.
    pub async fn look(&self, control: &mut Control) -> Result<(RunRecord, Info), LeaseFault> {
        let mut asking = pipe();
        asking.add_command(cmd("GET").arg(&self.keys.token).clone());
        asking.add_command(cmd("HGETALL").arg(&self.keys.run).clone());
        for question in removed::asking().cmd_iter() {
            asking.add_command(question.clone());
        }
        let mut replies = control.pipeline(&asking).await?.into_iter();
        let mut next = || replies.next().unwrap_or(Value::Nil);
        let (token, fields) = (next(), next());
        for refused in [&token, &fields] {
            if let Value::ServerError(error) = refused {
                return Err(control.refused("a look at the run record", error.clone()).into());
            }
        }
        let token: Option<String> = readable(token, &self.keys.token)?;
        if token.as_ref() != Some(&self.token) {
            return Err(self.not_ours(token));
        }
        let fields: BTreeMap<String, String> = readable(fields, &self.keys.run)?;
        if fields.is_empty() {
            return Err(LeaseFault::Gone);
        }
        let unreadable = || LeaseFault::Unreadable { key: self.keys.run.clone() };
        let record = RunRecord::read(&fields).ok_or_else(unreadable)?;
        let info = removed::told(replies);
        whole(&record, Removed::of(&info).as_ref())?;
        Ok((record, info))
    }

    /// Notes why both sides are to be compared before success is said; `None` when they were.
    pub async fn note_doubt(&self, control: &mut Control, why: Option<&str>) -> Result<(), LeaseFault> {
        // Empty, not deleted: an account that may write a record need not be allowed HDEL.
        self.guarded(control, &[cmd("HSET").arg(&self.keys.run).arg(DOUBT).arg(why.unwrap_or_default()).clone()]).await
    }

    /// Notes from what on is counted what is gone at the destination.
    pub async fn note_removed(&self, control: &mut Control, removed: &Removed) -> Result<(), LeaseFault> {
        self.guarded(control, &[self.keys.note_removed(removed)]).await
    }

    /// Notes up to where the destination's answers were read.
    pub async fn note_heard(&self, control: &mut Control, upto: Offset) -> Result<(), LeaseFault> {
        self.guarded(control, &[cmd("HSET").arg(&self.keys.run).arg(HEARD).arg(upto.0).clone()]).await
    }

    /// Notes why this copy is not whole: only a new one settles that.
    pub async fn note_left(&self, control: &mut Control, why: &str) -> Result<(), LeaseFault> {
        self.guarded(control, &[cmd("HSET").arg(&self.keys.run).arg(LEFT).arg(why).clone()]).await
    }

    /// Notes that the copy at `position` is done and where the source's stream goes on behind it.
    pub async fn begin_stream(
        &self,
        control: &mut Control,
        checkpoint: &Checkpoint,
        position: &Position,
    ) -> Result<(), LeaseFault> {
        // HMSET: HSET took only one field before 4.0.
        let mut set = cmd("HMSET");
        set.arg(&self.keys.run).arg("stream").arg(checkpoint.to_string()).arg(HEARD).arg(checkpoint.offset.0);
        match self.close(control, std::slice::from_ref(&set), Some((position, Deadlines::Any))).await {
            // Whether one of the run's databases is among them, a comparison finds out while the source is followed.
            Err(LeaseFault::Emptied { .. }) => self.guarded(control, &[set]).await,
            closed => closed,
        }
    }

    /// Carries commands out if the token is ours and the record holds `position`, all or none.
    async fn close(
        &self,
        control: &mut Control,
        commands: &[Cmd],
        needed: Option<Needed<'_>>,
    ) -> Result<(), LeaseFault> {
        loop {
            self.queue(control, commands, needed).await?;
            if self.carry_out(control).await? {
                return Ok(());
            }
        }
    }

    /// Queues commands. The token and the record are watched from before they are looked at.
    async fn queue(
        &self,
        control: &mut Control,
        commands: &[Cmd],
        needed: Option<Needed<'_>>,
    ) -> Result<(), LeaseFault> {
        control.command(cmd("WATCH").arg(&self.keys.token).arg(&self.keys.run)).await?;
        if let Some(needed) = needed {
            self.shows(control, needed).await?;
        } else {
            let token: Option<String> = control.query(cmd("GET").arg(&self.keys.token)).await?;
            if token.as_ref() != Some(&self.token) {
                return Err(self.not_ours(token));
            }
        }
        let mut queueing = pipe();
        queueing.add_command(cmd("MULTI"));
        for command in commands {
            queueing.add_command(command.clone());
        }
        for reply in control.pipeline(&queueing).await? {
            if let Value::ServerError(error) = reply {
                return Err(control.refused("a command of a transaction", error).into());
            }
        }
        Ok(())
    }
}

/// What a server answered about `key`. An answer of another form says nothing about it, least of all that it is gone.
fn readable<T: FromRedisValue>(answer: Value, key: &str) -> Result<T, LeaseFault> {
    T::from_redis_value(answer).map_err(|_| LeaseFault::Unreadable { key: key.to_owned() })
}

/// Whether nothing of a copy is known to be missing.
fn whole(record: &RunRecord, now: Option<&Removed>) -> Result<(), LeaseFault> {
    if let Some(left) = &record.left {
        return Err(LeaseFault::Left(left.clone()));
    }
    let Some((then, now)) = record.removed.as_ref().zip(now) else { return Ok(()) };
    match (now.evicted_since(then), now.emptied_since(then)) {
        (0, 0) => Ok(()),
        (0, times) => Err(LeaseFault::Emptied { times }),
        (keys, _) => Err(LeaseFault::Evicted { keys }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_form_is_unreadable_and_not_an_absent_record() {
        let fields = |answer| readable::<BTreeMap<String, String>>(answer, "the record");
        let word = || Value::BulkString(b"x".to_vec());
        for odd in
            [Value::Int(1), word(), Value::Okay, Value::Array(vec![word()]), Value::Array(vec![Value::Nil, word()])]
        {
            assert!(matches!(fields(odd.clone()), Err(LeaseFault::Unreadable { .. })), "{odd:?}");
        }
        assert!(fields(Value::Array(vec![])).unwrap().is_empty());
        let token = |answer| readable::<Option<String>>(answer, "the token");
        assert!(matches!(token(Value::Array(vec![word(), word()])), Err(LeaseFault::Unreadable { .. })));
        assert_eq!(token(Value::Nil).unwrap(), None);
    }
}
