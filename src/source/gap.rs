//! Why a source cannot go on where a replica stands.

use super::SourceFacts;
use crate::unit::{ByteSize, Offset, ReplId};

/// Why a source answered the request to go on with a dump (replication.c, `masterTryPartialResynchronization`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// It keeps another history: it was restarted, fully resynchronised itself, or is another server.
    History {
        /// The one asked for.
        wanted: ReplId,
        /// Its own.
        its: ReplId,
    },
    /// It was promoted at an earlier byte than the last one received: what the old master sent behind it is not part of
    /// the new history.
    Branched {
        /// The last byte both histories share.
        at: Offset,
        /// The last byte received.
        received: Offset,
    },
    /// It stands before what was received: it lost writes that it had sent.
    Behind {
        /// Where it stands.
        its: Offset,
        /// The last byte received.
        received: Offset,
    },
    /// Its backlog no longer reaches back far enough.
    Backlog {
        /// How many bytes are missing.
        missing: u64,
        /// `repl-backlog-size`, where it tells.
        size: Option<ByteSize>,
    },
    /// It keeps no backlog.
    NoBacklog,
    /// It does not tell.
    Unknown,
}

impl Gap {
    /// Judges a refusal: what the source said of itself before it was asked to go on behind `received` of history
    /// `wanted`, and the history of the dump that it offered instead.
    pub fn of(facts: &SourceFacts, wanted: ReplId, received: Offset, offered: (ReplId, Offset)) -> Self {
        let number = |field: &str| facts.info.get(field).and_then(|value| value.parse::<u64>().ok());
        let (its, at) = offered;
        if its != wanted {
            let before = facts.info.get("master_replid2").and_then(|id| ReplId::parse(id.as_bytes()));
            return match number("second_repl_offset") {
                Some(second) if before == Some(wanted) && received.0 >= second => {
                    Self::Branched { at: Offset(second.saturating_sub(1)), received }
                }
                _ if before == Some(wanted) => Self::backlog(facts, received),
                _ => Self::History { wanted, its },
            };
        }
        if received > at {
            return Self::Behind { its: at, received };
        }
        Self::backlog(facts, received)
    }

    fn backlog(facts: &SourceFacts, received: Offset) -> Self {
        let number = |field: &str| facts.info.get(field).and_then(|value| value.parse::<u64>().ok());
        if number("repl_backlog_active") == Some(0) {
            return Self::NoBacklog;
        }
        match number("repl_backlog_first_byte_offset") {
            Some(first) if first > received.0.saturating_add(1) => {
                let missing = first.saturating_sub(received.0).saturating_sub(1);
                Self::Backlog { missing, size: facts.info.repl_backlog_size() }
            }
            _ => Self::Unknown,
        }
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::History { wanted, its } => write!(
                f,
                "the source has a new history ({its}, not {wanted}): it was restarted, was itself resynchronised, or is \
                 another server"
            ),
            Self::Branched { at, received } => write!(
                f,
                "the source was promoted at offset {at}, but its old master had sent up to {received}: those writes are not \
                 in the new history"
            ),
            Self::Behind { its, received } => write!(
                f,
                "the source stands at offset {its}, before the {received} that it had sent: it has lost writes"
            ),
            Self::Backlog { missing, size } => {
                write!(f, "the source's backlog is too short by {missing} bytes")?;
                match size {
                    Some(size) => write!(f, " (`repl-backlog-size` is {size}; a larger one bridges longer breaks)"),
                    None => write!(f, " (a larger `repl-backlog-size` bridges longer breaks)"),
                }
            }
            Self::NoBacklog => f.write_str(
                "the source keeps no backlog: no replica was connected for `repl-backlog-ttl`, or it was restarted",
            ),
            Self::Unknown => f.write_str(
                "the source does not say why: its backlog was emptied (`repl-backlog-size` was changed) or had moved on",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Info;

    const A: &str = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
    const B: &str = "0000000000000000000000000000000000000001";

    fn gap(info: &str, received: u64, offered: (&str, u64)) -> String {
        let id = |text: &str| ReplId::parse(text.as_bytes()).unwrap();
        let facts = SourceFacts::of(Info::parse(info));
        Gap::of(&facts, id(A), Offset(received), (id(offered.0), Offset(offered.1))).to_string()
    }

    #[test]
    fn each_refusal_is_explained() {
        let cases = [
            (gap("", 10, (B, 20)), "new history (0000000000000000000000000000000000000001, not 8371"),
            (gap(&format!("master_replid2:{A}\nsecond_repl_offset:8\n"), 10, (B, 20)), "promoted at offset 7"),
            (
                gap(
                    &format!(
                        "master_replid2:{A}\nsecond_repl_offset:18\nrepl_backlog_active:1\n\
                         repl_backlog_first_byte_offset:15\n"
                    ),
                    10,
                    (B, 20),
                ),
                "too short by 4 bytes",
            ),
            (gap("", 30, (A, 20)), "stands at offset 20, before the 30"),
            (
                gap(
                    "repl_backlog_active:1\nrepl_backlog_first_byte_offset:12\nrepl_backlog_size:1048576\n",
                    10,
                    (A, 20),
                ),
                "too short by 1 bytes (`repl-backlog-size` is 1 MiB",
            ),
            (gap("repl_backlog_active:0\n", 10, (A, 20)), "keeps no backlog"),
            (gap("", 10, (A, 20)), "does not say why"),
        ];
        for (text, words) in cases {
            assert!(text.contains(words), "{text}");
        }
    }
}
