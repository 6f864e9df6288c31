//! What is collected for one transaction at the destination.

use super::words::Words;
use crate::{resp, step::KeyFailure, unit::Db};

/// The command that claims pending entries.
const CLAIM: &str = "XCLAIM";

/// Commands that write only where there is no key yet.
const MAKES: [&str; 5] = ["SETNX", "MSETNX", "RENAMENX", "COPY", "MOVE"];

/// Commands for one transaction, which begins in database 0.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The commands, SELECTs included.
    pub bytes: Vec<u8>,
    /// How many these are.
    pub commands: u32,
    /// Commands of the source that are not sent, and why.
    pub left: Vec<KeyFailure>,
    /// Commands of the source that the plan's rules leave out.
    pub filtered: u64,
    /// Whether a command that writes data came.
    pub data: bool,
    /// Whether these commands remove the run record from database 0: it must be put back behind them.
    pub wipes_record: bool,
    /// Which of the commands claim pending entries of a stream, by their place.
    pub claims: Vec<u32>,
    /// Which of them write only where there is no key yet, by their place. A source sends one only when it took effect.
    pub makes: Vec<u32>,
    /// Whether far deadlines in them are exact.
    pub settles: bool,
    /// Scripts among them that set or read expiries, where deadlines are deferred.
    pub scripts: u64,
    /// Names of those that come for the first time.
    pub new_scripts: Vec<String>,
    /// Databases of the destination that these commands empty, each once.
    pub empties: Vec<Db>,
    selected: Option<Db>,
}

impl Outgoing {
    /// Begins the next transaction.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.claims.clear();
        self.makes.clear();
        self.empties.clear();
        (self.commands, self.filtered, self.selected, self.wipes_record) = (0, 0, None, false);
        self.settles = false;
    }

    /// Notes that commands added from outside have selected `db`.
    pub fn reselect(&mut self, db: Db) {
        self.selected = Some(db);
    }

    /// Sees to it that the next command is carried out in `db`.
    pub(super) fn select(&mut self, db: Db) {
        if self.selected.unwrap_or(Db(0)) != db {
            resp::array_header(&mut self.bytes, 2);
            resp::bulk(&mut self.bytes, b"SELECT");
            resp::bulk_u64(&mut self.bytes, u64::from(db.0));
            self.commands = self.commands.saturating_add(1);
            self.selected = Some(db);
        }
    }

    /// The commands whose answers are looked at, in order; those that claim only where they may be in vain.
    pub fn watched(&mut self, claims: bool) -> Vec<u32> {
        let mut watched = std::mem::take(&mut self.makes);
        if claims {
            watched.append(&mut self.claims);
            watched.sort_unstable();
        }
        watched
    }

    /// Notes what the answer to the next command is looked at for. A SET comes here without its NX.
    pub(super) fn note(&mut self, name: &[u8]) {
        let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if is(&[CLAIM]) {
            self.claims.push(self.commands);
        } else if is(&MAKES) {
            self.makes.push(self.commands);
        }
    }

    /// Adds a command as it was received.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.commands = self.commands.saturating_add(1);
    }

    /// Adds commands to be carried out in database `target`.
    pub(super) fn send(&mut self, commands: &[Words<'_>], target: Db) {
        for words in commands {
            self.select(target);
            self.note(words.get(0).unwrap_or_default());
            self.words(words);
        }
    }

    /// Adds a command of words.
    fn words(&mut self, words: &Words<'_>) {
        resp::array_header(&mut self.bytes, words.len());
        for word in &words.0 {
            resp::bulk(&mut self.bytes, word);
        }
        self.commands = self.commands.saturating_add(1);
    }
}
