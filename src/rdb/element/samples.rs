//! One body of each kind, built by hand from the format's description, and the elements it must come to.

use super::Element;
use super::ElementReader;
use super::StreamCounters;
use super::StreamId;
use super::StreamMeta;
use super::atom::Atom;
use super::atom::Atom::Int;
use super::listpack::tests::listpack;
use super::ziplist::tests::ziplist;
use crate::rdb::Kind;
use crate::rdb::RdbError;
use crate::unit::UnixMillis;
use std::borrow::Cow;

/// A kind, a body, its elements.
pub(crate) type ElementSample = (Kind, Vec<u8>, Vec<Element<'static>>);

pub(crate) fn length(n: u64) -> Vec<u8> {
    match n {
        0..64 => vec![u8::try_from(n).unwrap()],
        64..16_384 => u16::try_from(0x4000 | n).unwrap().to_be_bytes().to_vec(),
        16_384..=0xffff_ffff => [&[0x80][..], &u32::try_from(n).unwrap().to_be_bytes()].concat(),
        _ => [&[0x81][..], &n.to_be_bytes()].concat(),
    }
}

pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [length(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A string as LZF: the byte `fill` repeated, in the longest copies there are.
pub(crate) fn compressed(fill: u8, count: usize) -> Vec<u8> {
    let mut packed = vec![0, fill];
    let mut left = count - 1;
    while left >= 9 {
        let copy = left.min(264);
        packed.extend([7 << 5, u8::try_from(copy - 9).unwrap(), 0]);
        left -= copy;
    }
    for _ in 0..left {
        packed.extend([0, fill]);
    }
    [&[0xc3][..], &length(packed.len() as u64), &length(count as u64), &packed].concat()
}

fn t(text: &'static str) -> Atom<'static> {
    Atom::Text(text.as_bytes())
}

pub(crate) fn item(text: &'static str) -> Element<'static> {
    Element::Item(Cow::Borrowed(text.as_bytes()))
}

pub(crate) fn field(field: &'static str, value: &'static str, expires_at: Option<i64>) -> Element<'static> {
    let (field, value) = (Cow::Borrowed(field.as_bytes()), Cow::Borrowed(value.as_bytes()));
    Element::Field { field, value, expires_at: expires_at.map(UnixMillis) }
}

pub(crate) fn member(member: &'static str, score: f64) -> Element<'static> {
    Element::Member { member: Cow::Borrowed(member.as_bytes()), score }
}

pub(crate) fn entry(ms: u64, seq: u64, pairs: &[(&'static str, &'static str)]) -> Element<'static> {
    let bytes = |text: &'static str| Cow::Borrowed(text.as_bytes());
    Element::Entry {
        id: StreamId { ms, seq },
        fields: pairs.iter().map(|(field, value)| (bytes(field), bytes(value))).collect(),
    }
}

pub(crate) fn group(name: &'static str, ms: u64, seq: u64, entries_read: Option<u64>) -> Element<'static> {
    Element::Group { name: Cow::Borrowed(name.as_bytes()), last_id: StreamId { ms, seq }, entries_read }
}

pub(crate) fn consumer(name: &'static str, seen: i64, active: Option<i64>) -> Element<'static> {
    let name = Cow::Borrowed(name.as_bytes());
    Element::Consumer { name, seen: UnixMillis(seen), active: active.map(UnixMillis) }
}

pub(crate) fn pending(ms: u64, seq: u64, delivered_at: i64, deliveries: u64) -> Element<'static> {
    Element::Pending { id: StreamId { ms, seq }, delivered_at: UnixMillis(delivered_at), deliveries }
}

fn raw_id(ms: u64, seq: u64) -> Vec<u8> {
    [ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// Two nodes: `1000-0 {a:1 b:2}`, a deleted `1000-1`, `1001-0 {c:x}` and, alone, `2000-5 {a:9}`.
fn stream_nodes() -> Vec<u8> {
    let first = listpack(&[
        Int(2),
        Int(1),
        Int(2),
        t("a"),
        t("b"),
        Int(0), // the head
        Int(2),
        Int(0),
        Int(0),
        Int(1),
        Int(2),
        Int(5), // under the shared names
        Int(3),
        Int(0),
        Int(1),
        Int(7),
        Int(7),
        Int(5), // the same, deleted
        Int(0),
        Int(1),
        Int(0),
        Int(1),
        t("c"),
        t("x"),
        Int(6), // under its own
    ]);
    let second = listpack(&[
        Int(1),
        Int(0),
        Int(1),
        t("a"),
        Int(0), //
        Int(2),
        Int(0),
        Int(0),
        Int(9),
        Int(4),
    ]);
    [length(2), text(&raw_id(1000, 0)), text(&first), text(&raw_id(2000, 5)), text(&second)].concat()
}

fn stream_entries() -> Vec<Element<'static>> {
    vec![entry(1000, 0, &[("a", "1"), ("b", "2")]), entry(1001, 0, &[("c", "x")]), entry(2000, 5, &[("a", "9")])]
}

fn stream(kind: Kind) -> ElementSample {
    let counted = kind != Kind::StreamListpacks;
    let timed = matches!(kind, Kind::StreamListpacks3 | Kind::StreamListpacks4);
    let optional = |present: bool, bytes: Vec<u8>| if present { bytes } else { vec![] };
    let active = |ms: i64| optional(timed, ms.to_le_bytes().to_vec());
    let body = [
        stream_nodes(),
        [length(3), length(2000), length(6)].concat(),
        optional(counted, [length(1000), length(0), length(1000), length(1), length(70_000)].concat()),
        length(2),
        // A group with two consumers, one without entries.
        [text(b"g1"), length(2000), length(5)].concat(),
        optional(counted, length(69_999)),
        length(2),
        [raw_id(1000, 0), 5000_i64.to_le_bytes().to_vec(), length(1)].concat(),
        [raw_id(2000, 5), 6000_i64.to_le_bytes().to_vec(), length(300)].concat(),
        length(2),
        [text(b"idle"), 7000_i64.to_le_bytes().to_vec(), active(-1), length(0)].concat(),
        [text(b"busy"), 8000_i64.to_le_bytes().to_vec(), active(8001), length(2)].concat(),
        [raw_id(1000, 0), raw_id(2000, 5)].concat(),
        // A group that does not know how much it has read, with nothing in it.
        [text(b"g2"), length(0), length(0)].concat(),
        optional(counted, length(u64::MAX)),
        [length(0), length(0)].concat(),
        optional(
            kind == Kind::StreamListpacks4,
            [length(100), length(1000), length(1), text(b"p"), length(1), text(b"m"), length(1001), length(0)].concat(),
        ),
        optional(kind == Kind::StreamListpacks4, [length(1), length(0)].concat()),
    ]
    .concat();
    let known = |entries_read| counted.then_some(entries_read);
    let mut elements = stream_entries();
    elements.extend([
        Element::StreamMeta(StreamMeta {
            length: 3,
            last_id: StreamId { ms: 2000, seq: 6 },
            counters: counted.then_some(StreamCounters {
                first_id: StreamId { ms: 1000, seq: 0 },
                max_deleted_id: StreamId { ms: 1000, seq: 1 },
                entries_added: 70_000,
            }),
        }),
        group("g1", 2000, 5, known(69_999)),
        consumer("idle", 7000, None),
        consumer("busy", 8000, timed.then_some(8001)),
        pending(1000, 0, 5000, 1),
        pending(2000, 5, 6000, 300),
        group("g2", 0, 0, None),
    ]);
    if kind == Kind::StreamListpacks4 {
        elements.push(Element::Producers { producers: 1, messages: 1 });
    }
    (kind, body, elements)
}

fn strings() -> Vec<ElementSample> {
    let part = Element::StringPart;
    vec![
        (Kind::String, text(b"hello"), vec![part(b"hello")]),
        (Kind::String, text(b""), vec![part(b"")]),
        (Kind::String, b"\xc1\x18\xfc".to_vec(), vec![part(b"-1000")]),
        (Kind::String, compressed(b'z', 30), vec![part(&[b'z'; 30])]),
    ]
}

fn counted() -> Vec<ElementSample> {
    let moment = 1_700_000_000_000_i64;
    let at = u64::try_from(moment).unwrap();
    let pair = || [text(b"f"), b"\xc0\x05".to_vec()].concat();
    vec![
        (Kind::List, [length(2), text(b"a"), b"\xc0\xfb".to_vec()].concat(), vec![item("a"), item("-5")]),
        (Kind::Set, [length(1), compressed(b'm', 21)].concat(), vec![item("mmmmmmmmmmmmmmmmmmmmm")]),
        (Kind::Set, length(0), vec![]),
        (
            Kind::Zset,
            [length(3), text(b"a"), text(b"-1.5"), text(b"b"), vec![254], text(b"c"), vec![255]].concat(),
            vec![member("a", -1.5), member("b", f64::INFINITY), member("c", f64::NEG_INFINITY)],
        ),
        (Kind::Zset2, [length(1), text(b"a"), 0.1_f64.to_le_bytes().to_vec()].concat(), vec![member("a", 0.1)]),
        (Kind::Hash, [length(1), pair()].concat(), vec![field("f", "5", None)]),
        (
            Kind::HashMetadataPreGa,
            [length(2), length(at), pair(), length(0), pair()].concat(),
            vec![field("f", "5", Some(moment)), field("f", "5", None)],
        ),
        (
            Kind::HashMetadata,
            [moment.to_le_bytes().to_vec(), length(3), length(0), pair(), length(1), pair(), length(100), pair()]
                .concat(),
            vec![field("f", "5", None), field("f", "5", Some(moment)), field("f", "5", Some(moment + 99))],
        ),
        (
            Kind::ValkeyHash2,
            [length(2), pair(), moment.to_le_bytes().to_vec(), pair(), (-1_i64).to_le_bytes().to_vec()].concat(),
            vec![field("f", "5", Some(moment)), field("f", "5", None)],
        ),
    ]
}

fn packed() -> Vec<ElementSample> {
    let pairs = [t("f"), Int(5), t("g"), t("x")];
    let fields = || vec![field("f", "5", None), field("g", "x", None)];
    let scored = [t("a"), Int(-2), t("b"), t("0.1"), t("c"), t("inf")];
    let members = || vec![member("a", -2.0), member("b", 0.1), member("c", f64::INFINITY)];
    let items = || vec![item("f"), item("5"), item("g"), item("x")];
    let expiries = || text(&listpack(&[t("f"), Int(5), Int(1_700_000_000_000), t("g"), t("x"), Int(0)]));
    let expiring = || vec![field("f", "5", Some(1_700_000_000_000)), field("g", "x", None)];
    vec![
        (Kind::HashZipmap, text(b"\x02\x01f\x01\x005\x01g\x01\x02x..\xff"), fields()),
        (Kind::ListZiplist, text(&ziplist(&pairs)), items()),
        (Kind::SetIntset, text(b"\x02\0\0\0\x02\0\0\0\xff\xff\x07\0"), vec![item("-1"), item("7")]),
        (Kind::ZsetZiplist, text(&ziplist(&scored)), members()),
        (Kind::HashZiplist, text(&ziplist(&pairs)), fields()),
        (
            Kind::ListQuicklist,
            [length(3), text(&ziplist(&pairs)), text(&ziplist(&[])), text(&ziplist(&[t("z")]))].concat(),
            [items(), vec![item("z")]].concat(),
        ),
        (Kind::HashListpack, text(&listpack(&pairs)), fields()),
        (Kind::ZsetListpack, text(&listpack(&scored)), members()),
        (
            Kind::ListQuicklist2,
            [
                length(3),
                length(2),
                text(&listpack(&pairs)),
                length(1),
                text(b"big"),
                length(2),
                text(&listpack(&[t("z")])),
            ]
            .concat(),
            [items(), vec![item("big"), item("z")]].concat(),
        ),
        (Kind::SetListpack, text(&listpack(&pairs)), items()),
        (Kind::HashListpackExPreGa, expiries(), expiring()),
        (Kind::HashListpackEx, [1_700_000_000_000_i64.to_le_bytes().to_vec(), expiries()].concat(), expiring()),
    ]
}

/// All of them.
pub(crate) fn samples() -> Vec<ElementSample> {
    let streams =
        [Kind::StreamListpacks, Kind::StreamListpacks2, Kind::StreamListpacks3, Kind::StreamListpacks4].map(stream);
    [strings(), counted(), packed(), streams.to_vec()].concat()
}

/// Reads a body that comes in these pieces, and shows each element to `see`.
pub(crate) fn read<'p>(
    kind: Kind,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    mut see: impl FnMut(&Element<'_>),
) -> Result<ElementReader, RdbError> {
    let mut reader = ElementReader::new(kind, 100);
    for piece in pieces {
        reader.feed(piece);
        while let Some(element) = reader.next()? {
            see(&element);
        }
    }
    Ok(reader)
}
