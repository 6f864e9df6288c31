//! What a value is made of.

use super::StreamId;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// A field and its value.
pub type FieldPair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A part of a value, as a client would see it: integers are decimal text.
#[derive(Clone, Debug, PartialEq)]
pub enum Element<'a> {
    /// The next bytes of a string value. Each part but the last has [`super::STRING_PART`] bytes; an empty string is
    /// one empty part.
    StringPart(&'a [u8]),
    /// The next item of a list, or a member of a set.
    Item(Cow<'a, [u8]>),
    /// A field of a hash.
    Field {
        /// Its name.
        field: Cow<'a, [u8]>,
        /// Its value.
        value: Cow<'a, [u8]>,
        /// When the field, not the whole hash, expires; it may have passed.
        expires_at: Option<UnixMillis>,
    },
    /// A member of a sorted set.
    Member {
        /// The member.
        member: Cow<'a, [u8]>,
        /// Its score; infinite perhaps, never NaN.
        score: f64,
    },
    /// An entry of a stream; ids ascend.
    Entry {
        /// Its id.
        id: StreamId,
        /// Fields and values; a field may come twice.
        fields: Vec<FieldPair<'a>>,
    },
    /// What a stream keeps beside its entries. Comes once, after the last entry.
    StreamMeta(StreamMeta),
    /// A consumer group. Its consumers and their pending entries follow.
    Group {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// The last entry delivered.
        last_id: StreamId,
        /// How many entries the group has read; `None` when the source does not know.
        entries_read: Option<u64>,
    },
    /// A consumer of the last [`Element::Group`]. Its pending entries follow.
    Consumer {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// When it last tried to read.
        seen: UnixMillis,
        /// When it last got something (Redis 7.2); `None` for never or not known.
        active: Option<UnixMillis>,
    },
    /// An entry delivered to the last [`Element::Consumer`] and not acknowledged. It may be deleted from the stream.
    Pending {
        /// The entry.
        id: StreamId,
        /// When it was last delivered.
        delivered_at: UnixMillis,
        /// How often it was delivered.
        deliveries: u64,
    },
    /// What Redis 8.6 keeps to recognise messages that producers send twice. Comes once, at the end.
    Producers {
        /// Producers with remembered messages.
        producers: u64,
        /// Remembered messages.
        messages: u64,
    },
}

/// What a stream keeps beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMeta {
    /// Entries in the stream, those deleted not counted.
    pub length: u64,
    /// The greatest id that was ever added: the next must be greater.
    pub last_id: StreamId,
    /// Since Redis 7.0.
    pub counters: Option<StreamCounters>,
}

/// What a stream keeps since Redis 7.0, to know how far groups lag behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCounters {
    /// The first entry; [`StreamId::ZERO`] when there is none.
    pub first_id: StreamId,
    /// The greatest id that was deleted by name.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}
