//! The packed structures, walked alike.

use super::atom::Atom;
use super::blob::Blob;
use super::intset::Intset;
use super::listpack::Listpack;
use super::ziplist::Ziplist;
use super::zipmap::Zipmap;
use crate::rdb::RdbError;

/// Which packed structure a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Zipmap,
    Ziplist,
    Intset,
    Listpack,
}

/// A walk over any of them.
#[derive(Clone, Debug)]
pub(super) enum Packed {
    Zipmap(Zipmap),
    Ziplist(Ziplist),
    Intset(Intset),
    Listpack(Listpack),
}

impl Packed {
    pub(super) fn open(format: Packing, blob: &Blob) -> Result<Self, RdbError> {
        Ok(match format {
            Packing::Zipmap => Self::Zipmap(Zipmap::open(blob)?),
            Packing::Ziplist => Self::Ziplist(Ziplist::open(blob)?),
            Packing::Intset => Self::Intset(Intset::open(blob)?),
            Packing::Listpack => Self::Listpack(Listpack::open(blob)?),
        })
    }

    pub(super) fn is_at_end(&self, blob: &Blob) -> bool {
        match self {
            Self::Zipmap(map) => map.is_at_end(blob),
            Self::Ziplist(list) => list.is_at_end(blob),
            Self::Intset(set) => set.is_at_end(),
            Self::Listpack(list) => list.is_at_end(blob),
        }
    }

    /// The next entry; an error when there is none.
    pub(super) fn next<'b>(&mut self, blob: &'b Blob) -> Result<Atom<'b>, RdbError> {
        match self {
            Self::Zipmap(map) => map.next(blob),
            Self::Ziplist(list) => list.next(blob),
            Self::Intset(set) => set.next(blob),
            Self::Listpack(list) => list.next(blob),
        }
    }

    /// Compares what was read with what the header states.
    pub(super) fn close(&self, blob: &Blob) -> Result<(), RdbError> {
        match self {
            Self::Zipmap(map) => map.close(blob),
            Self::Ziplist(list) => list.close(blob),
            Self::Intset(_) => Ok(()),
            Self::Listpack(list) => list.close(blob),
        }
    }
}
