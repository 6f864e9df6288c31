//! The table of commands: one row a command that may stand in a replication stream.
//!
//! Sources: `COMMAND` of every server from 2.8 to Redis 8.6 and Valkey 9.1; the classes from what each server was seen to
//! send to its replicas.

use super::spec::{Class, Cross, KeySpec, Spec};

const NONE: KeySpec = KeySpec::None;
const ONE: KeySpec = range(1, 1, 1);
const TWO: KeySpec = range(1, 2, 1);
const ALL: KeySpec = range(1, -1, 1);
const BUTLAST: KeySpec = range(1, -2, 1);
const PAIRS: KeySpec = range(1, -1, 2);
const STORED: KeySpec = KeySpec::Stored { first: 1 };

const fn range(first: usize, last: isize, step: usize) -> KeySpec {
    KeySpec::Range { first, last, step }
}

const fn counted(first: Option<usize>, count: usize, step: usize) -> KeySpec {
    KeySpec::Counted { first, count, step }
}

type SinceVersion = Option<(u16, u16)>;

const fn row(name: &'static str, keys: KeySpec, class: Class, redis: SinceVersion, valkey: SinceVersion) -> Spec {
    Spec { name, keys, class, redis, valkey, place: 0 }
}

/// Sorted by name.
static TABLE: [Spec; COUNT] = placed([
    row("APPEND", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("BITFIELD", ONE, Class::Write, Some((3, 2)), Some((7, 2))),
    row("BITOP", range(2, -1, 1), Class::Store, Some((2, 8)), Some((7, 2))),
    row("BLMOVE", TWO, Class::Blocking, Some((6, 2)), Some((7, 2))),
    row("BLMPOP", counted(None, 2, 1), Class::Blocking, Some((7, 0)), Some((7, 2))),
    row("BLPOP", BUTLAST, Class::Blocking, Some((2, 8)), Some((7, 2))),
    row("BRPOP", BUTLAST, Class::Blocking, Some((2, 8)), Some((7, 2))),
    row("BRPOPLPUSH", TWO, Class::Blocking, Some((2, 8)), Some((7, 2))),
    row("BZMPOP", counted(None, 2, 1), Class::Blocking, Some((7, 0)), Some((7, 2))),
    row("BZPOPMAX", BUTLAST, Class::Blocking, Some((5, 0)), Some((7, 2))),
    row("BZPOPMIN", BUTLAST, Class::Blocking, Some((5, 0)), Some((7, 2))),
    row("CLUSTER", NONE, Class::Housekeeping, Some((3, 0)), Some((7, 2))),
    row("COPY", TWO, Class::Cross(Cross::Copy), Some((6, 2)), Some((7, 2))),
    row("DECR", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("DECRBY", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("DEL", ALL, Class::Each, Some((2, 8)), Some((7, 2))),
    row("DELEX", ONE, Class::Write, Some((8, 4)), None),
    row("DELIFEQ", ONE, Class::Write, None, Some((9, 0))),
    row("EVAL", counted(None, 2, 1), Class::Script, Some((2, 8)), Some((7, 2))),
    row("EVALSHA", counted(None, 2, 1), Class::Script, Some((2, 8)), Some((7, 2))),
    row("EXEC", NONE, Class::Exec, Some((2, 8)), Some((7, 2))),
    row("EXPIRE", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("EXPIREAT", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("FCALL", counted(None, 2, 1), Class::Script, Some((7, 0)), Some((7, 2))),
    row("FLUSHALL", NONE, Class::Flush, Some((2, 8)), Some((7, 2))),
    row("FLUSHDB", NONE, Class::Flush, Some((2, 8)), Some((7, 2))),
    row("FUNCTION", NONE, Class::Function, Some((7, 0)), Some((7, 2))),
    row("GEOADD", ONE, Class::Write, Some((3, 2)), Some((7, 2))),
    row("GEORADIUS", STORED, Class::Store, Some((3, 2)), Some((7, 2))),
    row("GEORADIUSBYMEMBER", STORED, Class::Store, Some((3, 2)), Some((7, 2))),
    row("GEOSEARCHSTORE", TWO, Class::Store, Some((6, 2)), Some((7, 2))),
    row("GETDEL", ONE, Class::Write, Some((6, 2)), Some((7, 2))),
    row("GETEX", ONE, Class::Expiry, Some((6, 2)), Some((7, 2))),
    row("GETSET", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HDEL", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HEXPIRE", ONE, Class::Expiry, Some((7, 4)), Some((9, 0))),
    row("HEXPIREAT", ONE, Class::Expiry, Some((7, 4)), Some((9, 0))),
    row("HGETDEL", ONE, Class::Write, Some((8, 0)), Some((9, 1))),
    row("HGETEX", ONE, Class::Expiry, Some((8, 0)), Some((9, 0))),
    row("HINCRBY", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HINCRBYFLOAT", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HMSET", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HPERSIST", ONE, Class::Write, Some((7, 4)), Some((9, 0))),
    row("HPEXPIRE", ONE, Class::Expiry, Some((7, 4)), Some((9, 0))),
    row("HPEXPIREAT", ONE, Class::Expiry, Some((7, 4)), Some((9, 0))),
    row("HSET", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("HSETEX", ONE, Class::Expiry, Some((8, 0)), Some((9, 0))),
    row("HSETNX", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("INCR", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("INCRBY", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("INCRBYFLOAT", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LINSERT", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LMOVE", TWO, Class::Cross(Cross::ListMove), Some((6, 2)), Some((7, 2))),
    row("LMPOP", counted(None, 1, 1), Class::Each, Some((7, 0)), Some((7, 2))),
    row("LPOP", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LPUSH", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LPUSHX", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LREM", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LSET", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("LTRIM", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("MOVE", ONE, Class::Cross(Cross::Move), Some((2, 8)), Some((7, 2))),
    row("MSET", PAIRS, Class::Pairs, Some((2, 8)), Some((7, 2))),
    row("MSETEX", counted(None, 1, 2), Class::Expiry, Some((8, 4)), Some((9, 1))),
    row("MSETNX", PAIRS, Class::Pairs, Some((2, 8)), Some((7, 2))),
    row("MULTI", NONE, Class::Multi, Some((2, 8)), Some((7, 2))),
    row("PERSIST", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("PEXPIRE", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("PEXPIREAT", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("PFADD", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("PFCOUNT", ALL, Class::Each, Some((2, 8)), Some((7, 2))),
    row("PFDEBUG", range(2, 2, 1), Class::Write, Some((2, 8)), Some((7, 2))),
    row("PFMERGE", ALL, Class::Store, Some((2, 8)), Some((7, 2))),
    row("PING", NONE, Class::Housekeeping, Some((2, 8)), Some((7, 2))),
    row("PSETEX", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("PUBLISH", NONE, Class::Publish, Some((2, 8)), Some((7, 2))),
    row("RENAME", TWO, Class::Cross(Cross::Rename), Some((2, 8)), Some((7, 2))),
    row("RENAMENX", TWO, Class::Cross(Cross::Rename), Some((2, 8)), Some((7, 2))),
    row("REPLCONF", NONE, Class::Housekeeping, Some((2, 8)), Some((7, 2))),
    row("RESTORE", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("RESTORE-ASKING", ONE, Class::Expiry, Some((3, 0)), Some((7, 2))),
    row("RPOP", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("RPOPLPUSH", TWO, Class::Cross(Cross::PopPush), Some((2, 8)), Some((7, 2))),
    row("RPUSH", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("RPUSHX", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SADD", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SCRIPT", NONE, Class::ScriptCache, Some((2, 8)), Some((7, 2))),
    row("SDIFFSTORE", ALL, Class::Store, Some((2, 8)), Some((7, 2))),
    row("SELECT", NONE, Class::Select, Some((2, 8)), Some((7, 2))),
    row("SET", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("SETBIT", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SETEX", ONE, Class::Expiry, Some((2, 8)), Some((7, 2))),
    row("SETNX", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SETRANGE", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SINTERSTORE", ALL, Class::Store, Some((2, 8)), Some((7, 2))),
    row("SMOVE", TWO, Class::Cross(Cross::SetMember), Some((2, 8)), Some((7, 2))),
    row("SORT", STORED, Class::Store, Some((2, 8)), Some((7, 2))),
    row("SPOP", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SPUBLISH", NONE, Class::Publish, Some((7, 0)), Some((7, 2))),
    row("SREM", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("SUNIONSTORE", ALL, Class::Store, Some((2, 8)), Some((7, 2))),
    row("SWAPDB", NONE, Class::Swap, Some((4, 0)), Some((7, 2))),
    row("TOUCH", ALL, Class::Each, Some((3, 2)), Some((7, 2))),
    row("TRIMSLOTS", NONE, Class::Slots, Some((8, 4)), None),
    row("UNLINK", ALL, Class::Each, Some((4, 0)), Some((7, 2))),
    row("VADD", ONE, Class::Write, Some((8, 0)), None),
    row("VREM", ONE, Class::Write, Some((8, 0)), None),
    row("VSETATTR", ONE, Class::Write, Some((8, 0)), None),
    row("XACK", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("XACKDEL", ONE, Class::Write, Some((8, 2)), None),
    row("XADD", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("XAUTOCLAIM", ONE, Class::Write, Some((6, 2)), Some((7, 2))),
    row("XCFGSET", ONE, Class::Write, Some((8, 6)), None),
    row("XCLAIM", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("XDEL", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("XDELEX", ONE, Class::Write, Some((8, 2)), None),
    row("XGROUP", range(2, 2, 1), Class::Write, Some((5, 0)), Some((7, 2))),
    row("XIDMPRECORD", ONE, Class::Write, Some((8, 6)), None),
    row("XREADGROUP", KeySpec::Streams, Class::Each, Some((5, 0)), Some((7, 2))),
    row("XSETID", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("XTRIM", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("ZADD", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZDIFFSTORE", counted(Some(1), 2, 1), Class::Store, Some((6, 2)), Some((7, 2))),
    row("ZINCRBY", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZINTERSTORE", counted(Some(1), 2, 1), Class::Store, Some((2, 8)), Some((7, 2))),
    row("ZMPOP", counted(None, 1, 1), Class::Each, Some((7, 0)), Some((7, 2))),
    row("ZPOPMAX", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("ZPOPMIN", ONE, Class::Write, Some((5, 0)), Some((7, 2))),
    row("ZRANGESTORE", TWO, Class::Store, Some((6, 2)), Some((7, 2))),
    row("ZREM", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZREMRANGEBYLEX", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZREMRANGEBYRANK", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZREMRANGEBYSCORE", ONE, Class::Write, Some((2, 8)), Some((7, 2))),
    row("ZUNIONSTORE", counted(Some(1), 2, 1), Class::Store, Some((2, 8)), Some((7, 2))),
]);

/// How many commands there are.
const COUNT: usize = 133;

/// Tells each row its place.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "the compiler does it, and would stop")]
const fn placed(mut rows: [Spec; COUNT]) -> [Spec; COUNT] {
    let mut place = 0;
    while place < COUNT {
        rows[place].place = place;
        place += 1;
    }
    rows
}

/// The longest name.
const LONGEST: usize = 20;

/// The place of a command, plus one, at the first free one from where its name hashes to; 0 is free. Every command of a
/// stream is looked up here.
static HASHED: [u8; SLOTS] = hashed();
const SLOTS: usize = 512;

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "the compiler does it, and would stop")]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 255 commands")]
const fn hashed() -> [u8; SLOTS] {
    const { assert!(COUNT < 255) };
    let mut slots = [0; SLOTS];
    let mut place = 0;
    while place < COUNT {
        let mut slot = hash(TABLE[place].name.as_bytes());
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        place += 1;
        slots[slot] = place as u8;
    }
    slots
}

/// The slot of a name, in whatever case (FNV-1a).
const fn hash(mut name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    while let Some((byte, rest)) = name.split_first() {
        hash = (hash ^ (*byte & 0xdf) as u32).wrapping_mul(0x0100_0193);
        name = rest;
    }
    (hash >> 16 ^ hash) as usize % SLOTS
}

/// The command of this name, in whatever case; `None` for one that no server has of itself (a module's, or a newer one).
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    if name.len() > LONGEST {
        return None;
    }
    // It ends at a free slot, of which there are more than of the others.
    for slot in (hash(name)..SLOTS).chain(0..SLOTS) {
        let spec = TABLE.get(usize::from(*HASHED.get(slot)?).checked_sub(1)?)?;
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(spec);
        }
    }
    None
}

/// Some of the commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecSet([bool; COUNT]);

impl SpecSet {
    /// Those of which `is` holds.
    pub fn of(is: impl Fn(&Spec) -> bool) -> Self {
        Self(std::array::from_fn(|place| TABLE.get(place).is_some_and(&is)))
    }

    /// Whether a command is among them.
    pub fn contains(&self, spec: &Spec) -> bool {
        self.0.get(spec.place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_in_any_case_and_nothing_else_is() {
        for row in &TABLE {
            assert_eq!(find(row.name.as_bytes()), Some(row));
            assert_eq!(find(row.name.to_lowercase().as_bytes()), Some(row));
        }
        for name in ["", "GE", "GETX", "BF.ADD", "ZZZ", "A-VERY-LONG-NAME-OF-A-COMMAND"] {
            assert_eq!(find(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_it_was_asked_to() {
        let set = SpecSet::of(|spec| spec.class == Class::Flush);
        let held = TABLE.iter().filter(|row| set.contains(row)).map(|row| row.name);
        assert_eq!(held.collect::<Vec<_>>(), ["FLUSHALL", "FLUSHDB"]);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        assert!(TABLE.iter().all(|row| row.name.len() <= LONGEST));
    }
}
