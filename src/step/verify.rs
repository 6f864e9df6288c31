//! Comparing both sides: what the step does, how far it is, and what it finds.

use serde::{Deserialize, Serialize};

use super::Selection;
use crate::unit::{CountRate, Db};

/// What `verify` does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyWork {
    /// What moves where.
    pub selection: Selection,
    /// How thoroughly.
    pub mode: VerifyMode,
    /// Keys a second that are read; `None` is as fast as both servers answer.
    pub rate: Option<CountRate>,
}

/// How thoroughly both sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyMode {
    /// Every key's existence, type and expiry.
    Keys,
    /// So many keys, chosen at random, whole.
    Sample {
        /// How many.
        keys: u64,
    },
    /// Every element of every value.
    Full,
}

/// What a comparison is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyPhase {
    /// Choosing the keys of a sample.
    #[default]
    Choosing,
    /// Reading the source's keys on both sides.
    Comparing,
    /// Looking for keys that only the destination has.
    Extra,
    /// Looking again at keys that seemed to differ.
    Rechecking,
}

/// How far a comparison is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyProgress {
    /// What it is doing.
    pub phase: VerifyPhase,
    /// Names looked at so far, on both sides together.
    pub looked_at: u64,
    /// Names there were on both sides when it began.
    pub total: u64,
    /// Keys compared.
    pub keys: u64,
    /// Keys that seemed to differ and are looked at again.
    pub suspects: u64,
    /// Keys that differ.
    pub different: u64,
    /// Names looked at a second, over the last seconds.
    pub per_second: f64,
    /// Estimated seconds to the end; `None` at the beginning.
    pub eta: Option<f64>,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyResult {
    /// How thorough it was.
    pub mode: Option<VerifyMode>,
    /// What the sample was chosen by: the same seed chooses the same keys of the same data.
    pub seed: Option<u64>,
    /// By database at the source and type, sorted.
    pub counts: Vec<VerifyCount>,
    /// Keys whose time was up, or nearly, on one side or both: nothing is wrong with them.
    pub expired: u64,
    /// Keys that were gone on both sides when they were looked at.
    pub gone: u64,
    /// Keys of the source left out by the plan's rules.
    pub filtered: u64,
    /// Keys that the copy left as they were (`on_conflict: skip`), which are not compared.
    pub skipped: u64,
    /// Keys at the destination that are somebody else's, by database and rule.
    pub foreign: Vec<Foreign>,
    /// Keys that differ, those repaired left out.
    pub different: u64,
    /// Keys of which nothing is proved: they changed whenever they were looked at, or the destination was too far behind.
    pub unsettled: u64,
    /// Keys that were copied again and are equal now.
    pub repaired: u64,
    /// How it was judged whether a difference stays while writes go on.
    pub judged_by: JudgedBy,
    /// How long it took, in all processes that worked on it.
    pub seconds: f64,
}

/// How it is judged whether a difference stays while writes go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// By looking again, some time later.
    #[default]
    RechecksAlone,
    /// By looking again once the destination had applied all that the source had written when it was read.
    AppliedOffset,
}

/// Keys of one type in one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyCount {
    /// The database at the source.
    pub db: Db,
    /// The type, as `TYPE` answers.
    #[serde(rename = "type")]
    pub kind: String,
    /// Keys compared, those that differ included.
    pub keys: u64,
    /// Keys that differ.
    pub different: u64,
}

/// Keys at the destination that are not compared, and why they are taken for somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// The database at the destination.
    pub db: Db,
    /// Why.
    pub rule: ForeignRule,
    /// How many.
    pub keys: u64,
    /// One of them, as it is shown.
    pub example: Option<String>,
}

/// Why a key at the destination is taken for somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignRule {
    /// The plan brings no keys to this database.
    Database,
    /// No rule of the plan takes a key of this name.
    Name,
    /// The source does not have it, and the database held keys when the run began.
    Occupied,
}

/// A key that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDifference {
    /// The database at the source.
    pub db: Db,
    /// The database at the destination.
    pub to: Db,
    /// The key, escaped and shortened for people.
    pub key: String,
    /// The key's bytes, in hexadecimal digits.
    pub hex: String,
    /// What differs.
    pub kinds: Vec<DifferenceKind>,
    /// The key as the source has it; `None` where it has none.
    pub source: Option<SideOfKey>,
    /// As the destination has it.
    pub destination: Option<SideOfKey>,
    /// Whether it was equal when it had been copied again; `None` when nobody asked for that.
    pub repaired: Option<bool>,
}

/// A key as one side has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideOfKey {
    /// The type, as `TYPE` answers.
    #[serde(rename = "type")]
    pub kind: String,
    /// A digest of the value in its canonical form, 32 hexadecimal digits; `None` when values were not read.
    pub digest: Option<String>,
    /// Its elements (bytes of a string).
    pub elements: Option<u64>,
    /// When it ends, in Unix milliseconds of this server's clock.
    pub ends: Option<i64>,
}

/// What is not the same about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The destination does not have it.
    Missing,
    /// Only the destination has it.
    Extra,
    /// It has another type.
    Type,
    /// A string's bytes.
    Content,
    /// Elements of a list.
    Element,
    /// The same elements of a list in another order.
    Order,
    /// Members of a set or sorted set.
    Member,
    /// A member's score.
    Score,
    /// Fields of a hash.
    Field,
    /// A field's value.
    Value,
    /// When fields of a hash end.
    FieldExpiry,
    /// Entries of a stream.
    Entry,
    /// The stream's last id, last deleted id or count of all entries ever added.
    StreamIds,
    /// Which consumer groups there are.
    Group,
    /// How far a group has read.
    GroupPosition,
    /// A group's consumers. Of runs of version 0.1: one to whom nothing is pending is no difference any more.
    Consumer,
    /// What was delivered and is not acknowledged: which entries, to whom, how often, when.
    Pending,
    /// A module's value, as serialized.
    Module,
    /// It ends at the source and not at the destination.
    TtlMissing,
    /// It ends at the destination and not at the source.
    TtlExtra,
    /// It ends at another time.
    TtlOff,
}

/// What a result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyVerdict {
    /// Everything compared is equal.
    Equal,
    /// Keys differ.
    Different,
    /// No difference was found, and nothing is proved of some keys.
    Unsettled,
}

impl VerifyResult {
    /// What it means.
    #[must_use]
    pub const fn verdict(&self) -> VerifyVerdict {
        match (self.different, self.unsettled) {
            (0, 0) => VerifyVerdict::Equal,
            (0, _) => VerifyVerdict::Unsettled,
            _ => VerifyVerdict::Different,
        }
    }

    /// Keys compared.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.counts.iter().map(|count| count.keys).sum()
    }

    /// Keys compared a second.
    #[must_use]
    pub fn keys_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let keys = self.keys() as f64;
        if self.seconds > 0.0 { keys / self.seconds } else { 0.0 }
    }
}

impl DifferenceKind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing at the destination",
            Self::Extra => "only at the destination",
            Self::Type => "another type",
            Self::Content => "other bytes",
            Self::Element => "other elements",
            Self::Order => "another order",
            Self::Member => "other members",
            Self::Score => "another score",
            Self::Field => "other fields",
            Self::Value => "another field value",
            Self::FieldExpiry => "another end of a field",
            Self::Entry => "other entries",
            Self::StreamIds => "other stream ids or counters",
            Self::Group => "other consumer groups",
            Self::GroupPosition => "a group has read to another place",
            Self::Consumer => "other consumers",
            Self::Pending => "other pending entries",
            Self::Module => "another serialized value",
            Self::TtlMissing => "no end, which the source has",
            Self::TtlExtra => "an end, which the source has not",
            Self::TtlOff => "another end",
        }
    }
}

impl std::fmt::Display for VerifyMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys => f.write_str("keys"),
            Self::Sample { keys } => write!(f, "sample of {keys} keys"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl std::fmt::Display for ForeignRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Database => "the plan brings no keys to this database",
            Self::Name => "no rule of the plan takes this name",
            Self::Occupied => "the source does not have it, and the database held keys when the run began",
        })
    }
}
