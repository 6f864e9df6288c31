//! The state machine that takes the stream's commands one after another.

use std::collections::{HashMap, HashSet};

use memchr::memmem::Finder;

use super::{
    Erase, Outgoing, blocking, channels,
    expiry::{self, Receipt},
    older,
    outgoing::LONGEST_NAME,
    route::Route,
    words::{Argv, Change},
};
use crate::{
    command::{self, Class, Cross, KeySpec, Spec, SpecSet},
    resp,
    sink::{Destination, Libraries, RecordKeys, record::PREFIX},
    step::{KeyFailure, Selection},
    unit::{Db, Expiry, KeyText, Offset, ServerVersion, UnixMillis},
};

/// What translating needs to know.
pub struct TranslatorSetup {
    /// What moves where.
    pub selection: Selection,
    /// What the destination can take.
    pub destination: Destination,
    /// This run's own keys, in database 0 of the destination.
    pub keys: RecordKeys,
    /// Databases of the destination that held keys of others when the run began.
    pub occupied: Vec<Db>,
    /// Keys that the full copy left as they were: `<database at the destination>:<key>`.
    pub left_alone: HashSet<Vec<u8>>,
    /// The destination's function libraries.
    pub libraries: Libraries,
    /// The destination's commands, lower case; `None` where it does not tell: its version says which then.
    pub known_commands: Option<HashSet<String>>,
    /// Scripts that are known already, by their SHA-1.
    pub scripts: HashMap<[u8; 20], Vec<u8>>,
    /// The database selected where the stream begins; `None` when the stream says it first.
    pub db: Option<Db>,
    /// The source, if it told.
    pub source: Option<ServerVersion>,
    /// Who knows when keys end at the source; without it the time of receipt alone tells.
    pub deadlines: Option<Box<dyn SourceDeadlines + Send>>,
}

/// A key of a database of the source.
pub type Name<'a> = (Db, &'a [u8]);

/// Knows when keys end at the source.
pub trait SourceDeadlines {
    /// When a key ends there, where that can be told better than from the receipt of a command: the offset of its end and
    /// the time on the source's clock.
    fn at_source(&mut self, db: Db, key: &[u8], receipt: (Offset, UnixMillis)) -> Option<UnixMillis>;

    /// When a key ends there that a command gave another name, a copy or another database, if the answer for its old name may
    /// have been of another key.
    fn under_new_name(&mut self, from: Name<'_>, to: Name<'_>, receipt: (Offset, UnixMillis)) -> Option<UnixMillis>;
}

/// What taking a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Whatever it needs is in the outgoing commands.
    Done,
    /// The transaction must end before this command, and these keys be erased before the next.
    Erase(Erase),
    /// This is not what a source sends.
    Damaged(String),
    /// The command has something that is longer than what is taken.
    Long(String),
}

/// Which of a command's keys is not what it is at the source when the command is not carried out: the one it writes to.
fn written<'a>(spec: &Spec, keys: &'a [usize]) -> Option<&'a usize> {
    match (spec.class, spec.keys) {
        (Class::Cross(_), _) | (Class::Store, KeySpec::Stored { .. }) => keys.last(),
        _ => keys.first(),
    }
}

/// Why keys are not deleted by their slot.
const SLOTS: &str = "it deletes the keys of whole cluster slots, which this run does not follow";

/// Whether a command of a cluster's book-keeping deletes keys (Valkey 9).
fn flushes_slot(command: &resp::Command<'_>) -> bool {
    command.arg(1).is_some_and(|word| word.eq_ignore_ascii_case(b"FLUSHSLOT"))
}

/// Turns commands of the stream into commands for the destination.
pub struct Translator {
    pub(super) setup: TranslatorSetup,
    pub(super) db: Option<Db>,
    pub(super) route: Route,
    pub(super) scripts: HashMap<[u8; 20], Vec<u8>>,
    /// Those of them that set or read expiries, and were named.
    pub(super) expiring: HashSet<[u8; 20]>,
    in_transaction: bool,
    /// What the destination has.
    known: SpecSet,
    own: Finder<'static>,
    pub(super) indexes: Vec<usize>,
}

impl Translator {
    /// A translator at the setup's place in the stream.
    #[must_use]
    pub fn new(mut setup: TranslatorSetup) -> Self {
        let scripts = std::mem::take(&mut setup.scripts);
        let db = setup.db;
        let known = SpecSet::of(|spec| match &setup.known_commands {
            Some(known) => known.contains(&spec.name.to_ascii_lowercase()),
            None => spec.in_version(setup.destination.version),
        });
        let mut translator = Self {
            setup,
            db,
            route: Route::Nothing,
            scripts,
            expiring: HashSet::new(),
            in_transaction: false,
            known,
            own: Finder::new(PREFIX).into_owned(),
            indexes: vec![],
        };
        translator.route = translator.route_of(db.unwrap_or(Db(0)));
        translator
    }

    /// Whether the source's transaction is not at its end: ours must not end here.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Whether a claim that the source carried out may be in vain: up to 6.2 an entry stays pending when it is deleted from its
    /// stream; from 7.0 on whoever claims such an entry removes it instead.
    #[must_use]
    pub fn claims_in_vain(&self) -> bool {
        let before = |version: ServerVersion| !version.has_redis((7, 0));
        self.setup.source.is_some_and(before) && !before(self.setup.destination.version)
    }

    /// Says how deadlines are written from now on.
    pub fn write_deadlines(&mut self, expiry: Expiry) {
        self.setup.destination.expiry = expiry;
    }

    /// How deadlines are written.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.setup.destination.expiry
    }

    /// The source's selected database.
    #[must_use]
    pub fn db(&self) -> Option<Db> {
        self.db
    }

    /// Takes one command, received at `received_at` on the source's clock.
    pub fn take(&mut self, command: &resp::Command<'_>, received_at: UnixMillis, out: &mut Outgoing) -> CommandOutcome {
        if command.is_empty() {
            return CommandOutcome::Done; // A keep-alive.
        }
        out.settles |= matches!(self.expiry(), Expiry::Settling(_));
        let spec = command::find(command.name());
        out.receive(command, spec);
        match spec.map(|spec| spec.class) {
            Some(Class::Housekeeping) if flushes_slot(command) => {
                out.data = true;
                self.leave(&Argv::of(command.args()), self.db.unwrap_or(Db(0)), SLOTS, out);
            }
            Some(Class::Housekeeping) => {}
            Some(Class::Select) => return self.select(command),
            Some(Class::Multi) => self.in_transaction = true,
            Some(Class::Exec) => self.in_transaction = false,
            Some(Class::Publish | Class::ScriptCache | Class::Function) => self.without_db(command, spec, out),
            _ => match self.db {
                None => {
                    let name = KeyText(command.name());
                    return CommandOutcome::Damaged(format!(
                        "`{name}` comes before any SELECT, so its database is not known"
                    ));
                }
                Some(db) => {
                    out.data = true;
                    let expiry = self.setup.destination.expiry;
                    let receipt = Receipt { end: Offset(command.end()), at: received_at, ends: None, expiry };
                    return self.data(command, spec, (db, receipt), out);
                }
            },
        }
        CommandOutcome::Done
    }

    fn select(&mut self, command: &resp::Command<'_>) -> CommandOutcome {
        let db = command.arg(1).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok()).map(Db);
        let Some(db) = db else { return CommandOutcome::Damaged("a SELECT without a database".to_owned()) };
        if self.db != Some(db) {
            self.db = Some(db);
            self.route = self.route_of(db);
        }
        CommandOutcome::Done
    }

    /// A command that is carried out in no database.
    fn without_db(&mut self, command: &resp::Command<'_>, spec: Option<&'static Spec>, out: &mut Outgoing) {
        let words = Argv::of(command.args());
        let publish = spec.is_some_and(|spec| spec.class == Class::Publish);
        match spec.map(|spec| spec.class) {
            // What it says holds for the source's deployment alone.
            Some(Class::Publish) if channels::is_obeyed(words.get(1).unwrap_or_default()) => out.filtered += 1,
            // What subscribers miss is gone either way.
            Some(Class::Publish) if !self.knows(spec) => out.send(&[older::publish(&words)], Db(0)),
            Some(Class::ScriptCache) => self.script_cache(&words, out),
            Some(Class::Function) if self.knows(spec) => self.function(&words, out),
            _ if self.knows(spec) => out.send(&[words], Db(0)),
            _ => {
                let version = self.setup.destination.version;
                self.leave(&words, Db(0), &format!("{version} does not know it"), out);
            }
        }
        out.data |= !publish;
    }

    /// A command that writes data in the selected database.
    fn data(
        &mut self,
        command: &resp::Command<'_>,
        spec: Option<&'static Spec>,
        (db, receipt): (Db, Receipt),
        out: &mut Outgoing,
    ) -> CommandOutcome {
        if self.route == Route::Nothing && !matches!(spec.map(|spec| spec.class), Some(Class::Flush | Class::Swap)) {
            // What other databases hold may still come in from here.
            if !matches!(spec.map(|spec| spec.class), Some(Class::Cross(Cross::Move | Cross::Copy))) {
                self.remember_body(command, spec, out);
                out.filtered += 1;
                return CommandOutcome::Done;
            }
        }
        if let Some(length) = out.long_name() {
            let name = KeyText(command.name());
            return CommandOutcome::Long(format!(
                "`{name}` on a key whose name has {length} bytes, of at most {LONGEST_NAME}"
            ));
        }
        if let (Some(spec), Route::Whole(target)) = (spec, self.route)
            && self.passes(spec, command)
        {
            out.select(target);
            out.note(spec.name.as_bytes());
            out.raw(command);
            if spec.class == Class::Cross(Cross::Rename) {
                self.renew(Cross::Rename, &Argv::of(command.args()), (db, receipt), out);
            }
            return CommandOutcome::Done;
        }
        let words = Argv::of(command.args());
        match spec.map(|spec| spec.class) {
            Some(Class::Flush | Class::Swap) => {}
            _ if self.route == Route::Beyond => {
                self.remember_body(command, spec, out);
                let reason = self.beyond(db);
                self.leave(&words, db, &reason, out);
                return CommandOutcome::Done;
            }
            _ => {}
        }
        match spec.map(|spec| spec.class) {
            Some(Class::Flush) => return self.flush(&words, db, out),
            Some(Class::Swap) => self.swap(&words, db, out),
            Some(Class::Slots) => self.leave(&words, db, SLOTS, out),
            Some(Class::Script) => self.script(words, db, out),
            None => self.unknown(words, db, out),
            Some(_) => self.changed(&words, spec, (db, receipt), out),
        }
        CommandOutcome::Done
    }

    /// Whether a command of the selected database goes out as it came in.
    fn passes(&self, spec: &'static Spec, command: &resp::Command<'_>) -> bool {
        let plain = match spec.class {
            Class::Write | Class::Each | Class::Pairs | Class::Store => true,
            Class::Cross(cross) => !matches!(cross, Cross::Move | Cross::Copy),
            // Most values have no expiry.
            Class::Expiry => spec.name == "SET" && command.len() == 3,
            _ => false,
        };
        plain
            && command.raw().first() == Some(&b'*')
            && self.knows(Some(spec))
            && !older::has_new_words(spec, command, &self.setup.destination)
            && self.own.find(command.raw()).is_none()
    }

    /// Whether the destination has this command.
    pub(super) fn knows(&self, spec: Option<&'static Spec>) -> bool {
        spec.is_some_and(|spec| self.known.contains(spec))
    }

    /// A command that may have to be changed before it is sent where its keys go.
    fn changed(
        &mut self,
        words: &Argv<'_>,
        spec: Option<&'static Spec>,
        (db, receipt): (Db, Receipt),
        out: &mut Outgoing,
    ) {
        let Some(spec) = spec else { return };
        let receipt = self.asked(spec, words, (db, receipt));
        let destination = &self.setup.destination;
        let changed = match spec.class {
            Class::Expiry => expiry::absolute(spec, words, receipt, destination, self.knows(Some(spec))),
            Class::Blocking => blocking::at_once(spec, words),
            _ => Ok(None),
        };
        let first = match changed {
            Ok(changed) => changed.unwrap_or_else(|| vec![words.clone()]),
            Err(reason) => return self.leave(words, db, &reason, out),
        };
        match self.as_known(first) {
            Ok(commands) => {
                let mut reasons = vec![];
                for command in &commands {
                    let spec = command::find(command.get(0).unwrap_or_default());
                    reasons.extend(spec.and_then(|spec| self.deliver(spec, command, db, out).err()));
                }
                match (reasons.into_iter().next(), spec.class) {
                    (Some(reason), _) => self.leave(words, db, &reason, out),
                    (None, Class::Cross(cross)) => self.renew(cross, words, (db, receipt), out),
                    _ => {}
                }
            }
            Err(reason) => self.leave(words, db, &reason, out),
        }
    }

    /// The receipt of a command, with when its key ends at the source if that is needed and known better.
    fn asked(&mut self, spec: &Spec, words: &Argv<'_>, (db, receipt): (Db, Receipt)) -> Receipt {
        let Some(deadlines) = self.setup.deadlines.as_mut().filter(|_| expiry::counts_from_now(spec, words)) else {
            return receipt;
        };
        let ends = deadlines.at_source(db, words.get(1).unwrap_or_default(), (receipt.end, receipt.at));
        Receipt { ends, ..receipt }
    }

    /// Commands in a form that the destination knows.
    fn as_known<'a>(&self, commands: Vec<Argv<'a>>) -> Result<Vec<Argv<'a>>, String> {
        let mut known = vec![];
        for words in commands {
            let spec = command::find(words.get(0).unwrap_or_default());
            let change: Change<'a> = match spec {
                Some(spec) => {
                    let servers = (&self.setup.destination, self.setup.source);
                    older::for_destination(spec, &words, servers, self.knows(Some(spec)))
                }
                None => Ok(None),
            };
            known.extend(change?.unwrap_or_else(|| vec![words]));
        }
        let missing = known.iter().find(|words| !self.knows(command::find(words.get(0).unwrap_or_default())));
        match missing {
            None => Ok(known),
            Some(words) => {
                let version = self.setup.destination.version;
                Err(format!("{version} does not know `{}`, or it is renamed or disabled there", words.name()))
            }
        }
    }

    /// A command that no server has of itself.
    fn unknown(&mut self, words: Argv<'_>, db: Db, out: &mut Outgoing) {
        let name = words.name().to_ascii_lowercase();
        let known = self.setup.known_commands.as_ref().is_some_and(|known| known.contains(&name));
        match (known, self.route) {
            (true, Route::Whole(target)) => out.send(&[words], target),
            (true, _) => {
                let reason = "it is a module's, so which of its arguments are keys is not known".to_owned();
                self.leave(&words, db, &reason, out);
            }
            (false, _) => self.leave(&words, db, "the destination does not know it", out),
        }
    }

    /// Reports a command of the source's database `db` that is not sent.
    pub(super) fn leave(&mut self, words: &Argv<'_>, db: Db, reason: &str, out: &mut Outgoing) {
        let name = words.name();
        let spec = command::find(words.get(0).unwrap_or_default());
        let key = spec.and_then(|spec| {
            spec.key_indexes(words.len(), &|index| words.get(index), &mut self.indexes);
            words.get(*written(spec, &self.indexes)?)
        });
        out.left.push(KeyFailure {
            key: key.map_or_else(|| name.clone(), |key| KeyText(key).to_string()),
            db,
            kind: "command".to_owned(),
            size: words.size(),
            reason: format!("{name} was not applied: {reason}."),
        });
    }
}
