//! Elements in, commands out.

use super::Features;
use super::Loss;
use super::Unsupported;
use super::gather::Gather;
use super::score;
use super::stream::NativeStream;
use super::stream::add_entry;
use crate::rdb::Element;
use crate::rdb::Kind;
use crate::resp;
use crate::unit::Expiry;
use crate::unit::UnixMillis;

/// Elements that go into one command at most: it holds up the destination for less than a millisecond.
const MOST_ELEMENTS: u64 = 512;

/// Writes one value, element by element, as commands (RESP arrays of bulk strings) that create it. The key must not
/// exist at the destination. A list, set, sorted set or hash without elements is no key at all, so nothing is written.
///
/// The commands depend on nothing but the elements. When a value is continued by another process, it is read from its
/// beginning, the first [`written`](Self::written) elements go to [`skip`](Self::skip), and the commands for those that
/// follow are the same as without the break.
#[derive(Clone, Debug)]
pub struct NativeWriter {
    key: Vec<u8>,
    caps: Features,
    chunk_bytes: usize,
    /// What adds items.
    items: &'static [u8],
    gathering: Gathering,
    gather: Gather,
    stream: NativeStream,
    seen: u64,
    /// Fields that expire and cannot at the destination.
    immortal: u64,
    /// Fields that expired before are left out.
    now: Option<UnixMillis>,
    expiry: Expiry,
}

/// What the gathered elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathering {
    Items,
    Members,
    Fields,
    Pending,
}

impl NativeWriter {
    /// A writer of a value of this kind. A variadic command is ended when its arguments have `chunk_bytes`, or at 512
    /// elements.
    pub fn new(key: &[u8], kind: Kind, caps: &Features, chunk_bytes: usize) -> Result<Self, Unsupported> {
        let items: &[u8] = match kind.type_name() {
            "module" => return Err(Unsupported::Module),
            "stream" if !caps.streams() => return Err(Unsupported::Streams(caps.version())),
            "set" => b"SADD",
            _ => b"RPUSH",
        };
        Ok(Self {
            key: key.to_vec(),
            caps: *caps,
            chunk_bytes,
            items,
            gathering: Gathering::Items,
            gather: Gather::default(),
            stream: NativeStream::default(),
            seen: 0,
            immortal: 0,
            now: None,
            expiry: Expiry::Exact,
        })
    }

    /// Writes deadlines of hash fields as `expiry` says. Exact ones that have passed at `now` are left out with their
    /// fields: where fields cannot expire, these would come to life again.
    #[must_use]
    pub fn with_deadlines(mut self, expiry: Expiry, now: UnixMillis) -> Self {
        self.now = (!expiry.defers()).then_some(now);
        self.expiry = expiry;
        self
    }

    /// Takes the value's next element and appends the commands that are complete with it to `out`; answers how many.
    pub fn push(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> u32 {
        let first = self.seen == 0;
        let mut commands = self.make_room(element, out);
        let claimable = self.see(element);
        commands += match element {
            Element::StringPart(part) => {
                resp::command(out, &[if first { b"SET" } else { b"APPEND" }, &self.key, part]);
                1
            }
            Element::Item(item) => self.add(Gathering::Items, |gather| gather.arg(item)),
            Element::Member { member, score } => self.add(Gathering::Members, |gather| {
                let mut text = vec![];
                score::append(&mut text, *score);
                gather.arg(&text);
                gather.arg(member);
            }),
            Element::Field { field, value, expires_at } => self.add_field(field, value, *expires_at),
            Element::Entry { id, fields } => add_entry(&self.key, *id, fields, out),
            Element::StreamMeta(meta) => self.stream.settle(&self.key, *meta, self.caps, out),
            Element::Group { last_id, entries_read, .. } => {
                self.stream.create_group(&self.key, (*last_id, *entries_read), self.caps, out)
            }
            Element::Consumer { .. } => self.stream.create_consumer(&self.key, self.caps, out),
            Element::Pending { id, delivered_at, deliveries } if claimable => {
                self.stream.join(*delivered_at, *deliveries);
                let id = id.to_string();
                self.add(Gathering::Pending, |gather| gather.arg(id.as_bytes()))
            }
            Element::Pending { .. } => self.add(Gathering::Pending, |_| {}),
            Element::Producers { .. } => 0,
        };
        if self.gather.elements() >= MOST_ELEMENTS || self.gather.size() >= self.chunk_bytes {
            commands += self.flush(out);
        }
        commands
    }

    /// Takes an element that an earlier process has written. Only before the first [`push`](Self::push).
    pub fn skip(&mut self, element: &Element<'_>) {
        self.see(element);
    }

    /// Appends what is gathered; answers how many commands that were.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> u32 {
        let key = &self.key[..];
        match self.gathering {
            Gathering::Items => self.gather.write(out, &[self.items, key], &[]),
            Gathering::Members => self.gather.write(out, &[b"ZADD", key], &[]),
            Gathering::Fields => {
                let name: &[u8] = if self.caps.hset_many() { b"HSET" } else { b"HMSET" };
                let (expiries, expire) = self.gather.take_expiries(key);
                let written = self.gather.write(out, &[name, key], &[]);
                out.extend_from_slice(&expire);
                written + expiries
            }
            Gathering::Pending => self.stream.claim(key, &mut self.gather, out),
        }
    }

    /// Appends what is gathered and the value's expiry, as it is to be written, if it has one; answers how many commands that were.
    pub fn finish(&mut self, expires_at: Option<UnixMillis>, out: &mut Vec<u8>) -> u32 {
        let mut commands = self.flush(out);
        if let Some(at) = expires_at.filter(|_| self.seen > 0) {
            resp::array_header(out, 3);
            resp::bulk(out, b"PEXPIREAT");
            resp::bulk(out, &self.key);
            resp::bulk_i64(out, at.0);
            commands += 1;
        }
        commands
    }

    /// How many elements, from the value's first one, are whole in the commands appended so far, those skipped
    /// included: what a checkpoint keeps.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.seen.saturating_sub(self.gather.elements())
    }

    /// What the destination does not get of the elements so far, those skipped included.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses = self.stream.losses(self.caps);
        if self.immortal > 0 {
            losses.push(Loss::FieldExpiry { fields: self.immortal, version: self.caps.version() });
        }
        losses
    }

    /// Appends what is gathered when the element cannot join it.
    fn make_room(&mut self, element: &Element<'_>, out: &mut Vec<u8>) -> u32 {
        let joins = match element {
            Element::Pending { delivered_at, deliveries, .. } => self.stream.joins(*delivered_at, *deliveries),
            Element::Item(_) | Element::Member { .. } | Element::Field { .. } => true,
            _ => false,
        };
        if joins { 0 } else { self.flush(out) }
    }

    /// Keeps what later elements need to know of this one. Whether a pending entry can be claimed.
    fn see(&mut self, element: &Element<'_>) -> bool {
        self.seen += 1;
        match element {
            Element::Field { expires_at: Some(at), .. } => {
                let lives_on = !self.caps.field_expiry() && !self.is_over(*at);
                self.immortal += u64::from(lives_on);
            }
            Element::Entry { id, .. } => self.stream.saw_entry(*id),
            Element::StreamMeta(meta) => self.stream.saw_meta(*meta),
            Element::Group { name, last_id, entries_read } => self.stream.saw_group(name, *last_id, *entries_read),
            Element::Consumer { name, .. } => self.stream.saw_consumer(name),
            Element::Pending { id, .. } => return self.stream.saw_pending(*id),
            Element::Producers { producers, messages } => self.stream.saw_producers(*producers, *messages),
            Element::StringPart(_) | Element::Item(_) | Element::Member { .. } | Element::Field { .. } => {}
        }
        true
    }

    fn add(&mut self, gathering: Gathering, args: impl FnOnce(&mut Gather)) -> u32 {
        self.gathering = gathering;
        self.gather.begin();
        args(&mut self.gather);
        0
    }

    fn add_field(&mut self, field: &[u8], value: &[u8], expires_at: Option<UnixMillis>) -> u32 {
        let over = expires_at.is_some_and(|at| self.is_over(at));
        let expires_at = expires_at.filter(|_| self.caps.field_expiry()).map(|at| self.expiry.written(at));
        self.add(Gathering::Fields, |gather| {
            if over {
                return;
            }
            match expires_at {
                Some(at) => gather.expiring(field, at),
                None => gather.arg(field),
            }
            gather.arg(value);
        })
    }

    fn is_over(&self, at: UnixMillis) -> bool {
        self.now.is_some_and(|now| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::StreamId;
    use crate::rdb::StreamMeta;
    use crate::rdb::element::samples::consumer;
    use crate::rdb::element::samples::entry;
    use crate::rdb::element::samples::field;
    use crate::rdb::element::samples::group;
    use crate::rdb::element::samples::item;
    use crate::rdb::element::samples::pending;
    use crate::rdb::element::samples::samples;
    use crate::resp::CommandReader;
    use crate::unit::ServerVersion;
    use std::borrow::Cow;

    const OLD: Features = Features::of(ServerVersion::redis(2, 8, 17));
    const FIVE: Features = Features::of(ServerVersion::redis(5, 0, 10));
    const NEW: Features = Features::of(ServerVersion::redis(8, 2, 3));

    /// Commands as text, one a line.
    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut reader = CommandReader::default();
        reader.feed(bytes);
        let mut lines = vec![];
        while let Some(command) = reader.next().unwrap() {
            lines.push(command.args().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "));
        }
        lines
    }

    fn writer(kind: Kind, caps: Features) -> NativeWriter {
        NativeWriter::new(b"k", kind, &caps, 64 << 10).unwrap()
    }

    /// The commands for these elements, and what was lost.
    fn written(
        kind: Kind,
        caps: Features,
        elements: &[Element<'_>],
        expires_at: Option<i64>,
    ) -> (Vec<String>, Vec<Loss>) {
        let (mut writer, mut out) = (writer(kind, caps), vec![]);
        let mut commands: u32 = elements.iter().map(|element| writer.push(element, &mut out)).sum();
        commands += writer.finish(expires_at.map(UnixMillis), &mut out);
        let lines = lines(&out);
        assert_eq!(lines.len(), commands as usize);
        assert_eq!(writer.written(), elements.len() as u64);
        (lines, writer.losses())
    }

    fn sample(kind: Kind) -> Vec<Element<'static>> {
        samples().into_iter().find(|sample| sample.0 == kind).unwrap().2
    }

    #[test]
    fn simple_values_are_one_command_and_the_expiry() {
        let commands = |kind, caps| written(kind, caps, &sample(kind), Some(1234)).0;
        assert_eq!(commands(Kind::String, OLD), ["SET k hello", "PEXPIREAT k 1234"]);
        assert_eq!(commands(Kind::List, OLD), ["RPUSH k a -5", "PEXPIREAT k 1234"]);
        assert_eq!(commands(Kind::SetListpack, OLD), ["SADD k f 5 g x", "PEXPIREAT k 1234"]);
        assert_eq!(commands(Kind::Zset, OLD), ["ZADD k -1.5 a inf b -inf c", "PEXPIREAT k 1234"]);
        assert_eq!(commands(Kind::HashListpack, OLD), ["HMSET k f 5 g x", "PEXPIREAT k 1234"]);
        assert_eq!(commands(Kind::HashListpack, FIVE), ["HSET k f 5 g x", "PEXPIREAT k 1234"]);
        assert_eq!(written(Kind::Set, OLD, &[], Some(1234)).0, [""; 0]);
    }

    #[test]
    fn a_long_string_is_set_and_appended() {
        let parts = [b"one", b"two", b"six"].map(|part| Element::StringPart(part));
        assert_eq!(written(Kind::String, OLD, &parts, None).0, ["SET k one", "APPEND k two", "APPEND k six"]);
    }

    #[test]
    fn elements_go_together_up_to_512_or_the_chunk() {
        let lengths = |elements: &[Element<'_>]| -> Vec<usize> {
            let (lines, _) = written(Kind::List, OLD, elements, None);
            lines.iter().map(|line| line.split(' ').count() - 2).collect()
        };
        assert_eq!(lengths(&vec![item("x"); 1200]), [512, 512, 176]);
        let long = Element::Item(Cow::Owned(vec![b'x'; 30_000]));
        assert_eq!(lengths(&vec![long; 7]), [3, 3, 1]);
    }

    #[test]
    fn fields_expire_where_they_can() {
        let hash =
            [field("a", "1", Some(900)), field("b", "2", None), field("c", "3", Some(500)), field("d", "4", Some(900))];
        let (lines, losses) = written(Kind::HashMetadata, NEW, &hash, None);
        assert_eq!(lines, ["HSET k a 1 b 2 c 3 d 4", "HPEXPIREAT k 500 FIELDS 1 c", "HPEXPIREAT k 900 FIELDS 2 a d"]);
        assert_eq!(losses, []);
        let (lines, losses) = written(Kind::HashMetadata, FIVE, &hash, None);
        assert_eq!(lines, ["HSET k a 1 b 2 c 3 d 4"]);
        assert_eq!(losses, [Loss::FieldExpiry { fields: 3, version: FIVE.version() }]);
        assert_eq!(losses[0].to_string(), "3 hash fields lose their own expiry: Redis 5.0.10 has none for fields");
    }

    #[test]
    fn expired_fields_do_not_come_to_life_again() {
        let (mut writer, mut out) =
            (writer(Kind::HashMetadata, FIVE).with_deadlines(Expiry::Exact, UnixMillis(500)), vec![]);
        writer.push(&field("c", "3", Some(500)), &mut out);
        assert_eq!((writer.flush(&mut out), writer.written()), (0, 1));
        for one in [field("a", "1", Some(501)), field("c", "3", Some(500))] {
            writer.push(&one, &mut out);
        }
        writer.finish(None, &mut out);
        assert_eq!(lines(&out), ["HSET k a 1"]);
        assert_eq!(writer.losses(), [Loss::FieldExpiry { fields: 1, version: FIVE.version() }]);
    }

    #[test]
    fn a_stream_is_written_with_all_it_keeps() {
        let (lines, losses) = written(Kind::StreamListpacks3, NEW, &sample(Kind::StreamListpacks3), Some(1234));
        assert_eq!(
            lines,
            [
                "XADD k 1000-0 a 1 b 2",
                "XADD k 1001-0 c x",
                "XADD k 2000-5 a 9",
                "XSETID k 2000-6 ENTRIESADDED 70000 MAXDELETEDID 1000-1",
                "XGROUP CREATE k g1 2000-5 ENTRIESREAD 69999",
                "XGROUP CREATECONSUMER k g1 idle",
                "XGROUP CREATECONSUMER k g1 busy",
                "XCLAIM k g1 busy 0 1000-0 TIME 5000 RETRYCOUNT 1 FORCE JUSTID",
                "XCLAIM k g1 busy 0 2000-5 TIME 6000 RETRYCOUNT 300 FORCE JUSTID",
                "XGROUP CREATE k g2 0-0",
                "PEXPIREAT k 1234",
            ]
        );
        assert_eq!(losses, []);
    }

    #[test]
    fn an_old_destination_gets_the_stream_without_counters_and_they_are_reported() {
        let (lines, losses) = written(Kind::StreamListpacks4, FIVE, &sample(Kind::StreamListpacks4), None);
        assert_eq!(
            lines[3..6],
            ["XSETID k 2000-6", "XGROUP CREATE k g1 2000-5", "XREADGROUP GROUP g1 idle COUNT 1 STREAMS k 0-0"]
        );
        let version = FIVE.version();
        assert_eq!(losses, [Loss::StreamCounters { version }, Loss::Producers { producers: 1, messages: 1 }]);
        assert!(!losses[0].touches_data() && losses[1].touches_data());
    }

    fn meta(last_ms: u64) -> Element<'static> {
        Element::StreamMeta(StreamMeta { length: 1, last_id: StreamId { ms: last_ms, seq: 0 }, counters: None })
    }

    #[test]
    fn an_empty_stream_exists() {
        let (lines, losses) = written(Kind::StreamListpacks, NEW, &[meta(77)], None);
        assert_eq!(lines, ["XGROUP CREATE k plan 0-0 MKSTREAM", "XGROUP DESTROY k plan", "XSETID k 77-0"]);
        assert_eq!(losses, []);
    }

    #[test]
    fn equal_deliveries_are_claimed_together_and_dead_ones_not_at_all() {
        let stream = [
            entry(1, 0, &[("a", "b")]),
            entry(2, 0, &[("a", "b")]),
            entry(4, 0, &[("a", "b")]),
            meta(4),
            group("g", 4, 0, None),
            consumer("c", 0, None),
            pending(1, 0, 50, 1),
            pending(2, 0, 50, 1),
            pending(3, 0, 60, 1),
            pending(4, 0, 50, 1),
            consumer("d", 0, None),
            pending(5, 0, 50, 1),
        ];
        let (lines, losses) = written(Kind::StreamListpacks, NEW, &stream, None);
        assert_eq!(
            lines[6..],
            [
                "XCLAIM k g c 0 1-0 2-0 TIME 50 RETRYCOUNT 1 FORCE JUSTID",
                "XCLAIM k g c 0 4-0 TIME 50 RETRYCOUNT 1 FORCE JUSTID",
                "XGROUP CREATECONSUMER k g d",
            ]
        );
        assert_eq!(losses, [Loss::DeadPending { entries: 2 }]);
    }

    #[test]
    fn a_writing_that_is_continued_is_the_same_as_one_without_a_break() {
        let mut values: Vec<(Kind, Vec<Element<'static>>)> =
            samples().into_iter().map(|(kind, _, elements)| (kind, elements)).collect();
        values.push((Kind::List, vec![item("x"); 1200]));
        values.push((Kind::HashMetadata, (0..1200).map(|n| field("f", "v", Some(n % 7))).collect()));
        let busy = (0..2000).map(|ms| pending(ms, 0, i64::try_from(ms / 700).unwrap(), 1));
        let stream: Vec<_> = (1..1900).map(|ms| entry(ms, 0, &[("a", "b")])).collect();
        let groups = [meta(9999), group("g", 1, 0, None), consumer("c", 0, None)];
        values.push((Kind::StreamListpacks, stream.into_iter().chain(groups).chain(busy).collect()));
        for (kind, elements) in values {
            for caps in [FIVE, NEW] {
                let (whole, losses) = written(kind, caps, &elements, Some(9));
                let (mut first, mut out, mut broken) = (writer(kind, caps), vec![], 0);
                for (number, element) in elements.iter().enumerate() {
                    first.push(element, &mut out);
                    // At each place where a checkpoint can stand, in long values at some.
                    if number > 3 && number % 511 > 1 {
                        continue;
                    }
                    broken += 1;
                    let done = usize::try_from(first.written()).unwrap();
                    let (before, after) = elements.split_at(done);
                    let (mut second, mut rest) = (writer(kind, caps), out.clone());
                    for element in before {
                        second.skip(element);
                    }
                    assert_eq!(second.written(), first.written());
                    for element in after {
                        second.push(element, &mut rest);
                    }
                    second.finish(Some(UnixMillis(9)), &mut rest);
                    assert_eq!(lines(&rest), whole, "{kind:?} continued at {done}");
                    assert_eq!(second.losses(), losses);
                }
                assert!(broken > 0 || elements.is_empty());
            }
        }
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let refused = |kind, caps: Features| NativeWriter::new(b"k", kind, &caps, 1).unwrap_err().to_string();
        let module = "a module's value can be restored where the module is, but not written by commands";
        assert_eq!(refused(Kind::Module2, NEW), module);
        assert_eq!(refused(Kind::StreamListpacks, OLD), "Redis 2.8.17 has no streams");
    }
}
