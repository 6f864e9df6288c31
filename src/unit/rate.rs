//! Amounts per second.

use super::ByteSize;

/// Bytes per second, as `40 MiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRate(pub u64);

/// Things per second, as `20000/s` or `20k/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountRate(pub u64);

impl std::str::FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a byte rate: write for example `40 MiB/s`");
        let amount = text.trim().strip_suffix("/s").ok_or_else(wrong)?;
        amount.trim().parse::<ByteSize>().ok().filter(|size| size.0 > 0).map(|size| Self(size.0)).ok_or_else(wrong)
    }
}

impl std::fmt::Display for ByteRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&ByteSize(self.0), f)?;
        f.write_str("/s")
    }
}

impl std::str::FromStr for CountRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate: write for example `20000/s` or `20k/s`");
        let (number, unit) = split_unit(text.trim().strip_suffix("/s").ok_or_else(wrong)?);
        let factor = match unit {
            "" => 1,
            "k" => 1000,
            "m" => 1_000_000,
            _ => return Err(wrong()),
        };
        scale(number, factor).filter(|count| *count > 0).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for CountRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// Splits `1.5 MiB` into `1.5` and `MiB`.
pub(super) fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

/// A decimal number (at most one point, `_` as a digit separator) times `factor`; `None` when it is no number, no whole
/// amount, or does not fit.
pub(super) fn scale(number: &str, factor: u64) -> Option<u64> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| (1..=9).contains(digits))?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor) / 10u128.pow(digits);
    whole.checked_add(u64::try_from(part).ok()?)
}

/// Serde as the type's text and a JSON schema of that text with a named format.
macro_rules! text_serde {
    ($type:ty, $name:literal, $format:literal, $description:literal, [$($example:literal),+]) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("{self:#}"))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    "description": $description,
                    "examples": [$($example),+],
                })
            }
        }
    };
}
pub(super) use text_serde;

text_serde!(ByteRate, "ByteRate", "byte-rate", "Bytes per second, such as `40 MiB/s`.", ["40 MiB/s"]);
text_serde!(CountRate, "CountRate", "count-rate", "A number per second, such as `20000/s` or `20k/s`.", ["20000/s"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_their_per_second() {
        assert_eq!("40 MiB/s".parse(), Ok(ByteRate(40 << 20)));
        assert_eq!("20k/s".parse(), Ok(CountRate(20_000)));
        for text in ["40 MiB", "0 MiB/s", "40/s"] {
            assert!(text.parse::<ByteRate>().is_err(), "{text}");
        }
        for text in ["20000", "0/s", "2.5x/s", "/s"] {
            assert!(text.parse::<CountRate>().is_err(), "{text}");
        }
    }
}
