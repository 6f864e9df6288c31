//! The line before a dump.

use super::PsyncReply;
use super::line::shown;
use crate::resp::Refusal;

/// How a dump is framed (replication.c, `readSyncBulkPayload`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadHeader {
    /// `$length`: so many bytes, and nothing behind them.
    Length(u64),
    /// `$EOF:mark`: bytes until these 40. Comes after `capa eof`, and unasked from 2.8.18 to 2.8.21 and 3.0.0 to 3.0.3.
    Mark([u8; 40]),
}

/// A line that comes where a dump's header is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderLine {
    /// The source is still preparing.
    KeepAlive,
    /// The dump begins behind this line.
    Header(PayloadHeader),
    /// There will be no dump on this connection.
    Refused {
        /// Its words.
        refusal: Refusal,
        /// Whether trying again later may help.
        retryable: bool,
    },
    /// A line that no server sends here.
    Strange(String),
}

impl HeaderLine {
    /// Judges a line without its line end.
    pub fn classify(line: &[u8]) -> Self {
        match line.split_first() {
            None => Self::KeepAlive,
            Some((b'-', text)) => {
                let refusal = Refusal::of(&String::from_utf8_lossy(text));
                let retryable = matches!(PsyncReply::refused(refusal.clone()), PsyncReply::Retry(_));
                Self::Refused { refusal, retryable }
            }
            Some((b'$', rest)) => header(rest).map_or_else(|| Self::Strange(shown(line)), Self::Header),
            Some(_) => Self::Strange(shown(line)),
        }
    }
}

fn header(text: &[u8]) -> Option<PayloadHeader> {
    if let Some(mark) = text.strip_prefix(b"EOF:") {
        return mark.try_into().ok().map(PayloadHeader::Mark);
    }
    let digits = text.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()?;
    Some(PayloadHeader::Length(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_framings_are_known() {
        assert_eq!(HeaderLine::classify(b"$1234"), HeaderLine::Header(PayloadHeader::Length(1234)));
        let mark = *b"0123456789abcdef0123456789abcdef01234567";
        let line = [b"$EOF:", &mark[..]].concat();
        assert_eq!(HeaderLine::classify(&line), HeaderLine::Header(PayloadHeader::Mark(mark)));
        assert_eq!(HeaderLine::classify(b""), HeaderLine::KeepAlive);
    }

    #[test]
    fn errors_in_place_of_a_dump_are_judged() {
        for (line, expected) in [
            ("-ERR BGSAVE failed, replication can't continue", true),
            ("-NOMASTERLINK Can't SYNC while not connected with my master", true),
            ("-ERR unknown command 'SYNC'", false),
            ("-NOPERM no", false),
        ] {
            let HeaderLine::Refused { retryable, .. } = HeaderLine::classify(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(retryable, expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_header_is_strange() {
        for line in ["$", "$-1", "$+5", "$99999999999999999999", "$EOF:short", "$ENDOFF:1 a 0 7", "*1", "REDIS0011"] {
            assert_eq!(HeaderLine::classify(line.as_bytes()), HeaderLine::Strange(line.into()));
        }
    }
}
