//! Values written element by element.

use super::atom::score_of_text;
use super::input::Input;
use super::input::InputStop;
use super::input::Steps;
use super::input::poll;
use super::item::Element;
use super::text::RawText;
use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::unit::UnixMillis;

/// How each element is written, after the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A string.
    Items,
    /// A string, and a score as text: its length in one byte, or 253 for NaN, 254 and 255 for the infinities.
    TextScores,
    /// A string, and a score as a little-endian `f64`.
    BinaryScores,
    /// Two strings.
    Pairs,
    /// An expiry, then two strings. The expiry is 0 for none, or absolute in milliseconds (Redis 7.4 candidates).
    ExpiryFirst,
    /// The least expiry before the count (`i64`, little-endian). An element's is 0 for none, or one more than its
    /// distance from the least (Redis 7.4).
    ExpiryAfterLeast,
    /// Two strings, then an absolute expiry (`i64`, little-endian, milliseconds), -1 for none (Valkey 9).
    ExpiryLast,
}

/// Reads a value of a counted number of elements.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    layout: Layout,
    /// The least expiry of [`Layout::ExpiryAfterLeast`].
    least: i64,
    /// Elements still to come, once the count is read.
    left: Option<u64>,
}

impl Plain {
    pub(super) const fn new(layout: Layout) -> Self {
        Self { layout, least: 0, left: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    pub(super) fn next<'a>(&'a mut self, input: &'a mut Input) -> Result<Option<Element<'a>>, RdbError> {
        if self.left.is_none() {
            let Some((least, count)) = poll(input.read(|cursor| self.header(cursor)))? else { return Ok(None) };
            self.least = least;
            self.left = Some(count);
        }
        let Some(after) = self.left.and_then(|left| left.checked_sub(1)) else { return Ok(None) };
        let element = poll(input.read(|cursor| self.element(cursor)))?;
        if element.is_some() {
            self.left = Some(after);
        }
        Ok(element)
    }

    fn header(&self, cursor: &mut Cursor<'_>) -> Result<(i64, u64), InputStop> {
        let least = if self.layout == Layout::ExpiryAfterLeast { cursor.i64_le()? } else { 0 };
        Ok((least, cursor.length("a count of elements")?))
    }

    fn element<'a>(&self, cursor: &mut Cursor<'a>) -> Result<Element<'a>, InputStop> {
        let at = cursor.at();
        match self.layout {
            Layout::Items => Ok(Element::Item(RawText::read(cursor)?.decode()?)),
            Layout::TextScores => member(cursor, text_score),
            Layout::BinaryScores => member(cursor, Steps::f64_le),
            Layout::Pairs => pair(cursor, |_| Ok(None)),
            Layout::ExpiryFirst => {
                let expiry = cursor.length("a field's expiry")?;
                let expires_at = if expiry == 0 { None } else { Some(moment(expiry, at)?) };
                pair(cursor, |_| Ok(expires_at))
            }
            Layout::ExpiryAfterLeast => {
                let distance = cursor.length("a field's expiry")?;
                let expires_at = self.after_least(distance, at)?;
                pair(cursor, |_| Ok(expires_at))
            }
            Layout::ExpiryLast => pair(cursor, |cursor| cursor.i64_le().map(|ms| (ms >= 0).then_some(UnixMillis(ms)))),
        }
    }

    fn after_least(&self, distance: u64, at: u64) -> Result<Option<UnixMillis>, RdbError> {
        let Some(distance) = distance.checked_sub(1) else { return Ok(None) };
        let ms = self.least.checked_add_unsigned(distance);
        ms.map(|ms| Some(UnixMillis(ms))).ok_or_else(|| impossible(distance, at))
    }
}

fn pair<'a>(
    cursor: &mut Cursor<'a>,
    expiry: impl FnOnce(&mut Cursor<'a>) -> Result<Option<UnixMillis>, InputStop>,
) -> Result<Element<'a>, InputStop> {
    let field = RawText::read(cursor)?;
    let value = RawText::read(cursor)?;
    let expires_at = expiry(cursor)?;
    Ok(Element::Field { field: field.decode()?, value: value.decode()?, expires_at })
}

fn member<'a>(
    cursor: &mut Cursor<'a>,
    score: impl FnOnce(&mut Cursor<'a>) -> Result<f64, InputStop>,
) -> Result<Element<'a>, InputStop> {
    let member = RawText::read(cursor)?;
    let before = *cursor;
    let score = score(cursor)?;
    if score.is_nan() {
        return Err(before.fault("a score", RdbFault::Invalid("a score is not a number")).into());
    }
    Ok(Element::Member { member: member.decode()?, score })
}

fn text_score(cursor: &mut Cursor<'_>) -> Result<f64, InputStop> {
    let before = *cursor;
    match cursor.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        length => {
            let text = cursor.bytes(usize::from(length))?;
            let invalid = || before.fault("a score", RdbFault::Invalid("a score is not a number")).into();
            score_of_text(text).ok_or_else(invalid)
        }
    }
}

fn moment(ms: u64, at: u64) -> Result<UnixMillis, RdbError> {
    i64::try_from(ms).map(UnixMillis).map_err(|_| impossible(ms, at))
}

fn impossible(ms: u64, at: u64) -> RdbError {
    RdbError { at, reading: "a field's expiry", fault: RdbFault::Length(ms) }
}
