//! Amounts of bytes.

/// An amount of bytes. Read with the rules of redis.conf (`k` 1000, `kb` 1024, `m`, `mb`, `g`, `gb`, any case) and the
/// IEC words (`KiB`, `MiB`, `GiB`, `TiB`); shown in the largest IEC unit that keeps it short. `{:#}`, and serde with it,
/// shows it to the last byte: what two graphs differ in must be in their text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 13] = [
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1 << 40),
    ("tib", 1 << 40),
];

impl ByteSize {
    /// So many mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = super::rate::split_unit(text);
        let unit = unit.to_ascii_lowercase();
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{text}` has no size unit: write for example `64 MiB`, `10gb` or `512 KiB`"));
        };
        super::rate::scale(number, *factor)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size: write for example `64 MiB`"))
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (shift, unit) = match self.0 {
            0..1024 => return write!(f, "{} B", self.0),
            1024..0x10_0000 => (10, "KiB"),
            0x10_0000..0x4000_0000 => (20, "MiB"),
            0x4000_0000..0x100_0000_0000 => (30, "GiB"),
            _ => (40, "TiB"),
        };
        if self.0.trailing_zeros() >= shift {
            return write!(f, "{} {unit}", self.0 >> shift);
        }
        if f.alternate() {
            return write!(f, "{} B", self.0);
        }
        // One decimal, cut, not rounded: a limit never looks larger than it is.
        let tenths = (u128::from(self.0) * 10) >> shift;
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

super::rate::text_serde!(
    ByteSize,
    "ByteSize",
    "byte-size",
    "An amount of bytes with its unit, such as `64 MiB`, `512kb` or `10gb`.",
    ["64 MiB", "10gb"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_redis_conf() {
        for (text, bytes) in [("64mb", 64 << 20), ("1k", 1000), ("64 GiB", 64 << 30), ("1.5 KiB", 1536), ("7b", 7)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["64", "", "MiB", "-1mb", "1e3mb", "99999999 TiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_the_largest_fitting_unit() {
        assert_eq!(ByteSize(512).to_string(), "512 B");
        assert_eq!(ByteSize::mib(64).to_string(), "64 MiB");
        assert_eq!(ByteSize(1_500_000).to_string(), "1.4 MiB");
    }

    #[test]
    fn serde_keeps_the_last_byte() {
        for size in [ByteSize(1_500_001), ByteSize::mib(64), ByteSize(u64::MAX), ByteSize(0)] {
            let text = serde_json::to_string(&size).unwrap();
            assert_eq!(serde_json::from_str::<ByteSize>(&text).unwrap(), size, "{text}");
        }
        let rate = crate::unit::ByteRate(1_500_001);
        assert_eq!(serde_json::to_string(&rate).unwrap(), "\"1500001 B/s\"");
        assert_eq!(serde_json::from_str::<crate::unit::ByteRate>("\"1500001 B/s\"").unwrap(), rate);
    }
}
