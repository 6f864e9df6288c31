//! Keys that are read together. Pure.

use super::{
    reader::Depth,
    reading::{KeyType, SeenKey},
    scan::Pair,
};
use crate::{step::Side, unit::Db};

/// What is read of some keys, and on which side.
#[derive(Debug)]
pub(super) enum ReadBatch {
    /// Both sides: first the source's, so that the destination need not be asked for the type.
    Pairs(Vec<Pair>, Depth),
    /// One side.
    Side(Side, Vec<Pair>, Depth),
    /// Keys of the destination and the databases they may come from: whether the source has them there.
    Names(Vec<(Pair, Vec<Db>)>),
}

/// A key to read.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) db: Db,
    pub(super) key: &'a [u8],
    pub(super) depth: Depth,
    /// The type it has on the other side.
    pub(super) expects: Option<&'a KeyType>,
}

impl ReadBatch {
    /// Whether there is nothing to read.
    pub(super) const fn is_empty(&self) -> bool {
        match self {
            Self::Pairs(pairs, _) | Self::Side(_, pairs, _) => pairs.is_empty(),
            Self::Names(names) => names.is_empty(),
        }
    }

    /// What the source is asked.
    pub(super) fn of_source(&self) -> Vec<Ask<'_>> {
        match self {
            Self::Pairs(pairs, depth) | Self::Side(Side::Source, pairs, depth) => {
                pairs.iter().map(|pair| Ask { db: pair.from, key: &pair.key, depth: *depth, expects: None }).collect()
            }
            Self::Names(names) => {
                let all = names.iter().flat_map(|(pair, origins)| origins.iter().map(move |from| (*from, pair)));
                all.map(|(from, pair)| Ask { db: from, key: &pair.key, depth: Depth::Type, expects: None }).collect()
            }
            Self::Side(Side::Destination, ..) => vec![],
        }
    }

    /// What the destination is asked, when the source has said this.
    pub(super) fn of_destination<'a>(&'a self, source: &'a [SeenKey]) -> Vec<Ask<'a>> {
        match self {
            Self::Pairs(pairs, depth) => {
                let kinds = source.iter().map(|seen| seen.reading().map(|reading| &reading.kind));
                let both = pairs.iter().zip(kinds);
                both.map(|(pair, expects)| Ask { db: pair.to, key: &pair.key, depth: *depth, expects }).collect()
            }
            Self::Side(Side::Destination, pairs, depth) => {
                pairs.iter().map(|pair| Ask { db: pair.to, key: &pair.key, depth: *depth, expects: None }).collect()
            }
            Self::Side(Side::Source, ..) | Self::Names(_) => vec![],
        }
    }
}
