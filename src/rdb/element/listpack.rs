//! Listpacks: `u32 total bytes, u16 entries, entry*, 0xff` (listpack.c). An entry is its data followed by the data's
//! length, written so that it can be read backwards.

use super::atom::Atom;
use super::blob::Blob;
use super::blob::position;
use crate::rdb::Cursor;
use crate::rdb::RdbError;

const WHAT: &str = "listpack";
const HEADER: usize = 6;
/// The header's count when there are too many entries to state.
const UNKNOWN: u16 = u16::MAX;

/// A walk over a listpack's entries.
#[derive(Clone, Debug)]
pub(super) struct Listpack {
    position: usize,
    seen: u64,
    stated: u16,
}

impl Listpack {
    pub(super) fn open(blob: &Blob) -> Result<Self, RdbError> {
        let mut cursor = blob.all();
        let header = cursor.u32_le().zip(cursor.u16_le());
        match header {
            Some((total, stated)) if total as usize == blob.bytes.len() && blob.has_end_byte() && total > 6 => {
                Ok(Self { position: HEADER, seen: 0, stated })
            }
            _ => Err(blob.damaged(0, WHAT, "a listpack's header")),
        }
    }

    pub(super) fn is_at_end(&self, blob: &Blob) -> bool {
        blob.entries(self.position).rest().is_empty()
    }

    /// The next entry; an error when there is none.
    pub(super) fn next<'b>(&mut self, blob: &'b Blob) -> Result<Atom<'b>, RdbError> {
        let mut cursor = blob.entries(self.position);
        let atom = entry(&mut cursor).ok_or_else(|| blob.damaged(self.position, WHAT, "a listpack's entry"))?;
        self.position = position(&cursor);
        self.seen = self.seen.saturating_add(1);
        Ok(atom)
    }

    /// The next entry as an integer.
    pub(super) fn int(&mut self, blob: &Blob, reading: &'static str) -> Result<i64, RdbError> {
        let before = self.position;
        self.next(blob)?.as_int().ok_or_else(|| blob.damaged(before, WHAT, reading))
    }

    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Compares the entries read with the header's count.
    pub(super) fn close(&self, blob: &Blob) -> Result<(), RdbError> {
        if self.stated == UNKNOWN || u64::from(self.stated) == self.seen {
            return Ok(());
        }
        Err(blob.damaged(self.position, WHAT, "a listpack's count of entries"))
    }
}

fn entry<'b>(cursor: &mut Cursor<'b>) -> Option<Atom<'b>> {
    let start = cursor.at();
    let atom = data(cursor)?;
    let length = cursor.at().checked_sub(start)?;
    backlen(cursor, length)?;
    Some(atom)
}

fn data<'b>(cursor: &mut Cursor<'b>) -> Option<Atom<'b>> {
    let first = cursor.u8()?;
    let atom = match first {
        0x00..=0x7f => Atom::Int(i64::from(first)),
        0x80..=0xbf => Atom::Text(cursor.take(usize::from(first & 0x3f))?),
        0xc0..=0xdf => {
            let raw = u16::from(first & 0x1f) << 8 | u16::from(cursor.u8()?);
            // 13 bits, signed: moved to the top of 16 and back.
            Atom::Int(i64::from((raw << 3).cast_signed() >> 3))
        }
        0xe0..=0xef => {
            let length = usize::from(first & 0x0f) << 8 | usize::from(cursor.u8()?);
            Atom::Text(cursor.take(length)?)
        }
        0xf0 => {
            let length = cursor.u32_le()? as usize;
            Atom::Text(cursor.take(length)?)
        }
        0xf1 => Atom::Int(i64::from(i16::from_le_bytes(cursor.array()?))),
        0xf2 => Atom::Int(int24(cursor.array()?)),
        0xf3 => Atom::Int(i64::from(i32::from_le_bytes(cursor.array()?))),
        0xf4 => Atom::Int(i64::from_le_bytes(cursor.array()?)),
        _ => return None,
    };
    Some(atom)
}

/// Three bytes, little-endian, signed.
pub(super) fn int24([low, middle, high]: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
}

/// The length written behind an entry: seven bits a byte, the highest first, each but the first with its top bit set.
fn backlen(cursor: &mut Cursor<'_>, length: u64) -> Option<()> {
    // The bounds are `lpEncodeBacklen`'s own; 16383 takes three bytes, though two could hold it.
    let size = match length {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut stated = 0_u64;
    for byte in cursor.take(size)? {
        stated = stated << 7 | u64::from(byte & 0x7f);
    }
    (stated == length).then_some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An entry's bytes, in the smallest form, as `lpAppend` and `lpAppendInteger` write it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are tested just before")]
    fn encoded(atom: Atom<'_>) -> Vec<u8> {
        let mut data = vec![];
        match atom {
            Atom::Int(n @ 0..=127) => data.push(n as u8),
            Atom::Int(n @ -4096..=4095) => data.extend([0xc0 | (n >> 8) as u8 & 0x1f, n as u8]),
            Atom::Int(n @ -32768..=32767) => {
                data.push(0xf1);
                data.extend((n as i16).to_le_bytes());
            }
            Atom::Int(n @ -8_388_608..=8_388_607) => {
                data.push(0xf2);
                data.extend(&(n as i32).to_le_bytes()[..3]);
            }
            Atom::Int(n) if i32::try_from(n).is_ok() => {
                data.push(0xf3);
                data.extend((n as i32).to_le_bytes());
            }
            Atom::Int(n) => {
                data.push(0xf4);
                data.extend(n.to_le_bytes());
            }
            Atom::Text(text) => {
                match text.len() {
                    0..64 => data.push(0x80 | text.len() as u8),
                    64..4096 => data.extend([0xe0 | (text.len() >> 8) as u8, text.len() as u8]),
                    _ => {
                        data.push(0xf0);
                        data.extend((text.len() as u32).to_le_bytes());
                    }
                }
                data.extend(text);
            }
        }
        let length = data.len();
        let size = [0, 128, 16_383, 2_097_151, 268_435_455].iter().filter(|bound| length >= **bound).count();
        for place in (0..size).rev() {
            let top = if place + 1 == size { 0 } else { 0x80 };
            data.push(top | (length >> (7 * place)) as u8 & 0x7f);
        }
        data
    }

    /// The listpack of these entries.
    pub(in crate::rdb::element) fn listpack(atoms: &[Atom<'_>]) -> Vec<u8> {
        let entries: Vec<u8> = atoms.iter().flat_map(|atom| encoded(*atom)).collect();
        let mut bytes = u32::try_from(entries.len() + 7).unwrap().to_le_bytes().to_vec();
        bytes.extend(u16::try_from(atoms.len()).unwrap_or(UNKNOWN).to_le_bytes());
        bytes.extend(entries);
        bytes.push(0xff);
        bytes
    }

    fn walk(bytes: &[u8]) -> Result<Vec<Vec<u8>>, RdbError> {
        let blob = Blob { bytes: bytes.to_vec(), at: 1000, compressed: false };
        let mut list = Listpack::open(&blob)?;
        let mut found = vec![];
        while !list.is_at_end(&blob) {
            found.push(list.next(&blob)?.into_text().into_owned());
        }
        list.close(&blob)?;
        Ok(found)
    }

    #[test]
    fn a_listpack_that_a_server_wrote_reads() {
        // HSET h a 1 b -5000 on 7.0.15: DUMP's blob.
        let bytes = b"\x13\0\0\0\x04\0\x81a\x02\x01\x01\x81b\x02\xf1\x78\xec\x03\xff";
        assert_eq!(walk(bytes).unwrap(), [&b"a"[..], b"1", b"b", b"-5000"]);
    }

    #[test]
    fn each_integer_width_reads_at_its_bounds() {
        let numbers = [0, 127, 128, -1, 4095, -4096, 4096, 32767, -32768, 32768, 8_388_607, -8_388_608, 8_388_608]
            .into_iter()
            .chain([i64::from(i32::MAX), i64::from(i32::MIN), i64::from(i32::MAX) + 1, i64::MAX, i64::MIN]);
        for number in numbers {
            assert_eq!(walk(&listpack(&[Atom::Int(number)])).unwrap(), [number.to_string().into_bytes()]);
        }
    }

    #[test]
    fn each_text_length_reads_at_its_bounds() {
        for length in [0, 63, 64, 124, 125, 126, 127, 4095, 4096, 16_377, 16_378, 16_379, 70_000] {
            let text = vec![b'x'; length];
            assert_eq!(walk(&listpack(&[Atom::Text(&text), Atom::Int(1)])).unwrap(), [text, b"1".to_vec()]);
        }
    }

    #[test]
    fn damage_names_its_offset() {
        let good = listpack(&[Atom::Text(b"abc"), Atom::Int(5)]);
        let damage = |position: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[position] = byte;
            walk(&bytes).unwrap_err()
        };
        assert_eq!(damage(0, 99).at, 1000); // total bytes
        assert_eq!(damage(4, 3).reading, "a listpack's count of entries");
        assert_eq!(damage(6, 0x85).at, 1006); // a longer text
        assert_eq!(damage(10, 9).at, 1006); // the length behind it
        assert_eq!(damage(11, 0xf9).at, 1011); // an encoding that is not known
        assert_eq!(damage(good.len() - 1, 0).at, 1000); // the end byte
        assert!(walk(b"").is_err() && walk(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40)) {
            let atoms: Vec<Atom<'_>> = texts.iter().map(|text| Atom::Text(text)).collect();
            prop_assert_eq!(walk(&listpack(&atoms)).unwrap(), texts);
        }
    }
}
