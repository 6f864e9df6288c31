//! Reading replies.

use super::buffer::Buffer;
use super::element::{RespElement, element};
use super::{RespError, RespFault, RespLimits};
use crate::unit::quoted;

/// Characters of a reply that are shown.
const SHOWN: usize = 120;

/// A reply; its text is borrowed from the reader until the reader is used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+text`
    Simple(&'a [u8]),
    /// `-text`, for example `ERR unknown command`.
    Error(&'a [u8]),
    /// `:number`
    Int(i64),
    /// `$length` and a string; `None` is the null string.
    Bulk(Option<&'a [u8]>),
    /// `*count` and so many replies; `None` is the null array (an aborted `EXEC`).
    Array(Option<Vec<Reply<'a>>>),
}

impl Reply<'_> {
    /// Whether the reply is `+OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Simple(b"OK"))
    }

    /// The text of an error reply, made readable.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Error(text) => Some(quoted(text, usize::MAX)),
            _ => None,
        }
    }

    /// What it is, for a message: a peer that is no server may have sent anything.
    pub fn shown(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) | Self::Bulk(Some(text)) => format!("`{}`", quoted(text, SHOWN)),
            Self::Int(number) => quoted(number.to_string().as_bytes(), SHOWN),
            Self::Bulk(None) | Self::Array(None) => "nothing".to_owned(),
            Self::Array(Some(members)) => format!("a list of {}", members.len()),
        }
    }

    /// The text of a simple, error or bulk reply.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Error(text) => Some(text),
            Self::Bulk(text) => *text,
            Self::Int(_) | Self::Array(_) => None,
        }
    }
}

/// Finds replies in bytes that come in pieces. No byte is looked at twice while a reply is incomplete, except those of
/// one line or string.
#[derive(Debug, Default)]
pub struct ReplyReader {
    buffer: Buffer,
    limits: RespLimits,
    /// How far the first reply is understood, from the first unread byte.
    understood: usize,
    /// Members missing in each array that is open there.
    open: Vec<usize>,
    /// The first reply is understood whole.
    ready: bool,
}

impl ReplyReader {
    /// A reader at offset 0.
    pub fn new(limits: RespLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Room for at least `min` bytes from the socket; say with [`Self::commit`] how many came.
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

    /// The absolute offset of the next reply: bytes consumed since the reader began.
    pub fn at(&self) -> u64 {
        self.buffer.at()
    }

    /// What was received and not consumed.
    pub fn unread(&self) -> &[u8] {
        self.buffer.unread()
    }

    /// Bytes received and not consumed.
    pub fn pending(&self) -> usize {
        self.buffer.unread().len()
    }

    /// The next reply; `None` when more bytes are needed. After an error the stream cannot be read on.
    #[expect(clippy::should_implement_trait, reason = "the reply borrows from the reader, so this is no Iterator")]
    pub fn next(&mut self) -> Result<Option<Reply<'_>>, RespError> {
        if !self.is_ready()? {
            return Ok(None);
        }
        self.ready = false;
        let at = self.buffer.at();
        let length = std::mem::take(&mut self.understood);
        build(self.buffer.consume(length), &mut 0, at, &self.limits)
    }

    /// Whether [`Self::next`] has a reply to give.
    pub fn is_ready(&mut self) -> Result<bool, RespError> {
        if !self.ready {
            self.ready = self.complete()?;
        }
        Ok(self.ready)
    }

    fn too_long(&self, at: u64) -> RespError {
        RespError { at: at.saturating_add(self.understood as u64), fault: RespFault::Whole(self.limits.whole) }
    }

    /// Goes on understanding the first reply; true when all of it is there.
    fn complete(&mut self) -> Result<bool, RespError> {
        let (bytes, at) = (self.buffer.unread(), self.buffer.at());
        loop {
            let Some((element, end)) = element(bytes, self.understood, at, &self.limits)? else {
                return if bytes.len() > self.limits.whole { Err(self.too_long(at)) } else { Ok(false) };
            };
            if end > self.limits.whole {
                return Err(self.too_long(at));
            }
            if let RespElement::Array(Some(members @ 1..)) = element {
                if self.open.len() >= self.limits.depth {
                    let fault = RespFault::Depth(self.limits.depth);
                    return Err(RespError { at: at.saturating_add(self.understood as u64), fault });
                }
                self.open.push(members);
                self.understood = end;
                continue;
            }
            self.understood = end;
            if close(&mut self.open) {
                return Ok(true);
            }
        }
    }
}

/// Counts one member; true when it was the last of everything.
fn close(open: &mut Vec<usize>) -> bool {
    while let Some(missing) = open.last_mut() {
        *missing = missing.saturating_sub(1);
        if *missing > 0 {
            return false;
        }
        open.pop();
    }
    true
}

fn build<'a>(bytes: &'a [u8], from: &mut usize, at: u64, limits: &RespLimits) -> Result<Option<Reply<'a>>, RespError> {
    let Some((element, end)) = element(bytes, *from, at, limits)? else { return Ok(None) };
    *from = end;
    Ok(Some(match element {
        RespElement::Simple(text) => Reply::Simple(text),
        RespElement::Error(text) => Reply::Error(text),
        RespElement::Int(number) => Reply::Int(number),
        RespElement::Bulk(string) => Reply::Bulk(string),
        RespElement::Array(None) => Reply::Array(None),
        RespElement::Array(Some(count)) => {
            let mut members = Vec::with_capacity(count);
            for _ in 0..count {
                let Some(member) = build(bytes, from, at, limits)? else { return Ok(None) };
                members.push(member);
            }
            Reply::Array(Some(members))
        }
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resp;

    const MIXED: &[u8] = b"+OK\r\n-ERR no\r\n:-9223372036854775808\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n\
        *3\r\n:1\r\n*2\r\n+a\r\n$1\r\nb\r\n*0\r\n+END\r\n";

    /// Reads all replies of `bytes`, fed in the given pieces, as text.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, RespError> {
        let mut reader = ReplyReader::default();
        let mut seen = vec![];
        for piece in pieces {
            reader.feed(piece);
            while let Some(reply) = reader.next()? {
                seen.push(format!("{reply:?}"));
            }
        }
        Ok(seen)
    }

    #[test]
    fn reads_every_type() {
        let mut reader = ReplyReader::default();
        reader.feed(MIXED);
        let mut expect = |reply: Reply<'_>| assert_eq!(reader.next(), Ok(Some(reply)));
        expect(Reply::Simple(b"OK"));
        expect(Reply::Error(b"ERR no"));
        expect(Reply::Int(i64::MIN));
        expect(Reply::Bulk(None));
        expect(Reply::Bulk(Some(b"")));
        expect(Reply::Bulk(Some(b"a\r\nb")));
        expect(Reply::Array(None));
        expect(Reply::Array(Some(vec![])));
        let inner = Reply::Array(Some(vec![Reply::Simple(b"a"), Reply::Bulk(Some(b"b"))]));
        expect(Reply::Array(Some(vec![Reply::Int(1), inner, Reply::Array(Some(vec![]))])));
        expect(Reply::Simple(b"END"));
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.at(), MIXED.len() as u64);
    }

    #[test]
    fn one_byte_at_a_time_reads_the_same() {
        assert_eq!(read(MIXED.chunks(1)), read([MIXED]));
    }

    #[test]
    fn a_truncated_stream_yields_a_prefix_and_waits() {
        let whole = read([MIXED]).unwrap();
        for cut in 0..MIXED.len() {
            let seen = read([&MIXED[..cut]]).unwrap();
            assert_eq!(seen, whole[..seen.len()], "cut at {cut}");
            assert!(seen.len() < whole.len());
        }
    }

    #[test]
    fn faults_name_their_offset() {
        let cases: [(&[u8], u64, RespFault); 8] = [
            (b"+OK\r\nHTTP/1.1", 5, RespFault::Type(b'H')),
            (b"+OK\n", 0, RespFault::LineEnd),
            (b":12a\r\n", 0, RespFault::Number),
            (b":9223372036854775808\r\n", 0, RespFault::Number),
            (b"$-2\r\n", 0, RespFault::Length(-2)),
            (b"*1\r\n$99999999999\r\n", 4, RespFault::Length(99_999_999_999)),
            (b"$1\r\nabc", 0, RespFault::StringEnd),
            (b"*1\r\n*1\r\n$\r\n", 8, RespFault::Number),
        ];
        for (bytes, at, fault) in cases {
            assert_eq!(read([bytes]), Err(RespError { at, fault: fault.clone() }));
            assert_eq!(read(bytes.chunks(1)), Err(RespError { at, fault }));
        }
    }

    #[test]
    fn depth_and_line_length_are_bounded() {
        let deep = b"*1\r\n".repeat(40);
        assert_eq!(read([&deep[..]]).unwrap_err().fault, RespFault::Depth(32));
        let long = b"+".repeat(70_000);
        assert_eq!(read([&long[..]]).unwrap_err().fault, RespFault::Line(1 << 16));
    }

    #[test]
    fn space_and_commit_take_bytes_without_a_copy() {
        let mut reader = ReplyReader::default();
        for byte in MIXED {
            reader.space(1)[0] = *byte;
            reader.commit(1);
            while reader.next().unwrap().is_some() {}
        }
        assert_eq!((reader.pending(), reader.at()), (0, MIXED.len() as u64));
    }

    proptest! {
        #[test]
        fn random_splits_read_the_same(cuts in prop::collection::vec(1..9_usize, 0..80)) {
            let mut pieces = vec![];
            let mut rest = MIXED;
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            prop_assert_eq!(read(pieces), read([MIXED]));
        }

        #[test]
        fn what_was_written_is_read(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let mut out = vec![];
            resp::command(&mut out, &args);
            let mut reader = ReplyReader::default();
            reader.feed(&out);
            let expected = args.iter().map(|arg| Reply::Bulk(Some(arg))).collect();
            prop_assert_eq!(reader.next(), Ok(Some(Reply::Array(Some(expected)))));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'*'), Just(b'$'), Just(b'1'), any::<u8>()], 0..200)) {
            let _ = read([&bytes[..]]);
        }
    }
}
