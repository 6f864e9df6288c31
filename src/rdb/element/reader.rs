//! Values, element by element.

use super::input::Input;
use super::item::Element;
use super::nodes::NodeShape;
use super::nodes::Nodes;
use super::nodes::NodesHead;
use super::packed::Packing;
use super::plain::Layout;
use super::plain::Plain;
use super::stream::Edition;
use super::stream::StreamElements;
use super::text_parts::TextParts;
use crate::rdb::Kind;
use crate::rdb::RdbError;
use crate::rdb::RdbFault;

/// Reads a value's body (the bytes behind its type and key in a dump, or between the type and the footer of a RESTORE
/// payload) as elements. Bytes are fed in pieces of any size; the elements do not depend on how they were cut. Held in
/// memory are the bytes fed and not read, one element, one packed node, and one stream group's pending entries.
#[derive(Clone, Debug)]
pub struct ElementReader {
    input: Input,
    body: ElementBody,
    /// The first fault, which ends the reading.
    failed: Option<RdbError>,
}

#[derive(Clone, Debug)]
enum ElementBody {
    Text(TextParts),
    Plain(Plain),
    Nodes(Nodes),
    Stream(Box<StreamElements>),
    Opaque,
}

impl ElementReader {
    /// A reader of a value of this kind whose body's first byte has the absolute offset `at`.
    #[must_use]
    pub fn new(kind: Kind, at: u64) -> Self {
        Self { input: Input::new(at), body: ElementBody::of(kind), failed: None }
    }

    /// Takes the next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.feed(bytes);
    }

    /// The next element; `None` when it needs more bytes, or when the value [is done](Self::is_done). A module's value
    /// is a fault: only the module knows its elements. After a fault there is nothing but the same fault.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<Element<'_>>, RdbError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let result = match &mut self.body {
            ElementBody::Text(text) => text.next(&mut self.input),
            ElementBody::Plain(plain) => plain.next(&mut self.input),
            ElementBody::Nodes(nodes) => nodes.next(&mut self.input),
            ElementBody::Stream(stream) => stream.next(&mut self.input),
            ElementBody::Opaque => {
                let fault = RdbFault::Invalid("a module's value has no native form");
                Err(RdbError { at: self.input.at(), reading: "a value", fault })
            }
        };
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Whether the whole value was read. It may take one more [`next`](Self::next) that returns `None` to see it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.body {
            ElementBody::Text(text) => text.is_done(),
            ElementBody::Plain(plain) => plain.is_done(),
            ElementBody::Nodes(nodes) => nodes.is_done(),
            ElementBody::Stream(stream) => stream.is_done(),
            ElementBody::Opaque => false,
        }
    }

    /// Bytes fed and not read: what an element that is not whole yet takes.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.input.held()
    }

    /// From now on a compressed string of a collection that expands to more than `most` bytes is not read, and
    /// [`is_large`](Self::is_large) says so: the reader has time to make room. String values come in parts and are read always.
    #[must_use]
    pub const fn expanding(mut self, most: u64) -> Self {
        self.expand(most);
        self
    }

    /// See [`expanding`](Self::expanding).
    pub const fn expand(&mut self, most: u64) {
        self.input.expand(most);
    }

    /// Whether the next element is there and expands to more than may be expanded.
    #[must_use]
    pub const fn is_large(&self) -> bool {
        self.input.is_large()
    }

    /// The absolute offset of the next byte to read.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.input.at()
    }
}

impl ElementBody {
    /// How each kind is written (rdb.h, `rdbLoadObject` of rdb.c).
    fn of(kind: Kind) -> Self {
        let plain = |layout| Self::Plain(Plain::new(layout));
        let nodes = |format, shape, head| Self::Nodes(Nodes::new(format, shape, head));
        let stream = |edition| Self::Stream(Box::new(StreamElements::new(edition)));
        match kind {
            Kind::String => Self::Text(TextParts::default()),
            Kind::List | Kind::Set => plain(Layout::Items),
            Kind::Zset => plain(Layout::TextScores),
            Kind::Zset2 => plain(Layout::BinaryScores),
            Kind::Hash => plain(Layout::Pairs),
            Kind::HashMetadataPreGa => plain(Layout::ExpiryFirst),
            Kind::HashMetadata => plain(Layout::ExpiryAfterLeast),
            Kind::ValkeyHash2 => plain(Layout::ExpiryLast),
            Kind::HashZipmap => nodes(Packing::Zipmap, NodeShape::Pairs, NodesHead::One),
            Kind::ListZiplist => nodes(Packing::Ziplist, NodeShape::Items, NodesHead::One),
            Kind::SetIntset => nodes(Packing::Intset, NodeShape::Items, NodesHead::One),
            Kind::ZsetZiplist => nodes(Packing::Ziplist, NodeShape::Scores, NodesHead::One),
            Kind::HashZiplist => nodes(Packing::Ziplist, NodeShape::Pairs, NodesHead::One),
            Kind::ListQuicklist => nodes(Packing::Ziplist, NodeShape::Items, NodesHead::Count),
            Kind::HashListpack => nodes(Packing::Listpack, NodeShape::Pairs, NodesHead::One),
            Kind::ZsetListpack => nodes(Packing::Listpack, NodeShape::Scores, NodesHead::One),
            Kind::ListQuicklist2 => nodes(Packing::Listpack, NodeShape::Items, NodesHead::CountWithContainers),
            Kind::SetListpack => nodes(Packing::Listpack, NodeShape::Items, NodesHead::One),
            Kind::HashListpackExPreGa => nodes(Packing::Listpack, NodeShape::Expiries, NodesHead::One),
            Kind::HashListpackEx => nodes(Packing::Listpack, NodeShape::Expiries, NodesHead::LeastExpiry),
            Kind::StreamListpacks => stream(Edition::First),
            Kind::StreamListpacks2 => stream(Edition::Counters),
            Kind::StreamListpacks3 => stream(Edition::Activity),
            Kind::StreamListpacks4 => stream(Edition::Producers),
            Kind::Module2 | Kind::ModulePreGa => Self::Opaque,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::element::STRING_PART;
    use crate::rdb::element::samples::compressed;
    use crate::rdb::element::samples::read;
    use crate::rdb::element::samples::samples;
    use crate::rdb::element::samples::text;
    use crate::unit::Dialect;
    use proptest::prelude::*;

    /// The elements as text, and whether they were all.
    fn shown<'p>(kind: Kind, pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<(Vec<String>, bool), RdbError> {
        let mut seen = vec![];
        let reader = read(kind, pieces, |element| seen.push(format!("{element:?}")))?;
        Ok((seen, reader.is_done()))
    }

    #[test]
    fn each_kind_reads_whole_and_byte_by_byte() {
        for (kind, body, elements) in samples() {
            let expected: Vec<String> = elements.iter().map(|element| format!("{element:?}")).collect();
            assert_eq!(shown(kind, [&body[..]]), Ok((expected.clone(), true)), "{kind:?}");
            assert_eq!(shown(kind, body.chunks(1)), Ok((expected, true)), "{kind:?}");
        }
    }

    #[test]
    fn each_kind_has_a_sample_but_modules() {
        let sampled: Vec<Kind> = samples().iter().map(|sample| sample.0).collect();
        for number in 0..=255 {
            for kind in [Dialect::Redis, Dialect::Valkey].into_iter().filter_map(|dialect| Kind::of(number, dialect)) {
                assert_eq!(sampled.contains(&kind), kind.type_name() != "module", "{kind:?}");
            }
        }
        assert_eq!(shown(Kind::Module2, []), Ok((vec![], false)));
        assert_eq!(shown(Kind::Module2, [&b"x"[..]]).unwrap_err().at, 100);
    }

    #[test]
    fn a_cut_body_is_not_done_and_no_error() {
        for (kind, body, elements) in samples() {
            for cut in 0..body.len() {
                let (seen, done) = shown(kind, [&body[..cut]]).unwrap();
                assert!(!done && seen.len() <= elements.len(), "{kind:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn the_whole_body_is_read_and_nothing_behind_it() {
        for (kind, body, _) in samples() {
            let followed = [&body[..], b"\xff\xff\xff"].concat();
            let reader = read(kind, [&followed[..]], |_| {}).unwrap();
            assert_eq!((reader.is_done(), reader.at()), (true, 100 + body.len() as u64), "{kind:?}");
        }
    }

    fn parts(body: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut parts = vec![];
        let see = |element: &Element<'_>| match element {
            Element::StringPart(part) => parts.push(part.to_vec()),
            other => panic!("{other:?}"),
        };
        assert!(read(Kind::String, body.chunks(piece), see).unwrap().is_done());
        parts
    }

    #[test]
    fn parts_of_a_long_string_do_not_depend_on_the_feeding() {
        let size = STRING_PART * 2 + 1000;
        for body in [text(&vec![b'q'; size]), compressed(b'q', size)] {
            for piece in [1000, 77_777, body.len()] {
                let parts = parts(&body, piece);
                let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
                assert_eq!(sizes, [STRING_PART, STRING_PART, 1000]);
                assert!(parts.concat() == vec![b'q'; size]);
            }
        }
        assert_eq!(parts(&compressed(b'q', STRING_PART), 100).len(), 1);
    }

    #[test]
    fn a_huge_compressed_string_comes_in_parts() {
        let body = compressed(b'q', 64 << 20);
        let mut reader = ElementReader::new(Kind::String, 0);
        let mut total = 0;
        for piece in body.chunks(64 << 10) {
            reader.feed(piece);
            while let Some(Element::StringPart(part)) = reader.next().unwrap() {
                assert!(part.len() <= STRING_PART);
                total += part.len();
            }
        }
        assert_eq!((total, reader.is_done()), (64 << 20, true));
    }

    #[test]
    fn a_fault_names_its_offset_and_stays() {
        let (kind, mut body, _) = samples().into_iter().find(|sample| sample.0 == Kind::HashListpack).unwrap();
        body[7] = 0xf9; // The first entry's encoding, behind the length and the header.
        let mut reader = ElementReader::new(kind, 500);
        reader.feed(&body);
        let error = reader.next().unwrap_err();
        assert_eq!((error.at, error.fault.clone()), (507, RdbFault::Blob("listpack")));
        assert_eq!(reader.next(), Err(error));
        assert!(!reader.is_done());
    }

    #[test]
    fn pending_entries_must_have_exactly_one_consumer() {
        let (kind, body, _) = samples().into_iter().find(|sample| sample.0 == Kind::StreamListpacks).unwrap();
        let second = [2000_u64.to_be_bytes(), 5_u64.to_be_bytes()].concat();
        // The second id of the consumer's list becomes the first again, then one that the group does not have.
        let place = body.windows(16).rposition(|window| window == second).unwrap();
        for other in [[1000_u64.to_be_bytes(), 0_u64.to_be_bytes()].concat(), vec![7; 16]] {
            let mut body = body.clone();
            body[place..place + 16].copy_from_slice(&other);
            assert_eq!(shown(kind, [&body[..]]).unwrap_err().reading, "a consumer's pending entry");
        }
        // A consumer's list without its last id: the group's entry has no consumer.
        let mut fewer = body.clone();
        fewer.drain(place..place + 16);
        fewer[place - 17] = 1;
        assert_eq!(shown(kind, [&fewer[..]]).unwrap_err().reading, "a group's pending entries");
    }

    #[test]
    fn scores_that_are_no_number_are_refused() {
        assert!(shown(Kind::Zset, [&b"\x01\x01a\xfd"[..]]).is_err());
        assert!(shown(Kind::Zset, [&b"\x01\x01a\x01x"[..]]).is_err());
        let nan = [&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat();
        assert_eq!(shown(Kind::Zset2, [&nan[..]]).unwrap_err().at, 103);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(cuts in prop::collection::vec(1usize..40, 1..30)) {
            for (kind, body, _) in samples() {
                let (mut rest, mut pieces) = (&body[..], vec![]);
                for cut in cuts.iter().cycle() {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    pieces.push(piece);
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
                prop_assert_eq!(shown(kind, pieces), shown(kind, [&body[..]]));
            }
        }

        #[test]
        fn damaged_bytes_never_panic_and_end_alike_in_any_split(
            which in any::<prop::sample::Index>(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            piece in 1usize..20,
        ) {
            let samples = samples();
            let (kind, mut body, _) = which.get(&samples).clone();
            for (place, byte) in damage {
                *place.get_mut(&mut body) = byte;
            }
            prop_assert_eq!(shown(kind, [&body[..]]), shown(kind, body.chunks(piece)));
        }
    }
}
