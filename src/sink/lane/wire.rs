//! Stepping over replies without building them.

/// The beginning of a reply: all of it for what is one line, the header for an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// `+…` or `:…`.
    Line(&'a [u8]),
    /// `-…`.
    Error(&'a [u8]),
    /// A bulk string, or its absence.
    Bulk(Option<&'a [u8]>),
    /// `*n`; the elements follow. `None` is the null array.
    Array(Option<usize>),
}

/// A reply that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAReply;

/// Replies to what a lane sends are short: anything longer is not one.
const MAX_LINE: usize = 64 << 10;
const MAX_BULK: usize = 1 << 20;
const MAX_ARRAY: usize = 1 << 20;

/// Reads the head at the start of `bytes` and its length in bytes; `None` when more bytes are needed.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, NotAReply> {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() > MAX_LINE { Err(NotAReply) } else { Ok(None) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(NotAReply)?;
    let (sign, rest) = line.split_first().ok_or(NotAReply)?;
    let len = end + 1;
    match sign {
        b'+' | b':' => Ok(Some((Head::Line(rest), len))),
        b'-' => Ok(Some((Head::Error(rest), len))),
        b'*' => Ok(Some((Head::Array(count(rest, MAX_ARRAY)?), len))),
        b'$' => match count(rest, MAX_BULK)? {
            None => Ok(Some((Head::Bulk(None), len))),
            Some(size) => {
                let Some(body) = bytes.get(len..len + size + 2) else { return Ok(None) };
                let body = body.strip_suffix(b"\r\n").ok_or(NotAReply)?;
                Ok(Some((Head::Bulk(Some(body)), len + size + 2)))
            }
        },
        _ => Err(NotAReply),
    }
}

/// The length of the whole reply at the start of `bytes`, arrays with all that is in them; `None` when more bytes are
/// needed.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<usize>, NotAReply> {
    let mut left = 1usize;
    let mut at = 0;
    while left > 0 {
        let Some((head, len)) = head(bytes.get(at..).unwrap_or_default())? else { return Ok(None) };
        at += len;
        left -= 1;
        if let Head::Array(Some(elements)) = head {
            left = left.checked_add(elements).filter(|left| *left <= MAX_ARRAY).ok_or(NotAReply)?;
        }
    }
    Ok(Some(at))
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
/// Bytes of the shortest reply there is: a digit, or an empty array.
pub(super) const SHORTEST: usize = b":0\r\n".len();

/// The number after `*` or `$`; `None` is −1, which stands for null.
fn count(digits: &[u8], most: usize) -> Result<Option<usize>, NotAReply> {
    if digits == b"-1" {
        return Ok(None);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
    number.filter(|number| *number <= most).map(Some).ok_or(NotAReply)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                assert_eq!(whole(&reply[..cut]), Ok(None), "{:?}", &reply[..cut]);
            }
            let mut more = reply.to_vec();
            more.extend_from_slice(b"+NEXT\r\n");
            assert_eq!(whole(&more), Ok(Some(reply.len())));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let no_end = vec![b'+'; MAX_LINE + 1];
        for bytes in [&b"?x\r\n"[..], b"$1\r\nxyz\r\n", b"*99999999\r\n", b"$x\r\n", b"\n", b"+x\n", &no_end] {
            assert_eq!(whole(bytes), Err(NotAReply), "{bytes:?}");
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
