//! Dealing the entries of a dump out to the lanes: which key goes where, in which form, in which batch.

use std::borrow::Cow;

use super::{
    BatchSize, Destination, Form, Job, Mark,
    batch::{BigEntry, Probe},
    building::Building,
    encode::{SetText, restore, set},
    libraries::{Libraries, Owner, library_name},
    native::{Features, NativeWriter},
    record::{PREFIX, RecordKeys},
    translate::name_of,
};
use crate::{
    rdb::{Body, ElementReader, Entry, Item, ModuleId, RdbError},
    resp,
    step::{KeyFailure, OnConflict, OnUnsupported, Selection},
    unit::{Db, KeyText, UnixMillis},
};

/// A variadic command is ended when its arguments have so many bytes.
const CHUNK_BYTES: usize = 128 << 10;

/// A value that becomes longer than this, and than twice what the dump holds of it, is compressed: a lane writes it in pieces.
const EXPANDED: usize = 8 << 20;

/// Takes what the dealer deals.
pub trait Dealt {
    /// A lane gets work.
    fn job(&mut self, lane: usize, job: Job);
    /// A key cannot be written as it is, and the plan says to report that.
    fn failed(&mut self, failure: KeyFailure);
}

/// Why dealing stops.
#[derive(Debug, thiserror::Error)]
pub enum DealFault {
    /// The destination cannot hold a value, and the plan says to fail then.
    #[error("{} `{}` of database {} cannot be held by the destination: {}", .0.kind, .0.key, .0.db, .0.reason)]
    Unsupported(KeyFailure),
    /// A value is damaged inside.
    #[error(transparent)]
    Damaged(#[from] RdbError),
}

/// What was dealt, in keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DealCounts {
    /// Given to a lane.
    pub dealt: u64,
    /// Confirmed by an earlier process.
    pub already: u64,
    /// Taken by no rule of the plan.
    pub filtered: u64,
    /// Their time had passed.
    pub expired: u64,
    /// Left out because the destination cannot hold them.
    pub unsupported: u64,
    /// Run records of this tool, which are never copied.
    pub own: u64,
}

/// Deals entries out to lanes by their key, so that a key always meets the same lane.
#[derive(Debug)]
pub struct Dealer {
    destination: Destination,
    caps: Features,
    selection: Selection,
    on_conflict: OnConflict,
    on_unsupported: OnUnsupported,
    replace_libraries: bool,
    /// The destination's libraries, and the record that says which of them came from the source.
    libraries: Option<(Libraries, RecordKeys)>,
    /// Where scripts are kept, by the run that needs them.
    scripts: Option<String>,
    /// When a batch is full.
    size: BatchSize,
    /// The most commands of a batch, whatever it takes.
    most: u32,
    lanes: Vec<Building>,
    counts: DealCounts,
}

impl Dealer {
    /// A dealer for lanes that stand at `marks` and are given batches of this size. `replace_libraries` lets function libraries be replaced although keys
    /// may not be: when an earlier dump of this run brought them.
    #[must_use]
    pub fn new(
        destination: Destination,
        work: &crate::step::FullWork,
        (marks, size): (&[Mark], BatchSize),
        replace_libraries: bool,
    ) -> Self {
        Self {
            caps: Features::of(destination.version),
            destination,
            selection: work.selection.clone(),
            on_conflict: work.on_conflict,
            on_unsupported: work.on_unsupported,
            scripts: None,
            libraries: None,
            size,
            most: u32::MAX,
            replace_libraries: replace_libraries || work.on_conflict == OnConflict::Replace,
            lanes: marks.iter().copied().map(Building::new).collect(),
            counts: DealCounts::default(),
        }
    }

    /// Keeps the scripts that the dump brings in this hash of the run record, for the stream behind it.
    #[must_use]
    pub fn keeping_scripts(self, key: Option<String>) -> Self {
        Self { scripts: key, ..self }
    }

    /// Notes in the run record which libraries came from the source.
    #[must_use]
    pub fn keeping_libraries(self, libraries: Libraries, keys: RecordKeys) -> Self {
        Self { libraries: Some((libraries, keys)), ..self }
    }

    /// From now on a batch is full with `most` commands.
    pub const fn keep_to(&mut self, most: u32) {
        self.most = most;
    }

    /// What was dealt so far.
    #[must_use]
    pub const fn counts(&self) -> DealCounts {
        self.counts
    }

    /// Deals one item, which begins at byte `at` of the dump. `now` is the destination's clock.
    pub fn take(&mut self, item: Item<'_>, at: u64, now: UnixMillis, dealt: &mut impl Dealt) -> Result<(), DealFault> {
        match item {
            Item::Entry(mut entry) => {
                let over = entry.expires_at.is_some_and(|at| at <= now);
                entry.expires_at = entry.expires_at.map(|at| self.destination.expiry.written(at));
                self.entry(&entry, (over, now), dealt)
            }
            Item::Function { code } => self.library(&code, at, dealt),
            Item::Aux { key, value } if key.as_ref() == b"lua" => {
                self.script(&value, at, dealt);
                Ok(())
            }
            // Everything that is data and has no way to the destination is named, or the plan would say more than is true.
            Item::FunctionPreGa { name, code, .. } => self.unsupported_as(early_library(&name, &code), dealt),
            Item::ModuleAux { module, size, empty: false } => self.unsupported_as(outside_of_keys(module, size), dealt),
            Item::SlotImport => self.unsupported_as(slot_import(), dealt),
            // Remarks and hints.
            Item::ModuleAux { empty: true, .. }
            | Item::Header(_)
            | Item::Aux { .. }
            | Item::SelectDb(_)
            | Item::ResizeDb { .. }
            | Item::SlotInfo { .. }
            | Item::End { .. } => Ok(()),
        }
    }

    /// Sends what is collected. Everything of the dump before `at` has been dealt.
    pub fn flush(&mut self, at: u64, dealt: &mut impl Dealt) {
        for (lane, building) in self.lanes.iter_mut().enumerate() {
            if building.mark.at < at {
                building.send(lane, Mark { at, elements: 0 }, dealt);
            }
        }
    }

    /// Deals an entry, whose deadline is as it is to be written; `over` says that it has passed.
    fn entry(
        &mut self,
        entry: &Entry<'_>,
        (over, now): (bool, UnixMillis),
        dealt: &mut impl Dealt,
    ) -> Result<(), DealFault> {
        let Some(to) = self.selection.target(entry.db, &entry.key) else {
            self.counts.filtered += 1;
            return Ok(());
        };
        if entry.key.starts_with(PREFIX.as_bytes()) {
            self.counts.own += 1;
            return Ok(());
        }
        let lane = lane_of(&entry.key, self.lanes.len());
        let Some(building) = self.lanes.get(lane) else { return Ok(()) };
        if entry.at < building.mark.at {
            self.counts.already += 1;
            return Ok(());
        }
        // While the source is followed it alone ends keys: the stream may prolong this one.
        if over && !self.destination.expiry.defers() {
            self.counts.expired += 1;
            return Ok(());
        }
        if to.0 >= self.destination.databases {
            let reason = format!("the destination has no database {to}: it has {}", self.destination.databases);
            return self.unsupported(entry, reason, dealt);
        }
        if entry.key_meta {
            self.unsupported_as(failure_of(entry, KEY_META.to_owned()), dealt)?;
        }
        if let Body::Inline(body) = entry.value.body
            && let Some(text) = SetText::of(entry, body, &self.destination)
        {
            self.text(lane, entry, text, to);
            self.dealt(lane, entry.end, dealt);
            return Ok(());
        }
        let form = self.destination.form(entry.value.kind, entry.value.module);
        match (form, &entry.value.body) {
            (Form::Unsupported(reason), _) => return self.unsupported(entry, reason, dealt),
            (_, Body::Spooled) => self.big(lane, entry, to, dealt),
            (Form::Restore { version }, Body::Inline(body)) => {
                let on_conflict = self.on_conflict;
                self.made_at_once(lane, entry, to, |out, destination| {
                    restore(out, (entry, body, version), destination, on_conflict, now)
                });
            }
            (Form::Native, Body::Inline(body)) => {
                if !self.native(lane, (entry, body), (to, now), dealt)? {
                    self.big(lane, entry, to, dealt);
                }
            }
        }
        self.dealt(lane, entry.end, dealt);
        Ok(())
    }

    /// An entry that ends at `end` was given to a lane.
    fn dealt(&mut self, lane: usize, end: u64, dealt: &mut impl Dealt) {
        self.counts.dealt += 1;
        let Some(building) = self.lanes.get_mut(lane) else { return };
        let commands = building.batch.commands;
        if commands >= self.most || self.size.is_full(building.bytes(), commands) {
            building.send(lane, Mark { at: end, elements: 0 }, dealt);
        }
    }

    /// Writes a string, with others where it may replace what is there: an MSET leaves nothing alone.
    fn text(&mut self, lane: usize, entry: &Entry<'_>, text: SetText<'_>, to: Db) {
        let on_conflict = self.on_conflict;
        match self.lanes.get_mut(lane) {
            Some(building) if on_conflict == OnConflict::Replace && entry.expires_at.is_none() => {
                building.join(to, &entry.key, text);
            }
            _ => self.made_at_once(lane, entry, to, |out, _| set(out, (entry, text), on_conflict)),
        }
    }

    /// Writes an entry with the one command that makes its key.
    fn made_at_once(
        &mut self,
        lane: usize,
        entry: &Entry<'_>,
        to: Db,
        make: impl FnOnce(&mut Vec<u8>, &Destination) -> u32,
    ) {
        let Some(building) = self.lanes.get_mut(lane) else { return };
        building.select(to);
        let start = building.batch.bytes.len();
        let commands = make(&mut building.batch.bytes, &self.destination);
        // A key that is to be left alone must be known as foreign before the batch, or it could not be told from ours;
        // so must one whose refused RESTORE would be followed by more commands.
        if leaves_alone(self.on_conflict, commands) {
            let bytes = start..building.batch.bytes.len();
            building.batch.probes.push(Probe { db: to, key: entry.key.to_vec(), bytes, commands });
        }
        building.batch.commands += commands;
        building.batch.keys += 1;
    }

    /// Writes a whole value as native commands into the batch; `false` when it expands to more than a batch should hold.
    fn native(
        &mut self,
        lane: usize,
        (entry, body): (&Entry<'_>, &[u8]),
        (to, now): (Db, UnixMillis),
        dealt: &mut impl Dealt,
    ) -> Result<bool, DealFault> {
        let mut writer = match NativeWriter::new(&entry.key, entry.value.kind, &self.caps, CHUNK_BYTES) {
            Ok(writer) => writer.with_deadlines(self.destination.expiry, now),
            Err(unsupported) => return self.unsupported(entry, unsupported.to_string(), dealt).map(|()| true),
        };
        let mut elements = ElementReader::new(entry.value.kind, entry.value.at).expanding(EXPANDED as u64);
        elements.feed(body);
        let mut out = vec![];
        let mut commands = 0;
        if self.on_conflict == OnConflict::Replace {
            resp::command(&mut out, &[b"DEL", &entry.key]);
            commands += 1;
        }
        while let Some(element) = elements.next()? {
            commands += writer.push(&element, &mut out);
            if out.len() > EXPANDED.max(2 * body.len()) {
                return Ok(false);
            }
        }
        if elements.is_large() {
            return Ok(false);
        }
        commands += writer.finish(entry.expires_at, &mut out);
        for loss in writer.losses() {
            let failure = failure_of(entry, loss.to_string());
            if loss.touches_data() && self.on_unsupported == OnUnsupported::Fail {
                return Err(DealFault::Unsupported(failure));
            }
            dealt.failed(failure);
        }
        let Some(building) = self.lanes.get_mut(lane) else { return Ok(true) };
        building.select(to);
        let start = building.batch.bytes.len();
        building.batch.bytes.extend_from_slice(&out);
        if self.on_conflict != OnConflict::Replace {
            let bytes = start..building.batch.bytes.len();
            building.batch.probes.push(Probe { db: to, key: entry.key.to_vec(), bytes, commands });
        }
        building.batch.commands += commands;
        building.batch.keys += 1;
        Ok(true)
    }

    /// Sends what the lane has so far, then the value as a job of its own.
    fn big(&mut self, lane: usize, entry: &Entry<'_>, to: Db, dealt: &mut impl Dealt) {
        let Some(building) = self.lanes.get_mut(lane) else { return };
        let done = if building.mark.at == entry.at { building.mark.elements } else { 0 };
        if building.bytes() > 0 {
            building.send(lane, Mark { at: entry.at, elements: 0 }, dealt);
        }
        let value = &entry.value;
        dealt.job(
            lane,
            Job::Big(Box::new(BigEntry {
                at: entry.at,
                end: entry.end,
                from: entry.db,
                to,
                key: entry.key.to_vec(),
                expires_at: entry.expires_at,
                kind: value.kind,
                module: value.module,
                value_at: value.at,
                size: value.size,
                done,
            })),
        );
    }

    fn library(&mut self, code: &[u8], at: u64, dealt: &mut impl Dealt) -> Result<(), DealFault> {
        if self.destination.knows_functions() {
            let (replaces, note) = self.library_of_source(code);
            let words: &[&[u8]] =
                if replaces { &[b"FUNCTION", b"LOAD", b"REPLACE", code] } else { &[b"FUNCTION", b"LOAD", code] };
            if let Some(note) = note {
                // Before it, within the same batch: the mark goes with the library.
                if let Some(building) = self.lanes.first_mut().filter(|building| building.mark.at <= at) {
                    building.select(Db(0));
                    resp::command(&mut building.batch.bytes, &note.iter().map(AsRef::as_ref).collect::<Vec<_>>());
                    building.batch.commands += 1;
                }
            }
            self.control(words, at, dealt);
            return Ok(());
        }
        let failure = KeyFailure {
            key: KeyText(code.split(|byte| *byte == b'\n').next().unwrap_or_default()).to_string(),
            db: Db(0),
            kind: "function library".to_owned(),
            size: code.len() as u64,
            reason: format!("{} has no functions; the library was left out", self.destination.version),
        };
        self.unsupported_as(failure, dealt)
    }

    /// Whether a library that the dump brings may replace one of its name, and what notes that it came from the source. One of
    /// somebody else's that must stay is met as a key of theirs is, and not noted.
    fn library_of_source(&mut self, code: &[u8]) -> (bool, Option<[Cow<'static, [u8]>; 4]>) {
        let Some((libraries, keys)) = &mut self.libraries else { return (self.replace_libraries, None) };
        let Some(name) = library_name(code) else { return (self.replace_libraries, None) };
        let owner = libraries.owner(&name);
        if owner == Owner::Other {
            return (false, None);
        }
        libraries.add(name);
        (self.replace_libraries || owner == Owner::Run, libraries.note(keys))
    }

    /// A script of the source's cache. The stream may name it by its SHA-1 alone, so a run that follows keeps its body.
    fn script(&mut self, body: &[u8], at: u64, dealt: &mut impl Dealt) {
        if let Some(key) = self.scripts.take() {
            let sha = name_of(body);
            if let Some(building) = self.lanes.first_mut() {
                building.select(Db(0));
            }
            self.control(&[b"HSET", key.as_bytes(), sha.as_bytes(), body], at, dealt);
            self.scripts = Some(key);
        }
        self.control(&[b"SCRIPT", b"LOAD", body], at, dealt);
    }

    /// A command that belongs to no key goes over the first lane.
    fn control(&mut self, words: &[&[u8]], at: u64, dealt: &mut impl Dealt) {
        let Some(building) = self.lanes.first_mut() else { return };
        if at < building.mark.at {
            return;
        }
        resp::command(&mut building.batch.bytes, words);
        building.batch.commands += 1;
        if self.size.is_full(building.bytes(), building.batch.commands) {
            // What comes next begins at the byte after at the earliest.
            building.send(0, Mark { at: at + 1, elements: 0 }, dealt);
        }
    }

    fn unsupported(&mut self, entry: &Entry<'_>, reason: String, dealt: &mut impl Dealt) -> Result<(), DealFault> {
        self.counts.unsupported += 1;
        self.unsupported_as(failure_of(entry, reason), dealt)
    }

    fn unsupported_as(&self, failure: KeyFailure, dealt: &mut impl Dealt) -> Result<(), DealFault> {
        match self.on_unsupported {
            OnUnsupported::Fail => Err(DealFault::Unsupported(failure)),
            OnUnsupported::Report => {
                dealt.failed(failure);
                Ok(())
            }
        }
    }
}

/// The lane of a key. The lanes' marks say which keys of a dump are written only as long as this stays as it is: another
/// function needs another format of the journal.
pub(super) fn lane_of(key: &[u8], lanes: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let (words, rest) = key.as_chunks::<8>();
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let spread = mix(hash, last) >> 32;
    usize::try_from((spread * lanes as u64) >> 32).unwrap_or_default()
}

/// Whether an entry of so many commands is written only after a look whether its key exists.
pub(super) fn leaves_alone(on_conflict: OnConflict, commands: u32) -> bool {
    on_conflict == OnConflict::Skip || on_conflict == OnConflict::Fail && commands > 1
}

/// Why what Redis 8.6 keeps of a key for a module is left out.
const KEY_META: &str =
    "the metadata that a module attached to this key (Redis 8.6) is left out: only its module could set it";

/// What a module keeps outside of keys: only the module could read and write it.
fn outside_of_keys(module: ModuleId, size: u64) -> KeyFailure {
    KeyFailure {
        key: module.name(),
        db: Db(0),
        kind: "module data".to_owned(),
        size,
        reason: "what this module keeps outside of keys, such as the definitions of search indexes, is not copied; create it \
                 at the destination by the module's own commands"
            .to_owned(),
    }
}

/// A library in the form of a 7.0 release candidate, which no later server loads (rdb.c, `rdbFunctionLoad`).
fn early_library(name: &[u8], code: &[u8]) -> KeyFailure {
    KeyFailure {
        key: KeyText(name).to_string(),
        db: Db(0),
        kind: "function library".to_owned(),
        size: code.len() as u64,
        reason:
            "it has the form of a 7.0 release candidate, which no release loads; load it at the destination from its \
                 source, with a first line `#!lua name=...`"
                .to_owned(),
    }
}

/// The slots that a node of a cluster has not wholly got yet.
fn slot_import() -> KeyFailure {
    KeyFailure {
        key: "slots".to_owned(),
        db: Db(0),
        kind: "slot import".to_owned(),
        size: 0,
        reason: "the source was importing slots of its cluster while it made the dump; their keys may be incomplete"
            .to_owned(),
    }
}

fn failure_of(entry: &Entry<'_>, reason: String) -> KeyFailure {
    KeyFailure {
        key: KeyText(&entry.key).to_string(),
        db: entry.db,
        kind: entry.value.kind.type_name().to_owned(),
        size: entry.value.size,
        reason,
    }
}
