//! Small pieces of text that every renderer needs.

use crate::step::Outcome;
pub(super) use crate::unit::Clean;
use crate::unit::{ByteSize, KeyText};

/// A file's name where a line may begin with it. Pipelines obey lines that begin with a mark of theirs, so a name like that
/// gets the folder that it is in.
pub(super) fn file_name(name: &str) -> String {
    let shown = KeyText(name.as_bytes()).to_string();
    if shown.trim_start().starts_with(['#', ':']) { format!("./{shown}") } else { shown }
}

/// A count with its digits in groups of three: `1 234 567` (thin spaces would not survive a terminal).
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Seconds as people say them: `0.42 s`, `12.3 s`, `4m10s`, `2h03m`.
pub(super) fn spoken(seconds: f64) -> String {
    let whole_seconds = whole(seconds);
    match whole_seconds {
        0 => format!("{:.2} s", seconds.max(0.0)),
        1..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{}m{:02}s", whole_seconds / 60, whole_seconds % 60),
        _ => format!("{}h{:02}m", whole_seconds / 3600, whole_seconds % 3600 / 60),
    }
}

/// A rate of things per second, rounded.
pub(super) fn per_second(rate: f64, thing: &str) -> String {
    format!("{} {thing}/s", grouped(whole(rate + 0.5)))
}

/// Bytes over seconds as a rate; nothing when no time passed.
pub(super) fn byte_rate(bytes: u64, seconds: f64) -> Option<String> {
    (seconds > 0.0).then(|| {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = whole(bytes as f64 / seconds);
        format!("{}/s", ByteSize(rate))
    })
}

/// How much of `total` is `part`, as `42 %`; nothing when the whole is not known.
pub(super) fn percentage(part: u64, total: Option<u64>) -> Option<String> {
    let total = total.filter(|total| *total > 0)?;
    let percent = u128::from(part.min(total)) * 100 / u128::from(total);
    Some(format!("{percent} %"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
pub(super) fn whole(value: f64) -> u64 {
    value.clamp(0.0, 9e15) as u64
}

/// Whether an ending's page holds more than everybody knows. Runs of earlier versions have noted no code.
pub(in crate::report) fn says_more(outcome: Outcome, code: &str) -> bool {
    match outcome {
        Outcome::Done => !matches!(code, "" | "R000"),
        _ => !code.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!([0.0, 0.416, 12.34, 250.0, 7385.0].map(spoken), ["0.00 s", "0.42 s", "12.3 s", "4m10s", "2h03m"]);
        assert_eq!(per_second(84_211.6, "keys"), "84 212 keys/s");
        assert_eq!(per_second(f64::NAN, "keys"), "0 keys/s");
        assert_eq!(percentage(1, Some(3)).as_deref(), Some("33 %"));
        assert_eq!(percentage(1, Some(0)), None);
        assert_eq!(byte_rate(3 << 20, 2.0).as_deref(), Some("1.5 MiB/s"));
    }
}
