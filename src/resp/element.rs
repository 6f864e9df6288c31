//! One element of RESP2: a line, or a line and the string it announces.

use super::{RespError, RespFault};

/// What is believed from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RespLimits {
    /// Longest string, in bytes.
    pub bulk: usize,
    /// Longest line, in bytes.
    pub line: usize,
    /// Most elements of one array.
    pub array: usize,
    /// Deepest nesting of arrays.
    pub depth: usize,
    /// Longest command or reply, in bytes.
    pub whole: usize,
}

impl Default for RespLimits {
    /// 1 GiB in all, as a server's own `client-query-buffer-limit`; lines of 64 KiB, arrays of 2^22, depth 32.
    fn default() -> Self {
        Self { bulk: 1 << 30, line: 1 << 16, array: 1 << 22, depth: 32, whole: 1 << 30 }
    }
}

/// An element; an array's members are elements of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RespElement<'a> {
    Simple(&'a [u8]),
    Error(&'a [u8]),
    Int(i64),
    Bulk(Option<&'a [u8]>),
    Array(Option<usize>),
}

/// The element at `from` in `bytes` and where it ends; `None` when more bytes are needed. `at` is the absolute offset of
/// the first of `bytes`.
pub(super) fn element<'a>(
    bytes: &'a [u8],
    from: usize,
    at: u64,
    limits: &RespLimits,
) -> Result<Option<(RespElement<'a>, usize)>, RespError> {
    read(bytes.get(from..).unwrap_or_default(), limits)
        .map(|found| found.map(|(element, length)| (element, from.saturating_add(length))))
        .map_err(|fault| RespError { at: at.saturating_add(from as u64), fault })
}

fn read<'a>(bytes: &'a [u8], limits: &RespLimits) -> Result<Option<(RespElement<'a>, usize)>, RespFault> {
    let Some((sign, rest)) = bytes.split_first() else { return Ok(None) };
    if !b"+-:$*".contains(sign) {
        return Err(RespFault::Type(*sign));
    }
    let Some((line, length)) = line(rest, limits.line)? else { return Ok(None) };
    let after = length.saturating_add(1);
    let scalar = |element| Ok(Some((element, after)));
    match sign {
        b'+' => scalar(RespElement::Simple(line)),
        b'-' => scalar(RespElement::Error(line)),
        b':' => scalar(RespElement::Int(integer(line)?)),
        b'*' => scalar(RespElement::Array(count(line, limits.array)?)),
        _ => match count(line, limits.bulk)? {
            None => scalar(RespElement::Bulk(None)),
            Some(length) => {
                Ok(string(bytes, after, length)?.map(|(string, end)| (RespElement::Bulk(Some(string)), end)))
            }
        },
    }
}

/// The string of `length` bytes at `from` and the end of the CR LF behind it.
pub(super) fn string(bytes: &[u8], from: usize, length: usize) -> Result<Option<(&[u8], usize)>, RespFault> {
    let end = from.saturating_add(length);
    let behind = end.saturating_add(2);
    match (bytes.get(from..end), bytes.get(end..behind)) {
        (Some(string), Some(b"\r\n")) => Ok(Some((string, behind))),
        (_, Some(_)) => Err(RespFault::StringEnd),
        _ => Ok(None),
    }
}

/// The line at the start of `bytes` without its CR LF, and its length with it.
pub(super) fn line(bytes: &[u8], longest: usize) -> Result<Option<(&[u8], usize)>, RespFault> {
    let window = bytes.get(..longest.min(bytes.len())).unwrap_or(bytes);
    match memchr::memchr(b'\n', window) {
        Some(end) => {
            let line = window.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(RespFault::LineEnd)?;
            Ok(Some((line, end.saturating_add(1))))
        }
        None if bytes.len() >= longest => Err(RespFault::Line(longest)),
        None => Ok(None),
    }
}

/// A count from the wire: `-1` means "none", anything else lies in `0..=most`.
pub(super) fn count(line: &[u8], most: usize) -> Result<Option<usize>, RespFault> {
    match integer(line)? {
        -1 => Ok(None),
        number => match usize::try_from(number) {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(RespFault::Length(number)),
        },
    }
}

/// A decimal number with an optional minus.
pub(super) fn integer(digits: &[u8]) -> Result<i64, RespFault> {
    let (negative, digits) = match digits.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() {
        return Err(RespFault::Number);
    }
    // Counted downwards: the smallest i64 has no positive counterpart.
    let mut number = 0_i64;
    for digit in digits {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10).ok_or(RespFault::Number)?;
        number =
            number.checked_mul(10).and_then(|number| number.checked_sub(i64::from(value))).ok_or(RespFault::Number)?;
    }
    if negative { Ok(number) } else { number.checked_neg().ok_or(RespFault::Number) }
}
