//! What was counted.

use std::fmt::Write as _;

use super::{
    judge::Judged,
    reading::{KeyReading, SeenKey},
    recheck::SuspectVerdict,
    scan::Pair,
};
use crate::{
    step::{DifferenceKind, Foreign, ForeignRule, KeyDifference, SideOfKey, VerifyCount, VerifyResult},
    unit::{Db, KeyText},
};

/// Counts one key of a type as compared.
pub(super) fn count(result: &mut VerifyResult, db: Db, kind: &str, differs: bool) {
    let found = result.counts.iter_mut().position(|count| count.db == db && count.kind == kind);
    let at = found.unwrap_or_else(|| {
        result.counts.push(VerifyCount { db, kind: kind.to_owned(), keys: 0, different: 0 });
        result.counts.len().saturating_sub(1)
    });
    if let Some(count) = result.counts.get_mut(at) {
        count.keys += 1;
        count.different += u64::from(differs);
    }
    result.different += u64::from(differs);
}

/// Takes back what was counted of a key that differed and is looked at again.
pub(super) fn uncount(result: &mut VerifyResult, found: &KeyDifference) {
    let kind = kind(found.source.as_ref(), found.destination.as_ref());
    if let Some(count) = result.counts.iter_mut().find(|count| count.db == found.db && count.kind == kind) {
        count.keys = count.keys.saturating_sub(1);
        count.different = count.different.saturating_sub(1);
    }
    result.different = result.different.saturating_sub(1);
}

/// The type under which a key that differs is counted.
fn kind<'a>(source: Option<&'a SideOfKey>, destination: Option<&'a SideOfKey>) -> &'a str {
    source.or(destination).map_or("none", |side| side.kind.as_str())
}

/// Counts keys that are somebody else's.
pub(super) fn foreign(result: &mut VerifyResult, db: Db, rule: ForeignRule, keys: u64, example: Option<&[u8]>) {
    let example = example.map(|key| KeyText(key).to_string());
    match result.foreign.iter_mut().find(|foreign| foreign.db == db && foreign.rule == rule) {
        Some(foreign) => foreign.keys += keys,
        None => result.foreign.push(Foreign { db, rule, keys, example }),
    }
}

/// Counts what became of a suspect; answers the difference, if it is one.
pub(super) fn settled_into(
    result: &mut VerifyResult,
    occupied: &[Db],
    pair: &Pair,
    settled: SuspectVerdict,
) -> Option<KeyDifference> {
    let (kinds, source, destination) = match settled {
        SuspectVerdict::Open => {
            result.unsettled += 1;
            return None;
        }
        SuspectVerdict::Judged(Judged::Equal, kind) => {
            count(result, pair.from, &kind.unwrap_or_default(), false);
            return None;
        }
        SuspectVerdict::Judged(judged, _) => {
            let counter = if judged == Judged::Gone { &mut result.gone } else { &mut result.expired };
            *counter += 1;
            return None;
        }
        SuspectVerdict::Different { kinds, source, destination } => (kinds, source, destination),
    };
    if kinds == [DifferenceKind::Extra] && occupied.contains(&pair.to) {
        foreign(result, pair.to, ForeignRule::Occupied, 1, Some(&pair.key));
        return None;
    }
    let shown = |seen: &SeenKey| seen.reading().map(KeyReading::shown);
    let (source, destination) = (shown(&source), shown(&destination));
    count(result, pair.from, kind(source.as_ref(), destination.as_ref()), true);
    Some(KeyDifference {
        db: pair.from,
        to: pair.to,
        key: KeyText(&pair.key).to_string(),
        hex: hex(&pair.key),
        kinds,
        source,
        destination,
        repaired: None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
