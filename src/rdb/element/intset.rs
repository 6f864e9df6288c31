//! Intsets: `u32 bytes an integer (2, 4 or 8), u32 integers`, then the integers, all little-endian (intset.c).

use super::atom::Atom;
use super::blob::Blob;
use super::blob::position;
use crate::rdb::Cursor;
use crate::rdb::RdbError;

const WHAT: &str = "intset";
const HEADER: usize = 8;

/// A walk over an intset's members.
#[derive(Clone, Debug)]
pub(super) struct Intset {
    position: usize,
    width: u32,
    left: u32,
}

impl Intset {
    pub(super) fn open(blob: &Blob) -> Result<Self, RdbError> {
        let mut cursor = blob.all();
        if let (Some(width @ (2 | 4 | 8)), Some(left)) = (cursor.u32_le(), cursor.u32_le())
            && u64::from(width).checked_mul(u64::from(left)) == Some(cursor.rest().len() as u64)
        {
            return Ok(Self { position: HEADER, width, left });
        }
        Err(blob.damaged(0, WHAT, "an intset's header"))
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.left == 0
    }

    /// The next member; an error when there is none.
    pub(super) fn next(&mut self, blob: &Blob) -> Result<Atom<'static>, RdbError> {
        let mut cursor = Cursor::new(blob.bytes.get(self.position..).unwrap_or_default(), self.position as u64);
        let number = match self.width {
            2 => cursor.array().map(|bytes| i64::from(i16::from_le_bytes(bytes))),
            4 => cursor.array().map(|bytes| i64::from(i32::from_le_bytes(bytes))),
            _ => cursor.array().map(i64::from_le_bytes),
        };
        let number = number.ok_or_else(|| blob.damaged(self.position, WHAT, "an intset's member"))?;
        self.position = position(&cursor);
        self.left = self.left.saturating_sub(1);
        Ok(Atom::Int(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Result<Vec<i64>, RdbError> {
        let blob = Blob { bytes: bytes.to_vec(), at: 1000, compressed: false };
        let mut set = Intset::open(&blob)?;
        let mut found = vec![];
        while !set.is_at_end() {
            found.push(set.next(&blob)?.as_int().unwrap());
        }
        Ok(found)
    }

    #[test]
    fn each_width_reads() {
        assert_eq!(walk(b"\x02\0\0\0\x02\0\0\0\xff\xff\x07\0").unwrap(), [-1, 7]);
        assert_eq!(walk(b"\x04\0\0\0\x01\0\0\0\0\0\x01\0").unwrap(), [65536]);
        assert_eq!(walk(b"\x08\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x80").unwrap(), [i64::MIN]);
        assert_eq!(walk(b"\x02\0\0\0\0\0\0\0").unwrap(), [0; 0]);
    }

    #[test]
    fn a_header_that_does_not_fit_is_damage() {
        for bytes in
            [&b""[..], b"\x03\0\0\0\0\0\0\0", b"\x02\0\0\0\x02\0\0\0\x01\0", b"\x02\0\0\0\x01\0\0\0\x01\0\x02\0"]
        {
            assert_eq!(walk(bytes).unwrap_err().at, 1000, "{bytes:?}");
        }
    }
}
