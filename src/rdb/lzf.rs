//! LZF, the compression of strings in a dump.
//!
//! A control byte below 32 announces that many literal bytes plus one. Any other is a copy from what was expanded
//! already: its upper three bits are the length minus two (7: the next byte is added), its lower five and the next
//! byte the distance back minus one. Copies may overlap themselves (liblzf's `lzf_d.c`).

use super::RdbFault;
use crate::unit::make_room;

/// The farthest a copy reaches back, in bytes.
const WINDOW: usize = 8192;

/// Three compressed bytes make at most 264.
const MOST_EXPANSION: u64 = 88;

/// A stream's history is cut back to the window when it has grown by this much.
const SLACK: usize = 64 << 10;

/// Appends the expanded form of `input` to `out`. `original_len` is what the dump states; a claim that `input` cannot
/// fulfil is refused before anything is allocated. On an error `out` holds what it held before.
pub fn decompress(input: &[u8], original_len: usize, out: &mut Vec<u8>) -> Result<(), RdbFault> {
    bounded(input.len() as u64, original_len as u64)?;
    let start = out.len();
    make_room(out, original_len);
    out.reserve(original_len);
    let expanded = expand(input, start, start.saturating_add(original_len), out);
    if expanded.is_some() {
        return Ok(());
    }
    out.truncate(start);
    Err(RdbFault::Lzf)
}

/// Whether `compressed` bytes can make `original`.
pub(super) fn bounded(compressed: u64, original: u64) -> Result<(), RdbFault> {
    let possible = compressed.saturating_mul(MOST_EXPANSION);
    if original <= possible { Ok(()) } else { Err(RdbFault::Length(original)) }
}

/// The whole of `input` onto `out`, ending with exactly `end` bytes in it; `None` for damaged data.
fn expand(mut input: &[u8], start: usize, end: usize, out: &mut Vec<u8>) -> Option<()> {
    while let Some((&control, rest)) = input.split_first() {
        if control < 32 {
            let (literal, rest) = rest.split_at_checked(usize::from(control).saturating_add(1))?;
            out.extend_from_slice(literal);
            input = rest;
        } else {
            let (length, rest) = match control >> 5 {
                7 => rest.split_first().map(|(&more, rest)| (usize::from(more).saturating_add(9), rest))?,
                short => (usize::from(short).saturating_add(2), rest),
            };
            let (&low, rest) = rest.split_first()?;
            copy_back(out, start, distance(control, low), length)?;
            input = rest;
        }
        if out.len() > end {
            return None;
        }
    }
    (out.len() == end).then_some(())
}

const fn distance(control: u8, low: u8) -> usize {
    (((control & 31) as usize) << 8 | low as usize).saturating_add(1)
}

/// Appends `length` bytes that begin `distance` back; `None` when that is before `start`.
#[inline]
fn copy_back(out: &mut Vec<u8>, start: usize, distance: usize, length: usize) -> Option<()> {
    let from = out.len().checked_sub(distance).filter(|from| *from >= start)?;
    let mut left = length;
    while left > 0 {
        // What was just copied may be copied again: the source is one whole period, then two, and so on.
        let piece = left.min(out.len().checked_sub(from)?);
        out.extend_from_within(from..from.checked_add(piece)?);
        left = left.saturating_sub(piece);
    }
    Some(())
}

/// Expands data that comes in pieces and is too large to hold: keeps the 8 KiB window (and at most 64 KiB more).
#[derive(Clone, Debug)]
pub struct LzfStream {
    state: State,
    /// Compressed bytes still to come.
    input_left: u64,
    /// Expanded bytes still to come.
    output_left: u64,
    /// The last bytes expanded, at least the window where there were as many.
    history: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Control,
    Literal { left: usize },
    LongLength { control: u8 },
    Distance { control: u8, length: usize },
}

impl LzfStream {
    /// A stream of `compressed` bytes that state to expand to `original`; an impossible claim is an error.
    pub fn new(compressed: u64, original: u64) -> Result<Self, RdbFault> {
        bounded(compressed, original)?;
        Ok(Self { state: State::Control, input_left: compressed, output_left: original, history: vec![] })
    }

    /// Compressed bytes still to be fed.
    #[must_use]
    pub const fn input_left(&self) -> u64 {
        self.input_left
    }

    /// Expanded bytes still to come.
    #[must_use]
    pub const fn output_left(&self) -> u64 {
        self.output_left
    }

    /// Whether all was fed and came out as long as was stated.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.input_left == 0 && self.output_left == 0
    }

    /// Appends the expanded form of the next bytes to `out` and returns how many bytes of `input` it took: all that
    /// belong to this stream, fewer when `out` has gained `at_most` (it may gain 263 bytes more, never less than one
    /// step is done). After an error the stream is of no use.
    pub fn feed(&mut self, input: &[u8], at_most: usize, out: &mut Vec<u8>) -> Result<usize, RdbFault> {
        let own = usize::try_from(self.input_left).unwrap_or(usize::MAX).min(input.len());
        let mut rest = input.get(..own).unwrap_or(input);
        let before = self.history.len();
        while self.history.len().saturating_sub(before) < at_most {
            match self.step(&mut rest) {
                Some(true) => {}
                Some(false) => break,
                None => return Err(RdbFault::Lzf),
            }
        }
        let gained = self.history.get(before..).unwrap_or_default();
        let left = self.output_left.checked_sub(gained.len() as u64).ok_or(RdbFault::Lzf)?;
        out.extend_from_slice(gained);
        self.output_left = left;
        if self.history.len() > WINDOW.saturating_add(SLACK) {
            self.history.drain(..self.history.len().saturating_sub(WINDOW));
        }
        let taken = own.saturating_sub(rest.len());
        self.input_left = self.input_left.saturating_sub(taken as u64);
        if self.input_left == 0 && !(self.output_left == 0 && matches!(self.state, State::Control)) {
            return Err(RdbFault::Lzf);
        }
        Ok(taken)
    }

    /// One step of the state; `Some(false)` when there is no input for it, `None` for damaged data.
    #[inline]
    fn step(&mut self, input: &mut &[u8]) -> Option<bool> {
        if let State::Literal { left } = self.state {
            let piece = left.min(input.len());
            let (literal, rest) = input.split_at_checked(piece)?;
            if piece == 0 {
                return Some(false);
            }
            self.history.extend_from_slice(literal);
            *input = rest;
            let left = left.saturating_sub(piece);
            self.state = if left == 0 { State::Control } else { State::Literal { left } };
            return Some(true);
        }
        let Some((&byte, rest)) = input.split_first() else { return Some(false) };
        *input = rest;
        self.state = match self.state {
            State::Control if byte < 32 => State::Literal { left: usize::from(byte).saturating_add(1) },
            State::Control if byte >> 5 == 7 => State::LongLength { control: byte },
            State::Control => State::Distance { control: byte, length: usize::from(byte >> 5).saturating_add(2) },
            State::LongLength { control } => State::Distance { control, length: usize::from(byte).saturating_add(9) },
            State::Distance { control, length } => {
                copy_back(&mut self.history, 0, distance(control, byte), length)?;
                State::Control
            }
            State::Literal { .. } => return None,
        };
        Some(true)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "samples are built from small numbers")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(input: &[u8], original: usize) -> Result<Vec<u8>, RdbFault> {
        let mut out = b"kept".to_vec();
        let result = decompress(input, original, &mut out);
        assert_eq!(&out[..4], b"kept");
        if result.is_err() {
            assert_eq!(out.len(), 4);
        }
        result.map(|()| out[4..].to_vec())
    }

    fn streamed(input: &[u8], original: u64, piece: usize, at_most: usize) -> Result<Vec<u8>, RdbFault> {
        let mut stream = LzfStream::new(input.len() as u64, original)?;
        let (mut out, mut at) = (vec![], 0);
        while at < input.len() {
            let end = input.len().min(at + piece);
            at += stream.feed(&input[at..end], at_most, &mut out)?;
        }
        assert!(stream.is_done());
        Ok(out)
    }

    /// A sequence of literal runs and copies, compressed and expanded by the definition, byte by byte.
    fn sample(steps: &[(bool, usize, usize)]) -> (Vec<u8>, Vec<u8>) {
        let (mut packed, mut plain) = (vec![], vec![]);
        for (number, &(copy, size, back)) in steps.iter().enumerate() {
            if copy && !plain.is_empty() {
                let length = 3 + size % 262;
                let distance = 1 + back % plain.len().min(WINDOW);
                let high = ((distance - 1) >> 8) as u8;
                if length < 9 {
                    packed.push((length as u8 - 2) << 5 | high);
                } else {
                    packed.extend([7 << 5 | high, (length - 9) as u8]);
                }
                packed.push((distance - 1) as u8);
                for _ in 0..length {
                    plain.push(plain[plain.len() - distance]);
                }
            } else {
                let length = 1 + size % 32;
                packed.push(length as u8 - 1);
                let literal: Vec<u8> = (0..length).map(|i| (i * 7 + number * 31 + back) as u8).collect();
                packed.extend(&literal);
                plain.extend(literal);
            }
        }
        (packed, plain)
    }

    #[test]
    fn literals_and_overlapping_copies_expand() {
        // "ab", then 6 bytes from 2 back: a copy that overlaps itself three times.
        let packed = [1, b'a', b'b', 4 << 5, 1];
        assert_eq!(whole(&packed, 8), Ok(b"abababab".to_vec()));
        // One byte and the longest copy: three bytes make 264.
        assert_eq!(whole(&[0, b'x', 7 << 5, 255, 0], 265), Ok(vec![b'x'; 265]));
    }

    #[test]
    fn what_the_data_cannot_make_is_refused_before_it_is_reserved() {
        assert_eq!(whole(&[0, b'x'], usize::MAX), Err(RdbFault::Length(u64::MAX)));
        assert!(matches!(LzfStream::new(10, 881), Err(RdbFault::Length(881))));
        assert!(LzfStream::new(10, 880).is_ok());
    }

    #[test]
    fn damage_is_an_error() {
        for (packed, original) in [
            (&[1, b'a'][..], 2),         // a literal run that is cut
            (&[0, b'a', 1 << 5, 1], 4),  // a copy from before the beginning
            (&[0, b'a', 7 << 5, 1], 11), // a copy without its distance
            (&[0, b'a', 1 << 5], 4),     // as well
            (&[1, b'a', b'b'], 3),       // shorter than stated
            (&[1, b'a', b'b'], 1),       // longer than stated
        ] {
            assert_eq!(whole(packed, original), Err(RdbFault::Lzf), "{packed:?}");
            assert_eq!(streamed(packed, original as u64, 1, 1), Err(RdbFault::Lzf), "{packed:?}");
        }
    }

    #[test]
    fn a_long_stream_keeps_little() {
        let steps: Vec<_> = (0..40_000).map(|i| (i % 3 != 0, i * 13, i * 7919)).collect();
        let (packed, plain) = sample(&steps);
        let mut stream = LzfStream::new(packed.len() as u64, plain.len() as u64).unwrap();
        let (mut at, mut out) = (0, vec![]);
        while at < packed.len() {
            at += stream.feed(&packed[at..], 4096, &mut out).unwrap();
            assert!(stream.history.len() <= WINDOW + SLACK + 4096 + 264);
        }
        assert!(stream.is_done());
        assert!(out == plain);
    }

    proptest! {
        #[test]
        fn the_whole_and_the_stream_agree_with_the_definition(
            steps in prop::collection::vec((any::<bool>(), 0usize..300, 0usize..9000), 1..200),
            piece in 1usize..600,
            at_most in 1usize..600,
        ) {
            let (packed, plain) = sample(&steps);
            prop_assert_eq!(whole(&packed, plain.len()), Ok(plain.clone()));
            prop_assert_eq!(streamed(&packed, plain.len() as u64, piece, at_most), Ok(plain));
        }

        #[test]
        fn any_bytes_end_alike_in_both(packed in prop::collection::vec(any::<u8>(), 1..100), original in 0usize..3000) {
            let at_once = whole(&packed, original);
            let streamed = streamed(&packed, original as u64, 7, 50);
            prop_assert_eq!(at_once, streamed);
        }
    }
}
