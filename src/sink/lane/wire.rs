//! Stepping over replies without building them.

/// The beginning of a reply: all of it for what is one line, the header for what follows with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyHead<'a> {
    /// `+…` or `:…`.
    Line(&'a [u8]),
    /// `-…`.
    Error(&'a [u8]),
    /// `$n`; so many bytes and an end of line follow. `None` is the absence of a string.
    Bulk(Option<u64>),
    /// `*n`; the elements follow. `None` is the null array.
    Array(Option<u64>),
}

/// A reply that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAReply;

/// The longest line of a server: its errors repeat a part of a command at most.
const MAX_LINE: usize = 64 << 10;

/// The longest number, with the end of its line.
const INTEGER: usize = 24;

/// Reads the head at the start of `bytes` and its length in bytes; `None` when more bytes are needed.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(ReplyHead<'_>, usize)>, NotAReply> {
    let Some(end) = memchr::memchr(b'\n', bytes.get(..MAX_LINE).unwrap_or(bytes)) else {
        return if bytes.len() >= MAX_LINE { Err(NotAReply) } else { Ok(None) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(NotAReply)?;
    let (sign, rest) = line.split_first().ok_or(NotAReply)?;
    let head = match sign {
        b'+' | b':' => ReplyHead::Line(rest),
        b'-' => ReplyHead::Error(rest),
        b'*' => ReplyHead::Array(count(rest)?),
        b'$' => ReplyHead::Bulk(count(rest)?),
        _ => return Err(NotAReply),
    };
    Ok(Some((head, end + 1)))
}

/// The end of a string.
const END: &[u8] = b"\r\n";

/// A walk over one reply of any size, arrays with all that is in them, that holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplyWalk {
    /// Replies that are still to come.
    left: u64,
    /// Bytes of a string that are still to come.
    body: u64,
    /// How much of [`END`] is still to come behind them.
    end: usize,
}

impl ReplyWalk {
    /// At the beginning of a reply.
    pub(super) const fn new() -> Self {
        Self { left: 1, body: 0, end: 0 }
    }

    /// Whether all of it was passed.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0 && self.body == 0 && self.end == 0
    }

    /// Passes over what it can at the start of `bytes`; answers how much that is. Nothing means that more bytes are needed.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<usize, NotAReply> {
        let mut at = 0;
        while !self.is_over() {
            let rest = bytes.get(at..).unwrap_or_default();
            let passed = if self.body > 0 {
                let passed = usize::try_from(self.body).unwrap_or(usize::MAX).min(rest.len());
                self.body -= passed as u64;
                passed
            } else if self.end > 0 {
                let wanted = END.get(END.len() - self.end..).unwrap_or_default();
                let passed = wanted.len().min(rest.len());
                if rest.get(..passed) != wanted.get(..passed) {
                    return Err(NotAReply);
                }
                self.end -= passed;
                passed
            } else {
                self.head(rest)?
            };
            if passed == 0 {
                break;
            }
            at += passed;
        }
        Ok(at)
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize, NotAReply> {
        let Some((head, passed)) = head(bytes)? else { return Ok(0) };
        self.left -= 1;
        match head {
            ReplyHead::Array(Some(elements)) => self.left = self.left.checked_add(elements).ok_or(NotAReply)?,
            ReplyHead::Bulk(Some(size)) => (self.body, self.end) = (size, END.len()),
            ReplyHead::Line(_) | ReplyHead::Error(_) | ReplyHead::Bulk(None) | ReplyHead::Array(None) => {}
        }
        Ok(passed)
    }
}

/// Reads a whole `:…` at the start of `bytes`, and its length in bytes; `None` for anything else, and where bytes are missing.
pub(super) fn integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let rest = bytes.strip_prefix(b":")?;
    let end = memchr::memchr(b'\r', rest.get(..INTEGER).unwrap_or(rest))?;
    let (digits, behind) = rest.split_at_checked(end)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    behind.starts_with(END).then_some((number, end + 1 + END.len()))
}

/// How many times `line` stands whole at the start of `bytes`, at most `most`.
pub(super) fn repeats(bytes: &[u8], line: &[u8], most: u32) -> u32 {
    let there = bytes.chunks_exact(line.len().max(1)).take(most as usize).take_while(|there| *there == line).count();
    u32::try_from(there).unwrap_or(most)
}

/// The reply to a command in a transaction.
pub(super) const QUEUED: &[u8] = b"+QUEUED\r\n";
/// The reply to most commands.
pub(super) const OK: &[u8] = b"+OK\r\n";
/// The reply to a command that did what it is for with one key.
pub(super) const ONE: &[u8] = b":1\r\n";
/// Bytes of the shortest reply there is: a digit, or an empty array.
pub(super) const SHORTEST: usize = b":0\r\n".len();

/// The number after `*` or `$`; `None` is −1, which stands for null.
fn count(digits: &[u8]) -> Result<Option<u64>, NotAReply> {
    if digits == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    number.filter(|number| i64::try_from(*number).is_ok()).map(Some).ok_or(NotAReply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_read_and_nothing_else() {
        assert_eq!(integer(b":-12\r\n:3\r\n"), Some((-12, 6)));
        assert_eq!(integer(b":9223372036854775807\r\n"), Some((i64::MAX, 22)));
        for other in [&b":12\r"[..], b":12", b":", b"", b"+OK\r\n", b":1x\r\n", b":12\rx", b":99999999999999999999\r\n"]
        {
            assert_eq!(integer(other), None, "{}", other.escape_ascii());
        }
    }

    /// How long the reply at the start of `bytes` is, fed in these pieces; `None` when it is not over.
    fn length<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<usize>, NotAReply> {
        let (mut walk, mut held, mut passed) = (ReplyWalk::new(), vec![], 0);
        for piece in pieces {
            held.extend_from_slice(piece);
            let some = walk.pass(&held)?;
            held.drain(..some);
            passed += some;
        }
        Ok(walk.is_over().then_some(passed))
    }

    #[test]
    fn replies_are_stepped_over_however_they_arrive() {
        let replies: [&[u8]; 8] = [
            b"+OK\r\n",
            b":12\r\n",
            b"-ERR no\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$4\r\na\r\nb\r\n",
            b"*2\r\n*1\r\n$1\r\nx\r\n:1\r\n",
            b"*0\r\n",
        ];
        for reply in replies {
            for cut in 0..reply.len() {
                assert_eq!(length([&reply[..cut]]), Ok(None), "{:?}", &reply[..cut]);
            }
            let mut more = reply.to_vec();
            more.extend_from_slice(b"+NEXT\r\n");
            assert_eq!(length([&more[..]]), Ok(Some(reply.len())));
            assert_eq!(length(reply.chunks(1)), Ok(Some(reply.len())));
        }
    }

    #[test]
    fn a_reply_of_any_size_is_passed_without_being_held() {
        let (mut walk, piece, mut left) = (ReplyWalk::new(), vec![b'x'; 1 << 16], 5_u64 << 30);
        let head = format!("*2\r\n${left}\r\n");
        assert_eq!(walk.pass(head.as_bytes()), Ok(head.len()));
        while left > 0 {
            assert_eq!(walk.pass(&piece), Ok(piece.len()));
            left -= piece.len() as u64;
        }
        assert_eq!(walk.pass(b"\r\n:1\r\n+NEXT"), Ok(6));
        assert!(walk.is_over());
        let array = [b"*3000000\r\n".to_vec(), b":1\r\n".repeat(3_000_000)].concat();
        assert_eq!(length(array.chunks(1 << 16)), Ok(Some(array.len())));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let no_end = vec![b'+'; MAX_LINE + 1];
        let wild = b"*2\r\n*9223372036854775807\r\n*9223372036854775807\r\n*9223372036854775807\r\n";
        let beyond = b"$9223372036854775808\r\n";
        for bytes in [&b"?x\r\n"[..], b"$1\r\nxyz\r\n", wild, beyond, b"$x\r\n", b"\n", b"+x\n", b"$-2\r\n", &no_end] {
            assert_eq!(length([bytes]), Err(NotAReply), "{bytes:?}");
        }
    }

    #[test]
    fn lines_that_repeat_are_counted() {
        assert_eq!(repeats(b"+QUEUED\r\n+QUEUED\r\n+QUE", QUEUED, 9), 2);
        assert_eq!(repeats(b"+QUEUED\r\n+QUEUED\r\n", QUEUED, 1), 1);
        assert_eq!(repeats(b"-ERR\r\n", QUEUED, 9), 0);
        assert_eq!(repeats(b"+OK\r\n+OK\r\n:1\r\n", OK, 9), 2);
    }
}
