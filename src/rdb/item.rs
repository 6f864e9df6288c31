//! What a decoder hands out.

use super::Header;
use super::Kind;
use super::ModuleId;
use crate::unit::Db;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// One record of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The first bytes.
    Header(Header),
    /// A named remark: `redis-ver`, `repl-id`, `lua` (one script each) and others, also between and after keys.
    Aux {
        /// Its name.
        key: Cow<'a, [u8]>,
        /// Its content.
        value: Cow<'a, [u8]>,
    },
    /// The following keys are in this database.
    SelectDb(Db),
    /// A hint how many keys the database has.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// A hint how many keys a cluster slot has.
    SlotInfo {
        /// The slot's number, as written.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// A Valkey cluster's slots are being imported; the content is dropped.
    SlotImport,
    /// A function library.
    Function {
        /// Its source with the first line `#!engine name=...`.
        code: Cow<'a, [u8]>,
    },
    /// A function library of a 7.0 release candidate (rc1, rc2), whose source has no first line `#!`.
    FunctionPreGa {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// Its engine, `LUA`.
        engine: Cow<'a, [u8]>,
        /// What it is for.
        description: Option<Cow<'a, [u8]>>,
        /// Its source.
        code: Cow<'a, [u8]>,
    },
    /// What a module keeps outside of keys; the content is dropped.
    ModuleAux {
        /// Whose it is.
        module: ModuleId,
        /// Bytes after the opcode.
        size: u64,
        /// Whether it says anything: a module with nothing to keep still writes when it was asked, and counts of zero.
        empty: bool,
    },
    /// A key and its value.
    Entry(Entry<'a>),
    /// The end.
    End {
        /// How the checksum was.
        checksum: Checksum,
        /// The bytes of the whole dump.
        length: u64,
    },
}

/// How a dump's checksum was. A wrong one is an error instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is this one and right.
    Verified(u64),
    /// The server has `rdbchecksum no`.
    Disabled,
    /// The version is below 5.
    Absent,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Offset in the dump of the entry's first byte, its prefixes included.
    pub at: u64,
    /// Offset of the byte after it.
    pub end: u64,
    /// Its database.
    pub db: Db,
    /// The key, decoded.
    pub key: Cow<'a, [u8]>,
    /// When it expires.
    pub expires_at: Option<UnixMillis>,
    /// How much it was used; only with an LRU or LFU eviction policy at the source.
    pub access: Option<Usage>,
    /// Whether modules attached metadata to the key (Redis 8.6); it was dropped.
    pub key_meta: bool,
    /// The value.
    pub value: Value<'a>,
}

/// How much a key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Seconds since it was used last.
    Idle(u64),
    /// The logarithmic counter of LFU.
    Freq(u8),
}

/// A value as the source wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Type and encoding.
    pub kind: Kind,
    /// The module's type, for [`Kind::Module2`].
    pub module: Option<ModuleId>,
    /// Offset in the dump of the body's first byte: after the type and the key.
    pub at: u64,
    /// Bytes of the body.
    pub size: u64,
    /// The body.
    pub body: Body<'a>,
}

/// A value's bytes, as they stand between type byte and footer of a RESTORE payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// All of them.
    Inline(&'a [u8]),
    /// More than [`super::Limits::inline`]; read them again at [`Value::at`] of the dump.
    Spooled,
}
