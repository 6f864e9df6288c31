//! What can be wrong with a dump.

use crate::unit::KeyText;

/// A fault in a dump, with the absolute byte offset (from the magic's first byte) at which it was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the dump, {fault} (while reading {reading})")]
pub struct RdbError {
    /// Byte offset in the dump.
    pub at: u64,
    /// What was being read.
    pub reading: &'static str,
    /// What is wrong.
    pub fault: RdbFault,
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RdbFault {
    /// The first bytes are neither `REDIS` nor `VALKEY` and a version.
    #[error("there is no RDB header")]
    Magic,
    /// A dump version that is not known.
    #[error("RDB version {0} is not known")]
    Version(u32),
    /// An opcode or value type that is not known; its length cannot be known either.
    #[error("value type or opcode {0} is not known")]
    Type(u8),
    /// A value type that is not known, where the key that follows it can be read.
    #[error("value type {number} of the key `{}` is not known", KeyText(key))]
    TypeOf {
        /// The type.
        number: u8,
        /// The key.
        key: Vec<u8>,
    },
    /// The checksum does not match the bytes.
    #[error("the checksum is {stored:#018x} in the dump and {computed:#018x} over its bytes")]
    Checksum {
        /// As stored.
        stored: u64,
        /// As computed.
        computed: u64,
    },
    /// A length or count beyond what is possible here.
    #[error("the length {0} is not possible here")]
    Length(u64),
    /// What has to be held whole, and is longer than this program holds.
    #[error("it has {length} bytes, and this version takes at most {most}")]
    Long {
        /// Its length.
        length: u64,
        /// The most that is taken.
        most: u64,
    },
    /// LZF data that does not expand to its stated length.
    #[error("the LZF data is damaged")]
    Lzf,
    /// A ziplist, listpack, intset, zipmap or stream whose inner structure is damaged.
    #[error("the {0} is damaged")]
    Blob(&'static str),
    /// Something else that the format does not allow.
    #[error("{0}")]
    Invalid(&'static str),
    /// The bytes ended early.
    #[error("the bytes end here")]
    Truncated,
}
