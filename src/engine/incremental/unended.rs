//! A transaction of the source whose end does not come: nothing behind its beginning can be applied, so the lag grows.
//!
//! A server up to 5.0 that loads an append-only file while it has replicas (`DEBUG LOADAOF`) sends them the `MULTI` of a
//! transaction in it, and nothing else of it (multi.c, `execCommandPropagateMulti`; aof.c calls no `call`). Its own replicas wait in
//! the same way. The next `EXEC` of any client ends it, there and here.

use std::time::Duration;

use super::{follow::Follow, gauge::Begun};
use crate::{
    engine::teller::Teller,
    step::{Event, StepId},
    unit::{Offset, Period, UnixMillis},
};

/// A transaction is whole when it is sent, so its end is not later than what it takes to receive it.
const LONG: Duration = Duration::from_secs(10);

/// What was said of it.
#[derive(Debug, Default)]
pub(super) struct Unended {
    /// The one that was named last, and the age at which it is named next.
    named: Option<(Offset, Duration)>,
}

impl Begun {
    fn age(&self, now: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(now.0.saturating_sub(self.received.0)).unwrap_or(0))
    }

    pub(super) fn text(&self, now: UnixMillis) -> String {
        let age = Period(Duration::from_secs(self.age(now).as_secs()));
        format!(
            "a transaction of the source after offset {} has no end since {age}: its MULTI came and its EXEC did not, and \
             nothing after it can be applied. The next EXEC of any client at the source ends it (`MULTI`, a write, `EXEC`)",
            self.after
        )
    }
}

impl Unended {
    /// The text to name it with, when it is long and was not named at this age.
    fn news(&mut self, begun: Option<Begun>, now: UnixMillis) -> Option<String> {
        let begun = begun.filter(|begun| begun.age(now) >= LONG)?;
        let next = self.named.filter(|(after, _)| *after == begun.after).map_or(LONG, |(_, next)| next);
        if begun.age(now) < next {
            return None;
        }
        self.named = Some((begun.after, begun.age(now).saturating_mul(2)));
        Some(begun.text(now))
    }
}

impl Follow {
    /// Why what is received cannot be applied: a transaction that has had no end for long.
    pub(super) fn unended(&self) -> Option<String> {
        let now = UnixMillis::now();
        self.figures.gauge.transaction().filter(|begun| begun.age(now) >= LONG).map(|begun| begun.text(now))
    }

    /// Names a transaction that does not end.
    pub(super) fn look_for_unended(&mut self, teller: &mut Teller<'_>) {
        if let Some(reason) = self.unended.news(self.figures.gauge.transaction(), UnixMillis::now()) {
            teller.tell(Event::Waiting { step: StepId::Incremental, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_named_once_it_is_long_and_then_less_and_less_often() {
        let at = |seconds: i64| UnixMillis(seconds * 1000);
        let begun = |after| Some(Begun { after: Offset(after), received: at(100) });
        let mut unended = Unended::default();
        let ages = [109, 110, 111, 119, 120, 139, 140];
        let named = ages.map(|now| unended.news(begun(7), at(now)).is_some());
        assert_eq!(named, [false, true, false, false, true, false, true]);
        assert!(unended.news(None, at(141)).is_none());
        let text = unended.news(begun(9), at(141)).unwrap();
        assert!(text.contains("after offset 9 has no end since 41s"), "{text}");
    }
}
