//! The formats of text in the schema: one row each.

use crate::plan::raw::{At, Keep};
use crate::step::{RunId, VersionRange, Window};
use crate::unit::{ByteRate, ByteSize, CountRate, Percent, Period};

/// A format that text may be bound to.
pub(super) struct TextFormat {
    /// The name in the schema.
    pub(super) name: &'static str,
    /// What such a text is, with its article.
    pub(super) noun: &'static str,
    /// How one is written.
    pub(super) examples: &'static str,
    /// Whether a text follows it.
    pub(super) accepts: fn(&str) -> bool,
    /// A bare number with the unit that was probably meant; `None` for formats without units.
    pub(super) with_unit: Option<fn(u64) -> String>,
    /// Whether that unit is what everybody would have meant by the number.
    pub(super) certain: fn(u64) -> bool,
}

/// Of sizes any unit may have been left out, unless the number can only be one of bytes.
fn bytes(number: u64) -> bool {
    number >= 1 << 20
}

fn parses<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// A small number was meant in MiB, a large one in bytes.
fn size(number: u64) -> String {
    if bytes(number) { format!("{:#}", ByteSize(number)) } else { format!("{number} MiB") }
}

pub(super) const FORMATS: [TextFormat; 10] = [
    TextFormat {
        name: "period",
        noun: "a duration",
        examples: "`30s`, `5m`, `1h30m` or `3d`",
        accepts: parses::<Period>,
        with_unit: Some(|number| format!("{number}s")),
        certain: |_| true,
    },
    TextFormat {
        name: "keep",
        noun: "a duration or `forever`",
        examples: "`30d` or `forever`",
        accepts: parses::<Keep>,
        with_unit: Some(|number| format!("{number}d")),
        certain: |_| false,
    },
    TextFormat {
        name: "byte-size",
        noun: "a size",
        examples: "`64 MiB`, `512kb` or `10gb`",
        accepts: parses::<ByteSize>,
        with_unit: Some(size),
        certain: bytes,
    },
    TextFormat {
        name: "byte-rate",
        noun: "a rate in bytes",
        examples: "`40 MiB/s`",
        accepts: parses::<ByteRate>,
        with_unit: Some(|number| format!("{}/s", size(number))),
        certain: bytes,
    },
    TextFormat {
        name: "count-rate",
        noun: "a rate",
        examples: "`20000/s` or `20k/s`",
        accepts: parses::<CountRate>,
        with_unit: Some(|number| format!("{number}/s")),
        certain: |_| true,
    },
    TextFormat {
        name: "percent",
        noun: "a percentage",
        examples: "`120%`",
        accepts: parses::<Percent>,
        with_unit: Some(|number| format!("{number}%")),
        certain: |_| true,
    },
    TextFormat {
        name: "run-id",
        noun: "a run id",
        examples: "the 40 characters behind `run_id:` in the answer to `INFO server`",
        accepts: parses::<RunId>,
        with_unit: None,
        certain: |_| false,
    },
    TextFormat {
        name: "version-range",
        noun: "a range of versions",
        examples: "`>=2.8, <6` or `7.2`",
        accepts: parses::<VersionRange>,
        with_unit: None,
        certain: |_| false,
    },
    TextFormat {
        name: "moment",
        noun: "a moment",
        examples: "`2026-12-01T02:00:00+01:00`",
        accepts: parses::<At>,
        with_unit: None,
        certain: |_| false,
    },
    TextFormat {
        name: "window",
        noun: "a weekly window",
        examples: "`Mon-Fri 20:00-06:00`, `Sat,Sun 00:00-24:00` or `01:00-05:00`",
        accepts: parses::<Window>,
        with_unit: None,
        certain: |_| false,
    },
];

/// Formats of numbers that schemars writes beside their bounds.
pub(super) const NUMBERS: [&str; 3] = ["uint16", "uint32", "uint64"];

pub(super) fn find(name: &str) -> Option<&'static TextFormat> {
    FORMATS.iter().find(|format| format.name == name)
}
