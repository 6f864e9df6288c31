//! The run record: what the destination knows about a run.
//!
//! Four keys in database 0. `redis-plan:{name}:run` is a hash (run, digest, state, generation, occupied, one `lane:<i>` for
//! each lane, `stream`, the [`Checkpoint`], once the source is followed, one `setting:<name>` for each setting of the
//! source that has to be put back; since 0.2 also `deadlines`, the [`DeadlineMode`], `databases`, those that the run writes to, `libraries`, the function
//! libraries that came from the source, `removed`, what was gone at the server when the copy began, `left`, why this copy is not whole,
//! `doubt`, why both sides are to be compared, and `heard`, up to where the answers were read). `redis-plan:{runs}` is the set of the plans whose runs are under way. `…:token` changes only when a
//! run is taken over or sealed; every batch is conditional on it.
//! `…:heartbeat` names the working process and expires by itself; it is kept apart from the token because renewing an
//! expiry touches a watched key. `…:skipped` holds the keys that were there and left as they were. `…:fence:<i>` is
//! there, for an hour, after lane `i` lost a connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Checkpoint, Part, Position, Removed, Upto};
use crate::unit::{Db, Offset, UnixMillis};

/// The plans whose runs are under way at this server: whoever comes reads it instead of looking through all keys.
pub(super) const RUNS: &str = "redis-plan:{runs}";

/// Every key of the tool begins with this.
pub(super) const PREFIX: &str = "redis-plan:";

/// The most lanes that a plan may ask for (`limits.connections`).
const MOST_LANES: usize = 64;

/// The names of a run record's keys. They share a hash tag, so that a cluster keeps them in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKeys {
    /// The fencing token.
    pub token: String,
    /// The heartbeat.
    pub heartbeat: String,
    /// The hash.
    pub run: String,
    /// The keys left as they were.
    pub skipped: String,
    /// The scripts the stream brought, by their SHA-1.
    pub scripts: String,
    /// How everything of this run begins.
    prefix: String,
}

impl RecordKeys {
    /// The keys of the plan `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let key = |part: &str| format!("{PREFIX}{{{name}}}:{part}");
        let [token, heartbeat, run, skipped, scripts, prefix] =
            ["token", "heartbeat", "run", "skipped", "scripts", ""].map(key);
        Self { token, heartbeat, run, skipped, scripts, prefix }
    }

    /// What a lane changes before it trusts its mark again: what is still under way on its broken connection can then
    /// not be carried out any more.
    #[must_use]
    pub fn fence(&self, part: Part) -> String {
        format!("{}fence:{}", self.prefix, part.name())
    }

    /// The command that notes from what on is counted what is gone at the destination.
    #[must_use]
    pub fn note_removed(&self, removed: &Removed) -> redis::Cmd {
        redis::cmd("HSET").arg(&self.run).arg(REMOVED).arg(removed.to_string()).clone()
    }

    /// Every key that this run may have in database 0, the list of all runs among them.
    #[must_use]
    pub(super) fn all(&self) -> Vec<String> {
        let parts = (0..MOST_LANES).map(Part::Dump).chain([Part::Stream]);
        let named = [&self.token, &self.heartbeat, &self.run, &self.skipped, &self.scripts].map(String::clone);
        named.into_iter().chain([RUNS.to_owned()]).chain(parts.map(|part| self.fence(part))).collect()
    }

    /// The plan to whose run a key with the tool's prefix belongs.
    pub(super) fn plan_of(key: &str) -> &str {
        let rest = key.strip_prefix(PREFIX).unwrap_or(key);
        rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or(rest)
    }

    /// Whether a key belongs to this run record, or to all of them.
    #[must_use]
    pub fn own(&self, key: &str) -> bool {
        key.starts_with(&self.prefix) || key == RUNS
    }

    /// The plan whose record it is.
    #[must_use]
    pub fn plan(&self) -> &str {
        Self::plan_of(&self.prefix)
    }
}

/// How far a lane is. Everything that the dump holds for this lane before byte `at` is confirmed, and of the value whose
/// entry begins at `at` the first `elements` elements are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Byte offset in the dump, at the start of an entry.
    pub at: u64,
    /// Elements of the value that begins there.
    pub elements: u64,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.at, self.elements)
    }
}

impl std::str::FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, elements) = text.split_once('+').ok_or(())?;
        Ok(Self { at: at.parse().map_err(drop)?, elements: elements.parse().map_err(drop)? })
    }
}

/// How the deadlines stand that the run has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadlineMode {
    /// They are as at the source. Also in a record that does not say so: version 0.1 knew nothing else.
    #[default]
    Exact,
    /// They are deferred, so that only the source's deletions end keys.
    Deferred,
    /// The same, but some may have ended a key too early: both sides have to be compared before success is said.
    Doubtful,
    /// They are being made exact since this moment on the destination's clock. Until [`Self::SETTLED_FOR`] has passed none
    /// of those can have ended.
    Settling(UnixMillis),
    /// All were made exact under the fence, and the destination is about to be sealed.
    Settled,
}

impl DeadlineMode {
    /// How far ahead a deadline lies at least that is made exact before the fence.
    pub const SETTLED_FOR: Duration = Duration::from_mins(10);

    /// The destination's clock at the beginning where all deadlines are made exact, the near ones too.
    pub const AT_ONCE: UnixMillis = UnixMillis(0);

    /// Whether some deadlines may be deferred.
    #[must_use]
    pub fn defers(self) -> bool {
        self != Self::Exact
    }

    /// Whether all are exact.
    #[must_use]
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exact | Self::Settled)
    }

    /// Since when deadlines are being made exact, in milliseconds; what a ledger of them is tagged with.
    #[must_use]
    pub const fn since(self) -> i64 {
        match self {
            Self::Settling(since) => since.0,
            _ => Self::AT_ONCE.0,
        }
    }

    /// How it stands once everything is deferred again, at `now` on the destination's clock.
    #[must_use]
    pub fn deferred_again(self, now: UnixMillis) -> Self {
        let allowed = i64::try_from(Self::SETTLED_FOR.as_millis()).unwrap_or(i64::MAX);
        match self {
            Self::Settling(since) if now.0.saturating_sub(since.0) >= allowed => Self::Doubtful,
            Self::Settling(_) => Self::Deferred,
            Self::Settled => Self::Doubtful,
            mode => mode,
        }
    }
}

impl std::fmt::Display for DeadlineMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Deferred => f.write_str("deferred"),
            Self::Doubtful => f.write_str("doubtful"),
            Self::Settled => f.write_str("settled"),
            Self::Settling(since) => write!(f, "settling {}", since.0),
        }
    }
}

impl std::str::FromStr for DeadlineMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match (text, text.strip_prefix("settling ")) {
            ("exact", _) => Ok(Self::Exact),
            ("deferred", _) => Ok(Self::Deferred),
            ("doubtful", _) => Ok(Self::Doubtful),
            ("settled", _) => Ok(Self::Settled),
            (_, Some(since)) => since.parse().map(UnixMillis).map(Self::Settling).map_err(drop),
            _ => Err(()),
        }
    }
}

/// The field of [`RunRecord::deadlines`].
pub(super) const DEADLINES: &str = "deadlines";

/// The field of [`RunRecord::removed`].
pub(super) const REMOVED: &str = "removed";
/// The field of [`RunRecord::doubt`].
pub(super) const DOUBT: &str = "doubt";
/// The field of [`RunRecord::heard`].
pub(super) const HEARD: &str = "heard";

/// What a run has come to, as the destination knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// A run is under way, or was interrupted.
    Running,
    /// The run is done.
    Done,
    /// No process may write through this run again.
    Sealed,
}

impl RecordState {
    /// The word in the hash.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Sealed => "sealed",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Sealed].into_iter().find(|state| state.word() == word)
    }
}

/// The hash of a run record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The run's id.
    pub run: String,
    /// The graph's digest.
    pub digest: String,
    /// What the run has come to.
    pub state: RecordState,
    /// Which dump the marks are of; 0 before the first.
    pub generation: u32,
    /// Databases that held keys when the run first took the lease.
    pub occupied: Vec<Db>,
    /// Databases that the run writes to; `None` in a record of 0.1, which does not say.
    pub databases: Option<Vec<Db>>,
    /// Function libraries that came from the source, by their names; `None` in a record of 0.1.
    pub libraries: Option<BTreeSet<String>>,
    /// One mark a lane, in the lanes' order.
    pub marks: Vec<Mark>,
    /// How far the source's stream is applied; `None` before the copy is done.
    pub stream: Option<Checkpoint>,
    /// What the destination had removed by itself when this copy began; `None` where it hides it.
    pub removed: Option<Removed>,
    /// Why this copy is not whole and needs a new one.
    pub left: Option<String>,
    /// Why both sides are to be compared before success is said.
    pub doubt: Option<String>,
    /// Up to where the destination's answers were read when the last process ended well; `None` in a record of 0.1.
    pub heard: Option<Offset>,
    /// How the deadlines stand that the run has written.
    pub deadlines: DeadlineMode,
    /// The source's settings to put back, by name. Whoever takes the run over puts them back, wherever it runs.
    pub settings: ChangedSettings,
}

/// Settings of the source by their names for `CONFIG`: what each was, and what the run has set.
pub type ChangedSettings = BTreeMap<String, (String, String)>;

/// The field of the libraries that came from the source.
pub(super) const LIBRARIES: &str = "libraries";

/// The value of that field: names of libraries have neither spaces nor commas.
pub(super) fn libraries_text(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// Numbers of databases; `None` where one is no number.
fn numbers(text: &str) -> impl Iterator<Item = Option<Db>> {
    text.split(',').filter(|db| !db.is_empty()).map(|db| db.parse().map(Db).ok())
}

/// How the field of a setting begins.
const SETTING: &str = "setting:";
/// What stands between what a setting was and what it is.
const BETWEEN: char = '|';

/// The field of a setting, and its value.
pub(super) fn setting_field(name: &str, (was, set_to): &(String, String)) -> (String, String) {
    (setting_name(name), format!("{was}{BETWEEN}{set_to}"))
}

/// The field of a setting. Empty when it is put back.
pub(super) fn setting_name(name: &str) -> String {
    format!("{SETTING}{name}")
}

impl RunRecord {
    /// Reads the fields of the hash; `None` when they do not make sense.
    #[must_use]
    pub fn read(fields: &BTreeMap<String, String>) -> Option<Self> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let occupied = numbers(field("occupied")?);
        let databases = field("databases").map(|text| numbers(text).collect::<Option<_>>());
        let libraries =
            field(LIBRARIES).map(|text| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect());
        let lanes = (0u32..).map_while(|lane| field(&format!("lane:{lane}")));
        let stream = field("stream").map(str::parse).transpose().ok()?;
        // Empty is put back. One that cannot be read must not be forgotten.
        let settings = fields.iter().filter(|(field, value)| field.starts_with(SETTING) && !value.is_empty());
        let settings = settings.map(|(field, value)| {
            let (was, set_to) = value.split_once(BETWEEN)?;
            Some((field.strip_prefix(SETTING)?.to_owned(), (was.to_owned(), set_to.to_owned())))
        });
        Some(Self {
            run: field("run")?.to_owned(),
            digest: field("digest")?.to_owned(),
            state: RecordState::of(field("state")?)?,
            generation: field("generation")?.parse().ok()?,
            occupied: occupied.collect::<Option<_>>()?,
            databases: databases.flatten(),
            libraries,
            marks: lanes.map(|mark| mark.parse().ok()).collect::<Option<_>>()?,
            stream,
            removed: field(REMOVED).and_then(|removed| removed.parse().ok()),
            left: field("left").map(str::to_owned),
            doubt: field(DOUBT).filter(|doubt| !doubt.is_empty()).map(str::to_owned),
            heard: field(HEARD).and_then(|heard| heard.parse().map(Offset).ok()),
            deadlines: field(DEADLINES).map_or(Ok(DeadlineMode::Exact), str::parse).ok()?,
            settings: settings.collect::<Option<_>>()?,
        })
    }

    /// How far the run is by this record; `None` before its first copy.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let upto = self.stream.map_or_else(|| Upto::Dump(self.marks.clone()), Upto::Stream);
        (self.generation > 0).then_some(Position { generation: self.generation, upto })
    }

    /// The fields of the hash.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        let joined = |dbs: &[Db]| dbs.iter().map(Db::to_string).collect::<Vec<_>>().join(",");
        let mut fields = vec![
            ("run".to_owned(), self.run.clone()),
            ("digest".to_owned(), self.digest.clone()),
            ("state".to_owned(), self.state.word().to_owned()),
            ("generation".to_owned(), self.generation.to_string()),
            ("occupied".to_owned(), joined(&self.occupied)),
        ];
        fields.extend(self.databases.iter().map(|dbs| ("databases".to_owned(), joined(dbs))));
        fields.extend(self.libraries.iter().map(|names| (LIBRARIES.to_owned(), libraries_text(names))));
        fields.extend(self.marks.iter().enumerate().map(|(lane, mark)| (format!("lane:{lane}"), mark.to_string())));
        fields.extend(self.stream.map(|stream| ("stream".to_owned(), stream.to_string())));
        fields.extend(self.removed.as_ref().map(|removed| (REMOVED.to_owned(), removed.to_string())));
        fields.extend(self.doubt.as_ref().map(|doubt| (DOUBT.to_owned(), doubt.clone())));
        fields.extend(self.heard.map(|heard| (HEARD.to_owned(), heard.0.to_string())));
        fields.extend(self.left.as_ref().map(|left| ("left".to_owned(), left.clone())));
        fields.push((DEADLINES.to_owned(), self.deadlines.to_string()));
        fields.extend(self.settings.iter().map(|(name, setting)| setting_field(name, setting)));
        fields
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_reads_back() {
        let record = RunRecord {
            run: "r".into(),
            digest: "d".into(),
            state: RecordState::Running,
            generation: 2,
            occupied: vec![Db(0), Db(3)],
            databases: Some(vec![Db(0), Db(3), Db(4)]),
            libraries: Some(["one".to_owned(), "two".to_owned()].into()),
            marks: vec![Mark { at: 9, elements: 0 }, Mark { at: 4, elements: 7 }],
            stream: "5 8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e 2".parse().ok(),
            removed: "a 0 7".parse().ok(),
            left: Some("the list `x`".into()),
            doubt: Some("answers were lost".into()),
            heard: Some(Offset(5)),
            deadlines: DeadlineMode::Settling(UnixMillis(7)),
            settings: [("client-output-buffer-limit".into(), ("256mb 64mb 60".into(), "0 0 0".into()))].into(),
        };
        let fields: BTreeMap<String, String> = record.fields().into_iter().collect();
        assert_eq!(RunRecord::read(&fields), Some(record));
        assert_eq!(RunRecord::read(&BTreeMap::new()), None);
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_not_forgotten() {
        let with = |value: &str| {
            let fields = [("run", "r"), ("digest", "d"), ("state", "running"), ("generation", "1"), ("occupied", "")];
            let fields = fields.into_iter().chain([("setting:min-slaves-to-write", value)]);
            RunRecord::read(&fields.map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
        };
        assert_eq!(with("0|1000000").unwrap().settings.len(), 1);
        assert_eq!(with("").unwrap().settings.len(), 0, "it is put back");
        assert_eq!(with("1000000"), None);
    }

    fn a_word() -> impl Strategy<Value = String> {
        "[!-+\\--~]{1,12}"
    }

    fn dbs() -> impl Strategy<Value = Vec<Db>> {
        prop::collection::vec(any::<u32>().prop_map(Db), 0..4)
    }

    fn stream() -> impl Strategy<Value = Checkpoint> {
        (any::<u64>(), "[0-9a-z]{40}", prop::option::of(any::<u32>())).prop_map(|(offset, id, db)| Checkpoint {
            offset: crate::unit::Offset(offset),
            replid: crate::unit::ReplId::parse(id.as_bytes()).unwrap(),
            db: db.map(Db),
        })
    }

    fn deadlines() -> impl Strategy<Value = DeadlineMode> {
        prop_oneof![
            Just(DeadlineMode::Exact),
            Just(DeadlineMode::Deferred),
            Just(DeadlineMode::Doubtful),
            Just(DeadlineMode::Settled),
            any::<i64>().prop_map(|since| DeadlineMode::Settling(UnixMillis(since))),
        ]
    }

    prop_compose! {
        fn records()(
            (run, digest, left) in (".*", ".*", prop::option::of(".*")),
            state in prop::sample::select(vec![RecordState::Running, RecordState::Done, RecordState::Sealed]),
            generation in any::<u32>(),
            (occupied, databases) in (dbs(), prop::option::of(dbs())),
            libraries in prop::option::of(prop::collection::btree_set(a_word(), 0..4)),
            marks in prop::collection::vec((any::<u64>(), any::<u64>()), 0..4),
            stream in prop::option::of(stream()),
            removed in prop::option::of((a_word(), any::<u64>(), any::<u64>())),
            deadlines in deadlines(),
            settings in prop::collection::btree_map(".*", ("[0-9 ]*", ".*"), 0..4),
            (doubt, heard) in (prop::option::of(".+"), prop::option::of(any::<u64>())),
        ) -> RunRecord {
            let heard = heard.map(crate::unit::Offset);
            RunRecord {
                marks: marks.into_iter().map(|(at, elements)| Mark { at, elements }).collect(),
                removed: removed.and_then(|(process, evicted, expired)| format!("{process} {evicted} {expired}").parse().ok()),
                run, digest, state, generation, occupied, databases, libraries, stream, left, doubt, heard, deadlines, settings,
            }
        }
    }

    /// A field as a record has it, or nearly.
    fn field() -> impl Strategy<Value = (String, String)> {
        const NAMES: [&str; 16] = [
            "run",
            "digest",
            "state",
            "generation",
            "occupied",
            "databases",
            "libraries",
            "lane:0",
            "lane:1",
            "lane:2",
            "stream",
            "removed",
            "left",
            "deadlines",
            "setting:a",
            "setting:",
        ];
        let id = "[0-9a-z]{40}";
        let value = prop_oneof![
            ".*",
            "[0-9,+|. -]{0,24}",
            Just("running".to_owned()),
            Just("settling 5".to_owned()),
            (any::<u64>(), any::<u64>()).prop_map(|(at, elements)| format!("{at}+{elements}")),
            (any::<i128>(), id, any::<i64>()).prop_map(|(offset, id, db)| format!("{offset} {id} {db}")),
        ];
        (prop_oneof![prop::sample::select(&NAMES[..]).prop_map(str::to_owned), ".*"], value)
    }

    proptest! {
        #[test]
        fn every_record_reads_back(record in records()) {
            let fields: BTreeMap<String, String> = record.fields().into_iter().collect();
            prop_assert_eq!(RunRecord::read(&fields), Some(record));
        }

        #[test]
        fn whatever_the_fields_hold_is_a_record_that_reads_back_or_none(
            changes in prop::collection::vec(field(), 0..12),
            record in records(),
        ) {
            let mut fields: BTreeMap<String, String> = record.fields().into_iter().collect();
            fields.extend(changes);
            if let Some(record) = RunRecord::read(&fields) {
                let told = fields.iter().filter(|(name, value)| name.starts_with(SETTING) && !value.is_empty());
                prop_assert_eq!(record.settings.len(), told.count());
                let again = record.fields().into_iter().collect();
                prop_assert_eq!(RunRecord::read(&again), Some(record));
            }
        }
    }

    #[test]
    fn a_record_of_0_1_says_neither_databases_nor_libraries() {
        let fields = [("run", "r"), ("digest", "d"), ("state", "running"), ("generation", "1"), ("occupied", "")];
        let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
        let record = RunRecord::read(&fields).unwrap();
        assert_eq!((record.databases, record.libraries), (None, None));
    }

    #[test]
    fn a_record_of_version_0_1_has_exact_deadlines() {
        let id = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
        let stream = format!("5 {id} 2");
        let fields = [
            ("run", "r"),
            ("digest", "d"),
            ("state", "running"),
            ("generation", "1"),
            ("occupied", ""),
            ("lane:0", "9+0"),
            ("stream", stream.as_str()),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(RunRecord::read(&fields).unwrap().deadlines, DeadlineMode::Exact);
    }

    #[test]
    fn what_was_made_exact_for_too_long_is_doubtful() {
        let since = DeadlineMode::Settling(UnixMillis(1000));
        assert_eq!(since.deferred_again(UnixMillis(600_999)), DeadlineMode::Deferred);
        assert_eq!(since.deferred_again(UnixMillis(601_000)), DeadlineMode::Doubtful);
        let at_once = DeadlineMode::Settling(DeadlineMode::AT_ONCE);
        assert_eq!(at_once.deferred_again(UnixMillis(1_764_500_000_000)), DeadlineMode::Doubtful);
        assert_eq!(DeadlineMode::Doubtful.deferred_again(UnixMillis(0)), DeadlineMode::Doubtful);
        let all = [since, DeadlineMode::Exact, DeadlineMode::Deferred, DeadlineMode::Doubtful, DeadlineMode::Settled];
        for mode in all {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }
}
