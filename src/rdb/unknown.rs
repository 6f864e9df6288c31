//! A number in a dump that is neither a type nor an opcode of the versions that are known.

use super::{Cursor, RdbFault, StringHead};

/// Numbers from here on are opcodes, so far.
const OPCODES: u8 = 240;

/// The longest key that is named.
const NAMED: u64 = 1 << 10;

/// An unknown number, with the key behind it where that is short: it stands behind every value's type. `None` while it is not
/// all there: what is said must not depend on the pieces in which a dump comes.
pub(super) fn unknown(number: u8, mut behind: Cursor<'_>) -> Option<RdbFault> {
    if number >= OPCODES {
        return Some(RdbFault::Type(number));
    }
    match StringHead::read(&mut behind, NAMED) {
        Ok(None) => None,
        Ok(Some(StringHead::Raw(size))) => {
            let key = behind.take(usize::try_from(size).unwrap_or(usize::MAX))?.to_vec();
            Some(RdbFault::TypeOf { number, key })
        }
        Ok(Some(StringHead::Int(_) | StringHead::Lzf { .. })) | Err(_) => Some(RdbFault::Type(number)),
    }
}
