//! Lines of the replication protocol outside RESP framing.

use crate::unit::quoted;

/// Longest line that a source sends, with room to spare.
const LONGEST: usize = 16 << 10;

/// A line that cannot be one of a source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// No line end in sight.
    #[error("it sent {LONGEST} bytes without a line end where a line was expected")]
    TooLong,
}

/// The first line of `bytes` without its LF or CR LF, and how many bytes it takes up; `None` when more are needed. An
/// empty line is a keep-alive, sent about once a second while a dump is prepared (replication.c, `replicationCron`).
pub fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, LineFault> {
    let window = bytes.get(..LONGEST).unwrap_or(bytes);
    match memchr::memchr(b'\n', window) {
        Some(end) => {
            let line = window.get(..end).unwrap_or_default();
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end.saturating_add(1))))
        }
        None if bytes.len() >= LONGEST => Err(LineFault::TooLong),
        None => Ok(None),
    }
}

/// A line for people, shortened.
pub(super) fn shown(line: &[u8]) -> String {
    quoted(line, 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_either_line_end() {
        assert_eq!(line(b"\n+OK\r\n"), Ok(Some((&b""[..], 1))));
        assert_eq!(line(b"+OK\r\n$5"), Ok(Some((&b"+OK"[..], 5))));
        for cut in 0..5 {
            assert_eq!(line(&b"+OK\r\n"[..cut]), Ok(None), "cut at {cut}");
        }
        assert_eq!(line(&[b'x'; LONGEST]), Err(LineFault::TooLong));
    }
}
