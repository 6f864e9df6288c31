//! Weekly times at which heavy steps may run.

use jiff::{ToSpan, Zoned, civil::Weekday, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::UnixMillis;

/// When heavy steps may run, in the hours of one time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The IANA name of the time zone.
    pub timezone: String,
    /// When the copy may run; empty is always.
    pub full: Vec<Window>,
    /// When the cutover may start; empty is always.
    pub cutover: Vec<Window>,
}

impl Windows {
    /// Whether the name is one of a time zone that this program knows.
    #[must_use]
    pub fn knows(timezone: &str) -> bool {
        TimeZone::get(timezone).is_ok()
    }

    /// How the windows stand at a moment.
    #[must_use]
    pub fn stand(&self, windows: &[Window], now: UnixMillis) -> WindowState {
        if windows.is_empty() {
            return WindowState::Open;
        }
        let timezone = TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC);
        let Ok(timestamp) = jiff::Timestamp::from_millisecond(now.0) else { return WindowState::Open };
        let now = timestamp.to_zoned(timezone);
        if windows.iter().any(|window| window.holds(&now)) {
            return WindowState::Open;
        }
        let opens = windows.iter().filter_map(|window| window.next(&now)).min();
        WindowState::Closed { opens: opens.map(|opens| UnixMillis(opens.timestamp().as_millisecond())) }
    }
}

/// How windows stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// One is open.
    Open,
    /// None is.
    Closed {
        /// When the next one opens.
        opens: Option<UnixMillis>,
    },
}

/// A weekly window, as `Mon-Fri 20:00-06:00` or `Sat,Sun 00:00-24:00`. One that ends before it starts ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days it starts on, Monday first.
    pub days: [bool; 7],
    /// Minutes after midnight, 0 to 1439.
    pub from: u16,
    /// Minutes after midnight, 1 to 1440.
    pub to: u16,
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl std::str::FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        window(text).ok_or_else(|| {
            format!("`{text}` is not a window: write for example `Mon-Fri 20:00-06:00` or `Sat,Sun 00:00-24:00`")
        })
    }
}

fn window(text: &str) -> Option<Window> {
    let mut words = text.split_whitespace();
    let (days, hours) = match (words.next()?, words.next(), words.next()) {
        (days, Some(hours), None) => (days_of(days)?, hours),
        (hours, None, _) => ([true; 7], hours),
        _ => return None,
    };
    let (from, to) = hours.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from < 1440 && to > 0 && from != to).then_some(Window { days, from, to })
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        for (number, wanted) in days.iter_mut().enumerate() {
            // `Sat-Mon` runs over the end of the week.
            let within =
                if first <= last { (first..=last).contains(&number) } else { number >= first || number <= last };
            *wanted |= within;
        }
    }
    Some(days)
}

fn day(name: &str) -> Option<usize> {
    DAYS.iter().position(|day| *day == name)
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let valid = two_digits(hours) && two_digits(minutes);
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let within = valid && minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0));
    within.then(|| hours * 60 + minutes)
}

impl Window {
    /// Whether it is open at this moment.
    fn holds(&self, now: &Zoned) -> bool {
        let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
        let (from, to) = (i32::from(self.from), i32::from(self.to));
        let starts_on = |weekday: Weekday| self.days.get(day_index(weekday)).is_some_and(|day| *day);
        let (today, yesterday) = (now.weekday(), now.weekday().previous());
        if from < to {
            return starts_on(today) && (from..to).contains(&minute);
        }
        (starts_on(today) && minute >= from) || (starts_on(yesterday) && minute < to)
    }

    /// When it opens next.
    fn next(&self, now: &Zoned) -> Option<Zoned> {
        (0..=7).find_map(|days| {
            let day = now.checked_add(i64::from(days).days()).ok()?;
            if !self.days.get(day_index(day.weekday())).is_some_and(|day| *day) {
                return None;
            }
            let (hour, minute) = (i8::try_from(self.from / 60).ok()?, i8::try_from(self.from % 60).ok()?);
            // An hour that the clock leaves out on that day is taken for the one after it.
            let opens = day.date().at(hour, minute, 0, 0).to_zoned(now.time_zone().clone()).ok()?;
            (opens > *now).then_some(opens)
        })
    }
}

/// Monday is 0.
fn day_index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = DAYS.iter().zip(self.days).filter_map(|(name, on)| on.then_some(*name)).collect();
        let hours = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{} {}-{}", days.join(","), hours(self.from), hours(self.to))
    }
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Window {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "window",
            "description": "Days and hours of a week, such as `Mon-Fri 20:00-06:00`; without days, every day.",
            "examples": ["Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00", "01:00-05:00"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_cross_midnight_and_the_week() {
        let night: Window = "Mon-Fri 20:00-06:00".parse().unwrap();
        assert_eq!((night.from, night.to), (1200, 360));
        assert_eq!(night.days, [true, true, true, true, true, false, false]);
        assert_eq!(
            "Sat-Mon 00:00-24:00".parse::<Window>().unwrap().days,
            [true, false, false, false, false, true, true]
        );
        assert_eq!("01:00-05:00".parse::<Window>().unwrap().days, [true; 7]);
    }

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn windows(windows: &[&str]) -> (Windows, Vec<Window>) {
        let windows: Vec<Window> = windows.iter().map(|window| window.parse().unwrap()).collect();
        (Windows { timezone: "Europe/Berlin".to_owned(), full: windows.clone(), cutover: vec![] }, windows)
    }

    #[test]
    fn windows_are_open_in_the_hours_of_their_time_zone() {
        let (all, night) = windows(&["Mon-Fri 20:00-06:00"]);
        let stand = |text| all.stand(&night, at(text));
        // 2026-11-25 is a Wednesday; Berlin is an hour ahead of UTC in winter.
        assert_eq!(stand("2026-11-25T19:00:00Z"), WindowState::Open);
        assert_eq!(stand("2026-11-26T04:59:59Z"), WindowState::Open);
        assert_eq!(stand("2026-11-28T04:59:59Z"), WindowState::Open, "Friday's window ends on Saturday");
        assert_eq!(stand("2026-11-29T04:00:00Z"), WindowState::Closed { opens: Some(at("2026-11-30T19:00:00Z")) });
        assert_eq!(stand("2026-11-25T18:59:59Z"), WindowState::Closed { opens: Some(at("2026-11-25T19:00:00Z")) });
        assert_eq!(stand("2026-07-01T17:30:00Z"), WindowState::Closed { opens: Some(at("2026-07-01T18:00:00Z")) });
        assert_eq!(all.stand(&[], at("2026-11-29T04:00:00Z")), WindowState::Open);
    }

    #[test]
    fn an_hour_that_the_clock_leaves_out_opens_behind_it() {
        let (all, windows) = windows(&["Sun 02:30-04:00"]);
        let closed = all.stand(&windows, at("2026-03-29T00:00:00Z"));
        assert_eq!(closed, WindowState::Closed { opens: Some(at("2026-03-29T01:30:00Z")) });
    }

    #[test]
    fn a_window_prints_as_it_is_read() {
        for text in ["Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00", "01:00-05:00"] {
            let window: Window = text.parse().unwrap();
            assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "Mon",
            "Mon 20:00",
            "20:00-20:00",
            "Mon-Fri 20-06",
            "mon 20:00-21:00",
            "Mon 25:00-26:00",
            "Mon 1:00-2:00",
            "Mon 24:00-06:00",
            "Mon 20:00-00:00",
            "Mon, Tue 20:00-21:00",
            "Mon 20:60-21:00",
            "Mon +1:00-02:00",
            "Mon 65535:00-02:00",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }
}
