//! Zipmaps, the small hashes of Redis up to 2.4: `u8 pairs, (length field length u8 free value free-bytes)*, 0xff`
//! (zipmap.c). A length is one byte below 254, or 254 and four bytes, little-endian.

use super::atom::Atom;
use super::blob::Blob;
use super::blob::position;
use crate::rdb::Cursor;
use crate::rdb::RdbError;

const WHAT: &str = "zipmap";
/// From here on the header does not state the count.
const UNKNOWN: u8 = 254;

/// A walk over a zipmap's fields and values, in turn.
#[derive(Clone, Debug)]
pub(super) struct Zipmap {
    position: usize,
    /// The next entry is a value.
    value: bool,
    pairs: u64,
    stated: u8,
}

impl Zipmap {
    pub(super) fn open(blob: &Blob) -> Result<Self, RdbError> {
        match blob.bytes.first() {
            Some(stated) if blob.bytes.len() >= 2 && blob.has_end_byte() => {
                Ok(Self { position: 1, value: false, pairs: 0, stated: *stated })
            }
            _ => Err(blob.damaged(0, WHAT, "a zipmap's header")),
        }
    }

    pub(super) fn is_at_end(&self, blob: &Blob) -> bool {
        blob.entries(self.position).rest().is_empty()
    }

    /// The next field or value; an error when there is none.
    pub(super) fn next<'b>(&mut self, blob: &'b Blob) -> Result<Atom<'b>, RdbError> {
        let mut cursor = blob.entries(self.position);
        let text = if self.value { value(&mut cursor) } else { field(&mut cursor) };
        let text = text.ok_or_else(|| blob.damaged(self.position, WHAT, "a zipmap's entry"))?;
        self.position = position(&cursor);
        self.pairs = self.pairs.saturating_add(u64::from(self.value));
        self.value = !self.value;
        Ok(Atom::Text(text))
    }

    /// Compares the pairs read with the header's count.
    pub(super) fn close(&self, blob: &Blob) -> Result<(), RdbError> {
        if self.stated >= UNKNOWN || u64::from(self.stated) == self.pairs {
            return Ok(());
        }
        Err(blob.damaged(self.position, WHAT, "a zipmap's count of pairs"))
    }
}

fn length(cursor: &mut Cursor<'_>) -> Option<usize> {
    match cursor.u8()? {
        254 => cursor.u32_le().map(|length| length as usize),
        255 => None,
        length => Some(usize::from(length)),
    }
}

fn field<'b>(cursor: &mut Cursor<'b>) -> Option<&'b [u8]> {
    let length = length(cursor)?;
    cursor.take(length)
}

fn value<'b>(cursor: &mut Cursor<'b>) -> Option<&'b [u8]> {
    let length = length(cursor)?;
    let free = cursor.u8()?;
    let value = cursor.take(length)?;
    cursor.take(usize::from(free))?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Result<Vec<Vec<u8>>, RdbError> {
        let blob = Blob { bytes: bytes.to_vec(), at: 1000, compressed: false };
        let mut map = Zipmap::open(&blob)?;
        let mut found = vec![];
        while !map.is_at_end(&blob) {
            found.push(map.next(&blob)?.into_text().into_owned());
        }
        map.close(&blob)?;
        Ok(found)
    }

    #[test]
    fn free_bytes_are_skipped_and_long_lengths_read() {
        assert_eq!(walk(b"\x02\x03foo\x03\0bar\x01x\x02\x02hi..\xff").unwrap(), [&b"foo"[..], b"bar", b"x", b"hi"]);
        let long = vec![b'v'; 300];
        let bytes = [&b"\xfe\x01k\xfe\x2c\x01\0\0\0"[..], &long, b"\xff"].concat();
        assert_eq!(walk(&bytes).unwrap(), [b"k".to_vec(), long]);
        assert_eq!(walk(b"\0\xff").unwrap(), [b""; 0]);
    }

    #[test]
    fn damage_names_its_offset() {
        assert_eq!(walk(b"").unwrap_err().at, 1000);
        assert_eq!(walk(b"\xff").unwrap_err().at, 1000);
        assert_eq!(walk(b"\x01\x03foo\x03\0bar\0").unwrap_err().at, 1000); // no end byte
        assert_eq!(walk(b"\x02\x03foo\x03\0bar\xff").unwrap_err().reading, "a zipmap's count of pairs");
        assert_eq!(walk(b"\x01\x03foo\x09\0bar\xff").unwrap_err().at, 1005);
        assert_eq!(walk(b"\x01\x03foo\x03\x01bar\xff").unwrap_err().at, 1005);
    }
}
