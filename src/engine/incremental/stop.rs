//! Judging the stop conditions. Pure: whoever asks brings the readings.
//!
//! `lag` holds once the lag was known and below its bound at every reading for as long as the plan says; a reading that is
//! higher or not known, or two readings far apart (the process was suspended), begin it anew. `source_idle` looks at the
//! source's last write alone. `duration` and the deadline count from when the run first followed, over all its processes.

use std::time::Duration;

use crate::{
    step::{Condition, ConditionState, Deadline, DeadlineEnd},
    unit::{Period, UnixMillis},
};

/// Two readings further apart than this say nothing of the time between them.
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// What the conditions are judged by, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct StopReading {
    /// Monotonic, since this process began to follow.
    pub(super) now: Duration,
    /// The wall clock.
    pub(super) wall: UnixMillis,
    /// Since the run first followed, over all its processes.
    pub(super) followed: Duration,
    /// How far behind; `None` while that is not known.
    pub(super) lag: Option<Duration>,
    /// Since the source's last write was received; `None` while something unapplied may be a write, or nobody knows.
    pub(super) idle: Option<Duration>,
    /// An operator said `plan cutover`.
    pub(super) cutover: bool,
    /// What the last comparison of both sides came to.
    pub(super) compared: LastComparison,
}

/// What the last comparison of both sides came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastComparison {
    /// There was none.
    Never,
    /// Nothing differs.
    Equal,
    /// So many keys differ, and nothing is proved of so many others.
    Not { different: u64, unsettled: u64 },
}

impl LastComparison {
    /// Whether both sides were seen to be equal.
    pub(super) fn is_equal(self) -> bool {
        self == Self::Equal
    }

    fn stands(self) -> (bool, String) {
        match self {
            Self::Never => (false, "not compared yet".to_owned()),
            Self::Equal => (true, String::new()),
            Self::Not { different, unsettled } => {
                (false, format!("{different} keys differed, {unsettled} others could not be verified"))
            }
        }
    }
}

/// How following stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StopVerdict {
    /// Nothing is met.
    Follow,
    /// The stop condition is met, by what this names.
    Met(String),
    /// The deadline has passed.
    Late(DeadlineEnd),
}

/// The stop condition with what it remembers.
#[derive(Debug)]
pub(super) struct StopWatch {
    root: StopNode,
    deadline: Option<Deadline>,
    last: Option<Duration>,
}

#[derive(Debug)]
struct StopNode {
    condition: Condition,
    inner: Vec<StopNode>,
    /// Since when a lag has been below its bound without a break.
    since: Option<Duration>,
    met: bool,
    stands: String,
}

impl StopWatch {
    pub(super) fn new(stop: Condition, deadline: Option<Deadline>) -> Self {
        Self { root: StopNode::of(stop), deadline, last: None }
    }

    /// Judges one more reading; they come in the order of time.
    pub(super) fn read(&mut self, reading: &StopReading) -> StopVerdict {
        let broken = self.last.is_some_and(|last| reading.now.saturating_sub(last) > LONGEST_GAP);
        self.last = Some(reading.now);
        self.root.read(reading, broken);
        if self.root.met {
            return StopVerdict::Met(self.root.reason());
        }
        match self.deadline {
            Some(deadline) if reading.followed >= deadline.after.0 => StopVerdict::Late(deadline.then),
            _ => StopVerdict::Follow,
        }
    }

    /// Whether `plan cutover` would meet the condition, as of the last reading.
    pub(super) fn would_be_met(&self) -> bool {
        self.root.would_be_met()
    }

    /// Whether all that stands between the other conditions and a met one, as of the last reading, is a comparison.
    pub(super) fn waits_for_comparison(&self) -> bool {
        !self.root.met && self.root.met_if_equal()
    }

    /// How each condition stands, as of the last reading.
    pub(super) fn states(&self) -> Vec<ConditionState> {
        let mut states = vec![];
        self.root.states(0, &mut states);
        states
    }
}

impl StopNode {
    fn of(condition: Condition) -> Self {
        let inner = match &condition {
            Condition::Any(inner) | Condition::All(inner) => inner.iter().cloned().map(Self::of).collect(),
            _ => vec![],
        };
        Self { condition, inner, since: None, met: false, stands: String::new() }
    }

    fn read(&mut self, reading: &StopReading, broken: bool) {
        for node in &mut self.inner {
            node.read(reading, broken);
        }
        (self.met, self.stands) = match &self.condition {
            Condition::Any(_) => (self.inner.iter().any(|node| node.met), String::new()),
            Condition::All(_) => (self.inner.iter().all(|node| node.met), String::new()),
            Condition::Lag { below, held_for } => {
                let good = reading.lag.is_some_and(|lag| lag < below.0);
                self.since = self.since.filter(|_| good && !broken).or(good.then_some(reading.now));
                let held = self.since.map_or(Duration::ZERO, |since| reading.now.saturating_sub(since));
                let stands = match reading.lag {
                    None => "the lag is not known".to_owned(),
                    Some(lag) if !good => format!("the lag is {:.1} s", lag.as_secs_f64()),
                    Some(_) => of(held, *held_for),
                };
                (good && held >= held_for.0, stands)
            }
            Condition::SourceIdle { held_for } => match reading.idle {
                None => (false, "not known while something is to be applied".to_owned()),
                Some(idle) => (idle >= held_for.0, of(idle, *held_for)),
            },
            Condition::Duration(period) => (reading.followed >= period.0, of(reading.followed, *period)),
            Condition::At(at) => (reading.wall >= *at, String::new()),
            Condition::Cutover => (reading.cutover, String::new()),
            Condition::Verify { .. } => reading.compared.stands(),
        };
    }

    fn would_be_met(&self) -> bool {
        match &self.condition {
            Condition::Any(_) => self.inner.iter().any(Self::would_be_met),
            Condition::All(_) => self.inner.iter().all(Self::would_be_met),
            Condition::Cutover => true,
            _ => self.met,
        }
    }

    fn met_if_equal(&self) -> bool {
        match &self.condition {
            Condition::Any(_) => self.inner.iter().any(Self::met_if_equal),
            Condition::All(_) => self.inner.iter().all(Self::met_if_equal),
            Condition::Verify { .. } => true,
            _ => self.met,
        }
    }

    /// What met it.
    fn reason(&self) -> String {
        match &self.condition {
            Condition::Any(_) => self.inner.iter().find(|node| node.met).map(Self::reason).unwrap_or_default(),
            Condition::All(_) => {
                let reasons: Vec<String> = self.inner.iter().map(Self::reason).collect();
                reasons.join(" and ")
            }
            leaf => leaf.to_string(),
        }
    }

    fn states(&self, depth: u32, states: &mut Vec<ConditionState>) {
        let (text, stands) = (self.condition.to_string(), self.stands.clone());
        states.push(ConditionState { text, depth, met: self.met, stands });
        for node in &self.inner {
            node.states(depth + 1, states);
        }
    }
}

fn of(held: Duration, wanted: Period) -> String {
    let held = held.min(wanted.0).as_secs();
    format!("{} of {wanted}", Period(Duration::from_secs(held)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn lag(below: &str, held_for: &str) -> Condition {
        Condition::Lag { below: period(below), held_for: period(held_for) }
    }

    fn idle(held_for: &str) -> Condition {
        Condition::SourceIdle { held_for: period(held_for) }
    }

    /// A reading after so many seconds, nothing behind and nobody asking.
    fn at(seconds: u64) -> StopReading {
        let now = Duration::from_secs(seconds);
        let wall = UnixMillis(1_000_000 + i64::try_from(seconds).unwrap() * 1000);
        StopReading {
            now,
            wall,
            followed: now,
            lag: Some(Duration::ZERO),
            idle: None,
            cutover: false,
            compared: LastComparison::Never,
        }
    }

    fn met(watch: &mut StopWatch, readings: impl IntoIterator<Item = StopReading>) -> Vec<bool> {
        readings.into_iter().map(|reading| matches!(watch.read(&reading), StopVerdict::Met(_))).collect()
    }

    #[test]
    fn a_lag_must_stay_below_its_bound_all_the_time() {
        let mut watch = StopWatch::new(lag("1s", "3s"), None);
        let high = StopReading { lag: Some(Duration::from_secs(1)), ..at(2) };
        let readings = [at(0), at(1), high, at(3), at(4), at(5), at(6)];
        assert_eq!(met(&mut watch, readings), [false, false, false, false, false, false, true]);
        assert_eq!(watch.states()[0].stands, "3s of 3s");
        let unknown = StopReading { lag: None, ..at(7) };
        assert_eq!(met(&mut watch, [unknown, at(8), at(11)]), [false, false, true]);
    }

    #[test]
    fn a_time_that_nobody_watched_does_not_count() {
        let mut watch = StopWatch::new(lag("1s", "10s"), None);
        assert_eq!(met(&mut watch, [at(0), at(4), at(30), at(34), at(39)]), [false; 5]);
        assert_eq!(met(&mut watch, [at(40)]), [true]);
    }

    #[test]
    fn an_idle_source_with_nothing_to_apply_is_met_and_stays_so() {
        let mut watch = StopWatch::new(Condition::All(vec![lag("1s", "1s"), idle("2m")]), None);
        let idle = |seconds, idle| StopReading { idle: Some(Duration::from_secs(idle)), ..at(seconds) };
        let readings = [idle(0, 100), idle(1, 101), at(2), idle(3, 119), idle(4, 120), idle(5, 9000)];
        assert_eq!(met(&mut watch, readings), [false, false, false, false, true, true]);
    }

    #[test]
    fn lists_nest_and_the_reason_names_what_was_met() {
        let both = Condition::All(vec![lag("1s", "0s"), Condition::Cutover]);
        let mut watch = StopWatch::new(Condition::Any(vec![both, Condition::Duration(period("1h"))]), None);
        assert_eq!(watch.read(&at(0)), StopVerdict::Follow);
        assert!(watch.would_be_met());
        let said = StopReading { cutover: true, ..at(1) };
        assert_eq!(watch.read(&said), StopVerdict::Met("lag below 1s for 0s and command: cutover".to_owned()));
        assert_eq!(watch.read(&at(3600)), StopVerdict::Met("duration 1h".to_owned()));
        let depths: Vec<u32> = watch.states().iter().map(|state| state.depth).collect();
        assert_eq!(depths, [0, 1, 2, 2, 1]);
    }

    #[test]
    fn a_comparison_is_due_when_nothing_else_is_missing() {
        let verify = Condition::Verify { mode: crate::step::VerifyMode::Full, rate: None };
        let mut watch = StopWatch::new(Condition::All(vec![lag("1s", "2s"), verify]), None);
        let due = |watch: &mut StopWatch, reading: StopReading| {
            assert_eq!(watch.read(&reading), StopVerdict::Follow);
            watch.waits_for_comparison()
        };
        assert!(!due(&mut watch, at(0)));
        assert!(due(&mut watch, at(2)));
        assert!(due(&mut watch, StopReading { compared: LastComparison::Not { different: 1, unsettled: 0 }, ..at(3) }));
        assert!(matches!(watch.read(&StopReading { compared: LastComparison::Equal, ..at(4) }), StopVerdict::Met(_)));
    }

    #[test]
    fn a_moment_is_judged_by_the_wall_clock_even_when_it_jumps() {
        let mut watch = StopWatch::new(Condition::At(UnixMillis(1_005_000)), None);
        let back = StopReading { wall: UnixMillis(1_000_000), ..at(6) };
        assert_eq!(met(&mut watch, [at(4), at(5), back, at(7)]), [false, true, false, true]);
    }

    #[test]
    fn a_deadline_counts_all_processes_and_loses_against_a_met_condition() {
        let deadline = Deadline { after: period("10s"), then: DeadlineEnd::Fail };
        let mut watch = StopWatch::new(Condition::Cutover, Some(deadline));
        assert_eq!(watch.read(&at(9)), StopVerdict::Follow);
        let resumed = StopReading { followed: Duration::from_secs(11), ..at(1) };
        assert_eq!(watch.read(&resumed), StopVerdict::Late(DeadlineEnd::Fail));
        assert!(matches!(watch.read(&StopReading { cutover: true, ..resumed }), StopVerdict::Met(_)));
    }
}
