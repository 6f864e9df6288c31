//! Which edges of the library were taken.

#![expect(unsafe_code, reason = "the counters are memory that the instrumented code writes and only addresses name")]

use std::{
    slice,
    sync::{Mutex, PoisonError},
};

/// The areas of counters, one for each unit of code: address and length.
static AREAS: Mutex<Vec<(usize, usize)>> = Mutex::new(vec![]);

/// Called by instrumented code before `main`, once or more for each of its units.
///
/// # Safety
///
/// `start` to `stop` are that unit's counters, which live as long as the process.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let area = (start as usize, (stop as usize).saturating_sub(start as usize));
    let mut areas = AREAS.lock().unwrap_or_else(PoisonError::into_inner);
    if area.1 > 0 && !areas.contains(&area) {
        areas.push(area);
    }
}

/// How many there are; none in a build that is not instrumented.
pub(crate) fn counters() -> usize {
    AREAS.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|area| area.1).sum()
}

/// What inputs have shown so far.
pub(crate) struct Seen {
    /// For each counter, a bit for each order of magnitude that it had.
    bits: Vec<u8>,
}

impl Seen {
    pub(crate) fn nothing() -> Self {
        Self { bits: vec![0; counters()] }
    }

    /// Takes the counters since the last call and sets them back; whether an edge, or its order of magnitude, was new.
    pub(crate) fn take(&mut self) -> bool {
        let areas = AREAS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = false;
        let mut seen = self.bits.as_mut_slice();
        for (start, len) in areas.iter() {
            // SAFETY: the area is alive (see above), and the library runs in this thread alone while an input is tried.
            let counters = unsafe { slice::from_raw_parts_mut(*start as *mut u8, *len) };
            let Some((mine, rest)) = seen.split_at_mut_checked(*len) else { return new };
            for (counters, mine) in counters.chunks(64).zip(mine.chunks_mut(64)) {
                if counters.iter().all(|count| *count == 0) {
                    continue;
                }
                for (count, bits) in counters.iter().zip(mine) {
                    let bit = magnitude(*count);
                    new |= *bits & bit != bit;
                    *bits |= bit;
                }
            }
            counters.fill(0);
            seen = rest;
        }
        new
    }

    /// Edges taken.
    pub(crate) fn edges(&self) -> usize {
        self.bits.iter().filter(|bits| **bits != 0).count()
    }
}

const fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        _ => 128,
    }
}
