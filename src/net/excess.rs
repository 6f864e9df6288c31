//! A bound on each reply, below a parser that has none.
//!
//! What comes is looked at as it passes: how long each reply gets, what lengths and counts it announces. A reply that goes
//! beyond the bound ends the connection before the parser has room for it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use futures_util::{AsyncRead, AsyncWrite};

/// Most bytes that a reply may take, each element counted as [`ELEMENT`] more.
pub(super) const MOST: u64 = 64 << 20;
/// What an element counts beside its own bytes: more than it takes in memory. The longest list that is asked for, of a server's
/// commands, has some ten thousand.
const ELEMENT: u64 = 256;
/// Longest line.
const LINE: u64 = 1 << 20;

/// What a server sent too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// A reply.
    #[error("a reply of more than {} MiB", MOST >> 20)]
    Reply,
    /// A line.
    #[error("a line of more than {} MiB", LINE >> 20)]
    Line,
    /// A length or a count that is no number, and so no bound.
    #[error("a length that is not a number")]
    Length,
}

/// A stream whose replies are bounded. Writing is not changed.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    reply: Outline,
    found: Arc<OnceLock<Excess>>,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, reply: Outline::default(), found: Arc::default() }
    }

    /// What ended the connection, once something did.
    pub(super) fn found(&self) -> Arc<OnceLock<Excess>> {
        Arc::clone(&self.found)
    }
}

/// How much of a reply has come, and what it announces.
#[derive(Debug, Default)]
struct Outline {
    /// What the reply takes so far, with what it announced.
    taken: u64,
    /// Elements that have begun or are announced and are not over.
    pending: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// At the first byte of an element.
    #[default]
    Sign,
    /// In its line.
    Line(Line),
    /// In a string of which so many bytes are to come, its line end with them.
    Bytes(u64),
}

/// The line of an element as far as it has come.
#[derive(Clone, Copy, Debug)]
struct Line {
    sign: u8,
    length: u64,
    /// The number it is, where the sign wants one.
    number: u64,
    negative: bool,
    last: u8,
}

impl Line {
    const fn of(sign: u8) -> Self {
        Self { sign, length: 0, number: 0, negative: false, last: 0 }
    }

    /// Whether a length or a count stands in it.
    fn is_sized(self) -> bool {
        b"$!=*~>%|".contains(&self.sign)
    }

    /// With one byte more. A parser that reads a length otherwise than it is read here would be bounded by nothing.
    fn with(self, byte: u8) -> Result<Self, Excess> {
        let line = Self { length: self.length.saturating_add(1), last: byte, ..self };
        if line.length > LINE {
            return Err(Excess::Line);
        }
        if !self.is_sized() || (byte == b'\r' && self.last.is_ascii_digit()) {
            return Ok(line);
        }
        match byte {
            b'-' if self.length == 0 && b"$*".contains(&self.sign) => Ok(Self { negative: true, ..line }),
            b'0'..=b'9' if self.last != b'\r' => {
                let digit = u64::from(byte.saturating_sub(b'0'));
                Ok(Self { number: self.number.saturating_mul(10).saturating_add(digit), ..line })
            }
            _ => Err(Excess::Length),
        }
    }
}

impl Outline {
    /// Takes in bytes that came.
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        while let Some((byte, rest)) = bytes.split_first() {
            match self.place {
                Place::Bytes(left) => {
                    let part = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(part..).unwrap_or_default();
                    self.place = Place::Bytes(left.saturating_sub(part as u64));
                    if left == part as u64 {
                        self.close();
                    }
                    continue;
                }
                Place::Sign => {
                    self.pending = self.pending.max(1);
                    self.take(ELEMENT)?;
                    self.place = Place::Line(Line::of(*byte));
                }
                Place::Line(line) if *byte == b'\n' && line.last == b'\r' => self.end_of(line)?,
                Place::Line(line) => {
                    self.take(1)?;
                    self.place = Place::Line(line.with(*byte)?);
                }
            }
            bytes = rest;
        }
        Ok(())
    }

    /// A line has ended: a string or elements follow, or the element is over.
    fn end_of(&mut self, Line { sign, number, negative, .. }: Line) -> Result<(), Excess> {
        let members = match sign {
            _ if negative => 0,
            b'$' | b'!' | b'=' => {
                self.take(number)?;
                self.place = Place::Bytes(number.saturating_add(2));
                return Ok(());
            }
            b'*' | b'~' | b'>' => number,
            b'%' => number.saturating_mul(2),
            b'|' => number.saturating_mul(2).saturating_add(1),
            _ => 0,
        };
        // Each is counted when it comes: an announcement alone takes no room.
        if self.taken.saturating_add(members.saturating_mul(ELEMENT)) > MOST {
            return Err(Excess::Reply);
        }
        self.pending = self.pending.saturating_add(members);
        self.close();
        Ok(())
    }

    /// An element is over, or has handed over to its members.
    fn close(&mut self) {
        self.place = Place::Sign;
        self.pending = self.pending.saturating_sub(1);
        if self.pending == 0 {
            self.taken = 0;
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), Excess> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > MOST { Err(Excess::Reply) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { stream, reply, found } = self.get_mut();
        let read = Pin::new(stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(count)) = &read
            && let Err(excess) = reply.pass(buffer.get(..*count).unwrap_or_default())
        {
            let excess = *found.get_or_init(|| excess);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, excess)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Outline, Excess> {
        let mut outline = Outline::default();
        for piece in pieces {
            outline.pass(piece)?;
        }
        Ok(outline)
    }

    #[test]
    fn a_reply_is_over_when_its_last_element_is() {
        let replies: &[u8] = b"+OK\r\n-ERR no\r\n:-12\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n\
            *3\r\n:1\r\n*2\r\n+a\r\n$1\r\nb\r\n*0\r\n%1\r\n+k\r\n~1\r\n:1\r\n=5\r\ntxt:a\r\n+END\r\n";
        for size in 1..replies.len() {
            let outline = passes(replies.chunks(size)).unwrap();
            assert_eq!((outline.pending, outline.taken), (0, 0), "in pieces of {size}");
            assert!(matches!(outline.place, Place::Sign));
        }
        for cut in 1..replies.len() {
            passes([&replies[..cut]]).unwrap();
        }
    }

    #[test]
    fn what_is_announced_counts_before_it_comes() {
        let excess = |bytes: &[u8]| passes([bytes]).unwrap_err();
        assert_eq!(excess(b"$67108865\r\n"), Excess::Reply);
        assert_eq!(excess(b"*268435456\r\n"), Excess::Reply);
        assert_eq!(excess(b"%2147483647\r\n"), Excess::Reply);
        let string = [&b"$40000000\r\n"[..], &vec![b'x'; 40_000_000], b"\r\n"].concat();
        assert_eq!(excess(&[&b"*2\r\n"[..], &string, &string].concat()), Excess::Reply);
        passes([&string[..], &string]).unwrap();
        assert_eq!(excess(&vec![b'+'; (1 << 20) + 9]), Excess::Line);
        assert_eq!(excess(&[b"*262000\r\n".as_slice(), &b":1\r\n".repeat(1 << 18)].concat()), Excess::Reply);
        passes([&b"$67000000\r\n"[..]]).unwrap();
        for strange in ["$ -5\r\n", "$5\n", "=-5\r\n", "*+5\r\n", "$\r\n", "$-5x\r\n", "*5\r5\r\n"] {
            assert_eq!(excess(strange.as_bytes()), Excess::Length, "{strange:?}");
        }
        // A line ends where the parser ends it.
        let outline = passes([&b"+a\n$5\r\n"[..]]).unwrap();
        assert!(matches!(outline.place, Place::Sign));
        // Arrays in arrays, each with one member more to come.
        assert_eq!(excess(&b"*9999\r\n".repeat(1 << 20)), Excess::Reply);
    }
}
