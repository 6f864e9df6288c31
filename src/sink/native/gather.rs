//! Elements that go into one command.

use crate::resp;
use crate::unit::UnixMillis;
use std::ops::Range;

/// Room that is kept for the next command; one that a large element needed is given back.
const KEEP: usize = 1 << 20;

/// A variadic command that is being put together: its arguments so far, already encoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Gather {
    elements: u64,
    args: usize,
    bytes: Vec<u8>,
    /// Hash fields that expire, and where they stand in `bytes`.
    expiries: Vec<(UnixMillis, Range<usize>)>,
}

impl Gather {
    /// Elements taken in and not written.
    pub(super) const fn elements(&self) -> u64 {
        self.elements
    }

    /// Bytes of the arguments so far.
    pub(super) const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Counts an element; its arguments, if it has any, are added next.
    pub(super) const fn begin(&mut self) {
        self.elements += 1;
    }

    pub(super) fn arg(&mut self, bytes: &[u8]) {
        resp::bulk(&mut self.bytes, bytes);
        self.args += 1;
    }

    /// Adds an argument that is a field which expires.
    pub(super) fn expiring(&mut self, field: &[u8], at: UnixMillis) {
        let start = self.bytes.len();
        self.arg(field);
        self.expiries.push((at, start..self.bytes.len()));
    }

    /// Appends `head`, the arguments and `tail` as a command, and begins anew; answers how many commands that were. No
    /// arguments, no command.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, head: &[&[u8]], tail: &[&[u8]]) -> u32 {
        let written = u32::from(self.args > 0);
        if self.args > 0 {
            resp::array_header(out, head.len() + self.args + tail.len());
            for word in head {
                resp::bulk(out, word);
            }
            if self.bytes.len() > KEEP && out.len() <= KEEP {
                // What is large is not held twice.
                self.bytes.splice(..0, out.drain(..));
                *out = std::mem::take(&mut self.bytes);
            } else {
                out.extend_from_slice(&self.bytes);
            }
            for word in tail {
                resp::bulk(out, word);
            }
        }
        self.clear();
        written
    }

    /// Appends a HPEXPIREAT for each moment at which fields of the gathered ones expire; call it before
    /// [`Gather::write`] and append the result behind that.
    pub(super) fn take_expiries(&mut self, key: &[u8]) -> (u32, Vec<u8>) {
        let (mut commands, mut out) = (0, vec![]);
        self.expiries.sort_by_key(|(at, field)| (*at, field.start));
        for same in self.expiries.chunk_by(|one, other| one.0 == other.0) {
            let Some((at, _)) = same.first() else { continue };
            resp::array_header(&mut out, 5 + same.len());
            resp::bulk(&mut out, b"HPEXPIREAT");
            resp::bulk(&mut out, key);
            resp::bulk_i64(&mut out, at.0);
            resp::bulk(&mut out, b"FIELDS");
            resp::bulk_u64(&mut out, same.len() as u64);
            for (_, field) in same {
                out.extend_from_slice(self.bytes.get(field.clone()).unwrap_or_default());
            }
            commands += 1;
        }
        self.expiries.clear();
        (commands, out)
    }

    fn clear(&mut self) {
        self.elements = 0;
        self.args = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.expiries.clear();
    }
}
