//! The figures of a run over time, for its charts: few enough to stay small however long the run is.
//!
//! A sample stands for a stretch of time. When there are too many, each two neighbours become one, and stretches are
//! twice as long from then on: the whole run is always there, in the same number of samples, and no peak of the lag is
//! lost.

use serde::{Deserialize, Serialize};

use super::collect::between;
use crate::step::{Event, Stamped, Traffic};
use crate::unit::UnixMillis;

/// Samples that are kept, at most.
const MOST: usize = 1200;

/// How long a stretch is at first, milliseconds.
const SHORTEST: i64 = 500;

/// What a run did in a stretch of time. Rates are means, lags the greatest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which process, counted from 1.
    pub attempt: u32,
    /// When the stretch began, milliseconds since the epoch.
    pub from: i64,
    /// When it ended.
    pub until: i64,
    /// Keys of the dump confirmed a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_per_second: Option<f64>,
    /// Commands of the stream applied a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands_per_second: Option<f64>,
    /// Bytes of the dump or the stream received a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<f64>,
    /// Bytes sent to the destination a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_per_second: Option<f64>,
    /// Bytes over both links since the process began, at the end of the stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// How far behind, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// How far behind, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
}

impl Sample {
    fn seconds(&self) -> f64 {
        between(UnixMillis(self.from), UnixMillis(self.until)).max(0.001)
    }

    /// This one and the one behind it as one.
    fn joined(&self, next: &Self) -> Self {
        let (here, there) = (self.seconds(), next.seconds());
        let mean = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.mul_add(here, b * there) / (here + there)),
            (a, b) => a.or(b),
        };
        let greatest = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        Self {
            attempt: self.attempt,
            from: self.from,
            until: next.until,
            keys_per_second: mean(self.keys_per_second, next.keys_per_second),
            commands_per_second: mean(self.commands_per_second, next.commands_per_second),
            bytes_per_second: mean(self.bytes_per_second, next.bytes_per_second),
            sent_per_second: mean(self.sent_per_second, next.sent_per_second),
            traffic: next.traffic.or(self.traffic),
            lag_seconds: greatest(self.lag_seconds, next.lag_seconds),
            lag_bytes: self.lag_bytes.max(next.lag_bytes),
        }
    }
}

/// Half as many: each two neighbours as one, those of one process where that is enough.
fn halved(samples: &[Sample]) -> Vec<Sample> {
    let apart = paired(samples, |first, second| first.attempt == second.attempt);
    if apart.len() <= MOST / 4 * 3 { apart } else { paired(samples, |_, _| true) }
}

fn paired(samples: &[Sample], belong: impl Fn(&Sample, &Sample) -> bool) -> Vec<Sample> {
    let mut out: Vec<Sample> = vec![];
    let mut rest = samples;
    while let [first, tail @ ..] = rest {
        rest = match tail {
            [second, tail @ ..] if belong(first, second) => {
                out.push(first.joined(second));
                tail
            }
            _ => {
                out.push(first.clone());
                tail
            }
        };
    }
    out
}

/// What became of an event in the samples.
#[derive(Debug, PartialEq)]
pub enum Sampled {
    /// Nothing that has to be kept yet.
    Nothing,
    /// This sample is complete: it goes behind the others.
    One(Sample),
    /// There were too many: these stand for all.
    All(Vec<Sample>),
}

/// The mean of what was told.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// The stretch under way.
#[derive(Debug, Default)]
struct OpenSample {
    from: i64,
    until: i64,
    keys: Mean,
    commands: Mean,
    bytes: Mean,
    sent: Mean,
    lag_seconds: Option<f64>,
    lag_bytes: Option<u64>,
}

/// Takes samples of a run.
#[derive(Debug, Default)]
pub struct Sampler {
    kept: Vec<Sample>,
    width: i64,
    attempt: u32,
    open: Option<OpenSample>,
    received: Grown,
    sent: Grown,
    traffic: Option<Traffic>,
}

/// A count and when it was told.
#[derive(Debug, Default)]
struct Grown(Option<(i64, u64)>);

impl Grown {
    /// How much it grew a second since it was told before.
    fn rate(&mut self, now: i64, count: u64) -> Option<f64> {
        let (then, before) = self.0.replace((now, count))?;
        let grown = u32::try_from(count.saturating_sub(before) >> 10).unwrap_or(u32::MAX);
        let seconds = between(UnixMillis(then), UnixMillis(now));
        (seconds > 0.0).then(|| f64::from(grown) * 1024.0 / seconds)
    }
}

impl Sampler {
    /// Goes on with the samples that earlier processes have kept.
    pub fn behind(kept: Vec<Sample>) -> Self {
        let longest = kept.iter().map(|sample| sample.until.saturating_sub(sample.from)).max().unwrap_or(0);
        let mut width = SHORTEST;
        while width < longest && width < i64::MAX / 4 {
            width *= 2;
        }
        Self { kept, width, ..Self::default() }
    }

    /// Takes one event of the run.
    pub fn take(&mut self, Stamped { at, event }: &Stamped) -> Sampled {
        match event {
            Event::RunStarted { attempt, .. } => {
                let closed = self.close();
                (self.attempt, self.traffic) = (*attempt, None);
                (self.received, self.sent) = Default::default();
                closed
            }
            Event::Progress { progress } => {
                let received = self.received.rate(at.0, progress.received);
                self.add(at.0, |open| {
                    open.keys.add(progress.keys_per_second);
                    if let Some(rate) = received {
                        open.bytes.add(rate);
                    }
                })
            }
            Event::Following { progress } => self.add(at.0, |open| {
                open.commands.add(progress.commands_per_second);
                open.bytes.add(progress.bytes_per_second);
                if let Some(lag) = progress.lag {
                    open.lag_seconds = Some(open.lag_seconds.unwrap_or(0.0).max(lag.seconds));
                    open.lag_bytes = open.lag_bytes.max(Some(lag.bytes));
                }
            }),
            Event::Traffic { traffic } => {
                self.traffic = Some(*traffic);
                let rate = self.sent.rate(at.0, traffic.destination.sent);
                if let (Some(rate), Some(open)) = (rate, &mut self.open) {
                    open.sent.add(rate);
                }
                Sampled::Nothing
            }
            Event::RunFinished { .. } => self.close(),
            _ => Sampled::Nothing,
        }
    }

    fn add(&mut self, now: i64, figures: impl FnOnce(&mut OpenSample)) -> Sampled {
        let width = self.width.max(SHORTEST);
        // A clock that was set back ends the stretch too.
        let is_over = |open: &OpenSample| now.saturating_sub(open.from) >= width || now < open.until;
        let closed = if self.open.as_ref().is_some_and(is_over) { self.close() } else { Sampled::Nothing };
        let open = self.open.get_or_insert_with(|| OpenSample { from: now, ..OpenSample::default() });
        open.until = now;
        figures(open);
        closed
    }

    fn close(&mut self) -> Sampled {
        let Some(open) = self.open.take() else { return Sampled::Nothing };
        let sample = Sample {
            attempt: self.attempt,
            from: open.from,
            until: open.until,
            keys_per_second: open.keys.get(),
            commands_per_second: open.commands.get(),
            bytes_per_second: open.bytes.get(),
            sent_per_second: open.sent.get(),
            traffic: self.traffic,
            lag_seconds: open.lag_seconds,
            lag_bytes: open.lag_bytes,
        };
        self.kept.push(sample.clone());
        if self.kept.len() <= MOST {
            return Sampled::One(sample);
        }
        self.kept = halved(&self.kept);
        self.width = self.width.max(SHORTEST).saturating_mul(2);
        Sampled::All(self.kept.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{FollowProgress, FullProgress, Lag};

    fn stamped(at: i64, event: Event) -> Stamped {
        Stamped { at: UnixMillis(at), event }
    }

    fn started(attempt: u32) -> Event {
        Event::RunStarted { run: String::new(), plan: String::new(), digest: String::new(), attempt }
    }

    fn following(rate: f64, lag: f64) -> Event {
        let lag = Some(Lag { bytes: 1, seconds: lag });
        let progress = FollowProgress { commands_per_second: rate, lag, ..FollowProgress::default() };
        Event::Following { progress }
    }

    /// What a file would hold.
    fn apply(file: &mut Vec<Sample>, sampled: Sampled) {
        match sampled {
            Sampled::Nothing => {}
            Sampled::One(sample) => file.push(sample),
            Sampled::All(all) => *file = all,
        }
    }

    #[test]
    fn a_run_of_a_week_stays_small_and_keeps_its_greatest_lag() {
        let (mut sampler, mut file) = (Sampler::default(), vec![]);
        apply(&mut file, sampler.take(&stamped(0, started(1))));
        let week = 7 * 24 * 3600 * 2;
        for half_second in 0..week {
            let lag = if half_second == week / 3 { 99.0 } else { 0.5 };
            apply(&mut file, sampler.take(&stamped(half_second * 500, following(10.0, lag))));
            assert!(file.len() <= MOST);
        }
        assert!(file.len() > MOST / 3, "{}", file.len());
        assert_eq!(file.first().map(|sample| sample.from), Some(0));
        let greatest = file.iter().filter_map(|sample| sample.lag_seconds).fold(0.0, f64::max);
        assert!((greatest - 99.0).abs() < f64::EPSILON);
        assert!(file.iter().all(|sample| sample.commands_per_second == Some(10.0)));
        assert!(file.windows(2).all(|pair| pair[0].until <= pair[1].from));
        assert_eq!(Sampler::behind(file).width, 1_024_000 / 2);
    }

    #[test]
    fn processes_stay_apart_and_their_number_is_bounded() {
        let (mut sampler, mut file) = (Sampler::default(), vec![]);
        for attempt in 1..=5000_u32 {
            let at = i64::from(attempt) * 10_000;
            apply(&mut file, sampler.take(&stamped(at, started(attempt))));
            apply(&mut file, sampler.take(&stamped(at + 1, following(f64::from(attempt), 0.0))));
        }
        assert!(file.len() <= MOST, "{}", file.len());
        assert_eq!(file.last().map(|sample| sample.attempt), Some(4999));
    }

    #[test]
    fn what_the_copy_receives_is_a_rate() {
        let mut sampler = Sampler::default();
        let progress = |received| Event::Progress {
            progress: FullProgress { received, keys_per_second: 7.0, ..FullProgress::default() },
        };
        sampler.take(&stamped(0, started(2)));
        sampler.take(&stamped(0, progress(0)));
        sampler.take(&stamped(250, progress(1 << 20)));
        let Sampled::One(sample) = sampler.take(&stamped(500, progress(1 << 20))) else { panic!() };
        let rate = f64::from(4 << 20);
        assert_eq!((sample.attempt, sample.bytes_per_second, sample.keys_per_second), (2, Some(rate), Some(7.0)));
    }
}
