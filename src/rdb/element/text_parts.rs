//! A string value, in parts: it may be larger than what can be held.

use super::atom::decimal;
use super::input::Input;
use super::input::InputStop;
use super::input::Steps;
use super::input::poll;
use super::item::Element;
use super::text::head;
use crate::rdb::Cursor;
use crate::rdb::LzfStream;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;
use crate::rdb::StringHead;

/// Bytes in each part of a string value but the last. Fixed, so that the parts do not depend on how the bytes came.
pub const STRING_PART: usize = 256 << 10;

/// Reads a string value.
#[derive(Clone, Debug, Default)]
pub(super) struct TextParts {
    form: TextForm,
    /// A part was given out: even an empty string is one.
    begun: bool,
    /// Decoded bytes, for all forms but the raw one; the first `given` are given out.
    part: Vec<u8>,
    given: usize,
}

#[derive(Clone, Debug, Default)]
enum TextForm {
    #[default]
    Unread,
    Raw {
        left: u64,
    },
    Int(i64),
    Lzf {
        stream: Box<LzfStream>,
        /// Where the string begins in the dump.
        at: u64,
    },
}

impl TextParts {
    pub(super) fn is_done(&self) -> bool {
        let given = self.given == self.part.len();
        self.begun
            && match &self.form {
                TextForm::Unread => false,
                TextForm::Raw { left } => *left == 0,
                TextForm::Int(_) => given,
                TextForm::Lzf { stream, .. } => given && stream.is_done(),
            }
    }

    pub(super) fn next<'a>(&'a mut self, input: &'a mut Input) -> Result<Option<Element<'a>>, RdbError> {
        if matches!(self.form, TextForm::Unread) {
            let Some(form) = poll(input.read(begin))? else { return Ok(None) };
            self.form = form;
        }
        if self.is_done() {
            return Ok(None);
        }
        match &mut self.form {
            TextForm::Unread => return Ok(None),
            TextForm::Raw { left } => {
                let part = poll(input.read(|cursor| raw_part(cursor, left)))?;
                self.begun |= part.is_some();
                return Ok(part.map(Element::StringPart));
            }
            TextForm::Int(number) => self.part = decimal(*number),
            TextForm::Lzf { stream, at } => {
                self.part.drain(..std::mem::take(&mut self.given));
                poll(input.read(|cursor| expand(cursor, stream, *at, &mut self.part)))?;
                if self.part.len() < STRING_PART && !stream.is_done() {
                    return Ok(None);
                }
            }
        }
        self.begun = true;
        self.given = self.part.len().min(STRING_PART);
        Ok(self.part.get(..self.given).map(Element::StringPart))
    }
}

/// Reads how the string is written, up to its bytes.
fn begin(cursor: &mut Cursor<'_>) -> Result<TextForm, InputStop> {
    let at = cursor.at();
    Ok(match head(cursor)? {
        StringHead::Raw(left) => TextForm::Raw { left },
        StringHead::Int(number) => TextForm::Int(i64::from(number)),
        StringHead::Lzf { compressed, original } => {
            let stream = LzfStream::new(compressed, original).map_err(|fault| damaged(at, fault))?;
            TextForm::Lzf { stream: Box::new(stream), at }
        }
    })
}

fn raw_part<'a>(cursor: &mut Cursor<'a>, left: &mut u64) -> Result<&'a [u8], InputStop> {
    let size = usize::try_from(*left).unwrap_or(usize::MAX).min(STRING_PART);
    let part = cursor.bytes(size)?;
    *left = left.saturating_sub(size as u64);
    Ok(part)
}

/// Expands what there is, until `part` is full.
fn expand(cursor: &mut Cursor<'_>, stream: &mut LzfStream, at: u64, part: &mut Vec<u8>) -> Result<(), InputStop> {
    while part.len() < STRING_PART && !stream.is_done() && !cursor.rest().is_empty() {
        let room = STRING_PART.saturating_sub(part.len());
        let taken = stream.feed(cursor.rest(), room, part).map_err(|fault| damaged(at, fault))?;
        cursor.bytes(taken)?;
    }
    Ok(())
}

fn damaged(at: u64, fault: RdbFault) -> RdbError {
    RdbError { at, reading: "a compressed string", fault }
}
