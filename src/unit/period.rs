//! Lengths of time.

use std::time::Duration;

/// A length of time, as `30s`, `1h30m` or `250ms`; units `ms`, `s`, `m`, `h`, `d`, each at most once, largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text.trim())
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| format!("`{text}` is not a duration: write for example `30s`, `5m`, `1h30m` or `3d`"))
    }
}

fn parse(mut rest: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut largest_left = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let position = UNITS.iter().position(|(name, _)| *name == unit).filter(|position| *position >= largest_left)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(UNITS[position].1)?)?;
        largest_left = position + 1;
        rest = tail;
    }
    Some(total)
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            if left >= millis {
                write!(f, "{}{unit}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

super::rate::text_serde!(
    Period,
    "Period",
    "period",
    "A length of time with its unit, such as `30s`, `5m`, `1h30m` or `3d`.",
    ["30s", "1h30m"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for text in ["30s", "1h30m", "3d", "250ms", "1d2h3m4s5ms"] {
            assert_eq!(text.parse::<Period>().map(|period| period.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "30", "30m1h", "5m5m", "1w", "-1s", "99999999999999d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
