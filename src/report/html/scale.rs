//! Axes of the report's drawings.

use crate::report::run::RunSummary;
use crate::unit::UnixMillis;

/// What a time in which nobody worked takes, in the drawing's units.
const GAP: f64 = 34.0;

/// What a process takes at least.
const LEAST: f64 = 16.0;

/// Times in which nobody worked are cut out when they are longer than this part of the time worked.
const LONG_GAP: f64 = 0.06;

/// A stretch of the time axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct AxisPiece {
    from: i64,
    until: i64,
    left: f64,
    right: f64,
    works: bool,
}

/// A time axis on which long stretches without a process are cut short.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeScale(Vec<AxisPiece>);

impl TimeScale {
    /// The axis of a run between two places; `None` when no time has passed.
    pub(super) fn of(run: &RunSummary, left: f64, right: f64) -> Option<Self> {
        let spans = run.attempts.iter().map(|attempt| (shown(attempt.at), shown(attempt.until)));
        let spans: Vec<(i64, i64)> = spans.map(|(from, until)| (from, until.max(from + 1))).collect();
        let worked: i64 = spans.iter().map(|(from, until)| until - from).sum();
        let mut joined: Vec<(i64, i64)> = vec![];
        for span in spans {
            match joined.last_mut() {
                Some(last) if as_f64(span.0 - last.1) <= LONG_GAP * as_f64(worked) => last.1 = last.1.max(span.1),
                _ => joined.push(span),
            }
        }
        let whole: i64 = joined.iter().map(|(from, until)| until - from).sum();
        let gaps = joined.len().saturating_sub(1);
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let gap = GAP.min((right - left) / 3.0 / count(gaps.max(1)));
        let least = LEAST.min((right - left) / 3.0 / count(joined.len().max(1)));
        let room = (right - left) - gap * count(gaps) - least * count(joined.len());
        let mut pieces: Vec<AxisPiece> = vec![];
        let mut at = left;
        for (from, until) in joined {
            if let Some(last) = pieces.last().copied() {
                pieces.push(AxisPiece { from: last.until, until: from, left: at, right: at + gap, works: false });
                at += gap;
            }
            let width = least + room * as_f64(until - from) / as_f64(whole.max(1));
            pieces.push(AxisPiece { from, until, left: at, right: at + width, works: true });
            at += width;
        }
        (!pieces.is_empty()).then_some(Self(pieces))
    }

    /// Where a moment is.
    pub(super) fn x(&self, at: UnixMillis) -> f64 {
        let piece = self.0.iter().find(|piece| shown(at) <= piece.until).or(self.0.last());
        piece.map_or(0.0, |piece| {
            let share = as_f64(shown(at) - piece.from) / as_f64((piece.until - piece.from).max(1));
            share.clamp(0.0, 1.0).mul_add(piece.right - piece.left, piece.left)
        })
    }

    /// Stretches that are cut short: where they are, and how many seconds they are long.
    pub(super) fn gaps(&self) -> Vec<(f64, f64, f64)> {
        let gaps = self.0.iter().filter(|piece| !piece.works);
        gaps.map(|piece| (piece.left, piece.right, as_f64(piece.until - piece.from) / 1000.0)).collect()
    }

    /// Places with the time there.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks: Vec<(f64, String)> = vec![];
        let (first, last) = (self.0.first(), self.0.last());
        let span = first.zip(last).map_or(0, |(first, last)| last.until - first.from);
        for piece in self.0.iter().filter(|piece| piece.works) {
            let per_unit = as_f64(piece.until - piece.from) / (piece.right - piece.left).max(1.0);
            let step = STEPS.into_iter().find(|step| as_f64(*step) / per_unit >= APART).unwrap_or(LONGEST);
            let mut at = piece.from.div_euclid(step) * step;
            while at <= piece.until {
                let x = self.x(UnixMillis(at));
                let is_free = ticks.last().is_none_or(|(last, _)| x - last >= APART);
                if at >= piece.from && is_free {
                    ticks.push((x, clock(at, step, span)));
                }
                at += step;
            }
        }
        ticks
    }
}

/// A moment as the axis has it: what lies before 1970 or after the year 2500 is damage of the file, and is drawn at the edge.
fn shown(at: UnixMillis) -> i64 {
    at.0.clamp(0, 16_725_225_600_000)
}

/// Between two times on the axis, at least.
const APART: f64 = 84.0;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LONGEST: i64 = 28 * DAY;
const STEPS: [i64; 21] = [
    SECOND / 10,
    SECOND / 5,
    SECOND / 2,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    LONGEST,
];

/// A time as exactly as its neighbours need it.
fn clock(at: i64, step: i64, span: i64) -> String {
    let text = UnixMillis(at).to_string();
    let part = |from: usize, until: usize| text.get(from..until).unwrap_or_default().to_owned();
    let time = match step {
        DAY.. => return part(5, 10),
        MINUTE.. => part(11, 16),
        SECOND.. => part(11, 19),
        _ => part(11, 21),
    };
    if span > DAY { format!("{} {time}", part(5, 10)) } else { time }
}

/// Round values from 0 up to at least `most`, four or five of them. `kilo` is 1000 or 1024.
pub(super) fn rounds(most: f64, kilo: f64) -> Vec<f64> {
    let mut unit = if most < 2.0 { 0.001 } else { 1.0 };
    let step = loop {
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
        if let Some(step) = steps.into_iter().map(|step| step * unit).find(|step| step * 4.0 >= most) {
            break step;
        }
        unit *= if unit < 1.0 { 1000.0 } else { kilo };
        if unit > 1e18 {
            break most / 4.0;
        }
    };
    let mut values = vec![0.0];
    while values.last().is_some_and(|last| *last < most) && values.len() < 6 {
        values.push(step * f64::from(u32::try_from(values.len()).unwrap_or(0)));
    }
    values
}

#[expect(clippy::cast_precision_loss, reason = "places in a drawing")]
fn as_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_night_in_which_nobody_worked_is_cut_short() {
        let mut events = sample::events();
        // The second process came a night later.
        let night = 9 * HOUR;
        events.iter_mut().skip(11).for_each(|event| event.at.0 += night);
        let run = RunSummary::of(&events);
        let scale = TimeScale::of(&run, 100.0, 900.0).unwrap();
        let [(left, right, seconds)] = scale.gaps()[..] else { panic!() };
        assert!((right - left - GAP).abs() < 0.01 && (seconds - 32_453.0).abs() < 1.0, "{seconds}");
        assert_eq!((scale.x(run.attempts[0].at), scale.x(run.attempts[1].until).round()), (100.0, 900.0));
        let ticks = scale.ticks();
        assert!(ticks.len() > 3 && ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= APART), "{ticks:?}");
    }

    #[test]
    fn processes_that_follow_each_other_share_an_axis() {
        let mut events = sample::events();
        events.iter_mut().skip(11).for_each(|event| event.at.0 -= 52_500);
        let scale = TimeScale::of(&RunSummary::of(&events), 0.0, 100.0).unwrap();
        assert_eq!(scale.gaps(), []);
        assert_eq!(TimeScale::of(&RunSummary::default(), 0.0, 100.0), None);
    }

    #[test]
    fn values_of_an_axis_are_round() {
        assert_eq!(rounds(84_211.0, 1000.0), [0.0, 50_000.0, 100_000.0]);
        assert_eq!(rounds(3.1, 1000.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(rounds(0.0, 1000.0), [0.0]);
        assert_eq!(rounds(0.007, 1000.0).len(), 5);
        let mib = f64::from(1 << 20);
        assert_eq!(rounds(30.0 * mib, 1024.0), [0.0, 10.0, 20.0, 30.0].map(|value| value * mib));
    }
}
