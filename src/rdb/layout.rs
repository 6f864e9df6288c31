//! What a value's body is made of, as far as needed to find its end (`rdbSaveObject` of rdb.c).

use super::Kind;

/// One part of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyPart {
    /// A string.
    Text,
    /// A length, or any number written as one.
    Number,
    /// This many bytes.
    Bytes(u64),
    /// A score as text: one byte of length (253 and up: NaN and the infinities), then the text.
    Score,
    /// The id of a module's type, written as a length.
    ModuleId,
    /// What a module wrote: numbered fields up to the end mark.
    ModuleFields,
    /// A count, and that many times these parts.
    Many(&'static [BodyPart]),
}

use BodyPart::Bytes;
use BodyPart::Many;
use BodyPart::Number;
use BodyPart::Score;
use BodyPart::Text;

const BLOB: &[BodyPart] = &[Text];
const TEXTS: &[BodyPart] = &[Many(&[Text])];
const PAIRS: BodyPart = Many(&[Text, Text]);
const PENDING: BodyPart = Many(&[Bytes(16), Bytes(8), Number]);
const OWN_PENDING: BodyPart = Many(&[Bytes(16)]);

/// Groups of consumers; from version 2 on with the entries read, from 3 on with each consumer's active time.
const GROUPS: BodyPart = Many(&[Text, Number, Number, PENDING, Many(&[Text, Bytes(8), OWN_PENDING])]);
const GROUPS_2: BodyPart = Many(&[Text, Number, Number, Number, PENDING, Many(&[Text, Bytes(8), OWN_PENDING])]);
const GROUPS_3: BodyPart =
    Many(&[Text, Number, Number, Number, PENDING, Many(&[Text, Bytes(8), Bytes(8), OWN_PENDING])]);

/// Producers and the ids each one used.
const PRODUCERS: BodyPart = Many(&[Text, Many(&[Text, Number, Number])]);

/// Nodes; length and last id; from version 2 on first id, highest deleted id, entries added; groups; in version 4 the
/// producers between two limits and two counters.
const STREAM: &[BodyPart] = &[PAIRS, Number, Number, Number, GROUPS];
#[rustfmt::skip]
const STREAM_2: &[BodyPart] = &[PAIRS, Number, Number, Number, Number, Number, Number, Number, Number, GROUPS_2];
#[rustfmt::skip]
const STREAM_3: &[BodyPart] = &[PAIRS, Number, Number, Number, Number, Number, Number, Number, Number, GROUPS_3];
#[rustfmt::skip]
const STREAM_4: &[BodyPart] = &[
    PAIRS, Number, Number, Number, Number, Number, Number, Number, Number, GROUPS_3,
    Number, Number, PRODUCERS, Number, Number,
];

/// The body of a module's value, and of what it keeps outside of keys.
pub(super) const MODULE: &[BodyPart] = &[BodyPart::ModuleId, BodyPart::ModuleFields];

/// What follows the opcode of key metadata: classes of a 32-bit specification each.
pub(super) const KEY_META: &[BodyPart] = &[Many(&[Bytes(4), BodyPart::ModuleFields])];

/// What follows the opcode of a slot import: the job's name, ranges of slots.
pub(super) const SLOT_IMPORT: &[BodyPart] = &[Text, Many(&[Number, Number])];

/// The parts of a body; `None` when its end cannot be found.
pub(super) const fn layout(kind: Kind) -> Option<&'static [BodyPart]> {
    Some(match kind {
        Kind::String
        | Kind::HashZipmap
        | Kind::ListZiplist
        | Kind::SetIntset
        | Kind::ZsetZiplist
        | Kind::HashZiplist
        | Kind::HashListpack
        | Kind::ZsetListpack
        | Kind::SetListpack
        | Kind::HashListpackExPreGa => BLOB,
        Kind::List | Kind::Set | Kind::ListQuicklist => TEXTS,
        Kind::Zset => &[Many(&[Text, Score])],
        Kind::Hash => &[PAIRS],
        Kind::Zset2 => &[Many(&[Text, Bytes(8)])],
        Kind::ModulePreGa => return None,
        Kind::Module2 => MODULE,
        Kind::ListQuicklist2 => &[Many(&[Number, Text])],
        Kind::StreamListpacks => STREAM,
        Kind::StreamListpacks2 => STREAM_2,
        Kind::StreamListpacks3 => STREAM_3,
        Kind::StreamListpacks4 => STREAM_4,
        Kind::HashMetadataPreGa => &[Many(&[Number, Text, Text])],
        Kind::HashMetadata => &[Bytes(8), Many(&[Number, Text, Text])],
        Kind::HashListpackEx => &[Bytes(8), Text],
        Kind::ValkeyHash2 => &[Many(&[Text, Text, Bytes(8)])],
    })
}
