//! The bytes of a value that were fed and not read yet.

use crate::rdb::Cursor;
use crate::rdb::RdbError;
use crate::unit::make_room;

/// Room that is kept when all was read; one that a large element needed is given back.
pub(super) const KEEP: usize = 1 << 20;

/// Why a step cannot be done.
pub(super) enum InputStop {
    /// Its bytes are not all there yet.
    More,
    /// What comes expands to more than may be expanded.
    Large,
    /// They are damaged.
    Fault(RdbError),
}

impl From<RdbError> for InputStop {
    fn from(error: RdbError) -> Self {
        Self::Fault(error)
    }
}

/// `None` for what needs more bytes.
pub(super) fn poll<T>(step: Result<T, InputStop>) -> Result<Option<T>, RdbError> {
    match step {
        Ok(value) => Ok(Some(value)),
        Err(InputStop::More | InputStop::Large) => Ok(None),
        Err(InputStop::Fault(error)) => Err(error),
    }
}

/// A queue of bytes that knows the absolute offset of its first one.
#[derive(Clone, Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Where the bytes not read begin in `bytes`.
    start: usize,
    at: u64,
    /// What a compressed string may expand to.
    most: u64,
    /// The next string expands to more.
    large: bool,
}

impl Input {
    pub(super) const fn new(at: u64) -> Self {
        Self { bytes: vec![], start: 0, at, most: u64::MAX, large: false }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.start >= self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEEP);
            self.start = 0;
        } else if self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        make_room(&mut self.bytes, bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives back the room of a large element that was read and is not borrowed any more.
    pub(super) fn trim(&mut self) {
        if self.start > 4 * KEEP {
            self.bytes.drain(..self.start);
            self.bytes.shrink_to(KEEP);
            self.start = 0;
        }
    }

    /// Bytes fed and not read.
    pub(super) const fn held(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// The absolute offset of the next byte.
    /// From now on a string that expands to more than `most` bytes is not read.
    pub(super) const fn expand(&mut self, most: u64) {
        self.most = most;
    }

    /// Whether the last string was not read because of that.
    pub(super) const fn is_large(&self) -> bool {
        self.large
    }

    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Does a step over the next bytes, which are read only when it succeeds.
    pub(super) fn read<'a, T>(
        &'a mut self,
        step: impl FnOnce(&mut Cursor<'a>) -> Result<T, InputStop>,
    ) -> Result<T, InputStop> {
        let cursor = Cursor::new(self.bytes.get(self.start..).unwrap_or_default(), self.at);
        let mut cursor = cursor.expanding(self.most);
        let before = cursor.rest().len();
        let step = step(&mut cursor);
        self.large = matches!(step, Err(InputStop::Large));
        let value = step?;
        self.start = self.start.saturating_add(before.saturating_sub(cursor.rest().len()));
        self.at = cursor.at();
        Ok(value)
    }
}

/// Reading steps that say [`InputStop::More`] where a cursor says `None`.
pub(super) trait Steps<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], InputStop>;
    fn byte(&mut self) -> Result<u8, InputStop>;
    fn i64_le(&mut self) -> Result<i64, InputStop>;
    fn f64_le(&mut self) -> Result<f64, InputStop>;
    fn length(&mut self, reading: &'static str) -> Result<u64, InputStop>;
}

impl<'a> Steps<'a> for Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], InputStop> {
        self.take(count).ok_or(InputStop::More)
    }

    fn byte(&mut self) -> Result<u8, InputStop> {
        self.u8().ok_or(InputStop::More)
    }

    fn i64_le(&mut self) -> Result<i64, InputStop> {
        self.array().map(i64::from_le_bytes).ok_or(InputStop::More)
    }

    fn f64_le(&mut self) -> Result<f64, InputStop> {
        self.array().map(f64::from_le_bytes).ok_or(InputStop::More)
    }

    fn length(&mut self, reading: &'static str) -> Result<u64, InputStop> {
        crate::rdb::Length::plain(self, reading)?.ok_or(InputStop::More)
    }
}
