//! Scripts. Sources up to 4.0, and later ones by setting, send EVAL and EVALSHA as they were said.
//!
//! A source sends a script's body only the first time; the destination's cache is emptied by a restart. So every body is
//! kept, in the run record and in the transaction that brought it, and EVALSHA goes out as EVAL.

use std::{borrow::Cow, fmt::Write as _};

use sha1::{Digest, Sha1};

use super::{Outgoing, Translator, channels, route::Route, words::Argv};
use crate::{
    command::{self, Spec},
    resp,
    unit::{Db, KeyText},
};

impl Translator {
    /// EVAL, EVALSHA, FCALL.
    pub(super) fn script(&mut self, words: Argv<'_>, db: Db, out: &mut Outgoing) {
        let words = if words.is(0, "EVALSHA") {
            let body = words.get(1).and_then(sha_of).and_then(|sha| self.scripts.get(&sha)).cloned();
            let Some(body) = body else {
                let reason = "the script of this SHA-1 was never sent to this run".to_owned();
                return self.leave(&words, db, &reason, out);
            };
            let rest = words.from(2).map(|word| Cow::Owned(word.into_owned()));
            Argv::new("EVAL", std::iter::once(Cow::Owned(body)).chain(rest))
        } else {
            if words.is(0, "EVAL") {
                self.remember(words.get(1).unwrap_or_default(), out);
            }
            words
        };
        if self.is_renumbered() && selects(words.get(1).unwrap_or_default()) {
            let reason = "it may select a database by number, and the plan renumbers databases or leaves some out";
            return self.leave(&words, db, reason, out);
        }
        if words.0.iter().any(|word| channels::names_sentinels(word)) {
            let reason = "it may publish to a channel by which Sentinels at the destination are led";
            return self.leave(&words, db, reason, out);
        }
        let spec = command::find(words.get(0).unwrap_or_default());
        if !self.knows(spec) {
            let reason = format!("{} does not know it", self.setup.destination.version);
            return self.leave(&words, db, &reason, out);
        }
        self.note_expiries(&words, out);
        let sent = match (self.route, spec) {
            (Route::Whole(target), _) => {
                out.send(std::slice::from_ref(&words), target);
                Ok(())
            }
            (_, Some(spec)) => self.deliver(spec, &words, db, out),
            (_, None) => Ok(()),
        };
        if let Err(reason) = sent {
            self.leave(&words, db, &reason, out);
        }
    }

    /// Counts a script that sets or reads expiries, and names it where it is new.
    fn note_expiries(&mut self, words: &Argv<'_>, out: &mut Outgoing) {
        let said = words.0.iter().map(|word| &**word).skip(1);
        if !self.setup.destination.expiry.defers() || !meets_deadlines(said) {
            return;
        }
        out.scripts += 1;
        let sha: [u8; 20] = Sha1::digest(words.get(1).unwrap_or_default()).into();
        if self.expiring.insert(sha) {
            let beginning: Vec<u8> = words.get(1).unwrap_or_default().iter().copied().take(BEGINNING).collect();
            out.new_scripts.push(format!("`{}` (SHA-1 {})", KeyText(&beginning), digits(&sha)));
        }
    }

    /// Whether some database of the source does not go, as a whole, to the one of its number.
    fn is_renumbered(&self) -> bool {
        let selection = &self.setup.selection;
        (0..self.setup.destination.databases).any(|db| selection.whole(Db(db)) != Some(Db(db)))
    }

    /// SCRIPT LOAD is kept and passed on; what else SCRIPT says concerns the source's cache alone.
    pub(super) fn script_cache(&mut self, words: &Argv<'_>, out: &mut Outgoing) {
        if words.is(1, "LOAD") && words.len() == 3 {
            self.remember(words.get(2).unwrap_or_default(), out);
            if self.knows(command::find(b"SCRIPT")) {
                out.send(std::slice::from_ref(words), Db(0));
            }
        }
    }

    /// Keeps the script that a command brings which is not sent: one that is sent may name it.
    pub(super) fn remember_body(
        &mut self,
        command: &resp::Command<'_>,
        spec: Option<&'static Spec>,
        out: &mut Outgoing,
    ) {
        if spec.is_some_and(|spec| spec.name == "EVAL") {
            self.remember(command.arg(1).unwrap_or_default(), out);
        }
    }

    /// Keeps a script, in the run record too.
    fn remember(&mut self, body: &[u8], out: &mut Outgoing) {
        let sha: [u8; 20] = Sha1::digest(body).into();
        if !self.scripts.contains_key(&sha) {
            self.note(&sha, body, out);
            self.scripts.insert(sha, body.to_vec());
        }
    }

    /// Puts all scripts, and the names of all libraries, back into a run record that was removed.
    pub fn restore_scripts(&self, out: &mut Outgoing) {
        self.note_libraries(out);
        let mut all: Vec<_> = self.scripts.iter().collect();
        all.sort_unstable();
        for (sha, body) in all {
            self.note(sha, body, out);
        }
    }

    fn note(&self, sha: &[u8; 20], body: &[u8], out: &mut Outgoing) {
        let key = Cow::Borrowed(self.setup.keys.scripts.as_bytes());
        let args = [key, Cow::Owned(digits(sha).into_bytes()), Cow::Borrowed(body)];
        let words = Argv::new("HSET", args);
        out.send(&[words], Db(0));
    }
}

/// Whether a script, of its body and its arguments, sets or reads expiries. The names of commands stand in its text, or come
/// as arguments.
#[must_use]
pub fn meets_deadlines<'w>(mut words: impl Iterator<Item = &'w [u8]>) -> bool {
    let has = |text: &[u8], name: &[u8]| text.windows(name.len()).any(|word| word.eq_ignore_ascii_case(name));
    let body = words.next().unwrap_or_default();
    // PEXPIRE, EXPIREAT, PTTL and so on have these in them.
    let named = [&b"EXPIRE"[..], b"SETEX", b"TTL", b"PERSIST", b"GETEX"].iter().any(|name| has(body, name));
    // The options of SET are words of their own.
    let option = [&b"'EX'"[..], b"\"EX\"", b"'PX'", b"\"PX\""].iter().any(|option| has(body, option));
    let said = |word: &[u8]| SAID.iter().any(|name| word.eq_ignore_ascii_case(name));
    named || option || words.any(said)
}

/// Arguments by which a script may set or read an expiry.
const SAID: [&[u8]; 11] =
    [b"EX", b"PX", b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT", b"SETEX", b"PSETEX", b"TTL", b"PTTL", b"PERSIST"];
/// Bytes of a script by which it is named.
const BEGINNING: usize = 60;

/// The SHA-1 that names a script.
pub(in crate::sink) fn name_of(body: &[u8]) -> String {
    digits(&Sha1::digest(body).into())
}

fn digits(sha: &[u8; 20]) -> String {
    let mut digits = String::with_capacity(40);
    for byte in sha {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Whether a script names the command that selects a database.
fn selects(body: &[u8]) -> bool {
    body.windows(6).any(|word| word.eq_ignore_ascii_case(b"SELECT"))
}

/// The digest that 40 hexadecimal digits stand for, in any case.
fn sha_of(digits: &[u8]) -> Option<[u8; 20]> {
    let mut sha = [0; 20];
    if digits.len() != 40 {
        return None;
    }
    for (byte, pair) in sha.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(sha)
}
