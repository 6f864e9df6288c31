//! Damage.

use crate::random::Random;

/// The longest input: the formats have no rules that need more, and longer ones take longer.
pub(crate) const LONGEST: usize = 16 << 10;

/// Numbers at which lengths and counts go wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    0x3f,
    0x40,
    0x7f,
    0x80,
    0xff,
    0x3fff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    u64::MAX >> 1,
    u64::MAX - 1,
    u64::MAX,
];

/// Changes `input` in one to eight ways; `other` is another input to take pieces from.
pub(crate) fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(8) {
        one(input, other, random);
        input.truncate(LONGEST);
    }
}

fn one(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len());
    match random.below(11) {
        0 => change(input, at, |byte| *byte ^= 1 << random.below(8)),
        1 => change(input, at, |byte| *byte = random.byte()),
        2 => change(input, at, |byte| *byte = byte.wrapping_add(1)),
        3 => change(input, at, |byte| *byte = byte.wrapping_sub(1)),
        4 => edge(input, at, random),
        5 => {
            let end = piece(at, input.len(), random);
            input.drain(at..end);
        }
        6 => {
            let copied = input[at..piece(at, input.len(), random)].to_vec();
            insert(input, random, &copied);
        }
        7 => {
            let from = random.below(other.len());
            let end = piece(from, other.len(), random);
            insert(input, random, &other[from..end]);
        }
        8 => {
            let from = random.below(other.len());
            let taken = &other[from..piece(from, other.len(), random)];
            for (place, byte) in input.iter_mut().skip(at).zip(taken) {
                *place = *byte;
            }
        }
        9 => input.truncate(at),
        _ => {
            let bytes: Vec<u8> = (0..=random.below(8)).map(|_| random.byte()).collect();
            insert(input, random, &bytes);
        }
    }
}

fn change(input: &mut [u8], at: usize, how: impl FnOnce(&mut u8)) {
    if let Some(byte) = input.get_mut(at) {
        how(byte);
    }
}

/// A number of an edge in place of bytes: binary in either order, or as digits.
fn edge(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let number = EDGES[random.below(EDGES.len())];
    let width = 1 << random.below(4);
    let bytes = match random.below(3) {
        0 => number.to_le_bytes()[..width].to_vec(),
        1 => number.to_be_bytes()[8 - width..].to_vec(),
        _ => number.to_string().into_bytes(),
    };
    let end = at.saturating_add(bytes.len()).min(input.len());
    input.splice(at..end, bytes);
}

/// Where a piece that begins at `at` ends: mostly soon.
fn piece(at: usize, len: usize, random: &mut Random) -> usize {
    let longest = if random.below(4) == 0 { len } else { 16 };
    at.saturating_add(random.below(longest)).saturating_add(1).min(len)
}

fn insert(input: &mut Vec<u8>, random: &mut Random, bytes: &[u8]) {
    let at = random.below(input.len() + 1);
    input.splice(at..at, bytes.iter().copied());
}
