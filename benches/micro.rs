//! The codecs by themselves: `cargo bench --bench micro`, or with a name, `-- rdb`.
//!
//! Bytes per second are of what goes in, items per second are keys, commands or elements.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where its world is not as expected")]

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use redis_plan::{
    rdb::{Crc64, Decoder, DumpLimits, Element, ElementReader, Item, Kind, append_payload, decompress},
    resp::{self, CommandReader},
    sink::{BatchSize, Dealer, Dealt, Destination, Job, Mark},
    step::{FullWork, KeyFailure, OnConflict, OnStreamLost, OnUnsupported, Selection},
    unit::{ByteSize, Expiry, ServerVersion, UnixMillis},
};

/// Keys of a dump, commands of a stream.
const COUNT: usize = 10_000;
/// What is fed at once, as much as is read from a spool at once.
const PIECE: usize = 256 << 10;

fn main() {
    divan::main();
}

/// A value that compression finds nothing in.
fn value(number: usize, length: usize) -> Vec<u8> {
    let mut state = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.extend_from_slice(format!("{state:016x}").as_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A length as a dump writes it.
fn length(length: usize, out: &mut Vec<u8>) {
    match length {
        0..64 => out.push(u8::try_from(length).unwrap()),
        64..16384 => out.extend_from_slice(&(0x4000 | u16::try_from(length).unwrap()).to_be_bytes()),
        _ => {
            out.push(0x80);
            out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        }
    }
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// A listpack of 20 strings and numbers, as a short list has it.
fn listpack() -> Vec<u8> {
    let mut body = vec![];
    for element in 0..20 {
        let begun = body.len();
        if element % 4 == 3 {
            body.push(element); // A number below 128.
        } else {
            let text = format!("element-{element}-of-twenty");
            body.push(0x80 | u8::try_from(text.len()).unwrap());
            body.extend_from_slice(text.as_bytes());
        }
        body.push(u8::try_from(body.len() - begun).unwrap());
    }
    let mut listpack = u32::try_from(body.len() + 7).unwrap().to_le_bytes().to_vec();
    listpack.extend_from_slice(&20_u16.to_le_bytes());
    listpack.extend_from_slice(&body);
    listpack.push(0xff);
    listpack
}

/// The body of a hash of ten fields.
fn hash() -> Vec<u8> {
    let mut body = vec![];
    text(&listpack(), &mut body);
    body
}

/// A dump of small strings, or of hashes of ten fields.
fn dump(hashes: bool) -> Vec<u8> {
    let mut dump = b"REDIS0010\xfe\x00".to_vec();
    for number in 0..COUNT {
        dump.push(if hashes { 16 } else { 0 });
        text(format!("key:{number:012}").as_bytes(), &mut dump);
        if hashes {
            dump.extend_from_slice(&hash());
        } else {
            text(&value(number, 64), &mut dump);
        }
    }
    dump.push(0xff);
    let sum = Crc64::of(&dump);
    dump.extend_from_slice(&sum.to_le_bytes());
    dump
}

/// Counts what a decoder hands out of a dump.
fn walk(dump: &[u8], mut take: impl FnMut(Item<'_>, u64)) -> usize {
    let mut decoder = Decoder::new(DumpLimits::default());
    let mut entries = 0;
    for piece in dump.chunks(PIECE) {
        decoder.feed(piece);
        loop {
            let at = decoder.at();
            let Some(item) = decoder.next().unwrap() else { break };
            entries += usize::from(matches!(item, Item::Entry(_)));
            take(item, at);
        }
    }
    entries
}

#[divan::bench(args = ["strings", "hashes"])]
fn rdb_walk(bencher: Bencher<'_, '_>, of: &str) {
    let dump = dump(of == "hashes");
    let counters = bencher.counter(BytesCount::new(dump.len())).counter(ItemsCount::new(COUNT));
    counters.bench(|| assert_eq!(walk(black_box(&dump), |_, _| {}), COUNT));
}

/// Takes batches and forgets them.
struct Nobody;

impl Dealt for Nobody {
    fn job(&mut self, _: usize, job: Job) {
        black_box(job);
    }

    fn failed(&mut self, failure: KeyFailure) {
        panic!("{failure:?}");
    }
}

/// The walk included: entries live no longer than the decoder's next step.
#[divan::bench(args = ["strings", "hashes"])]
fn rdb_walk_to_restore(bencher: Bencher<'_, '_>, of: &str) {
    let dump = dump(of == "hashes");
    let destination = Destination {
        version: ServerVersion::redis(7, 0, 15),
        rdb_version: 10,
        modules: Some(vec![]),
        databases: 16,
        expiry: Expiry::Exact,
    };
    let limits = redis_plan::step::Limits {
        bandwidth: None,
        writes: None,
        connections: Some(2),
        spool: ByteSize(1 << 30),
        chunk_above: ByteSize(16 << 20),
        patience: None,
    };
    let (on_conflict, on_unsupported) = (OnConflict::Fail, OnUnsupported::Fail);
    let work = FullWork {
        selection: Selection::all(),
        on_conflict,
        on_unsupported,
        on_stream_lost: OnStreamLost::Hold,
        limits,
    };
    let counters = bencher.counter(BytesCount::new(dump.len())).counter(ItemsCount::new(COUNT));
    counters.bench(|| {
        let mut dealer = Dealer::new(destination.clone(), &work, (&[Mark::default(); 2], BatchSize::new(2)), false);
        walk(&dump, |item, at| dealer.take(item, at, UnixMillis(0), &mut Nobody).unwrap());
        assert_eq!(dealer.counts().dealt, COUNT as u64);
    });
}

#[divan::bench(args = [64, 1024])]
fn restore_payload(bencher: Bencher<'_, '_>, size: usize) {
    let mut body = vec![];
    text(&value(1, size), &mut body);
    let mut out = Vec::with_capacity(2 * size * COUNT);
    bencher.counter(BytesCount::new(body.len() * COUNT)).counter(ItemsCount::new(COUNT)).bench_local(|| {
        out.clear();
        for _ in 0..COUNT {
            append_payload(&mut out, Kind::String, black_box(&body), 10);
        }
        black_box(out.len())
    });
}

#[divan::bench(args = [64, 1024])]
fn resp_framing(bencher: Bencher<'_, '_>, size: usize) {
    let mut stream = vec![];
    for number in 0..COUNT {
        resp::command(&mut stream, &[b"SET", format!("key:{number:08}").as_bytes(), &value(number, size)]);
    }
    bencher.counter(BytesCount::new(stream.len())).counter(ItemsCount::new(COUNT)).bench(|| {
        let mut reader = CommandReader::starting_at(0, resp::RespLimits::default());
        let mut commands = 0;
        for piece in stream.chunks(PIECE) {
            reader.feed(piece);
            while let Some(command) = reader.next().unwrap() {
                commands += usize::from(black_box(command.len()) == 3);
            }
        }
        assert_eq!(commands, COUNT);
    });
}

#[divan::bench]
fn command_table(bencher: Bencher<'_, '_>) {
    let names: [&[u8]; 8] = [b"SET", b"INCR", b"LPUSH", b"HSET", b"DEL", b"PEXPIREAT", b"SELECT", b"zadd"];
    bencher.counter(ItemsCount::new(names.len())).bench(|| {
        for name in names {
            black_box(redis_plan::command::find(black_box(name)));
        }
    });
}

#[divan::bench(args = [72, 1024, 1 << 20])]
fn crc64(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = value(7, size);
    bencher.counter(BytesCount::new(size)).bench(|| Crc64::of(black_box(&bytes)));
}

/// As LZF has it: runs of 31 bytes as they are, each followed by a copy of 60 bytes from 31 before.
#[divan::bench]
fn lzf(bencher: Bencher<'_, '_>) {
    let (mut packed, mut whole) = (vec![], 0);
    for run in 0..1000 {
        packed.push(30);
        packed.extend_from_slice(&value(run, 31));
        packed.extend_from_slice(&[7 << 5, 60 - 9, 30]);
        whole += 31 + 60;
    }
    let mut out = vec![];
    bencher.counter(BytesCount::new(whole)).bench_local(|| {
        out.clear();
        decompress(black_box(&packed), whole, &mut out).unwrap();
        assert_eq!(out.len(), whole);
    });
}

#[divan::bench]
fn listpack_walk(bencher: Bencher<'_, '_>) {
    let body = hash();
    bencher.counter(BytesCount::new(body.len())).counter(ItemsCount::new(10_usize)).bench(|| {
        let mut reader = ElementReader::new(Kind::HashListpack, 0);
        reader.feed(black_box(&body));
        let mut pairs = 0;
        while let Some(element) = reader.next().unwrap() {
            pairs += usize::from(matches!(black_box(element), Element::Field { .. }));
        }
        assert_eq!(pairs, 10);
    });
}
