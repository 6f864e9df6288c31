//! Introducing ourselves as a replica.

use std::collections::VecDeque;

use secrecy::zeroize::Zeroizing;

use super::HandshakeError;
use super::line::shown;
use crate::resp::{self, Refusal, RefusalKind};
use crate::unit::{Secret, ServerVersion};

/// The version we claim towards Valkey: from 9.1 on it chooses the dump's format by it, and without it the dump of a
/// hash whose fields have a time to live fails for ever (Valkey replication.c, `replicaRdbVersion`).
const CLAIMED: &[u8] = b"9.1.0";

/// The port that the source lists us with. A Sentinel adopts every replica that its master lists, and one without a port
/// is listed with 0, which it takes: a dead replica that stays until `SENTINEL RESET`. No address has this port, so it
/// adopts nothing (sentinel.c, `createSentinelAddr`). Every server from 2.8.22 on lists it as it is.
const NO_PORT: &[u8] = b"-1";

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Send(_) => f.write_str("Send(..)"),
            Self::Done => f.write_str("Done"),
            Self::Fail(error) => write!(f, "Fail({error:?})"),
        }
    }
}

/// What the handshake depends on.
#[derive(Debug, Default)]
pub struct HandshakeOptions {
    /// The ACL user (Redis 6).
    pub username: Option<String>,
    /// The password; none sends no AUTH.
    pub password: Option<Secret>,
    /// The source's version as far as it is known.
    pub source: Option<ServerVersion>,
}

/// What to do next.
#[derive(PartialEq, Eq)]
pub enum Action {
    /// Send this, read one line and hand it to [`Handshake::on_reply`]. It may hold the password, and is wiped when dropped.
    Send(Zeroizing<Vec<u8>>),
    /// The source is ready for PSYNC.
    Done,
    /// Give up.
    Fail(HandshakeError),
}

/// The handshake, one request at a time (replication.c, `syncWithMaster`): PING, AUTH, then the REPLCONFs, of which
/// every one may be refused by a source that does not know it.
#[derive(Debug)]
pub struct Handshake {
    options: HandshakeOptions,
    /// Requests to make; the first is made and not answered yet, or is the next.
    steps: VecDeque<HandshakeStep>,
    failed: Option<HandshakeError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandshakeStep {
    Ping,
    Auth,
    ListeningPort,
    Version,
    Capabilities,
}

impl HandshakeStep {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Auth => "AUTH",
            Self::ListeningPort | Self::Version | Self::Capabilities => "REPLCONF",
        }
    }
}

impl Handshake {
    /// A handshake on a fresh connection.
    pub fn new(options: HandshakeOptions) -> Self {
        let claims_version = options.source.is_some_and(|source| source.has((u16::MAX, 0), (8, 0)));
        let steps = [
            (true, HandshakeStep::Ping),
            (options.password.is_some(), HandshakeStep::Auth),
            (true, HandshakeStep::ListeningPort),
            (claims_version, HandshakeStep::Version),
            (true, HandshakeStep::Capabilities),
        ];
        let steps = steps.into_iter().filter(|(wanted, _)| *wanted).map(|(_, step)| step).collect();
        Self { options, steps, failed: None }
    }

    /// What to do now.
    pub fn next(&self) -> Action {
        match (&self.failed, self.steps.front()) {
            (Some(error), _) => Action::Fail(error.clone()),
            (None, None) => Action::Done,
            (None, Some(step)) => Action::Send(self.request(*step)),
        }
    }

    /// Takes in the answer to the last request, a line without its line end.
    pub fn on_reply(&mut self, line: &[u8]) {
        let Some(step) = self.steps.pop_front() else { return };
        self.failed = match line.split_first() {
            Some((b'+', _)) => None,
            Some((b'-', text)) => {
                let text = String::from_utf8_lossy(text);
                let refusal = if step == HandshakeStep::Auth { Refusal::of_auth(&text) } else { Refusal::of(&text) };
                self.judge(step, refusal).err()
            }
            _ => Some(HandshakeError::Strange { request: step.name(), seen: shown(line) }),
        };
    }

    fn request(&self, step: HandshakeStep) -> Zeroizing<Vec<u8>> {
        if let (HandshakeStep::Auth, Some(password)) = (step, &self.options.password) {
            return resp::auth(self.options.username.as_deref(), password);
        }
        let mut out = Zeroizing::new(vec![]);
        match step {
            HandshakeStep::Ping => resp::command(&mut out, &[b"PING"]),
            HandshakeStep::Auth => resp::command(&mut out, &[b"AUTH", b""]),
            HandshakeStep::ListeningPort => {
                resp::command(&mut out, &[b"REPLCONF", b"listening-port", NO_PORT]);
            }
            HandshakeStep::Version => resp::command(&mut out, &[b"REPLCONF", b"version", CLAIMED]),
            HandshakeStep::Capabilities => resp::command(&mut out, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]),
        }
        out
    }

    /// Whether the handshake can go on after a refusal.
    fn judge(&self, step: HandshakeStep, refusal: Refusal) -> Result<(), HandshakeError> {
        use RefusalKind as Kind;
        let error = |refusal| Err(HandshakeError::of(step.name(), refusal));
        match (step, refusal.kind) {
            // AUTH comes next.
            (HandshakeStep::Ping, Kind::NoAuth) if self.options.password.is_some() => Ok(()),
            // PING proves nothing that PSYNC does not.
            (HandshakeStep::Ping, Kind::NoPermission | Kind::UnknownCommand) => Ok(()),
            (HandshakeStep::Auth, Kind::WrongPassword) => {
                Err(HandshakeError::WrongPassword { username: self.options.username.clone(), refusal })
            }
            (HandshakeStep::Auth, Kind::NoPasswordSet) => Err(HandshakeError::NoPasswordSet(refusal)),
            (HandshakeStep::Auth, Kind::Arity) if self.options.username.is_some() => {
                Err(HandshakeError::NoUsers(refusal))
            }
            (HandshakeStep::Ping | HandshakeStep::Auth, _) | (_, Kind::NoAuth | Kind::NoPermission | Kind::Loading) => {
                error(refusal)
            }
            // "Unrecognized REPLCONF option" of an older source.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a source that answers with these lines; what was sent (the words, `|` between requests) and how it ended.
    fn play(options: HandshakeOptions, answers: &[&str]) -> (String, Action) {
        let mut handshake = Handshake::new(options);
        let mut sent = vec![];
        for answer in answers {
            let Action::Send(bytes) = handshake.next() else { break };
            let mut reader = resp::ReplyReader::default();
            reader.feed(&bytes);
            let Ok(Some(resp::Reply::Array(Some(words)))) = reader.next() else { panic!("no command: {bytes:?}") };
            let words: Vec<_> = words.iter().map(|word| str::from_utf8(word.text().unwrap()).unwrap()).collect();
            sent.push(words.join(" "));
            handshake.on_reply(answer.as_bytes());
        }
        (sent.join(" | "), handshake.next())
    }

    fn with_password(username: Option<&str>) -> HandshakeOptions {
        HandshakeOptions {
            username: username.map(str::to_owned),
            password: Some(Secret::from("hunter2")),
            ..HandshakeOptions::default()
        }
    }

    #[test]
    fn an_open_source_is_greeted_and_told_our_capabilities() {
        let (sent, end) = play(HandshakeOptions::default(), &["+PONG", "+OK", "+OK"]);
        assert_eq!(sent, "PING | REPLCONF listening-port -1 | REPLCONF capa eof capa psync2");
        assert_eq!(end, Action::Done);
    }

    #[test]
    fn old_sources_need_not_know_any_replconf() {
        let refusal = "-ERR Unrecognized REPLCONF option: capa";
        let answers = ["+PONG", "-ERR unknown command 'REPLCONF'", refusal];
        let (sent, end) = play(HandshakeOptions::default(), &answers);
        assert_eq!(sent, "PING | REPLCONF listening-port -1 | REPLCONF capa eof capa psync2");
        assert_eq!(end, Action::Done);
    }

    #[test]
    fn valkey_from_8_on_is_told_a_version() {
        let versions = [
            (ServerVersion::valkey(9, 1, 2), true),
            (ServerVersion::valkey(8, 0, 0), true),
            (ServerVersion::valkey(7, 2, 7), false),
            (ServerVersion::redis(8, 2, 3), false),
        ];
        for (version, told) in versions {
            let options = HandshakeOptions { source: Some(version), ..HandshakeOptions::default() };
            let (sent, end) = play(options, &["+PONG", "+OK", "+OK", "+OK"]);
            assert_eq!(sent.contains("REPLCONF version 9.1.0 |"), told, "{version}");
            assert_eq!(end, Action::Done);
        }
    }

    #[test]
    fn a_password_is_given_after_ping_asks_for_it() {
        let answers = ["-NOAUTH Authentication required.", "+OK", "+OK", "+OK"];
        let (sent, end) = play(with_password(Some("migrator")), &answers);
        assert_eq!(sent, "PING | AUTH migrator hunter2 | REPLCONF listening-port -1 | REPLCONF capa eof capa psync2");
        assert_eq!(end, Action::Done);
        let (sent, _) = play(with_password(None), &answers);
        assert!(sent.contains("| AUTH hunter2 |"));
    }

    #[test]
    fn refusals_are_explained() {
        let cases = [
            (HandshakeOptions::default(), vec!["-NOAUTH Authentication required."], "needs a password"),
            (HandshakeOptions::default(), vec!["-ERR operation not permitted"], "needs a password"),
            (HandshakeOptions::default(), vec!["-DENIED Redis is running in protected mode"], "protected mode"),
            (HandshakeOptions::default(), vec!["-LOADING Redis is loading the dataset in memory"], "try again later"),
            (HandshakeOptions::default(), vec!["-ERR max number of clients reached"], "try again later"),
            (HandshakeOptions::default(), vec!["HTTP/1.1 400 Bad Request"], "is it a Redis"),
            (HandshakeOptions::default(), vec!["+PONG", "-NOPERM this user has no permissions"], "+replconf"),
            (with_password(None), vec!["+PONG", "-ERR invalid password"], "refused the password:"),
            (with_password(Some("u")), vec!["+PONG", "-WRONGPASS invalid"], "refused the password of user `u`:"),
            (with_password(None), vec!["+PONG", "-ERR Client sent AUTH, but no password is set"], "remove `password`"),
            (
                with_password(Some("u")),
                vec!["+PONG", "-ERR wrong number of arguments for 'auth' command"],
                "older than Redis 6",
            ),
            (
                with_password(None),
                vec!["+PONG", "-ERR unknown command `AUTH`, with args beginning with: `hunter2`, "],
                "refused AUTH: ERR unknown command `AUTH`",
            ),
        ];
        for (options, answers, words) in cases {
            let (_, end) = play(options, &answers);
            let Action::Fail(error) = end else { panic!("{answers:?} did not fail") };
            assert!(error.to_string().contains(words), "{error}");
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
            assert_eq!(error.retryable(), words == "try again later");
        }
    }
}
