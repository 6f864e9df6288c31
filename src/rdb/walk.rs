//! Finds where a body ends without building it.

use super::Cursor;
use super::Length;
use super::ModuleId;
use super::RdbError;
use super::RdbFault;
use super::StringHead;
use super::layout::BodyPart;

/// A walk through the parts of a body, which can stop between any two bytes and go on when more have come: nothing is
/// read twice but the few bytes of a length that was cut. Counts are only counted down, lengths only skipped, so
/// neither costs memory, and every round of a count takes at least a byte.
#[derive(Debug, Default)]
pub(super) struct Walk {
    current: Round,
    /// The rounds around the current one; as deep as the layouts nest, four.
    outer: Vec<Round>,
    /// Bytes to pass over before the next part.
    skip: u64,
    module: Option<ModuleId>,
    /// Fields of the module's that were passed.
    fields: u64,
    /// Whether one of them, the first left out, is anything but the number 0.
    filled: bool,
}

/// Where the walk is within the parts that repeat.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    rest: &'static [BodyPart],
    parts: &'static [BodyPart],
    /// Rounds after this one.
    more: u64,
}

impl Walk {
    /// Starts over with `parts`.
    #[inline]
    pub(super) fn start(&mut self, parts: &'static [BodyPart]) {
        self.current = Round { rest: parts, parts, more: 0 };
        self.outer.clear();
        self.skip = 0;
        self.module = None;
        self.fields = 0;
        self.filled = false;
    }

    /// Whether a module wrote anything but numbers of zero behind its first field.
    pub(super) const fn is_filled(&self) -> bool {
        self.filled
    }

    /// The module's type, once passed.
    pub(super) const fn module(&self) -> Option<ModuleId> {
        self.module
    }

    /// Bytes that are known to follow.
    pub(super) const fn follows(&self) -> u64 {
        self.skip
    }

    /// Goes on as far as the cursor reaches; whether the body ended. `limit` is the most bytes of a string.
    pub(super) fn run(&mut self, cursor: &mut Cursor<'_>, limit: u64) -> Result<bool, RdbError> {
        loop {
            if self.skip > 0 && !self.pass(cursor) {
                return Ok(false);
            }
            let Some((part, rest)) = self.current.rest.split_first() else {
                if self.next_round() {
                    continue;
                }
                return Ok(true);
            };
            let skip = match part {
                BodyPart::Text => StringHead::read(cursor, limit)?.map(StringHead::follows),
                BodyPart::Number => Length::plain(cursor, "a number")?.map(|_| 0),
                BodyPart::Bytes(count) => Some(*count),
                BodyPart::Score => cursor.u8().map(|length| if length < 253 { length.into() } else { 0 }),
                BodyPart::ModuleId => Length::plain(cursor, "a module's type")?.map(|id| {
                    self.module = Some(ModuleId(id));
                    0
                }),
                BodyPart::ModuleFields => match module_field(cursor, limit)? {
                    None => None,
                    Some(Field::End) => Some(0),
                    Some(Field::Follows { bytes, zero }) => {
                        // The same part again, until its end mark.
                        self.filled |= self.fields > 0 && !zero;
                        self.fields = self.fields.saturating_add(1);
                        self.skip = bytes;
                        continue;
                    }
                },
                BodyPart::Many(parts) => match Length::plain(cursor, "a count")? {
                    None => None,
                    Some(count) => {
                        self.current.rest = rest;
                        self.enter(parts, count);
                        continue;
                    }
                },
            };
            let Some(skip) = skip else { return Ok(false) };
            self.skip = skip;
            self.current.rest = rest;
        }
    }

    /// Passes over what is to be skipped; whether that is done.
    #[inline]
    fn pass(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let here = cursor.rest().len() as u64;
        let passed = self.skip.min(here);
        // `passed` is no more than is in memory.
        cursor.take(usize::try_from(passed).unwrap_or(usize::MAX));
        self.skip = self.skip.saturating_sub(passed);
        self.skip == 0
    }

    fn enter(&mut self, parts: &'static [BodyPart], count: u64) {
        if let Some(more) = count.checked_sub(1) {
            self.outer.push(self.current);
            self.current = Round { rest: parts, parts, more };
        }
    }

    /// The next round, here or around; `false` when there is none.
    #[inline]
    fn next_round(&mut self) -> bool {
        if let Some(more) = self.current.more.checked_sub(1) {
            self.current = Round { rest: self.current.parts, more, ..self.current };
            return true;
        }
        match self.outer.pop() {
            Some(round) => self.current = round,
            None => return false,
        }
        true
    }
}

enum Field {
    End,
    /// The field has this many bytes more; `zero` where it is the number 0.
    Follows {
        bytes: u64,
        zero: bool,
    },
}

/// Reads a module's field up to the bytes that can be skipped (module.c, `RM_SaveSigned` and others).
fn module_field(cursor: &mut Cursor<'_>, limit: u64) -> Result<Option<Field>, RdbError> {
    let mut ahead = *cursor;
    let Some(opcode) = Length::plain(&mut ahead, "a module's field")? else { return Ok(None) };
    let follows = match opcode {
        0 => Some(Field::End),
        1 | 2 => {
            Length::plain(&mut ahead, "a module's number")?.map(|number| Field::Follows { bytes: 0, zero: number == 0 })
        }
        3 => Some(Field::Follows { bytes: 4, zero: false }),
        4 => Some(Field::Follows { bytes: 8, zero: false }),
        5 => StringHead::read(&mut ahead, limit)?.map(|head| Field::Follows { bytes: head.follows(), zero: false }),
        _ => {
            return Err(cursor.fault("a module's field", RdbFault::Invalid("a module's field has an unknown form")));
        }
    };
    if follows.is_some() {
        *cursor = ahead;
    }
    Ok(follows)
}
