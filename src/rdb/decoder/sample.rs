//! Writes small dumps and says what they hold.

#![expect(clippy::cast_possible_truncation, reason = "every number here is small")]

use super::*;
use crate::rdb::Crc64;
use crate::rdb::ModuleId;
use crate::unit::Dialect;

/// A length in its shortest form.
pub(super) fn length(number: u64) -> Vec<u8> {
    match number {
        0..64 => vec![number as u8],
        64..16384 => (0x4000 | number as u16).to_be_bytes().to_vec(),
        16384..0x1_0000_0000 => [&[0x80], &(number as u32).to_be_bytes()[..]].concat(),
        _ => [&[0x81], &number.to_be_bytes()[..]].concat(),
    }
}

/// A raw string.
pub(super) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [length(bytes.as_ref().len() as u64), bytes.as_ref().to_vec()].concat()
}

/// `count` times `x` as LZF data: one literal, one long copy.
pub(super) fn xs(count: usize) -> Vec<u8> {
    assert!((10..=265).contains(&count));
    [&[0xc3, 5][..], &length(count as u64), &[0, b'x', 7 << 5, (count - 10) as u8, 0]].concat()
}

/// A dump under construction, and the items that must come out, as `Debug` shows them.
pub(super) struct SampleDump {
    pub(super) bytes: Vec<u8>,
    pub(super) items: Vec<String>,
    /// Where each item ends.
    pub(super) ends: Vec<u64>,
    header: Header,
    inline: u64,
    db: Db,
    at: u64,
    expires_at: Option<UnixMillis>,
    access: Option<Usage>,
    key_meta: bool,
}

impl SampleDump {
    pub(super) fn new(magic: &str, limits: DumpLimits) -> Self {
        let (dialect, version) = match magic.strip_prefix("VALKEY") {
            Some(version) => (Dialect::Valkey, version.parse().unwrap()),
            None => (Dialect::Redis, magic[5..].parse().unwrap()),
        };
        let header = Header { dialect, version };
        let mut dump = Self {
            bytes: vec![],
            items: vec![],
            ends: vec![],
            header,
            inline: limits.inline as u64,
            db: Db(0),
            at: 0,
            expires_at: None,
            access: None,
            key_meta: false,
        };
        dump.raw(magic.as_bytes(), &Item::Header(header));
        dump
    }

    /// A whole record.
    pub(super) fn raw(&mut self, bytes: &[u8], item: &Item<'_>) {
        self.bytes.extend(bytes);
        self.items.push(format!("{item:?}"));
        self.at = self.bytes.len() as u64;
        self.ends.push(self.at);
    }

    pub(super) fn aux(&mut self, key: &str, value: &str) {
        let item = Item::Aux { key: Cow::Borrowed(key.as_bytes()), value: Cow::Borrowed(value.as_bytes()) };
        self.raw(&[vec![250], text(key), text(value)].concat(), &item);
    }

    pub(super) fn select(&mut self, db: u32) {
        self.db = Db(db);
        self.raw(&[vec![254], length(db.into())].concat(), &Item::SelectDb(Db(db)));
    }

    pub(super) fn expires(&mut self, millis: i64) {
        self.bytes.push(252);
        self.bytes.extend(millis.to_le_bytes());
        self.expires_at = Some(UnixMillis(millis));
    }

    pub(super) fn expires_seconds(&mut self, seconds: i32) {
        self.bytes.push(253);
        self.bytes.extend(seconds.to_le_bytes());
        self.expires_at = Some(UnixMillis(i64::from(seconds) * 1000));
    }

    pub(super) fn idle(&mut self, seconds: u64) {
        self.bytes.extend([vec![248], length(seconds)].concat());
        self.access = Some(Usage::Idle(seconds));
    }

    pub(super) fn freq(&mut self, freq: u8) {
        self.bytes.extend([249, freq]);
        self.access = Some(Usage::Freq(freq));
    }

    pub(super) fn key_meta(&mut self) {
        // Two classes; the second one's data has every form of a field.
        self.bytes.extend([&[243, 2, 9, 9, 9, 9, 0, 8, 8, 8, 8][..], &module_fields()].concat());
        self.key_meta = true;
    }

    pub(super) fn entry(&mut self, kind: Kind, key: &[u8], body: &[u8]) {
        self.entry_with_key(kind, &text(key), key, body);
    }

    /// An entry whose key is written as `stored`.
    pub(super) fn entry_with_key(&mut self, kind: Kind, stored: &[u8], key: &[u8], body: &[u8]) {
        let bytes = [&[kind.number()], stored, body].concat();
        let end = self.bytes.len() as u64 + bytes.len() as u64;
        let size = body.len() as u64;
        let spooled = size > self.inline;
        let value = Value {
            kind,
            module: (kind == Kind::Module2).then_some(MODULE),
            at: end - size,
            size,
            body: if spooled { Body::Spooled } else { Body::Inline(body) },
        };
        let entry = Entry {
            at: self.at,
            end,
            db: self.db,
            key: Cow::Borrowed(key),
            expires_at: self.expires_at.take(),
            access: self.access.take(),
            key_meta: std::mem::take(&mut self.key_meta),
            value,
        };
        self.raw(&bytes, &Item::Entry(entry));
    }

    pub(super) fn end(mut self) -> Self {
        let crc = Crc64::new().with(&self.bytes).with(&[255]);
        let (footer, checksum) = match self.header.version {
            0..5 => (vec![], Checksum::Absent),
            _ => (crc.value().to_le_bytes().to_vec(), Checksum::Verified(crc.value())),
        };
        let length = self.bytes.len() as u64 + 1 + footer.len() as u64;
        self.raw(&[vec![255], footer].concat(), &Item::End { checksum, length });
        self
    }
}

pub(super) const MODULE: ModuleId = ModuleId(0x1234_5678_9abc_de03);

fn module_fields() -> Vec<u8> {
    [
        &[1][..],
        &length(u64::MAX),
        &[2, 5, 3, 1, 2, 3, 4, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5],
        &text("module"),
        &[5],
        &xs(90),
        &[0],
    ]
    .concat()
}

fn module_value() -> Vec<u8> {
    [length(MODULE.0), module_fields()].concat()
}

fn many(count: u64, round: &[u8]) -> Vec<u8> {
    [length(count), round.repeat(count as usize)].concat()
}

/// A stream with two nodes and two groups of two pending entries and two consumers.
fn stream(kind: Kind) -> Vec<u8> {
    let version = match kind {
        Kind::StreamListpacks => 1,
        Kind::StreamListpacks2 => 2,
        Kind::StreamListpacks3 => 3,
        _ => 4,
    };
    let id = [[7_u8; 16].to_vec(), vec![]].concat();
    let times = [8_u8; 8].repeat(if version >= 3 { 2 } else { 1 });
    let consumer = [text("consumer"), times, many(2, &id)].concat();
    let read = if version >= 2 { length(u64::MAX) } else { vec![] };
    let pending = many(2, &[id, vec![9; 8], length(3)].concat());
    let group = [text("group"), length(1_700_000_000_000), length(5), read, pending, many(2, &consumer)].concat();
    let counters = length(9).repeat(if version >= 2 { 5 } else { 0 });
    let producers = [
        length(100),
        length(100),
        many(2, &[text("producer"), many(2, &[text("iid"), length(1_700_000_000_000), length(0)].concat())].concat()),
        length(4),
        length(0),
    ]
    .concat();
    [
        many(2, &[text([1; 16]), xs(200)].concat()),
        length(2),
        length(1_700_000_000_000),
        length(1),
        counters,
        many(2, &group),
        if version >= 4 { producers } else { vec![] },
    ]
    .concat()
}

/// A body for each kind whose end can be found.
pub(super) fn body(kind: Kind) -> Vec<u8> {
    let pair = [text("field"), vec![0xc1, 1, 2]].concat();
    match kind {
        Kind::String => text("value"),
        Kind::List => many(70, &text("e")),
        Kind::Set | Kind::ListQuicklist => many(3, &xs(44)),
        Kind::Zset => [
            length(4),
            text("a"),
            vec![3],
            b"1.5".to_vec(),
            text("b"),
            vec![253],
            text("c"),
            vec![254],
            text("d"),
            vec![255],
        ]
        .concat(),
        Kind::Hash => many(3, &pair),
        Kind::Zset2 => many(3, &[text("member"), vec![3; 8]].concat()),
        Kind::Module2 => module_value(),
        Kind::ListQuicklist2 => [length(2), length(1), text("plain"), length(2), xs(99)].concat(),
        Kind::StreamListpacks | Kind::StreamListpacks2 | Kind::StreamListpacks3 | Kind::StreamListpacks4 => {
            stream(kind)
        }
        Kind::HashMetadataPreGa => many(3, &[length(0), pair].concat()),
        Kind::HashMetadata => [vec![1; 8], many(3, &[length(12345), pair].concat())].concat(),
        Kind::HashListpackEx => [vec![1; 8], xs(60)].concat(),
        Kind::ValkeyHash2 => many(3, &[pair, vec![255; 8]].concat()),
        _ => xs(66),
    }
}

/// Every record and every type a dump of this magic can have.
pub(super) fn everything(magic: &str, limits: DumpLimits) -> SampleDump {
    let mut dump = SampleDump::new(magic, limits);
    let header = dump.header;
    dump.aux("redis-ver", "0.0.1");
    let (key, value) = (Cow::Borrowed(&b"redis-bits"[..]), Cow::Borrowed(&b"64"[..]));
    dump.raw(&[vec![250], text("redis-bits"), vec![0xc0, 64]].concat(), &Item::Aux { key, value });
    dump.raw(
        &[247].into_iter().chain(module_value()).collect::<Vec<_>>(),
        &Item::ModuleAux { module: MODULE, size: module_value().len() as u64, empty: false },
    );
    dump.raw(&[vec![245], xs(80)].concat(), &Item::Function { code: Cow::Owned(vec![b'x'; 80]) });
    for description in [None, Some("what")] {
        let described = description.map_or(vec![0], |text| [vec![1], self::text(text)].concat());
        let item = Item::FunctionPreGa {
            name: Cow::Borrowed(b"lib"),
            engine: Cow::Borrowed(b"LUA"),
            description: description.map(|text| Cow::Borrowed(text.as_bytes())),
            code: Cow::Borrowed(b"code"),
        };
        dump.raw(&[vec![246], text("lib"), text("LUA"), described, text("code")].concat(), &item);
    }
    dump.select(0);
    dump.raw(&[251, 0x40, 100, 7], &Item::ResizeDb { keys: 100, expires: 7 });
    dump.raw(&[244, 0x7f, 0xff, 3, 1], &Item::SlotInfo { slot: 16383, keys: 3, expires: 1 });
    let kinds = (0..=255).filter_map(|number| header.kind(number)).filter(|kind| *kind != Kind::ModulePreGa);
    for (number, kind) in kinds.enumerate() {
        match number % 7 {
            1 => dump.expires(-1),
            2 => dump.expires_seconds(1_400_000_000),
            3 => dump.idle(70_000),
            4 => dump.freq(255),
            5 => {
                dump.expires(i64::MAX);
                dump.freq(0);
                if header.dialect == Dialect::Redis && header.version >= 13 {
                    dump.key_meta();
                }
            }
            _ => {}
        }
        dump.entry(kind, format!("key of {kind:?}").as_bytes(), &body(kind));
    }
    dump.aux("lua", "return 1");
    dump.select(15);
    if header.dialect == Dialect::Valkey {
        dump.raw(&[vec![243], text([b'j'; 40]), vec![2, 0, 1, 0x7f, 0xff, 3]].concat(), &Item::SlotImport);
    }
    dump.entry_with_key(Kind::String, &[0xc0, 0xff], b"-1", &[0xc0, 7]);
    dump.entry_with_key(Kind::String, &[0xc2, 0, 0, 0, 0x80], b"-2147483648", &xs(265));
    dump.entry_with_key(Kind::Set, &xs(33), &[b'x'; 33], &[0]);
    dump.entry(Kind::String, b"", &text(""));
    dump.end()
}
