//! Records as most of them are: a key and a value of one raw string each, both below 16 KiB and whole in memory. Read at one
//! go, they cost about half of what the decoder's states do.

/// What such a record has behind its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Bytes of the key.
    pub(super) key: usize,
    /// Bytes of the value, without its length.
    pub(super) value: usize,
    /// Bytes from the key's first on.
    pub(super) from_key: usize,
    /// Bytes from the body's first on: behind the key.
    pub(super) from_body: usize,
    /// Bytes behind the record.
    pub(super) behind: usize,
}

impl Short {
    /// Reads what stands behind the type. `None` for any other record, which is to be read part by part.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (key, from_key) = length(bytes)?;
        let (_, from_body) = from_key.split_at_checked(key)?;
        let (value, from_value) = length(from_body)?;
        let (_, behind) = from_value.split_at_checked(value)?;
        Some(Self { key, value, from_key: from_key.len(), from_body: from_body.len(), behind: behind.len() })
    }
}

/// A length of 6 or 14 bits, and what follows it.
#[inline]
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [low @ 0..0x40, rest @ ..] => Some((usize::from(*low), rest)),
        [high @ 0x40..0x80, low, rest @ ..] => Some((usize::from(high & 0x3f) << 8 | usize::from(*low), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_record_is_read_whole_or_not_at_all() {
        let mut record = b"\x03key\x41\x02".to_vec();
        record.extend([7; 0x102]);
        record.extend(b"next");
        let short = Short { key: 3, value: 0x102, from_key: record.len() - 1, from_body: 0x108, behind: 4 };
        assert_eq!(Short::read(&record), Some(short));
        for cut in 0..record.len() - 4 {
            assert_eq!(Short::read(&record[..cut]), None);
        }
    }

    #[test]
    fn other_forms_are_left_to_others() {
        for bytes in [&b"\xc0\x01\x01v"[..], b"\x01k\xc0\x01", b"\x01k\x80\0\0\0\x01v", b"\x80\0\0\0\x01k\x01v", b""] {
            assert_eq!(Short::read(bytes), None);
        }
    }
}
