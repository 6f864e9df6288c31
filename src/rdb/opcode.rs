//! The opcodes of a dump: what may stand where a value's type is expected.

use super::Header;
use crate::unit::Dialect;

/// A record that is no key, or a prefix of one (rdb.h of both dialects).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    SlotImport,
    KeyMeta,
    SlotInfo,
    Function2,
    FunctionPreGa,
    ModuleAux,
    Idle,
    Freq,
    Aux,
    ResizeDb,
    ExpireMillis,
    ExpireSeconds,
    SelectDb,
    End,
}

/// One row an opcode: its number, the dialect that alone knows it (`None`: both), the opcode.
const TABLE: [(u8, Option<Dialect>, Opcode); 14] = [
    (243, Some(Dialect::Valkey), Opcode::SlotImport),
    (243, Some(Dialect::Redis), Opcode::KeyMeta),
    (244, None, Opcode::SlotInfo),
    (245, None, Opcode::Function2),
    (246, None, Opcode::FunctionPreGa),
    (247, None, Opcode::ModuleAux),
    (248, None, Opcode::Idle),
    (249, None, Opcode::Freq),
    (250, None, Opcode::Aux),
    (251, None, Opcode::ResizeDb),
    (252, None, Opcode::ExpireMillis),
    (253, None, Opcode::ExpireSeconds),
    (254, None, Opcode::SelectDb),
    (255, None, Opcode::End),
];

/// The RDB version that brought [`Opcode::KeyMeta`].
const KEY_META_SINCE: u16 = 13;

impl Opcode {
    /// The opcode that `number` means in a dump of this header.
    pub(super) fn of(number: u8, header: Header) -> Option<Self> {
        let known = |only: Option<Dialect>| only.is_none_or(|only| only == header.dialect);
        let (.., opcode) = TABLE.iter().find(|row| row.0 == number && known(row.1))?;
        (*opcode != Self::KeyMeta || header.version >= KEY_META_SINCE).then_some(*opcode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn header(dialect: Dialect, version: u16) -> Header {
        Header { dialect, version }
    }

    #[test]
    fn number_243_depends_on_the_magic_and_the_version() {
        assert_eq!(Opcode::of(243, header(Dialect::Valkey, 80)), Some(Opcode::SlotImport));
        assert_eq!(Opcode::of(243, header(Dialect::Redis, 13)), Some(Opcode::KeyMeta));
        assert_eq!(Opcode::of(243, header(Dialect::Redis, 12)), None);
    }

    #[test]
    fn numbers_below_are_no_opcodes() {
        assert!((0..243).all(|number| Opcode::of(number, header(Dialect::Redis, 13)).is_none()));
    }
}
