//! How long making deadlines exact will take, before anybody begins it.

use crate::{
    command::Info,
    sink::Settled,
    step::{DeadlineFigures, Selection, SettlingForecast},
    unit::Db,
};

/// Keys a second, where nothing was measured: a third of what two shared cores do with Redis 7.0 (see `speed.md`).
const RATE: f64 = 150_000.0;
/// A pass over fewer keys says little of its rate.
const MEASURED: u64 = 10_000;

/// What is known of the deadlines at the destination.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forecast {
    /// Keys of the databases where some have deadlines, and how many have: `None` before the destination was asked.
    there: Option<(u64, u64)>,
    /// Keys a second.
    measured: Option<f64>,
    /// How many keys the last pass remembered.
    remembered: Option<u64>,
    /// Deadlines that are exact.
    settled: u64,
}

impl Forecast {
    /// Takes in what the destination says of itself. What it has besides, in databases of the run, is counted too.
    pub(super) fn hear(&mut self, info: &Info, selection: &Selection) {
        let spaces = info.keyspace();
        let sources: Vec<Db> = (0..=spaces.keys().last().map_or(0, |db| db.0).max(15)).map(Db).collect();
        let targets = selection.targets(&sources);
        let deadlines = |space: &crate::command::Keyspace| space.expires + space.field_expires.unwrap_or(0);
        let with = spaces.iter().filter(|(db, space)| targets.contains(db) && deadlines(space) > 0);
        self.there = Some(with.fold((0, 0), |(keys, ends), (_, space)| (keys + space.keys, ends + deadlines(space))));
    }

    /// Takes in what making some exact came to, after so many seconds.
    pub(super) fn learn(&mut self, settled: Settled, seconds: f64, fenced: bool) {
        self.settled = settled.written;
        self.remembered = Some(settled.remembered);
        if !fenced && settled.looked >= MEASURED && seconds > 0.0 {
            self.measured = Some(as_f64(settled.looked) / seconds);
        }
    }

    /// They are deferred again.
    pub(super) fn undo(&mut self) {
        self.settled = 0;
    }

    /// What is told of them.
    pub(super) fn figures(&self, scripts: u64) -> Option<DeadlineFigures> {
        let (_, deadlines) = self.there?;
        let deferred = deadlines.saturating_sub(self.settled);
        Some(DeadlineFigures { deferred, remembered: self.remembered.unwrap_or(0), settled: self.settled, scripts })
    }

    /// How long it will take; `timeout` is the cutover's, in seconds.
    pub(super) fn settling(&self, timeout: Option<f64>) -> Option<SettlingForecast> {
        let (keys, deadlines) = self.there?;
        let rate = self.measured.unwrap_or(RATE);
        // Where nobody has looked yet all may be near.
        let near = self.remembered.unwrap_or(deadlines);
        Some(SettlingForecast {
            deadlines,
            rate,
            measured: self.measured.is_some(),
            before_fence: as_f64(keys) / rate,
            remembered: self.remembered,
            under_fence: as_f64(near) / rate,
            timeout,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::DeadlineMode;

    #[test]
    fn a_forecast_is_cautious_until_a_pass_was_measured() {
        let mut forecast = Forecast::default();
        assert_eq!(forecast.settling(Some(30.0)), None, "the destination was not asked");
        let info = Info::parse("db0:keys=1500000,expires=300000\r\ndb3:keys=900000,expires=0\r\n");
        forecast.hear(&info, &Selection::all());
        let seen = forecast.settling(Some(30.0)).unwrap();
        assert_eq!((seen.deadlines, seen.measured, seen.remembered), (300_000, false, None));
        assert_eq!((seen.before_fence, seen.under_fence, seen.timeout), (10.0, 2.0, Some(30.0)));
        let settled =
            Settled { looked: 1_500_000, written: 250_000, remembered: 50_000, ..Settled::of(DeadlineMode::Deferred) };
        forecast.learn(settled, 3.0, false);
        let seen = forecast.settling(None).unwrap();
        assert_eq!((seen.rate, seen.measured, seen.remembered), (500_000.0, true, Some(50_000)));
        assert_eq!((seen.before_fence, seen.under_fence), (3.0, 0.1));
        let figures = DeadlineFigures { deferred: 50_000, remembered: 50_000, settled: 250_000, scripts: 3 };
        assert_eq!(forecast.figures(3), Some(figures));
        forecast.learn(Settled { looked: 9, ..settled }, 3.0, false);
        assert_eq!(forecast.settling(None), Some(seen), "of so few keys nothing follows");
        forecast.undo();
        assert_eq!(forecast.figures(0).unwrap().settled, 0);
    }
}
