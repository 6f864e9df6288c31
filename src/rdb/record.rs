//! Reads the records that are not keys. Each reader begins at the opcode, and returns `None` when the record is not all
//! there.

use super::Cursor;
use super::Item;
use super::Length;
use super::RdbError;
use super::RdbFault;
use super::Usage;
use super::opcode::Opcode;
use super::read_string;
use crate::unit::Db;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// When the next key expires.
#[inline]
pub(super) fn expiry(opcode: Opcode, cursor: &mut Cursor<'_>) -> Option<UnixMillis> {
    cursor.u8()?;
    let millis = match opcode {
        Opcode::ExpireSeconds => i64::from(cursor.array().map(i32::from_le_bytes)?).saturating_mul(1000),
        _ => cursor.array().map(i64::from_le_bytes)?,
    };
    Some(UnixMillis(millis))
}

/// How much the next key was used.
#[inline]
pub(super) fn access(opcode: Opcode, cursor: &mut Cursor<'_>) -> Result<Option<Usage>, RdbError> {
    cursor.u8();
    Ok(match opcode {
        Opcode::Freq => cursor.u8().map(Usage::Freq),
        _ => Length::plain(cursor, "an idle time")?.map(Usage::Idle),
    })
}

/// A whole record; texts of up to `limit` bytes.
pub(super) fn read(opcode: Opcode, cursor: &mut Cursor<'_>, limit: u64) -> Result<Option<Item<'static>>, RdbError> {
    cursor.u8();
    let mut fields = Fields { cursor, limit };
    Ok(match opcode {
        Opcode::Aux => fields.aux()?,
        Opcode::SelectDb => fields.select_db()?,
        Opcode::ResizeDb => fields.numbers()?.map(|[keys, expires]| Item::ResizeDb { keys, expires }),
        Opcode::SlotInfo => fields.numbers()?.map(|[slot, keys, expires]| Item::SlotInfo { slot, keys, expires }),
        Opcode::Function2 => fields.text()?.map(|code| Item::Function { code }),
        Opcode::FunctionPreGa => fields.function_pre_ga()?,
        _ => return Err(fields.cursor.fault("an opcode", RdbFault::Invalid("this opcode is no record of its own"))),
    })
}

struct Fields<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    limit: u64,
}

impl Fields<'_, '_> {
    fn text(&mut self) -> Result<Option<Cow<'static, [u8]>>, RdbError> {
        let text = read_string(self.cursor, self.limit)?;
        Ok(text.map(|text| Cow::Owned(text.into_owned())))
    }

    fn numbers<const N: usize>(&mut self) -> Result<Option<[u64; N]>, RdbError> {
        let mut numbers = [0; N];
        for place in &mut numbers {
            let Some(number) = Length::plain(self.cursor, "a number")? else { return Ok(None) };
            *place = number;
        }
        Ok(Some(numbers))
    }

    fn aux(&mut self) -> Result<Option<Item<'static>>, RdbError> {
        let Some(key) = self.text()? else { return Ok(None) };
        let Some(value) = self.text()? else { return Ok(None) };
        Ok(Some(Item::Aux { key, value }))
    }

    fn select_db(&mut self) -> Result<Option<Item<'static>>, RdbError> {
        let start = *self.cursor;
        let Some([number]) = self.numbers()? else { return Ok(None) };
        // Servers keep the number of databases in an int (server.h).
        match u32::try_from(number) {
            Ok(db) if i32::try_from(db).is_ok() => Ok(Some(Item::SelectDb(Db(db)))),
            _ => Err(start.fault("a database number", RdbFault::Length(number))),
        }
    }

    fn function_pre_ga(&mut self) -> Result<Option<Item<'static>>, RdbError> {
        let Some(name) = self.text()? else { return Ok(None) };
        let Some(engine) = self.text()? else { return Ok(None) };
        let Some([described]) = self.numbers()? else { return Ok(None) };
        let description = if described == 0 {
            None
        } else {
            let Some(description) = self.text()? else { return Ok(None) };
            Some(description)
        };
        let Some(code) = self.text()? else { return Ok(None) };
        Ok(Some(Item::FunctionPreGa { name, engine, description, code }))
    }
}
