//! Ziplists, used up to Redis 6.2: `u32 total bytes, u32 offset of the last entry, u16 entries, entry*, 0xff`
//! (ziplist.c). An entry is the length of the one before it, an encoding, and its data.

use super::atom::Atom;
use super::blob::Blob;
use super::blob::position;
use super::listpack::int24;
use crate::rdb::Cursor;
use crate::rdb::RdbError;

const WHAT: &str = "ziplist";
const HEADER: usize = 10;
/// The header's count when there are too many entries to state.
const UNKNOWN: u16 = u16::MAX;

/// A walk over a ziplist's entries.
#[derive(Clone, Debug)]
pub(super) struct Ziplist {
    position: usize,
    /// Where the entry before `position` begins; the header's length at first.
    before: usize,
    tail: u32,
    seen: u64,
    stated: u16,
}

impl Ziplist {
    pub(super) fn open(blob: &Blob) -> Result<Self, RdbError> {
        let mut cursor = blob.all();
        let header = (cursor.u32_le(), cursor.u32_le(), cursor.u16_le());
        match header {
            (Some(total), Some(tail), Some(stated))
                if total as usize == blob.bytes.len() && blob.has_end_byte() && total > 10 =>
            {
                Ok(Self { position: HEADER, before: HEADER, tail, seen: 0, stated })
            }
            _ => Err(blob.damaged(0, WHAT, "a ziplist's header")),
        }
    }

    pub(super) fn is_at_end(&self, blob: &Blob) -> bool {
        blob.entries(self.position).rest().is_empty()
    }

    /// The next entry; an error when there is none.
    pub(super) fn next<'b>(&mut self, blob: &'b Blob) -> Result<Atom<'b>, RdbError> {
        let mut cursor = blob.entries(self.position);
        let stated = previous_length(&mut cursor);
        let real = self.position.checked_sub(self.before);
        let atom = if stated == real { data(&mut cursor) } else { None };
        let atom = atom.ok_or_else(|| blob.damaged(self.position, WHAT, "a ziplist's entry"))?;
        self.before = self.position;
        self.position = position(&cursor);
        self.seen = self.seen.saturating_add(1);
        Ok(atom)
    }

    /// Compares the entries read with the header's count and offset of the last one.
    pub(super) fn close(&self, blob: &Blob) -> Result<(), RdbError> {
        let counted = self.stated == UNKNOWN || u64::from(self.stated) == self.seen;
        if counted && self.tail as usize == self.before {
            return Ok(());
        }
        Err(blob.damaged(self.position, WHAT, "a ziplist's count and end"))
    }
}

/// The length of the entry before: one byte, or 254 and four.
fn previous_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    match cursor.u8()? {
        254 => cursor.u32_le().map(|length| length as usize),
        255 => None,
        length => Some(usize::from(length)),
    }
}

fn data<'b>(cursor: &mut Cursor<'b>) -> Option<Atom<'b>> {
    let first = cursor.u8()?;
    let atom = match first {
        0x00..=0x3f => Atom::Text(cursor.take(usize::from(first))?),
        0x40..=0x7f => {
            let length = usize::from(first & 0x3f) << 8 | usize::from(cursor.u8()?);
            Atom::Text(cursor.take(length)?)
        }
        0x80..=0xbf => {
            let length = cursor.u32_be()? as usize;
            Atom::Text(cursor.take(length)?)
        }
        0xc0 => Atom::Int(i64::from(i16::from_le_bytes(cursor.array()?))),
        0xd0 => Atom::Int(i64::from(i32::from_le_bytes(cursor.array()?))),
        0xe0 => Atom::Int(i64::from_le_bytes(cursor.array()?)),
        0xf0 => Atom::Int(int24(cursor.array()?)),
        0xfe => Atom::Int(i64::from(i8::from_le_bytes(cursor.array()?))),
        0xf1..=0xfd => Atom::Int(i64::from(first & 0x0f).saturating_sub(1)),
        _ => return None,
    };
    Some(atom)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are tested just before")]
    fn encoded(atom: Atom<'_>) -> Vec<u8> {
        match atom {
            Atom::Int(n @ 0..=12) => vec![0xf1 + n as u8],
            Atom::Int(n @ -128..=127) => vec![0xfe, n as u8],
            Atom::Int(n @ -32768..=32767) => [&[0xc0][..], &(n as i16).to_le_bytes()].concat(),
            Atom::Int(n @ -8_388_608..=8_388_607) => [&[0xf0][..], &(n as i32).to_le_bytes()[..3]].concat(),
            Atom::Int(n) if i32::try_from(n).is_ok() => [&[0xd0][..], &(n as i32).to_le_bytes()].concat(),
            Atom::Int(n) => [&[0xe0][..], &n.to_le_bytes()].concat(),
            Atom::Text(text) => match text.len() {
                length @ 0..64 => [&[length as u8][..], text].concat(),
                length @ 64..16_384 => [&[0x40 | (length >> 8) as u8, length as u8][..], text].concat(),
                length => [&[0x80][..], &(length as u32).to_be_bytes(), text].concat(),
            },
        }
    }

    /// The ziplist of these entries.
    pub(in crate::rdb::element) fn ziplist(atoms: &[Atom<'_>]) -> Vec<u8> {
        let (mut entries, mut previous) = (vec![], 0);
        let mut tail = HEADER;
        for atom in atoms {
            tail = HEADER + entries.len();
            if previous < 254 {
                entries.push(u8::try_from(previous).unwrap());
            } else {
                entries.push(254);
                entries.extend(u32::try_from(previous).unwrap().to_le_bytes());
            }
            entries.extend(encoded(*atom));
            previous = HEADER + entries.len() - tail;
        }
        let mut bytes = u32::try_from(entries.len() + 11).unwrap().to_le_bytes().to_vec();
        bytes.extend(u32::try_from(tail).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(atoms.len()).unwrap_or(UNKNOWN).to_le_bytes());
        bytes.extend(entries);
        bytes.push(0xff);
        bytes
    }

    fn walk(bytes: &[u8]) -> Result<Vec<Vec<u8>>, RdbError> {
        let blob = Blob { bytes: bytes.to_vec(), at: 1000, compressed: false };
        let mut list = Ziplist::open(&blob)?;
        let mut found = vec![];
        while !list.is_at_end(&blob) {
            found.push(list.next(&blob)?.into_text().into_owned());
        }
        list.close(&blob)?;
        Ok(found)
    }

    #[test]
    fn a_ziplist_that_a_server_wrote_reads() {
        // RPUSH l a 12 -5000 70000 on 2.8.17: DUMP's blob.
        let bytes = b"\x19\0\0\0\x13\0\0\0\x04\0\0\x01a\x03\xfd\x02\xc0x\xec\x04\xf0p\x11\x01\xff";
        assert_eq!(walk(bytes).unwrap(), [&b"a"[..], b"12", b"-5000", b"70000"]);
    }

    #[test]
    fn each_integer_width_reads_at_its_bounds() {
        let numbers = [0, 12, 13, -1, 127, -128, 128, 32767, -32768, 32768, 8_388_607, -8_388_608, 8_388_608]
            .into_iter()
            .chain([i64::from(i32::MAX), i64::from(i32::MIN), i64::from(i32::MAX) + 1, i64::MAX, i64::MIN]);
        for number in numbers {
            assert_eq!(walk(&ziplist(&[Atom::Int(number)])).unwrap(), [number.to_string().into_bytes()]);
        }
    }

    #[test]
    fn each_text_length_reads_at_its_bounds() {
        for length in [0, 63, 64, 250, 251, 252, 253, 16_383, 16_384, 70_000] {
            let text = vec![b'x'; length];
            assert_eq!(walk(&ziplist(&[Atom::Text(&text), Atom::Int(1)])).unwrap(), [text, b"1".to_vec()]);
        }
    }

    #[test]
    fn damage_names_its_offset() {
        let good = ziplist(&[Atom::Text(b"abc"), Atom::Int(5)]);
        let damage = |position: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[position] = byte;
            walk(&bytes).unwrap_err()
        };
        assert_eq!(damage(0, 99).at, 1000); // total bytes
        assert_eq!(damage(4, 3).reading, "a ziplist's count and end"); // offset of the last entry
        assert_eq!(damage(8, 3).reading, "a ziplist's count and end");
        assert_eq!(damage(10, 1).at, 1010); // the first entry has none before it
        assert_eq!(damage(11, 9).at, 1010); // the text runs past the end
        assert_eq!(damage(15, 4).at, 1015); // the length of the entry before
        assert_eq!(damage(16, 0xff).at, 1015); // an encoding that is not known
        assert_eq!(damage(good.len() - 1, 0).at, 1000); // the end byte
        assert!(walk(b"").is_err());
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40)) {
            let atoms: Vec<Atom<'_>> = texts.iter().map(|text| Atom::Text(text)).collect();
            prop_assert_eq!(walk(&ziplist(&atoms)).unwrap(), texts);
        }
    }
}
