//! `windows`: when heavy steps may run.

use schemars::JsonSchema;
use serde::Deserialize;

/// When heavy steps may run; outside of its windows a step waits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// The IANA name of the time zone the windows are in.
    #[schemars(example = "Europe/Berlin")]
    pub timezone: String,
    /// When the copy may run.
    #[schemars(length(min = 1))]
    pub full: Option<Vec<Window>>,
    /// When the cutover may start.
    #[schemars(length(min = 1))]
    pub cutover: Option<Vec<Window>>,
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
