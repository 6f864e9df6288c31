//! Noticing that the source asks how much was received.

use memchr::memmem;

/// The request's second word, as every server sends it (replication.c, `replicationRequestAckFromSlaves`).
const REQUEST: &[u8] = b"$6\r\nGETACK\r\n";

/// Looks for the request in a stream that comes in pieces. It looks at bytes and not at commands: a value that holds the
/// same bytes causes an acknowledgement too many, which harms nobody.
#[derive(Debug, Default)]
pub(super) struct GetAck {
    /// The end of what came, when the request may have begun there.
    tail: Vec<u8>,
}

impl GetAck {
    /// Whether the request ends in `bytes`.
    pub(super) fn seen(&mut self, bytes: &[u8]) -> bool {
        let across = REQUEST.len() - 1;
        self.tail.extend_from_slice(bytes.get(..across.min(bytes.len())).unwrap_or_default());
        let found = memmem::find(&self.tail, REQUEST).is_some() || memmem::find(bytes, REQUEST).is_some();
        if bytes.len() >= across {
            self.tail.clear();
            self.tail.extend_from_slice(bytes.get(bytes.len() - across..).unwrap_or_default());
        } else {
            let before = self.tail.len().saturating_sub(across);
            self.tail.drain(..before);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_seen_once_however_it_is_cut() {
        let stream = b"*1\r\n$4\r\nPING\r\n*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n*1\r\n$4\r\nPING\r\n";
        for size in 1..stream.len() {
            let mut watch = GetAck::default();
            let seen = stream.chunks(size).filter(|piece| watch.seen(piece)).count();
            assert_eq!(seen, 1, "pieces of {size}");
        }
        let mut watch = GetAck::default();
        assert!(!watch.seen(b"*1\r\n$4\r\nPING\r\n"));
    }
}
