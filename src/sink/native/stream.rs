//! Streams as commands: XADD for the entries, XSETID for what the stream keeps beside them, XGROUP for groups and
//! consumers, XCLAIM for pending entries.

use super::Features;
use super::gather::Gather;
use super::live_ids::Life;
use super::live_ids::LiveIds;
use super::loss::Loss;
use crate::rdb::FieldPair;
use crate::rdb::StreamId;
use crate::rdb::StreamMeta;
use crate::resp;
use crate::unit::UnixMillis;

/// A group that makes an empty stream exist and is destroyed at once; a new stream has no other.
const MAKER: &[u8] = b"plan";

/// What is known of the stream so far.
#[derive(Clone, Debug, Default)]
pub(super) struct NativeStream {
    live: LiveIds,
    meta: Option<StreamMeta>,
    group: Vec<u8>,
    consumer: Vec<u8>,
    /// Time and count that the gathered pending entries have in common.
    delivery: Option<(UnixMillis, u64)>,
    dead: u64,
    unchecked: u64,
    counters: bool,
    producers: u64,
    messages: u64,
}

impl NativeStream {
    pub(super) fn saw_entry(&mut self, id: StreamId) {
        self.live.add(id);
    }

    pub(super) fn saw_meta(&mut self, meta: StreamMeta) {
        // Counted anew, an untouched stream comes to the same.
        self.counters |= meta
            .counters
            .is_some_and(|counters| counters.entries_added != meta.length || counters.max_deleted_id != StreamId::ZERO);
        self.meta = Some(meta);
    }

    pub(super) fn saw_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) {
        self.group = name.to_vec();
        // A group at the stream's end, or before its beginning, is seen to be there without a counter.
        self.counters |= match (entries_read, &self.meta) {
            (Some(read), Some(StreamMeta { last_id: end, counters: Some(counters), .. })) => {
                let at_end = last_id == *end && read == counters.entries_added;
                let at_start = last_id < counters.first_id && read == 0;
                !at_end && !at_start
            }
            _ => false,
        };
    }

    pub(super) fn saw_consumer(&mut self, name: &[u8]) {
        self.consumer = name.to_vec();
    }

    /// Whether the entry can be claimed.
    pub(super) fn saw_pending(&mut self, id: StreamId) -> bool {
        let life = self.live.life(id);
        self.dead += u64::from(life == Life::Dead);
        self.unchecked += u64::from(life == Life::Unknown);
        life != Life::Dead
    }

    pub(super) const fn saw_producers(&mut self, producers: u64, messages: u64) {
        self.producers = producers;
        self.messages = messages;
    }

    pub(super) fn losses(&self, caps: Features) -> Vec<Loss> {
        let version = caps.version();
        let mut losses = vec![];
        if self.dead > 0 {
            losses.push(Loss::DeadPending { entries: self.dead });
        }
        if self.unchecked > 0 {
            losses.push(Loss::UncheckedPending { entries: self.unchecked });
        }
        if self.counters && !caps.stream_counters() {
            losses.push(Loss::StreamCounters { version });
        }
        if self.messages > 0 {
            losses.push(Loss::Producers { producers: self.producers, messages: self.messages });
        }
        losses
    }

    /// Whether a pending entry may go into the command that is being gathered.
    pub(super) fn joins(&self, at: UnixMillis, count: u64) -> bool {
        self.delivery.is_none_or(|delivery| delivery == (at, count))
    }

    pub(super) const fn join(&mut self, at: UnixMillis, count: u64) {
        self.delivery = Some((at, count));
    }

    /// Appends the gathered pending entries.
    pub(super) fn claim(&mut self, key: &[u8], gather: &mut Gather, out: &mut Vec<u8>) -> u32 {
        // Without a delivery there are no arguments: the gathered entries are dead.
        let (at, count) = self.delivery.take().unwrap_or((UnixMillis(0), 0));
        let (mut time, mut times) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (at, count) = (time.format(at.0).as_bytes(), times.format(count).as_bytes());
        let head: &[&[u8]] = &[b"XCLAIM", key, &self.group, &self.consumer, b"0"];
        gather.write(out, head, &[b"TIME", at, b"RETRYCOUNT", count, b"FORCE", b"JUSTID"])
    }

    /// Appends what the stream keeps beside its entries; makes it exist when it has none.
    pub(super) fn settle(&self, key: &[u8], meta: StreamMeta, caps: Features, out: &mut Vec<u8>) -> u32 {
        let mut commands = 1;
        if self.live.is_empty() {
            resp::command(out, &[b"XGROUP", b"CREATE", key, MAKER, b"0-0", b"MKSTREAM"]);
            resp::command(out, &[b"XGROUP", b"DESTROY", key, MAKER]);
            commands = 3;
        }
        let last_id = meta.last_id.to_string();
        let counters = meta.counters.filter(|_| caps.stream_counters());
        resp::array_header(out, if counters.is_some() { 7 } else { 3 });
        resp::bulk(out, b"XSETID");
        resp::bulk(out, key);
        resp::bulk(out, last_id.as_bytes());
        if let Some(counters) = counters {
            resp::bulk(out, b"ENTRIESADDED");
            resp::bulk_u64(out, counters.entries_added);
            resp::bulk(out, b"MAXDELETEDID");
            resp::bulk(out, counters.max_deleted_id.to_string().as_bytes());
        }
        commands
    }

    /// Appends the creation of the group last seen.
    pub(super) fn create_group(
        &self,
        key: &[u8],
        (last_id, entries_read): (StreamId, Option<u64>),
        caps: Features,
        out: &mut Vec<u8>,
    ) -> u32 {
        let entries_read = entries_read.filter(|_| caps.stream_counters());
        resp::array_header(out, if entries_read.is_some() { 7 } else { 5 });
        resp::bulk(out, b"XGROUP");
        resp::bulk(out, b"CREATE");
        resp::bulk(out, key);
        resp::bulk(out, &self.group);
        resp::bulk(out, last_id.to_string().as_bytes());
        if let Some(entries_read) = entries_read {
            resp::bulk(out, b"ENTRIESREAD");
            resp::bulk_u64(out, entries_read);
        }
        1
    }

    /// Appends the creation of the consumer last seen. Before 6.2 only reading creates one: it reads its own pending
    /// entries, and has none yet.
    pub(super) fn create_consumer(&self, key: &[u8], caps: Features, out: &mut Vec<u8>) -> u32 {
        if caps.create_consumer() {
            resp::command(out, &[b"XGROUP", b"CREATECONSUMER", key, &self.group, &self.consumer]);
        } else {
            let (group, consumer) = (&self.group[..], &self.consumer[..]);
            resp::command(out, &[b"XREADGROUP", b"GROUP", group, consumer, b"COUNT", b"1", b"STREAMS", key, b"0-0"]);
        }
        1
    }
}

/// Appends an entry.
pub(super) fn add_entry(key: &[u8], id: StreamId, fields: &[FieldPair<'_>], out: &mut Vec<u8>) -> u32 {
    resp::array_header(out, 3 + 2 * fields.len());
    resp::bulk(out, b"XADD");
    resp::bulk(out, key);
    resp::bulk(out, id.to_string().as_bytes());
    for (field, value) in fields {
        resp::bulk(out, field);
        resp::bulk(out, value);
    }
    1
}
