//! When keys end at the source, asked of it where the time of receipt does not tell.
//!
//! Sources up to 6.2 send expiries that count from when a command was carried out. What arrives at once is as good as
//! carried out when it was received. What was held back is not: while the dump was on its way, while the connection was
//! down, while this process or its spool stood still. It is known by the offsets that the source told every second: a
//! command behind an offset told shortly before its receipt cannot be older than that answer.
//!
//! While the source does not answer, nothing is applied from there on: by the receipt, a life would be prolonged by all the time
//! that its command was on its way.
//!
//! The answer may already be of a later command on the same key, which follows in the stream and decides in the end. A key
//! that was renamed by then is asked about once more, by its new name, when the command that renames it comes.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_channel::Sender;
use async_std::task::{block_on, sleep};
use redis::{Value, cmd};

use super::signal::Signal;
use crate::{
    net::{Access, Control, ControlError, Timeouts},
    resp::RefusalKind,
    sink::{InFlight, Name, SourceDeadlines},
    unit::{Db, Offset, UnixMillis},
};

/// A receipt that is no later than this behind an older offset tells well enough when a command was carried out.
const NEAR: i64 = 1500;
/// Answers that are remembered: a day's.
const REMEMBERED: usize = 86_400;
/// Keys whose deadlines were asked for that are remembered; with more of them, every key that is renamed is asked about.
const ASKED: usize = 100_000;
/// After so long a source that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// A source that answers later could have looked at its clock at any time since.
const PATIENCE: Timeouts =
    Timeouts { connect: Duration::from_secs(10), read: Duration::from_secs(2), write: Duration::from_secs(2) };

/// Where the source stood, and when it was asked. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct OffsetSamples(Arc<Mutex<VecDeque<(UnixMillis, Offset)>>>);

impl OffsetSamples {
    /// Notes that the source, asked at `asked`, stood at `offset`.
    pub(super) fn note(&self, asked: UnixMillis, offset: Offset) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back((asked, offset));
    }

    /// Whether a command that ends at `end` was carried out shortly before it was received at `received`.
    fn is_near(&self, end: Offset, received: UnixMillis) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.partition_point(|(asked, _)| *asked <= received);
        let near = all.range(..before).rev().take_while(|(asked, _)| received.0.saturating_sub(asked.0) <= NEAR);
        near.into_iter().any(|(_, offset)| *offset < end)
    }
}

/// Asks the source.
pub(super) struct Asking {
    pub(super) source: Access,
    pub(super) told: OffsetSamples,
    /// The source's clock minus ours, in milliseconds.
    pub(super) source_ahead: i64,
    pub(super) open: Option<(Control, Db)>,
    /// This user may not ask for keys.
    pub(super) is_refused: bool,
    pub(super) signals: Sender<Signal>,
    /// Closed when nothing more is to be written.
    pub(super) window: InFlight,
    /// Keys whose deadlines the receipt did not tell.
    pub(super) doubtful: HashSet<(Db, Vec<u8>)>,
}

impl SourceDeadlines for Asking {
    fn at_source(&mut self, db: Db, key: &[u8], (end, received): (Offset, UnixMillis)) -> Option<UnixMillis> {
        if self.is_near(end, received) {
            if !self.doubtful.is_empty() {
                self.doubtful.remove(&(db, key.to_vec()));
            }
            return None;
        }
        self.doubt((db, key));
        self.answer((db, key))
    }

    fn under_new_name(
        &mut self,
        from: Name<'_>,
        to: Name<'_>,
        (end, received): (Offset, UnixMillis),
    ) -> Option<UnixMillis> {
        let (full, (db, key)) = (self.doubtful.len() >= ASKED, from);
        let in_doubt = full || !self.is_near(end, received) || self.doubtful.contains(&(db, key.to_vec()));
        if !in_doubt {
            return None;
        }
        self.doubt(to);
        self.answer(to)
    }
}

impl Asking {
    /// As [`OffsetSamples::is_near`], of a receipt on the source's clock.
    fn is_near(&self, end: Offset, received: UnixMillis) -> bool {
        self.told.is_near(end, UnixMillis(received.0.saturating_sub(self.source_ahead)))
    }

    fn doubt(&mut self, (db, key): Name<'_>) {
        if self.doubtful.len() < ASKED {
            self.doubtful.insert((db, key.to_vec()));
        }
    }

    /// When a key ends at the source; `None` when it has no deadline there, or this user may not ask for it, which is reported
    /// once. A source that does not answer is waited for: the receipt would prolong the life by all the time that the command
    /// was on its way.
    fn answer(&mut self, (db, key): Name<'_>) -> Option<UnixMillis> {
        while !self.is_refused && !self.window.is_closed() {
            let asked = UnixMillis::now();
            match block_on(self.ask(db, key)) {
                Ok(left) => {
                    let answered = UnixMillis::now();
                    // The source looked at its clock at some time between.
                    if answered.0.saturating_sub(asked.0) <= NEAR {
                        let then = asked.0.midpoint(answered.0).saturating_add(self.source_ahead);
                        return left.filter(|left| *left >= 0).map(|left| UnixMillis(then.saturating_add(left)));
                    }
                }
                Err(ControlError::Refused { refusal, .. }) if is_lasting(refusal.kind) => {
                    self.is_refused = true;
                    let _ = self.signals.send_blocking(Signal::LivesRefused(refusal.to_string()));
                }
                Err(_) => {
                    self.open = None;
                    block_on(sleep(ASK_AGAIN));
                }
            }
        }
        None
    }

    /// What PTTL says; `None` when that is no number.
    async fn ask(&mut self, db: Db, key: &[u8]) -> Result<Option<i64>, ControlError> {
        if self.open.is_none() {
            self.open = Some((self.source.control_within(PATIENCE).await?, Db(0)));
        }
        let Some((control, selected)) = &mut self.open else { return Ok(None) };
        if *selected != db {
            control.command(cmd("SELECT").arg(db.0)).await?;
            *selected = db;
        }
        match control.command(cmd("PTTL").arg(key)).await? {
            Value::Int(left) => Ok(Some(left)),
            _ => Ok(None),
        }
    }
}

/// Refusals of SELECT or PTTL that stay: this user has no right to them, or they are renamed.
const fn is_lasting(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::NoPermission | RefusalKind::UnknownCommand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_near_when_the_source_stood_before_it_a_moment_ago() {
        let told = OffsetSamples::default();
        assert!(!told.is_near(Offset(10), UnixMillis(5000)), "nothing was told");
        told.note(UnixMillis(4000), Offset(9));
        told.note(UnixMillis(5000), Offset(20));
        assert!(told.is_near(Offset(10), UnixMillis(5100)));
        assert!(!told.is_near(Offset(9), UnixMillis(5100)), "it had been carried out by then");
        assert!(!told.is_near(Offset(10), UnixMillis(5501)), "the answer before it is too old");
        assert!(told.is_near(Offset(21), UnixMillis(5501)));
        assert!(!told.is_near(Offset(9), UnixMillis(4500)), "only what was told before counts");
    }
}
