//! A command as words that may be changed.

use std::borrow::Cow;

use crate::unit::KeyText;

/// A command's arguments, its name first; what was received is borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Argv<'a>(pub(super) Vec<Cow<'a, [u8]>>);

impl<'a> Argv<'a> {
    /// The words of a received command.
    pub(super) fn of(args: impl Iterator<Item = &'a [u8]>) -> Self {
        Self(args.map(Cow::Borrowed).collect())
    }

    /// A command of these words.
    pub(super) fn new(name: &'static str, args: impl IntoIterator<Item = Cow<'a, [u8]>>) -> Self {
        Self(std::iter::once(Cow::Borrowed(name.as_bytes())).chain(args).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The word at `index`, if it is there.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        self.0.get(index).map(AsRef::as_ref)
    }

    /// The word at `index`; empty where there is none.
    pub(super) fn word(&self, index: usize) -> Cow<'a, [u8]> {
        self.0.get(index).cloned().unwrap_or_default()
    }

    /// The words from `index` on.
    pub(super) fn from(&self, index: usize) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a, '_> {
        self.0.iter().skip(index).cloned()
    }

    /// Whether the word at `index` is `word`, in any case.
    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Where `word` stands from `begin` on.
    pub(super) fn position(&self, begin: usize, word: &str) -> Option<usize> {
        (begin..self.len()).find(|index| self.is(*index, word))
    }

    /// The number at `index`.
    pub(super) fn number(&self, index: usize) -> Option<i64> {
        std::str::from_utf8(self.get(index)?).ok()?.parse().ok()
    }

    /// The name as people read it.
    pub(super) fn name(&self) -> String {
        KeyText(&self.word(0)).to_string().to_ascii_uppercase()
    }

    /// Bytes of all words.
    pub(super) fn size(&self) -> u64 {
        self.0.iter().map(|word| word.len() as u64).sum()
    }
}

/// A number as a word.
pub(super) fn number(number: i64) -> Cow<'static, [u8]> {
    Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec())
}

/// A fixed word.
pub(super) const fn fixed(word: &'static str) -> Cow<'static, [u8]> {
    Cow::Borrowed(word.as_bytes())
}

/// What becomes of a command.
pub(super) type Change<'a> = Result<Option<Vec<Argv<'a>>>, String>;

/// The command stays as it is.
pub(super) const SAME: Change<'static> = Ok(None);

/// The command becomes this one.
#[expect(clippy::unnecessary_wraps, reason = "one of the answers of a change")]
pub(super) fn becomes(words: Argv<'_>) -> Change<'_> {
    Ok(Some(vec![words]))
}
