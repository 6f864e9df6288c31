//! Where decoding can be taken up again.

use super::Header;
use crate::unit::Db;
use serde::Deserialize;
use serde::Serialize;

/// All that a decoder needs to go on from a boundary between two records of a dump: the bytes before it are not needed
/// any more, and the checksum at the end still covers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafePoint {
    /// The byte to go on with, counted from the dump's first.
    pub at: u64,
    /// `None` before the header.
    pub header: Option<Header>,
    /// The selected database.
    pub db: Db,
    /// The checksum of the bytes before `at`.
    pub crc: u64,
    /// Whether the dump ended here.
    pub ended: bool,
}

impl SafePoint {
    /// The beginning of a dump.
    pub const START: Self = Self { at: 0, header: None, db: Db(0), crc: 0, ended: false };
}
