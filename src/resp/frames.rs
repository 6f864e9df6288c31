//! Reading commands as a server receives them: the replication stream.

use std::ops::Range;

use super::buffer::Buffer;
use super::element::{count, integer, line, string};
use super::{RespError, RespFault, RespLimits};

/// A command, borrowed from its reader until the reader is used again.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    at: u64,
    raw: &'a [u8],
    args: &'a [Range<usize>],
}

impl<'a> Command<'a> {
    /// Absolute offset of its first byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Absolute offset behind its last byte.
    pub fn end(&self) -> u64 {
        self.at.saturating_add(self.raw.len() as u64)
    }

    /// Its exact bytes as they were received.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The number of arguments, the name included; 0 for an empty line (a keep-alive, which counts in offsets).
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether this is an empty line or array.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The name as it was sent, in any case; empty for an empty line.
    pub fn name(&self) -> &'a [u8] {
        self.arg(0).unwrap_or_default()
    }

    /// Argument `index`; 0 is the name.
    pub fn arg(&self, index: usize) -> Option<&'a [u8]> {
        self.raw.get(self.args.get(index)?.clone())
    }

    /// All arguments, the name first.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let raw = self.raw;
        self.args.iter().map(move |range| raw.get(range.clone()).unwrap_or_default())
    }

    /// Where each argument lies in [`Self::raw`].
    pub fn ranges(&self) -> &'a [Range<usize>] {
        self.args
    }
}

/// Finds commands in a stream that comes in pieces: arrays of bulk strings, inline commands and empty lines
/// (networking.c, `processMultibulkBuffer` and `processInlineBuffer`). Bytes of a finished argument are not looked at
/// again.
#[derive(Debug, Default)]
pub struct CommandReader {
    buffer: Buffer,
    limits: RespLimits,
    /// How far the first command is understood, from its first byte.
    understood: usize,
    /// Arguments missing; `None` before the array's header is read.
    missing: Option<usize>,
    args: Vec<Range<usize>>,
}

impl CommandReader {
    /// A reader whose first byte has the absolute offset `at`.
    pub fn starting_at(at: u64, limits: RespLimits) -> Self {
        Self { buffer: Buffer::starting_at(at), limits, ..Self::default() }
    }

    /// Room for at least `min` bytes; say with [`Self::commit`] how many came.
    pub fn space(&mut self, min: usize) -> &mut [u8] {
        self.buffer.space(min)
    }

    /// `count` bytes were written to the start of [`Self::space`].
    pub fn commit(&mut self, count: usize) {
        self.buffer.commit(count);
    }

    /// Takes in bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.feed(bytes);
    }

    /// The absolute offset of the next command.
    pub fn at(&self) -> u64 {
        self.buffer.at()
    }

    /// Bytes received and not consumed.
    pub fn pending(&self) -> usize {
        self.buffer.unread().len()
    }

    /// The next command; `None` when more bytes are needed. After an error the stream cannot be read on.
    #[expect(clippy::should_implement_trait, reason = "the command borrows from the reader, so this is no Iterator")]
    pub fn next(&mut self) -> Result<Option<Command<'_>>, RespError> {
        let at = self.buffer.at();
        let complete =
            self.complete().map_err(|fault| RespError { at: at.saturating_add(self.understood as u64), fault })?;
        if !complete {
            return Ok(None);
        }
        self.missing = None;
        let raw = self.buffer.consume(std::mem::take(&mut self.understood));
        Ok(Some(Command { at, raw, args: &self.args }))
    }

    /// Gives away the bytes of the command that was answered last, when nothing was fed since; what came behind it is kept. The
    /// command is what ends at the second answer.
    pub fn give_away(&mut self) -> (Vec<u8>, usize) {
        self.buffer.give_away()
    }

    fn complete(&mut self) -> Result<bool, RespFault> {
        let bytes = self.buffer.unread();
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => match bytes.first() {
                None => return Ok(false),
                Some(b'*') => {
                    let Some((line, length)) = line(bytes, self.limits.line)? else { return Ok(false) };
                    // A negative count is an empty command to a server.
                    let count = count_of(line, self.limits.array)?;
                    self.args.clear();
                    self.understood = length;
                    count
                }
                Some(_) => return self.inline(),
            },
        };
        while missing > 0 {
            self.missing = Some(missing);
            let rest = bytes.get(self.understood..).unwrap_or_default();
            match rest.first() {
                None => return Ok(false),
                Some(b'$') => {}
                Some(other) => return Err(RespFault::Type(*other)),
            }
            let Some((header, length)) = line(rest, self.limits.line)? else { return Ok(false) };
            let number = header.get(1..).unwrap_or_default();
            let size = count(number, self.limits.bulk)?.ok_or(RespFault::Length(-1))?;
            let from = self.understood.saturating_add(length);
            // Before its bytes come: each argument that is missing takes some as well.
            if from.saturating_add(size).saturating_add(missing) > self.limits.whole {
                return Err(RespFault::Whole(self.limits.whole));
            }
            let Some((_, end)) = string(bytes, from, size)? else { return Ok(false) };
            self.args.push(from..from.saturating_add(size));
            self.understood = end;
            missing = missing.saturating_sub(1);
        }
        Ok(true)
    }

    /// A line of words, or an empty one; it ends with LF, a CR before it is dropped.
    fn inline(&mut self) -> Result<bool, RespFault> {
        let bytes = self.buffer.unread();
        let window = bytes.get(..self.limits.line.min(bytes.len())).unwrap_or(bytes);
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if bytes.len() >= self.limits.line { Err(RespFault::Line(self.limits.line)) } else { Ok(false) };
        };
        let line = window.get(..end).unwrap_or_default();
        if let Some(strange) = line.iter().find(|byte| !(byte.is_ascii_graphic() || byte.is_ascii_whitespace())) {
            return Err(RespFault::Type(*strange));
        }
        if line.contains(&b'"') || line.contains(&b'\'') {
            return Err(RespFault::Quotes);
        }
        self.args.clear();
        let mut from = None;
        for (position, byte) in line.iter().chain(b"\n").enumerate() {
            match (byte.is_ascii_whitespace(), from) {
                (true, Some(start)) => {
                    self.args.push(start..position);
                    from = None;
                }
                (false, None) => from = Some(position),
                _ => {}
            }
        }
        self.understood = end.saturating_add(1);
        Ok(true)
    }
}

/// The length of the longest argument of a whole command in its exact bytes.
pub fn longest_word(raw: &[u8]) -> usize {
    let mut longest = 0;
    let mut at = raw.iter().position(|byte| *byte == b'\n').map_or(raw.len(), |end| end.saturating_add(1));
    while let Some(b'$') = raw.get(at) {
        let rest = raw.get(at.saturating_add(1)..).unwrap_or_default();
        let Ok(Some((digits, length))) = line(rest, rest.len()) else { break };
        let Ok(Some(size)) = count(digits, usize::MAX) else { break };
        longest = longest.max(size);
        at = at.saturating_add(1).saturating_add(length).saturating_add(size).saturating_add(2);
    }
    longest
}

/// The argument count of `*count`; nothing for a negative one.
fn count_of(header: &[u8], most: usize) -> Result<usize, RespFault> {
    let number = integer(header.get(1..).unwrap_or_default())?;
    match usize::try_from(number) {
        Ok(number) if number <= most => Ok(number),
        Ok(_) => Err(RespFault::Length(number)),
        Err(_) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resp;

    const STREAM: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n\n*3\r\n$3\r\nsEt\r\n$3\r\na\r\n\r\n$0\r\n\r\n\r\nPING  now\r\n*1\r\n$4\r\nping\r\n*0\r\n*-1\r\n*1\r\n$4\r\nEXEC\r\n";

    type Seen = Vec<(u64, Vec<u8>, Vec<Vec<u8>>)>;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Seen, RespError> {
        let mut reader = CommandReader::starting_at(100, RespLimits::default());
        let mut seen = vec![];
        for piece in pieces {
            reader.feed(piece);
            while let Some(command) = reader.next()? {
                assert_eq!(command.end() - command.at(), command.raw().len() as u64);
                seen.push((command.at(), command.raw().to_vec(), command.args().map(<[u8]>::to_vec).collect()));
            }
        }
        Ok(seen)
    }

    #[test]
    fn commands_come_with_their_exact_bytes_and_offsets() {
        let seen = read([STREAM]).unwrap();
        let args: Vec<Vec<&str>> =
            seen.iter().map(|(_, _, args)| args.iter().map(|a| str::from_utf8(a).unwrap()).collect()).collect();
        let expected: [&[&str]; 9] =
            [&["SELECT", "0"], &[], &["sEt", "a\r\n", ""], &[], &["PING", "now"], &["ping"], &[], &[], &["EXEC"]];
        assert_eq!(args, expected);
        let mut at = 100;
        for (start, raw, _) in &seen {
            assert_eq!(*start, at);
            at += raw.len() as u64;
        }
        assert_eq!(seen.concat_raw(), STREAM);
    }

    trait ConcatRaw {
        fn concat_raw(&self) -> Vec<u8>;
    }

    impl ConcatRaw for Seen {
        fn concat_raw(&self) -> Vec<u8> {
            self.iter().flat_map(|(_, raw, _)| raw.clone()).collect()
        }
    }

    #[test]
    fn one_byte_at_a_time_reads_the_same() {
        assert_eq!(read(STREAM.chunks(1)), read([STREAM]));
    }

    #[test]
    fn a_truncated_stream_yields_a_prefix_and_waits() {
        let whole = read([STREAM]).unwrap();
        for cut in 0..STREAM.len() {
            let seen = read([&STREAM[..cut]]).unwrap();
            assert_eq!(seen, whole[..seen.len()], "cut at {cut}");
        }
    }

    #[test]
    fn faults_name_their_offset() {
        let cases: [(&[u8], u64, RespFault); 7] = [
            (b"\n*1\r\n+OK\r\n", 105, RespFault::Type(b'+')),
            (b"*1\r\n$-1\r\n", 104, RespFault::Length(-1)),
            (b"*1\r\n$3\r\nabcd\r\n", 104, RespFault::StringEnd),
            (b"*x\r\n", 100, RespFault::Number),
            (b"*1\n", 100, RespFault::LineEnd),
            (b"SET \"a b\" c\r\n", 100, RespFault::Quotes),
            (b"\x00\x01\n", 100, RespFault::Type(0)),
        ];
        for (bytes, at, fault) in cases {
            assert_eq!(read([bytes]), Err(RespError { at, fault: fault.clone() }));
            assert_eq!(read(bytes.chunks(1)), Err(RespError { at, fault }));
        }
    }

    proptest! {
        #[test]
        fn random_splits_read_the_same(cuts in prop::collection::vec(1..9_usize, 0..80)) {
            let mut pieces = vec![];
            let mut rest = STREAM;
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            prop_assert_eq!(read(pieces), read([STREAM]));
        }

        #[test]
        fn what_was_written_is_read(
            commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..6), 0..8),
            size in 1..40_usize,
        ) {
            let mut out = vec![];
            for args in &commands {
                resp::command(&mut out, &args.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
            let seen = read(out.chunks(size)).unwrap();
            prop_assert_eq!(seen.iter().map(|(_, _, args)| args.clone()).collect::<Vec<_>>(), commands);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'*'), Just(b'$'), Just(b'1'), any::<u8>()], 0..200)) {
            let _ = read([&bytes[..]]);
        }
    }
}
