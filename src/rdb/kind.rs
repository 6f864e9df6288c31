//! The value types of a dump.

use crate::unit::Dialect;

/// A value's type and encoding. The same number can mean different things under the `REDIS` and `VALKEY` magic, so the
/// number alone never decides (rdb.h of both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 0: a string.
    String,
    /// 1: a list of strings (up to 3.0).
    List,
    /// 2: a set of strings.
    Set,
    /// 3: a sorted set with scores as text (up to 3.2).
    Zset,
    /// 4: a hash of strings.
    Hash,
    /// 5: a sorted set with binary scores (4.0).
    Zset2,
    /// 6: a module value of a 4.0 release candidate; its end cannot be found without the module.
    ModulePreGa,
    /// 7: a module value.
    Module2,
    /// 9: a hash as one zipmap (up to 2.4).
    HashZipmap,
    /// 10: a list as one ziplist (up to 3.0).
    ListZiplist,
    /// 11: a set as one intset.
    SetIntset,
    /// 12: a sorted set as one ziplist.
    ZsetZiplist,
    /// 13: a hash as one ziplist (2.6).
    HashZiplist,
    /// 14: a list of ziplists (3.2).
    ListQuicklist,
    /// 15: a stream (5.0).
    StreamListpacks,
    /// 16: a hash as one listpack (7.0).
    HashListpack,
    /// 17: a sorted set as one listpack (7.0).
    ZsetListpack,
    /// 18: a list of listpacks and plain elements (7.0).
    ListQuicklist2,
    /// 19: a stream with first id, deleted id and counters (7.0).
    StreamListpacks2,
    /// 20: a set as one listpack (7.2).
    SetListpack,
    /// 21: a stream with consumers' active times (7.2).
    StreamListpacks3,
    /// 22 under `REDIS`: a hash with field expiries of a 7.4 release candidate.
    HashMetadataPreGa,
    /// 23 under `REDIS`: the same as one listpack.
    HashListpackExPreGa,
    /// 24 under `REDIS`: a hash with field expiries (7.4).
    HashMetadata,
    /// 25 under `REDIS`: the same as one listpack (7.4).
    HashListpackEx,
    /// 26 under `REDIS`: a stream with producers (8.6).
    StreamListpacks4,
    /// 22 under `VALKEY`: a hash with field expiries (9.0).
    ValkeyHash2,
}

/// One row a type: the type, its number, the dialect that alone knows it (`None`: both), the RDB version that brought
/// it, and the type name that `TYPE` answers.
const TABLE: [(Kind, u8, Option<Dialect>, u16, &str); 27] = [
    (Kind::String, 0, None, 1, "string"),
    (Kind::List, 1, None, 1, "list"),
    (Kind::Set, 2, None, 1, "set"),
    (Kind::Zset, 3, None, 1, "zset"),
    (Kind::Hash, 4, None, 1, "hash"),
    (Kind::Zset2, 5, None, 8, "zset"),
    (Kind::ModulePreGa, 6, None, 8, "module"),
    (Kind::Module2, 7, None, 8, "module"),
    (Kind::HashZipmap, 9, None, 2, "hash"),
    (Kind::ListZiplist, 10, None, 2, "list"),
    (Kind::SetIntset, 11, None, 2, "set"),
    (Kind::ZsetZiplist, 12, None, 2, "zset"),
    (Kind::HashZiplist, 13, None, 4, "hash"),
    (Kind::ListQuicklist, 14, None, 7, "list"),
    (Kind::StreamListpacks, 15, None, 9, "stream"),
    (Kind::HashListpack, 16, None, 10, "hash"),
    (Kind::ZsetListpack, 17, None, 10, "zset"),
    (Kind::ListQuicklist2, 18, None, 10, "list"),
    (Kind::StreamListpacks2, 19, None, 10, "stream"),
    (Kind::SetListpack, 20, None, 11, "set"),
    (Kind::StreamListpacks3, 21, None, 11, "stream"),
    (Kind::HashMetadataPreGa, 22, Some(Dialect::Redis), 12, "hash"),
    (Kind::HashListpackExPreGa, 23, Some(Dialect::Redis), 12, "hash"),
    (Kind::HashMetadata, 24, Some(Dialect::Redis), 12, "hash"),
    (Kind::HashListpackEx, 25, Some(Dialect::Redis), 12, "hash"),
    (Kind::StreamListpacks4, 26, Some(Dialect::Redis), 13, "stream"),
    (Kind::ValkeyHash2, 22, Some(Dialect::Valkey), 80, "hash"),
];

/// Numbers below this one may be types.
const NUMBERS: usize = 32;

/// The table by number, for each dialect: every key of a dump is looked up.
static REDIS: [Option<Kind>; NUMBERS] = by_number(Dialect::Redis);
static VALKEY: [Option<Kind>; NUMBERS] = by_number(Dialect::Valkey);

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "it is computed when compiling")]
const fn by_number(dialect: Dialect) -> [Option<Kind>; NUMBERS] {
    let mut numbers = [None; NUMBERS];
    let mut row = 0;
    while row < TABLE.len() {
        let (kind, number, only, ..) = TABLE[row];
        let known = match only {
            None => true,
            Some(only) => only as u8 == dialect as u8,
        };
        if known {
            numbers[number as usize] = Some(kind);
        }
        row += 1;
    }
    numbers
}

impl Kind {
    /// The type that `number` means in a dump of this dialect; `None` when it is not known.
    #[must_use]
    #[inline]
    pub fn of(number: u8, dialect: Dialect) -> Option<Self> {
        let numbers = match dialect {
            Dialect::Redis => &REDIS,
            Dialect::Valkey => &VALKEY,
        };
        numbers.get(usize::from(number)).copied()?
    }

    #[inline]
    fn row(self) -> (u8, Option<Dialect>, u16, &'static str) {
        // Every kind has its row, in the order of the enum: `each_kind_has_a_row` goes through them all.
        TABLE.get(self as usize).map_or((0, None, 1, "string"), |row| (row.1, row.2, row.3, row.4))
    }

    /// The number that stands for this type in a dump and in a RESTORE payload.
    #[must_use]
    pub fn number(self) -> u8 {
        self.row().0
    }

    /// The only dialect that knows this type; `None` when both do.
    #[must_use]
    pub fn only(self) -> Option<Dialect> {
        self.row().1
    }

    /// The lowest RDB version whose readers know this type, at least 6: no server that has RESTORE accepts less.
    #[must_use]
    pub fn since(self) -> u16 {
        self.row().2.max(6)
    }

    /// Whether fields of such a hash have deadlines of their own.
    #[must_use]
    pub fn has_field_deadlines(self) -> bool {
        use Kind::{HashListpackEx, HashListpackExPreGa, HashMetadata, HashMetadataPreGa, ValkeyHash2};
        matches!(self, HashMetadata | HashListpackEx | HashMetadataPreGa | HashListpackExPreGa | ValkeyHash2)
    }

    /// The name `TYPE` answers for such a value.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.row().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_row_and_reads_back() {
        for (number, row) in TABLE.into_iter().enumerate() {
            assert_eq!(row.0 as usize, number, "the rows stand in the order of the enum");
            assert_eq!(Kind::of(row.1, row.2.unwrap_or(Dialect::Redis)), Some(row.0));
            assert_eq!(row.0.number(), row.1);
        }
        assert_eq!(Kind::of(22, Dialect::Valkey), Some(Kind::ValkeyHash2));
        assert_eq!(Kind::of(24, Dialect::Valkey), None);
        assert_eq!(Kind::of(8, Dialect::Redis), None);
    }
}
