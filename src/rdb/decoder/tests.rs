use super::sample::SampleDump;
use super::sample::everything;
use super::sample::length;
use super::sample::text;
use super::*;
use proptest::prelude::*;

const MAGICS: [&str; 9] = [
    "REDIS0002",
    "REDIS0004",
    "REDIS0006",
    "REDIS0008",
    "REDIS0009",
    "REDIS0011",
    "REDIS0012",
    "REDIS0013",
    "VALKEY080",
];

/// Limits under which small values are inline and larger ones are not.
fn limits(inline: usize) -> DumpLimits {
    DumpLimits { inline, ..DumpLimits::default() }
}

/// Takes out what there is.
fn drain(decoder: &mut Decoder, items: &mut Vec<String>) -> Result<(), RdbError> {
    while let Some(item) = decoder.next()? {
        items.push(format!("{item:?}"));
    }
    Ok(())
}

fn decode(decoder: &mut Decoder, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<String>, RdbError> {
    let mut items = vec![];
    for piece in pieces {
        decoder.feed(piece.as_ref());
        drain(decoder, &mut items)?;
    }
    decoder.finish()?;
    Ok(items)
}

/// Decodes what was fed and looks at nothing.
fn to_the_end(decoder: &mut Decoder) -> Result<(), RdbError> {
    while decoder.next()?.is_some() {}
    decoder.finish()
}

#[test]
fn every_record_of_every_version_comes_out_whole_and_byte_by_byte() {
    for magic in MAGICS {
        for inline in [0, 60, 1 << 20] {
            let dump = everything(magic, limits(inline));
            let mut decoder = Decoder::new(limits(inline));
            let items = decode(&mut decoder, [&dump.bytes]).unwrap();
            assert_eq!(items, dump.items, "{magic}");
            assert!(decoder.is_done());
            assert_eq!(decoder.at(), dump.bytes.len() as u64);
            let items = decode(&mut Decoder::new(limits(inline)), dump.bytes.chunks(1)).unwrap();
            assert_eq!(items, dump.items, "{magic}");
        }
    }
}

#[test]
fn a_cut_anywhere_gives_the_items_before_it_and_says_truncated() {
    for magic in MAGICS {
        let dump = everything(magic, limits(60));
        for cut in 0..dump.bytes.len() {
            let mut decoder = Decoder::new(limits(60));
            decoder.feed(&dump.bytes[..cut]);
            let mut items = vec![];
            drain(&mut decoder, &mut items).unwrap();
            let whole = dump.ends.iter().filter(|end| **end <= cut as u64).count();
            assert_eq!(items, dump.items[..whole], "{magic} cut at {cut}");
            let error = decoder.finish().unwrap_err();
            assert_eq!((error.at, error.fault), (cut as u64, RdbFault::Truncated));
            assert!(decoder.leftover().is_empty());
        }
    }
}

#[test]
fn a_flipped_byte_is_never_taken_for_a_whole_dump() {
    for magic in ["REDIS0006", "REDIS0013", "VALKEY080"] {
        let dump = everything(magic, limits(60));
        for at in 0..dump.bytes.len() {
            for flip in [1, 0x40, 0x80, 0xff] {
                let mut bytes = dump.bytes.clone();
                bytes[at] ^= flip;
                let mut decoder = Decoder::new(limits(60));
                decoder.feed(&bytes);
                let result = to_the_end(&mut decoder);
                // A version below 5, or an early end with a checksum of zeros: then bytes are left.
                assert!(result.is_err() || !decoder.leftover().is_empty(), "{magic} byte {at} flipped by {flip}");
                if let Err(error) = result {
                    assert!(error.at <= bytes.len() as u64);
                    let again = decoder.next().err().or(decoder.finish().err());
                    assert_eq!(again, Some(error), "an error stays");
                }
            }
        }
    }
}

/// Goes on at `point`, as after a restart, and expects what a run without one gives from there.
fn goes_on(dump: &SampleDump, point: &SafePoint, limits: DumpLimits) {
    let saved = serde_json::to_string(point).unwrap();
    let point: SafePoint = serde_json::from_str(&saved).unwrap();
    let mut decoder = Decoder::resume(&point, limits);
    assert_eq!(decoder.safe_point(), point);
    let before = dump.ends.iter().filter(|end| **end <= point.at).count();
    assert!(point.at == 0 || dump.ends.contains(&point.at), "{point:?} is no boundary");
    let rest = dump.bytes.get(usize::try_from(point.at).unwrap()..).unwrap();
    let items = decode(&mut decoder, rest.chunks(97)).unwrap();
    assert_eq!(items, dump.items[before..]);
    assert!(decoder.is_done());
}

#[test]
fn decoding_goes_on_from_the_safe_point_after_any_byte() {
    for magic in ["REDIS0006", "REDIS0013", "VALKEY080"] {
        let limits = limits(60);
        let dump = everything(magic, limits);
        let mut decoder = Decoder::new(limits);
        let mut last = None;
        for (number, byte) in dump.bytes.iter().enumerate() {
            decoder.feed(&[*byte]);
            while decoder.next().unwrap().is_some() {}
            let point = decoder.safe_point();
            let expected = dump.ends.iter().rfind(|end| **end <= number as u64 + 1).copied().unwrap_or(0);
            assert_eq!(point.at, expected);
            if last != Some(point) {
                goes_on(&dump, &point, limits);
                last = Some(point);
            }
        }
    }
}

#[test]
fn the_safe_point_between_items_of_one_piece_is_right_too() {
    let limits = limits(60);
    let dump = everything("REDIS0012", limits);
    let mut decoder = Decoder::new(limits);
    decoder.feed(&dump.bytes);
    for end in &dump.ends {
        assert!(decoder.next().unwrap().is_some());
        assert_eq!(decoder.safe_point().at, *end);
        goes_on(&dump, &decoder.safe_point(), limits);
    }
    assert!(decoder.safe_point().ended);
}

#[test]
fn what_follows_the_dump_is_left() {
    let mut dump = everything("REDIS0009", limits(60));
    dump.bytes.extend(b"*1\r\n");
    let mut decoder = Decoder::new(limits(60));
    assert_eq!(decode(&mut decoder, [&dump.bytes]).unwrap(), dump.items);
    assert_eq!(decoder.leftover(), b"*1\r\n");
    decoder.feed(b"$4");
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.leftover(), b"*1\r\n$4");
}

#[test]
fn a_huge_value_passes_in_little_memory() {
    let limits = limits(64 << 10);
    let mut dump = SampleDump::new("REDIS0011", limits);
    dump.entry(Kind::String, b"before", &text("x"));
    dump.expires(5);
    dump.entry(Kind::String, b"one string", &text(vec![7; 5 << 20]));
    dump.entry(Kind::List, b"many strings", &[length(300_000), text("element").repeat(300_000)].concat());
    dump.entry(Kind::String, b"just inline", &text(vec![7; (64 << 10) - 5]));
    dump.entry(Kind::String, b"just not", &text(vec![7; (64 << 10) - 4]));
    let dump = dump.end();
    let mut decoder = Decoder::new(limits);
    let mut items = vec![];
    for piece in dump.bytes.chunks(4096) {
        decoder.feed(piece);
        drain(&mut decoder, &mut items).unwrap();
        assert!(decoder.buffer.capacity() < 2 * (64 << 10));
    }
    assert!(items == dump.items);
    assert!(items[3].ends_with("body: Spooled } })") && items[5].ends_with("body: Spooled } })"));
    assert!(!items[4].ends_with("body: Spooled } })"));
}

#[test]
fn space_and_commit_are_feed_without_the_copy() {
    let dump = everything("VALKEY080", limits(60));
    let mut decoder = Decoder::new(limits(60));
    let (mut items, mut rest) = (vec![], &dump.bytes[..]);
    while !rest.is_empty() {
        let room = decoder.space(50);
        assert!(room.len() >= 50);
        let count = rest.len().min(37);
        room[..count].copy_from_slice(&rest[..count]);
        decoder.commit(count);
        rest = &rest[count..];
        drain(&mut decoder, &mut items).unwrap();
    }
    assert_eq!(items, dump.items);
}

#[test]
fn a_checksum_of_zero_is_one_that_was_not_computed() {
    let mut dump = everything("REDIS0009", limits(60));
    let start = dump.bytes.len() - 8;
    dump.bytes[start..].fill(0);
    let items = decode(&mut Decoder::new(limits(60)), [&dump.bytes]).unwrap();
    assert!(items.last().unwrap().contains("Disabled"));
}

fn fault(after_header: &[u8], magic: &str) -> RdbError {
    decode(&mut Decoder::new(limits(60)), [[magic.as_bytes(), after_header].concat()]).unwrap_err()
}

#[test]
fn what_cannot_be_read_is_named_with_its_offset() {
    for (magic, number) in
        [("REDIS0009", 8), ("REDIS0011", 22), ("REDIS0013", 27), ("REDIS0012", 243), ("VALKEY080", 24)]
    {
        let error = fault(&[0, 1, b'k', 1, b'v', number, 0xc0, 0, 0, 0], magic);
        assert_eq!((error.at, error.fault), (14, RdbFault::Type(number)), "{magic}");
        let error = fault(&[0, 1, b'k', 1, b'v', number, 1, b'n', 0], magic);
        let named = RdbFault::TypeOf { number, key: b"n".to_vec() };
        assert_eq!((error.at, error.fault), (14, if number < 240 { named } else { RdbFault::Type(number) }), "{magic}");
    }
    let error = fault(&[6, 1, b'k', 0], "REDIS0008");
    assert_eq!(error.at, 9);
    assert!(error.to_string().contains("type 6"));
    assert_eq!(fault(&[254, 0x80, 0x80, 0, 0, 0], "REDIS0009").fault, RdbFault::Length(1 << 31));
    assert_eq!(fault(&[0, 0x81, 0, 0, 0, 0, 0x20, 0, 0, 1], "REDIS0009").fault, RdbFault::Length((512 << 20) + 1));
    assert_eq!(fault(&[7, 1, b'k', 1, 6], "REDIS0009").at, 13);
}

#[test]
fn a_prefix_belongs_to_a_key() {
    for record in [&[249, 1, 255][..], &[249, 1, 254, 0], &[249, 1, 250, 0, 0], &[243, 0, 247, 0, 0]] {
        let error = fault(record, "REDIS0013");
        assert!(matches!(error.fault, RdbFault::Invalid(_)), "{record:?}");
        assert_eq!(error.at, 11);
    }
}

#[test]
fn limits_hold() {
    let limits = DumpLimits { key: 3, text: 4, string: 5, ..DumpLimits::default() };
    let fails = |bytes: &[u8]| decode(&mut Decoder::new(limits), [[b"REDIS0009", bytes].concat()]).unwrap_err().fault;
    let long = |length, most| RdbFault::Long { length, most };
    assert_eq!(fails(&[0, 4]), long(4, 3));
    assert_eq!(fails(&[250, 5]), long(5, 4));
    assert_eq!(fails(&[0, 0, 6]), long(6, 5));
    assert_eq!(fails(&[4, 0, 1, 0, 0xc3, 1, 6]), long(6, 5));
    assert_eq!(fails(&[0, 3]), RdbFault::Truncated);
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_items(
        magic in prop::sample::select(&MAGICS[..]),
        inline in 0usize..300,
        sizes in prop::collection::vec(1usize..200, 1..40),
    ) {
        let dump = everything(magic, limits(inline));
        let (mut rest, mut pieces) = (&dump.bytes[..], vec![]);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(decode(&mut Decoder::new(limits(inline)), pieces).unwrap(), dump.items);
    }

    #[test]
    fn any_bytes_end_alike_whole_and_in_pieces(
        magic in prop::sample::select(&MAGICS[..]),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..27, 243u8..], 0..120),
        piece in 1usize..20,
    ) {
        let bytes = [magic.as_bytes(), &bytes].concat();
        let at_once = decode(&mut Decoder::new(limits(10)), [&bytes]);
        let in_pieces = decode(&mut Decoder::new(limits(10)), bytes.chunks(piece));
        prop_assert_eq!(at_once, in_pieces);
    }
}
