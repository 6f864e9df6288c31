//! What a server's error reply means.

use crate::unit::quoted;

/// An error reply of a server: its text and what kind of refusal it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// The reply as it came, without the leading `-`, without arguments of ours that it repeats, and fit to be shown.
    pub text: String,
}

/// The refusals that are told apart. Each is recognised by the reply's first word where servers give it one of its own,
/// by the text after `ERR` otherwise (server.c, networking.c, cluster.c; texts differ between versions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A password is needed and none was given.
    NoAuth,
    /// The user or password is wrong, or the user is disabled.
    WrongPassword,
    /// A password was given to a server that has none.
    NoPasswordSet,
    /// The user may not run this command or touch this key or channel.
    NoPermission,
    /// The server answers only local clients (protected mode).
    ProtectedMode,
    /// All client connections are taken.
    MaxClients,
    /// The dataset is being loaded.
    Loading,
    /// A replica without a link to its master refuses to serve replication.
    NoMasterLink,
    /// A replica without a link to its master refuses reads.
    MasterDown,
    /// A replica refuses writes.
    ReadOnly,
    /// `maxmemory` is reached and nothing may be evicted.
    OutOfMemory,
    /// A script or module runs for too long.
    Busy,
    /// Writes are refused because the last background save failed.
    Misconf,
    /// Too few replicas for a write.
    NoReplicas,
    /// The key exists already (`RESTORE` without `REPLACE`).
    BusyKey,
    /// A serialized value that the server cannot read: newer than it, or damaged.
    BadPayload,
    /// The key holds another type.
    WrongType,
    /// There is no such key.
    NoKey,
    /// The stream has no such consumer group, or there is no such stream.
    NoGroup,
    /// A function library or a function of this name exists already (functions.c, `functionsCreateWithLibraryCtx`).
    LibraryExists,
    /// The script is not in the cache.
    NoScript,
    /// A transaction was dropped because one of its commands was refused when queued.
    ExecAbort,
    /// The slot lives elsewhere, moves, or the cluster is not whole.
    Cluster,
    /// The command is not known, or was renamed away.
    UnknownCommand,
    /// A wrong number of arguments.
    Arity,
    /// The server has no such database.
    DbRange,
    /// Anything else.
    Other,
}

/// First words that settle the kind.
const WORDS: [(&str, RefusalKind); 23] = [
    ("NOAUTH", RefusalKind::NoAuth),
    ("WRONGPASS", RefusalKind::WrongPassword),
    ("NOPERM", RefusalKind::NoPermission),
    ("DENIED", RefusalKind::ProtectedMode),
    ("LOADING", RefusalKind::Loading),
    ("NOMASTERLINK", RefusalKind::NoMasterLink),
    ("MASTERDOWN", RefusalKind::MasterDown),
    ("READONLY", RefusalKind::ReadOnly),
    ("OOM", RefusalKind::OutOfMemory),
    ("BUSY", RefusalKind::Busy),
    ("MISCONF", RefusalKind::Misconf),
    ("NOREPLICAS", RefusalKind::NoReplicas),
    ("BUSYKEY", RefusalKind::BusyKey),
    ("WRONGTYPE", RefusalKind::WrongType),
    ("NOGROUP", RefusalKind::NoGroup),
    ("NOSCRIPT", RefusalKind::NoScript),
    ("EXECABORT", RefusalKind::ExecAbort),
    ("MOVED", RefusalKind::Cluster),
    ("ASK", RefusalKind::Cluster),
    ("TRYAGAIN", RefusalKind::Cluster),
    ("CROSSSLOT", RefusalKind::Cluster),
    ("CLUSTERDOWN", RefusalKind::Cluster),
    ("REDIRECT", RefusalKind::Cluster),
];

/// Beginnings of the text after `ERR`, in lower case.
const TEXTS: [(&str, RefusalKind); 15] = [
    ("operation not permitted", RefusalKind::NoAuth),
    ("invalid password", RefusalKind::WrongPassword),
    ("client sent auth, but no password is set", RefusalKind::NoPasswordSet),
    ("auth <password> called without any password configured", RefusalKind::NoPasswordSet),
    ("max number of clients reached", RefusalKind::MaxClients),
    ("can't sync while not connected with my master", RefusalKind::NoMasterLink),
    ("target key name is busy", RefusalKind::BusyKey),
    ("dump payload version or checksum are wrong", RefusalKind::BadPayload),
    ("bad data format", RefusalKind::BadPayload),
    ("no such key", RefusalKind::NoKey),
    ("unknown command", RefusalKind::UnknownCommand),
    ("wrong number of arguments", RefusalKind::Arity),
    ("invalid db index", RefusalKind::DbRange),
    ("db index is out of range", RefusalKind::DbRange),
    ("select is not allowed in cluster mode", RefusalKind::DbRange),
];

/// What a refusal of `AUTH` is called, by its kind.
const AUTH_TEXTS: [(RefusalKind, &str); 10] = [
    (RefusalKind::NoAuth, "NOAUTH, it wants a password"),
    (RefusalKind::WrongPassword, "WRONGPASS, the user or the password is wrong, or the user is disabled"),
    (RefusalKind::NoPasswordSet, "ERR, no password is set"),
    (RefusalKind::NoPermission, "NOPERM, the user may not do this"),
    (RefusalKind::ProtectedMode, "DENIED, it is in protected mode"),
    (RefusalKind::MaxClients, "ERR, the maximum of clients is reached"),
    (RefusalKind::Loading, "LOADING, it is loading its dataset"),
    (RefusalKind::Busy, "BUSY, it runs a script"),
    (RefusalKind::UnknownCommand, "ERR unknown command `AUTH`"),
    (RefusalKind::Arity, "ERR wrong number of arguments for `AUTH`"),
];

/// Characters of a refusal's text that are shown.
const SHOWN: usize = 160;

impl Refusal {
    /// Judges an error reply, given without its `-`. The part in which servers from Redis 5 on repeat the arguments of
    /// a command they do not know is dropped: an argument may be a secret.
    pub fn of(text: &str) -> Self {
        let end = text.find("with args beginning with").unwrap_or(text.len());
        let text = text.get(..end).unwrap_or_default().trim_end_matches([' ', ',']);
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let lower = rest.to_ascii_lowercase();
        let by_text = || TEXTS.iter().find(|(start, _)| word == "ERR" && lower.starts_with(start));
        let found = WORDS.iter().find(|(known, _)| *known == word).or_else(by_text).map(|(_, kind)| *kind);
        let kind = found.unwrap_or_else(|| match lower.strip_suffix(" already exists") {
            Some(start) if start.starts_with("library ") || start.starts_with("function ") => {
                RefusalKind::LibraryExists
            }
            _ => RefusalKind::Other,
        });
        Self { kind, text: quoted(text.as_bytes(), usize::MAX) }
    }

    /// Judges an error reply to `AUTH`. Only its kind is kept: a server that was given a password may say it back in its own
    /// words, whole, in part or written in another way.
    pub fn of_auth(text: &str) -> Self {
        let kind = Self::of(text).kind;
        let found = AUTH_TEXTS.iter().find(|(known, _)| *known == kind);
        Self { kind, text: found.map_or("an error of another kind", |(_, text)| text).to_owned() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Within a sentence: without a full stop, and without the essay on protected mode.
        let text = self.text.trim_end_matches('.');
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}…", text.get(..end).unwrap_or_default()),
            None => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_old_and_new_servers_mean_the_same() {
        use RefusalKind as Kind;
        let cases = [
            ("ERR operation not permitted", Kind::NoAuth),
            ("NOAUTH Authentication required.", Kind::NoAuth),
            ("ERR invalid password", Kind::WrongPassword),
            ("WRONGPASS invalid username-password pair or user is disabled.", Kind::WrongPassword),
            ("ERR Client sent AUTH, but no password is set", Kind::NoPasswordSet),
            ("ERR unknown command 'PSYNC'", Kind::UnknownCommand),
            ("ERR unknown command `PSYNC`, with args beginning with: `?`, `-1`, ", Kind::UnknownCommand),
            ("ERR wrong number of arguments for 'auth' command", Kind::Arity),
            ("BUSYKEY Target key name already exists.", Kind::BusyKey),
            ("BUSY Redis is busy running a script.", Kind::Busy),
            ("ERR Target key name is busy.", Kind::BusyKey),
            ("ERR DUMP payload version or checksum are wrong", Kind::BadPayload),
            ("ERR Bad data format", Kind::BadPayload),
            ("ERR no such key", Kind::NoKey),
            ("NOGROUP No such key 'x' or consumer group 'g'", Kind::NoGroup),
            ("ERR Library 'mine' already exists", Kind::LibraryExists),
            ("ERR Function mine already exists", Kind::LibraryExists),
            ("ERR syntax error", Kind::Other),
            ("", Kind::Other),
        ];
        for (text, kind) in cases {
            assert_eq!(Refusal::of(text).kind, kind, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_shown_short() {
        let shown = Refusal::of(&format!("DENIED {}", "é".repeat(1000))).to_string();
        assert_eq!((shown.chars().count(), shown.ends_with("é…")), (161, true));
        assert_eq!(Refusal::of("NOAUTH Authentication required.").to_string(), "NOAUTH Authentication required");
    }

    #[test]
    fn of_a_refused_password_only_the_kind_is_repeated() {
        for (text, kind) in [
            ("WRONGPASS invalid username-password pair hunter2", RefusalKind::WrongPassword),
            ("ERR invalid password hunter2", RefusalKind::WrongPassword),
            ("ERR unknown command `AUTH`, with args beginning with: `hunter2`, ", RefusalKind::UnknownCommand),
            ("hunter2", RefusalKind::Other),
        ] {
            let refusal = Refusal::of_auth(text);
            assert!(refusal.kind == kind && !refusal.text.contains("hunter"), "{refusal:?}");
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let refusal = Refusal::of("ERR unknown command `AUTH`, with args beginning with: `hunter2`, ");
        assert_eq!(refusal.kind, RefusalKind::UnknownCommand);
        assert_eq!(refusal.text, "ERR unknown command `AUTH`");
    }
}
