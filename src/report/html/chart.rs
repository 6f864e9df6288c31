//! Charts of a run's figures over time.

use super::markup::{Drawing, Html, WIDTH, drawing, element};
use super::scale::{TimeScale, rounds};
use crate::report::run::Sample;
use crate::report::text::{grouped, spoken, whole};
use crate::unit::{ByteSize, UnixMillis};

/// Left of a chart its values are written.
pub(super) const LEFT: f64 = 96.0;

/// Where it ends.
pub(super) const RIGHT: f64 = WIDTH - 16.0;

const TOP: f64 = 14.0;
const FLOOR: f64 = 190.0;
const HEIGHT: f64 = 222.0;

/// What is drawn.
#[derive(Clone, Copy)]
pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    unit: Unit,
    series: &'static [Series],
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Number,
    Bytes,
    Seconds,
}

#[derive(Clone, Copy)]
struct Series {
    name: &'static str,
    line: &'static str,
    area: &'static str,
    of: fn(&Sample) -> Option<f64>,
}

pub(super) const CHARTS: [Chart; 3] = [
    Chart {
        id: "writes",
        title: "Written to the destination",
        unit: Unit::Number,
        series: &[
            Series {
                name: "keys of the copy a second",
                line: "line a",
                area: "area a",
                of: |sample| sample.keys_per_second,
            },
            Series {
                name: "commands of the stream a second",
                line: "line b",
                area: "area b",
                of: |sample| sample.commands_per_second,
            },
        ],
    },
    Chart {
        id: "links",
        title: "Over the links",
        unit: Unit::Bytes,
        series: &[
            Series {
                name: "received from the source",
                line: "line c",
                area: "area c",
                of: |sample| sample.bytes_per_second,
            },
            Series {
                name: "sent to the destination",
                line: "line a",
                area: "area a",
                of: |sample| sample.sent_per_second,
            },
        ],
    },
    Chart {
        id: "lag",
        title: "Lag while following",
        unit: Unit::Seconds,
        series: &[Series {
            name: "age of the oldest change not applied",
            line: "line d",
            area: "area d",
            of: |sample| sample.lag_seconds,
        }],
    },
];

impl Chart {
    /// The chart; nothing when nothing was sampled for it.
    pub(super) fn draw(&self, samples: &[Sample], scale: &TimeScale) -> Html {
        let drawn: Vec<(&Series, Vec<(&Sample, f64)>)> = self
            .series
            .iter()
            .map(|series| (series, samples.iter().filter_map(|sample| Some((sample, (series.of)(sample)?))).collect()))
            .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
            .collect();
        if drawn.is_empty() {
            return Html::none();
        }
        let most = drawn.iter().flat_map(|(_, points)| points).map(|(_, value)| *value).fold(0.0, f64::max);
        let values = rounds(most, if self.unit == Unit::Bytes { 1024.0 } else { 1000.0 });
        let top = values.last().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let mut out = Drawing::default();
        self.grid(&mut out, &values, top, scale);
        for (series, points) in &drawn {
            for stretch in points.chunk_by(|(one, _), (next, _)| goes_on(one, next)) {
                let places: Vec<(f64, f64)> =
                    stretch.iter().map(|(sample, value)| (scale.x(middle(sample)), y(*value, top))).collect();
                if let [single] = places[..] {
                    out.circle(series.line, single, 2.5);
                } else {
                    out.path(series.area, &places, Some(FLOOR));
                    out.path(series.line, &places, None);
                }
            }
        }
        let described: Vec<String> = drawn.iter().map(|(series, points)| self.told(series, points)).collect();
        let legend: Html = drawn.iter().zip(&described).map(|((series, _), text)| legend(series, text)).collect();
        let svg = drawing(self.id, HEIGHT, self.title, &described.join(" "), &out.html());
        let title = element("strong", "", self.title);
        element("figure", "", element("figcaption", "", title.and(legend)).and(svg)).and(Html::own("\n"))
    }

    fn grid(&self, out: &mut Drawing, values: &[f64], top: f64, scale: &TimeScale) {
        for value in values {
            let at = y(*value, top);
            out.line("grid", (LEFT, at), (RIGHT, at));
            out.text("label end", (LEFT - 8.0, at + 4.0), &self.shown(*value));
        }
        time_axis(out, scale, (TOP, FLOOR));
    }

    fn shown(&self, value: f64) -> String {
        match self.unit {
            Unit::Number => grouped(whole(value + 0.5)),
            Unit::Bytes => format!("{}/s", ByteSize(whole(value))),
            Unit::Seconds if value == 0.0 => "0".to_owned(),
            Unit::Seconds if value < 1.0 => format!("{:.0} ms", value * 1000.0),
            Unit::Seconds => spoken(value),
        }
    }

    /// What the line shows, in words.
    fn told(&self, series: &Series, points: &[(&Sample, f64)]) -> String {
        let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX)).max(1.0);
        let mean = points.iter().map(|(_, value)| value).sum::<f64>() / count;
        let most = points.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (most, at) = most.map_or((0.0, String::new()), |(sample, value)| (*value, clock(sample)));
        format!("{}: {} on average, {} at most ({at} UTC).", series.name, self.shown(mean), self.shown(most))
    }
}

fn legend(series: &Series, text: &str) -> Html {
    let swatch = match series.line {
        "line a" => Html::own("<span class=\"swatch a\" aria-hidden=\"true\"></span> "),
        "line b" => Html::own("<span class=\"swatch b\" aria-hidden=\"true\"></span> "),
        "line c" => Html::own("<span class=\"swatch c\" aria-hidden=\"true\"></span> "),
        _ => Html::own("<span class=\"swatch d\" aria-hidden=\"true\"></span> "),
    };
    element("span", "class=\"legend\"", swatch.and(text))
}

/// Times below, and the stretches in which nobody worked.
pub(super) fn time_axis(out: &mut Drawing, scale: &TimeScale, (top, floor): (f64, f64)) {
    out.line("axis", (LEFT, floor), (RIGHT, floor));
    for (x, text) in scale.ticks() {
        out.line("axis", (x, floor), (x, floor + 5.0));
        out.text("label middle", (x.max(LEFT + 20.0), floor + 20.0), &text);
    }
    for (left, right, seconds) in scale.gaps() {
        let tip = format!("no process for {}", spoken(seconds));
        out.rect("gap", (left, top), (right - left, floor - top), &tip);
    }
}

fn y(value: f64, top: f64) -> f64 {
    (value / top).clamp(0.0, 1.0).mul_add(TOP - FLOOR, FLOOR)
}

/// Whether nothing is missing between two samples.
fn goes_on(one: &Sample, next: &Sample) -> bool {
    let width = (one.until - one.from).max(next.until - next.from).max(1000);
    one.attempt == next.attempt && next.from - one.until <= width * 3
}

const fn middle(sample: &Sample) -> UnixMillis {
    UnixMillis(sample.from + (sample.until - sample.from) / 2)
}

fn clock(sample: &Sample) -> String {
    let text = UnixMillis(sample.from).to_string();
    text.get(11..19).unwrap_or_default().to_owned()
}
