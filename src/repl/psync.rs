//! Asking for the stream, and what the answers mean.

use super::line::shown;
use crate::resp::{self, Refusal, RefusalKind};
use crate::unit::{Offset, ReplId};

/// The request for a whole dump and the stream after it.
pub fn psync_full() -> Vec<u8> {
    request(&[b"PSYNC", b"?", b"-1"])
}

/// The request to go on behind `offset`, the last byte that was received of history `replid`. Only offsets between two
/// commands, outside transactions, are good: the answer starts with any byte asked for.
pub fn psync_from(replid: ReplId, offset: Offset) -> Vec<u8> {
    request(&[b"PSYNC", replid.as_str().as_bytes(), offset.plus(1).to_string().as_bytes()])
}

/// The request for a dump from a source that knows no PSYNC. What follows has no replication id and cannot be resumed.
pub fn sync() -> Vec<u8> {
    request(&[b"SYNC"])
}

/// Tells the source that everything up to `offset` was received. There is no answer. Due once a second during the
/// stream; the first ones also release the stream after a diskless dump (replication.c, `replconfCommand`).
pub fn ack(offset: Offset) -> Vec<u8> {
    request(&[b"REPLCONF", b"ACK", offset.to_string().as_bytes()])
}

fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    resp::command(&mut out, args);
    out
}

/// A source's answer to PSYNC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PsyncReply {
    /// A dump follows, then the stream from `offset + 1` on.
    FullResync {
        /// The history.
        replid: ReplId,
        /// Its offset that the dump stands for.
        offset: Offset,
    },
    /// The stream goes on where it was asked to.
    Continue {
        /// The history's id from now on, when the source names one (Redis 4.0).
        replid: Option<ReplId>,
    },
    /// The source knows no PSYNC: ask with [`sync`].
    Fallback(Refusal),
    /// Not now; the same request may succeed later. A checkpoint stays good.
    Retry(Refusal),
    /// It will not do it until somebody changes something.
    Fatal(Refusal),
    /// An answer that no server gives.
    Strange(String),
}

/// Beginnings of errors after which trying again makes sense, in lower case (replication.c, `syncCommand`,
/// `startBgsaveForReplication`).
const PASSING: [&str; 4] = [
    "err bgsave failed",
    "err unable to perform background save",
    "err can't sync while not connected with my master",
    "nomasterlink",
];

impl PsyncReply {
    /// Judges the answer, a line without its line end.
    pub fn classify(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(line);
        if let Some(error) = text.strip_prefix('-') {
            return Self::refused(Refusal::of(error));
        }
        let mut words = text.split_ascii_whitespace();
        let id = |word: Option<&str>| word.and_then(|word| ReplId::parse(word.as_bytes()));
        let read = match words.next() {
            Some("+FULLRESYNC") => id(words.next()).and_then(|replid| {
                let offset = words.next()?.parse().map(Offset).ok()?;
                Some(Self::FullResync { replid, offset })
            }),
            Some("+CONTINUE") => match words.next() {
                None => Some(Self::Continue { replid: None }),
                word => id(word).map(|replid| Self::Continue { replid: Some(replid) }),
            },
            _ => None,
        };
        read.unwrap_or_else(|| Self::Strange(shown(line)))
    }

    /// Judges an error, to PSYNC or in place of the payload header.
    pub(super) fn refused(refusal: Refusal) -> Self {
        let lower = refusal.text.to_ascii_lowercase();
        match refusal.kind {
            RefusalKind::UnknownCommand => Self::Fallback(refusal),
            RefusalKind::Loading
            | RefusalKind::Busy
            | RefusalKind::MasterDown
            | RefusalKind::NoMasterLink
            | RefusalKind::MaxClients => Self::Retry(refusal),
            _ if PASSING.iter().any(|start| lower.starts_with(start)) => Self::Retry(refusal),
            _ => Self::Fatal(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8; 40] = b"8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";

    fn id() -> ReplId {
        ReplId::parse(ID).unwrap()
    }

    #[test]
    fn requests_ask_for_the_byte_after_the_last() {
        assert_eq!(psync_full(), b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
        let resume = psync_from(id(), Offset(41));
        assert!(resume.ends_with(b"$2\r\n42\r\n"), "{}", String::from_utf8_lossy(&resume));
        assert_eq!(ack(Offset(7)), b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n7\r\n");
        assert_eq!(sync(), b"*1\r\n$4\r\nSYNC\r\n");
    }

    #[test]
    fn agreement_carries_the_history() {
        let full = [b"+FULLRESYNC ", &ID[..], b" 12345"].concat();
        assert_eq!(PsyncReply::classify(&full), PsyncReply::FullResync { replid: id(), offset: Offset(12345) });
        assert_eq!(PsyncReply::classify(b"+CONTINUE"), PsyncReply::Continue { replid: None });
        let renamed = [b"+CONTINUE ", &ID[..]].concat();
        assert_eq!(PsyncReply::classify(&renamed), PsyncReply::Continue { replid: Some(id()) });
    }

    #[test]
    fn refusals_pass_or_stay() {
        let passing = [
            "-NOMASTERLINK Can't SYNC while not connected with my master",
            "-NOMASTERLINK Can't SYNC while failing over",
            "-ERR Can't SYNC while not connected with my master",
            "-LOADING Redis is loading the dataset in memory",
            "-BUSY Redis is busy running a script.",
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "-ERR BGSAVE failed, replication can't continue",
            "-ERR Unable to perform background save",
        ];
        for line in passing {
            assert!(matches!(PsyncReply::classify(line.as_bytes()), PsyncReply::Retry(_)), "{line}");
        }
        let staying = [
            "-NOPERM this user has no permissions to run the 'psync' command",
            "-NOAUTH Authentication required.",
            "-ERR value is not an integer or out of range",
            "-ERR SYNC and PSYNC are invalid with pending output",
        ];
        for line in staying {
            assert!(matches!(PsyncReply::classify(line.as_bytes()), PsyncReply::Fatal(_)), "{line}");
        }
        for line in ["-ERR unknown command 'PSYNC'", "-ERR unknown command `PSYNC`, with args beginning with: `?`"] {
            assert!(matches!(PsyncReply::classify(line.as_bytes()), PsyncReply::Fallback(_)), "{line}");
        }
    }

    #[test]
    fn half_an_answer_is_strange() {
        for line in ["+FULLRESYNC abc 1", "+FULLRESYNC", "+CONTINUE x", "+OK", "", "+RDBCHANNELSYNC 1", "$5"] {
            assert_eq!(PsyncReply::classify(line.as_bytes()), PsyncReply::Strange(line.into()));
        }
        let negative = [b"+FULLRESYNC ", &ID[..], b" -1"].concat();
        assert!(matches!(PsyncReply::classify(&negative), PsyncReply::Strange(_)));
    }
}
