//! One entry of a packed structure.

use std::borrow::Cow;

/// What a packed structure holds in one place: text, or an integer that stands for its decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atom<'b> {
    Text(&'b [u8]),
    Int(i64),
}

impl<'b> Atom<'b> {
    /// The bytes that a client would see.
    pub(super) fn into_text(self) -> Cow<'b, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(decimal(number)),
        }
    }

    /// The number it stands for; `None` when it is no integer.
    pub(super) fn as_int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        }
    }

    /// The score it stands for; `None` when it is no number. Scores that are whole numbers may be packed as integers.
    pub(super) fn as_score(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a server packs only scores that are exact as integers")]
            Self::Int(number) => Some(number as f64),
            Self::Text(text) => score_of_text(text),
        }
    }
}

/// An integer as a client would see it.
pub(super) fn decimal(number: i64) -> Vec<u8> {
    itoa::Buffer::new().format(number).as_bytes().to_vec()
}

/// A score as text: what C's `strtod` reads of what `printf("%.17g")` wrote; `None` for anything else and for NaN,
/// which no sorted set may hold.
pub(super) fn score_of_text(text: &[u8]) -> Option<f64> {
    let score: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!score.is_nan()).then_some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_as_decimal_text() {
        assert_eq!(Atom::Int(i64::MIN).into_text().as_ref(), b"-9223372036854775808");
        assert_eq!(Atom::Text(b"-12").as_int(), Some(-12));
        assert_eq!(Atom::Text(b"x").as_int(), None);
    }

    #[test]
    fn scores_read_as_strtod_does() {
        assert_eq!(Atom::Text(b"1.0000000000000001e+300").as_score(), Some(1e300));
        assert_eq!(Atom::Text(b"-inf").as_score(), Some(f64::NEG_INFINITY));
        assert_eq!(Atom::Int(-3).as_score(), Some(-3.0));
        assert_eq!(Atom::Text(b"nan").as_score(), None);
        assert_eq!(Atom::Text(b"").as_score(), None);
    }
}
