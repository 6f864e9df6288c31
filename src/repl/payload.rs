//! Where a dump ends.

use super::PayloadHeader;

/// Cuts the dump out of the bytes behind its header, however they come.
#[derive(Debug)]
pub enum PayloadReader {
    /// So many bytes are still to come.
    Length(u64),
    /// The mark was not seen yet.
    Mark(Box<memchr::memmem::Finder<'static>>),
    /// All of it was cut out.
    Complete,
}

/// What the next bytes are: first those of the dump, then those to drop. What is behind both was not judged: it is to be
/// offered again with more bytes, or belongs to the command stream once the dump is [`PayloadReader::Complete`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of the dump.
    pub payload: usize,
    /// Bytes of the end mark.
    pub mark: usize,
}

impl PayloadReader {
    /// A dump that begins now.
    pub fn new(header: &PayloadHeader) -> Self {
        match header {
            PayloadHeader::Length(0) => Self::Complete,
            PayloadHeader::Length(length) => Self::Length(*length),
            PayloadHeader::Mark(mark) => Self::Mark(Box::new(memchr::memmem::Finder::new(mark).into_owned())),
        }
    }

    /// Whether all of the dump was cut out.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// Judges the next bytes. Holds back at most 39, and only those that may be the beginning of the mark. The mark is
    /// random per dump: it does not occur within.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        let (cut, complete) = match self {
            Self::Complete => return Cut { payload: 0, mark: 0 },
            Self::Length(missing) => {
                let here = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
                *missing = missing.saturating_sub(here as u64);
                (Cut { payload: here, mark: 0 }, *missing == 0)
            }
            Self::Mark(finder) => match finder.find(bytes) {
                Some(payload) => (Cut { payload, mark: finder.needle().len() }, true),
                None => (Cut { payload: bytes.len().saturating_sub(begun(finder.needle(), bytes)), mark: 0 }, false),
            },
        };
        if complete {
            *self = Self::Complete;
        }
        cut
    }
}

/// The length of the longest beginning of `mark` that `bytes` end with.
fn begun(mark: &[u8], bytes: &[u8]) -> usize {
    let longest = mark.len().saturating_sub(1).min(bytes.len());
    (1..=longest).rev().find(|length| mark.get(..*length).is_some_and(|start| bytes.ends_with(start))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARK: [u8; 40] = *b"abababababababababababababababababababac";

    /// The dump that is cut out of pieces of these sizes (then of the rest), and what is left behind it.
    fn cut(header: PayloadHeader, bytes: &[u8], sizes: &[usize]) -> (Vec<u8>, Vec<u8>, bool) {
        let mut payload = PayloadReader::new(&header);
        let (mut dump, mut inbox, mut rest) = (vec![], vec![], bytes);
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            inbox.extend_from_slice(piece);
            let cut = payload.cut(&inbox);
            dump.extend(inbox.drain(..cut.payload));
            inbox.drain(..cut.mark);
            assert!(payload.is_complete() || inbox.len() < MARK.len(), "too much is held back");
        }
        (dump, inbox, payload.is_complete())
    }

    #[test]
    fn a_length_ends_a_dump_to_the_byte() {
        let expected = (b"REDIS".to_vec(), b"*1\r\n".to_vec(), true);
        assert_eq!(cut(PayloadHeader::Length(5), b"REDIS*1\r\n", &[]), expected);
        assert_eq!(cut(PayloadHeader::Length(5), b"REDIS*1\r\n", &[1; 9]), expected);
        assert_eq!(cut(PayloadHeader::Length(6), b"REDIS", &[]), (b"REDIS".to_vec(), vec![], false));
        assert!(PayloadReader::new(&PayloadHeader::Length(0)).is_complete());
    }

    #[test]
    fn the_mark_may_straddle_any_two_reads() {
        let bytes = [b"REDIS-abab".as_slice(), &MARK, b"*1\r\n"].concat();
        for first in 0..bytes.len() {
            for second in [0, 1, 7, 39, 40] {
                let seen = cut(PayloadHeader::Mark(MARK), &bytes, &[first, second]);
                assert_eq!(seen, (b"REDIS-abab".to_vec(), b"*1\r\n".to_vec(), true), "cut at {first} and {second} on");
            }
        }
    }

    #[test]
    fn without_its_mark_a_dump_is_not_complete() {
        let bytes = [b"REDIS".as_slice(), &MARK].concat();
        for end in 0..bytes.len() {
            let (dump, held, complete) = cut(PayloadHeader::Mark(MARK), &bytes[..end], &[]);
            assert!(!complete && dump.len() <= 5, "cut at {end}");
            assert_eq!([dump, held].concat(), bytes[..end]);
        }
    }

    proptest! {
        #[test]
        fn any_split_of_any_dump_comes_out_whole(
            // Letters of the mark, so that false beginnings abound; only the mark itself holds a `c`.
            dump in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..300),
            sizes in prop::collection::vec(0..50_usize, 0..40),
        ) {
            let bytes = [dump.as_slice(), &MARK, b"\n"].concat();
            let (seen, behind, complete) = cut(PayloadHeader::Mark(MARK), &bytes, &sizes);
            prop_assert!(complete);
            prop_assert_eq!(seen, dump);
            prop_assert_eq!(behind, b"\n");
        }
    }
}
