//! What is collected for one transaction at the destination.

use std::{ops::Range, sync::Arc};

use super::words::Argv;
use crate::{command::Spec, resp, sink::Large, step::KeyFailure, unit::Db};

/// A command of fewer bytes is copied.
const LARGE: usize = 1 << 20;

/// The longest name of a key. It is held several times, once by the answer to the SCAN that makes deadlines exact.
pub(super) const LONGEST_NAME: usize = 64 << 20;

/// So is an argument of fewer bytes, where the command does not go out as it came in.
const LARGE_WORD: usize = 64 << 10;

/// How much of a large argument is shown: more than the head of any value.
const SHOWN: usize = 64;

/// How many arguments of a large command are shown: no key that is looked for lies behind them.
const SHOWN_WORDS: usize = 8;

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
    /// How many of these commands empty or swap a whole database.
    pub whole: u64,
    /// Databases of the destination that these commands swap.
    pub swaps: Vec<(Db, Db)>,
    selected: Option<Db>,
    /// The large command that is being translated.
    received: Option<Received>,
    /// Parts of it that were not copied.
    owed: Vec<Owed>,
    large: Vec<Large>,
    /// Bytes that are sent and that `bytes` does not show.
    hidden: usize,
}

/// A large command that was received: where it lies, and where its keys do, as addresses.
#[derive(Clone, Debug)]
struct Received {
    raw: Range<usize>,
    keys: Vec<usize>,
    /// Bytes of the longest of its keys.
    longest_key: usize,
}

/// A part of a received command that is sent without being copied.
#[derive(Clone, Debug)]
struct Owed {
    stand_in: Range<usize>,
    head: Vec<u8>,
    /// Counted from the command's first byte.
    wire: Range<usize>,
}

fn address(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr()
}

impl Outgoing {
    /// Begins the next transaction.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.claims.clear();
        self.makes.clear();
        self.empties.clear();
        self.swaps.clear();
        self.whole = 0;
        (self.commands, self.filtered, self.selected, self.wipes_record) = (0, 0, None, false);
        self.settles = false;
        self.large.clear();
        self.hidden = 0;
    }

    /// Bytes that are sent.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len().saturating_add(self.hidden)
    }

    /// Whether nothing is sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether parts of the command that was translated last were not copied: what it lies in is to be brought by
    /// [`Self::adopt`] before the next one is translated.
    #[must_use]
    pub const fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Takes over the bytes in which the command that was translated last lies; it ends at `end`.
    pub fn adopt(&mut self, (bytes, end): (Vec<u8>, usize)) {
        let Some(received) = self.received.take() else { return };
        let begin = end.saturating_sub(received.raw.len());
        let bytes = Arc::new(bytes);
        for Owed { stand_in, head, wire } in self.owed.drain(..) {
            let wire = begin.saturating_add(wire.start)..begin.saturating_add(wire.end);
            self.large.push(Large { stand_in, head, received: bytes.clone(), wire });
        }
    }

    /// What is sent in the place of shortened parts.
    pub fn take_large(&mut self) -> Vec<Large> {
        std::mem::take(&mut self.large)
    }

    /// Notes the command that is to be translated.
    pub(super) fn receive(&mut self, command: &resp::Command<'_>, spec: Option<&Spec>) {
        self.received = None;
        let raw = command.raw();
        // What is no array is short.
        let Some(spec) = spec.filter(|_| raw.len() >= LARGE && raw.first() == Some(&b'*')) else { return };
        let mut indexes = vec![];
        spec.key_indexes(command.len(), &|index| command.arg(index), &mut indexes);
        let keys = || indexes.iter().filter_map(|index| command.arg(*index));
        let longest_key = keys().map(<[u8]>::len).max().unwrap_or_default();
        let begin = address(raw);
        let raw = begin..begin.saturating_add(raw.len());
        self.received = Some(Received { raw, keys: keys().map(address).collect(), longest_key });
    }

    /// The length of a key of the received command whose name is longer than what can be read back from the destination.
    pub(super) fn long_name(&self) -> Option<usize> {
        self.received.as_ref().map(|received| received.longest_key).filter(|length| *length > LONGEST_NAME)
    }

    fn owe(&mut self, from: usize, head: Vec<u8>, wire: Range<usize>) {
        let stand_in = from..self.bytes.len();
        let sent = head.len().saturating_add(wire.len());
        self.hidden = self.hidden.saturating_add(sent.saturating_sub(stand_in.len()));
        self.owed.push(Owed { stand_in, head, wire });
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
    pub(super) fn raw(&mut self, command: &resp::Command<'_>) {
        self.commands = self.commands.saturating_add(1);
        let Some(received) = &self.received else {
            self.bytes.extend_from_slice(command.raw());
            return;
        };
        let from = self.bytes.len();
        resp::array_header(&mut self.bytes, command.len().min(SHOWN_WORDS));
        for word in command.args().take(SHOWN_WORDS) {
            let shown = if received.keys.contains(&address(word)) { word } else { shown(word) };
            resp::bulk(&mut self.bytes, shown);
        }
        self.owe(from, vec![], 0..command.raw().len());
    }

    /// Adds commands to be carried out in database `target`.
    pub(super) fn send(&mut self, commands: &[Argv<'_>], target: Db) {
        for words in commands {
            self.select(target);
            self.note(words.get(0).unwrap_or_default());
            self.words(words);
        }
    }

    /// Adds a command of words.
    fn words(&mut self, words: &Argv<'_>) {
        resp::array_header(&mut self.bytes, words.len());
        for word in &words.0 {
            self.word(word);
        }
        self.commands = self.commands.saturating_add(1);
    }

    fn word(&mut self, word: &[u8]) {
        let Some(at) = self.large_word(word) else { return resp::bulk(&mut self.bytes, word) };
        let from = self.bytes.len();
        resp::bulk(&mut self.bytes, shown(word));
        let mut head = vec![];
        resp::bulk_header(&mut head, word.len());
        // With its end of line.
        self.owe(from, head, at..at.saturating_add(word.len()).saturating_add(2));
    }

    /// Where a word lies in the received command, if it is large, lies there, and is no key.
    fn large_word(&self, word: &[u8]) -> Option<usize> {
        let received = self.received.as_ref().filter(|_| word.len() >= LARGE_WORD)?;
        let at = address(word);
        (received.raw.contains(&at) && !received.keys.contains(&at)).then(|| at.saturating_sub(received.raw.start))
    }
}

fn shown(word: &[u8]) -> &[u8] {
    word.get(..SHOWN).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            CommandOutcome, Translator,
            tests::{NOW, setup},
        },
        *,
    };
    use crate::{
        resp::{CommandReader, RespLimits},
        sink::Batch,
        step::Selection,
        unit::ServerVersion,
    };

    /// What one batch of these commands is on the wire, `VALUE` in them being `value`; what it shows, and how large it is.
    fn wire(commands: &[&str], value: &[u8]) -> (Vec<u8>, Batch) {
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        for command in commands {
            let word = |word| if word == "VALUE" { value } else { str::as_bytes(word) };
            let mut bytes = vec![];
            resp::command(&mut bytes, &command.split(' ').map(word).collect::<Vec<_>>());
            reader.feed(&bytes);
        }
        let mut translator = Translator::new(setup(ServerVersion::redis(7, 2, 4), Selection::all()));
        let mut out = Outgoing::default();
        while let Some(command) = reader.next().unwrap() {
            assert_eq!(translator.take(&command, NOW, &mut out), CommandOutcome::Done);
            if out.owes() {
                out.adopt(reader.give_away());
            }
        }
        let len = out.len();
        let batch = Batch { large: out.take_large(), bytes: out.bytes, ..Batch::default() };
        assert_eq!((batch.pieces().concat().len(), batch.len()), (len, len));
        (batch.pieces().concat(), batch)
    }

    /// The words of each command, one of so many bytes as `VALUE`.
    fn words(bytes: &[u8], value: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        reader.feed(bytes);
        let mut all = vec![];
        while let Some(command) = reader.next().unwrap() {
            let named = |word: &[u8]| match word.len() {
                40 => b"the script's SHA-1".to_vec(),
                _ if word == value => b"VALUE".to_vec(),
                _ => word.to_vec(),
            };
            all.push(command.args().map(named).collect());
        }
        all
    }

    #[test]
    fn what_is_large_is_sent_as_it_would_be_if_it_were_small() {
        let commands = [
            "SELECT 1",
            "SET small VALUE",
            "SELECT 0",
            "SET k VALUE",
            "INCR n",
            "SET k VALUE PX 1000",
            "MSET a VALUE b c d VALUE e f g h i j VALUE",
            "SET VALUE VALUE",
            "SETEX k 10 VALUE",
            "EVAL VALUE 1 k VALUE",
            "MULTI",
            "APPEND k VALUE",
            "RPUSH l 1 2 VALUE 4",
            "EXEC",
        ];
        let large: Vec<u8> = (0..2_u32 << 20).map(|at| at.to_le_bytes()[1]).collect();
        let small = b"short";
        let (at_large, batch) = wire(&commands, &large);
        assert!(batch.bytes.len() < 7 << 20, "{} bytes are copied", batch.bytes.len());
        assert_eq!(words(&at_large, &large), words(&wire(&commands, small).0, small));
        assert!(batch.large.len() > 6);
    }

    #[test]
    fn what_is_shown_of_it_names_the_key_and_the_size() {
        let large = vec![b'x'; 3 << 20];
        let (_, batch) = wire(&["SET k VALUE", "SET e VALUE PX 1000"], &large);
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        reader.feed(&batch.bytes);
        for (key, beside) in [(&b"k"[..], 40), (b"e", 80)] {
            let command = reader.next().unwrap().unwrap();
            assert_eq!((command.arg(1), batch.longest_word_of(&command) >> 20), (Some(key), 3));
            assert!((large.len()..large.len() + beside).contains(&batch.size_of(&command)));
        }
        assert!(batch.bytes.len() < 1000);
    }
}
