//! Judging two readings of one key. Pure.

use super::reading::{KeyReading, SeenKey, TOLERANCE, ValuePart, What};
use crate::step::DifferenceKind;

/// What two readings come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Equal,
    /// Neither side has it.
    Gone,
    /// Its time is up, or nearly, on one side or both.
    Expired,
    /// It changed while it was read.
    Moved,
    Different(Vec<DifferenceKind>),
}

/// The part whose difference explains another's, if that is there too: fields that are missing have no values either.
const EXPLAINED: [(ValuePart, ValuePart); 6] = [
    (ValuePart::Order, ValuePart::Elements),
    (ValuePart::Scores, ValuePart::Members),
    (ValuePart::Values, ValuePart::Fields),
    (ValuePart::Positions, ValuePart::Groups),
    (ValuePart::Reads, ValuePart::Groups),
    (ValuePart::Pending, ValuePart::Groups),
];

pub(super) fn judge(source: &SeenKey, destination: &SeenKey) -> Judged {
    let ended = |side: &KeyReading, other_clock: i64| {
        side.ends.is_some_and(|end| end.at <= other_clock.saturating_add(TOLERANCE).saturating_add(end.give))
    };
    match (&source.what, &destination.what) {
        (What::Moved, _) | (_, What::Moved) => Judged::Moved,
        (What::Absent, What::Absent) => Judged::Gone,
        (What::Present(here), What::Absent) if ended(here, destination.at) => Judged::Expired,
        (What::Absent, What::Present(there)) if ended(there, source.at) => Judged::Expired,
        (What::Present(_), What::Absent) => Judged::Different(vec![DifferenceKind::Missing]),
        (What::Absent, What::Present(_)) => Judged::Different(vec![DifferenceKind::Extra]),
        (What::Present(here), What::Present(there)) => {
            let found = differences(here, there);
            if found.is_empty() {
                Judged::Equal
            } else if ended(here, source.at) && ended(there, destination.at) {
                Judged::Expired
            } else {
                Judged::Different(found)
            }
        }
    }
}

fn differences(here: &KeyReading, there: &KeyReading) -> Vec<DifferenceKind> {
    if here.kind != there.kind {
        return vec![DifferenceKind::Type];
    }
    let apart = parts_apart(here, there);
    let explained = |part: &ValuePart| EXPLAINED.iter().any(|(what, by)| what == part && apart.contains(by));
    let mut found: Vec<DifferenceKind> =
        apart.iter().filter(|part| !explained(part)).map(|part| kind_of(*part)).collect();
    let same_pending = !apart.contains(&ValuePart::Pending);
    if same_pending && here.delivered.iter().zip(&there.delivered).any(|(one, two)| one.is_apart(*two)) {
        found.push(DifferenceKind::Pending);
    }
    match (here.ends, there.ends) {
        (Some(_), None) => found.push(DifferenceKind::TtlMissing),
        (None, Some(_)) => found.push(DifferenceKind::TtlExtra),
        (Some(one), Some(two)) if one.is_apart(two) => found.push(DifferenceKind::TtlOff),
        _ => {}
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The parts that differ. What one side cannot know is not compared, but for ends of fields: a server that does not know
/// them has none.
fn parts_apart(here: &KeyReading, there: &KeyReading) -> Vec<ValuePart> {
    let mut apart: Vec<ValuePart> = vec![];
    for (part, sum) in &here.parts {
        match there.part(*part) {
            Some(other) if other != *sum => apart.push(*part),
            None if *part == ValuePart::FieldExpiry && *sum != super::sum::Sum::default() => apart.push(*part),
            _ => {}
        }
    }
    let only_there = there.part(ValuePart::FieldExpiry).filter(|_| here.part(ValuePart::FieldExpiry).is_none());
    if only_there.is_some_and(|sum| sum != super::sum::Sum::default()) {
        apart.push(ValuePart::FieldExpiry);
    }
    apart
}

const fn kind_of(part: ValuePart) -> DifferenceKind {
    match part {
        ValuePart::Content => DifferenceKind::Content,
        ValuePart::Elements => DifferenceKind::Element,
        ValuePart::Order => DifferenceKind::Order,
        ValuePart::Members => DifferenceKind::Member,
        ValuePart::Scores => DifferenceKind::Score,
        ValuePart::Fields => DifferenceKind::Field,
        ValuePart::Values => DifferenceKind::Value,
        ValuePart::FieldExpiry => DifferenceKind::FieldExpiry,
        ValuePart::Entries => DifferenceKind::Entry,
        ValuePart::LastId | ValuePart::DeletedId | ValuePart::Added => DifferenceKind::StreamIds,
        ValuePart::Groups => DifferenceKind::Group,
        ValuePart::Positions | ValuePart::Reads => DifferenceKind::GroupPosition,
        ValuePart::Pending => DifferenceKind::Pending,
        ValuePart::Serialized => DifferenceKind::Module,
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::ServerTime;
    use super::super::sum::Sum;
    use super::*;

    const NOW: i64 = 1_000_000;

    fn present(reading: KeyReading) -> SeenKey {
        SeenKey { at: NOW, what: What::Present(Box::new(reading)) }
    }

    fn absent() -> SeenKey {
        SeenKey { at: NOW, what: What::Absent }
    }

    fn reading(kind: &str, parts: &[(ValuePart, &[u8])]) -> KeyReading {
        let parts = parts.iter().map(|(part, bytes)| (*part, Sum::of(bytes))).collect();
        KeyReading { kind: kind.to_owned().into(), parts, ..KeyReading::default() }
    }

    fn ending(at: i64, give: i64) -> KeyReading {
        KeyReading { ends: Some(ServerTime { at, give }), ..reading("string", &[(ValuePart::Content, b"v")]) }
    }

    #[test]
    fn a_key_whose_time_is_up_on_either_side_is_explained() {
        assert_eq!(judge(&present(ending(NOW + 999, 0)), &absent()), Judged::Expired);
        assert_eq!(judge(&present(ending(NOW + 1001, 0)), &absent()), Judged::Different(vec![DifferenceKind::Missing]));
        assert_eq!(judge(&absent(), &present(ending(NOW - 5, 0))), Judged::Expired);
        assert_eq!(judge(&absent(), &present(ending(NOW + 5000, 0))), Judged::Different(vec![DifferenceKind::Extra]));
        assert_eq!(judge(&absent(), &absent()), Judged::Gone);
        // One that ends at the destination alone, soon, is a difference, not an expired key.
        let forever = reading("string", &[(ValuePart::Content, b"v")]);
        let found = judge(&present(forever), &present(ending(NOW + 10, 0)));
        assert_eq!(found, Judged::Different(vec![DifferenceKind::TtlExtra]));
    }

    #[test]
    fn ends_may_be_off_by_the_tolerance_and_by_what_the_reading_leaves_open() {
        let far = NOW + 1_000_000;
        let judged = |one: (i64, i64), two: (i64, i64)| {
            judge(&present(ending(far + one.0, one.1)), &present(ending(far + two.0, two.1)))
        };
        assert_eq!(judged((0, 0), (1000, 0)), Judged::Equal);
        assert_eq!(judged((0, 0), (-1001, 0)), Judged::Different(vec![DifferenceKind::TtlOff]));
        assert_eq!(judged((0, 20), (1029, 10)), Judged::Equal);
    }

    #[test]
    fn what_explains_is_told_and_what_follows_from_it_is_not() {
        fn list<'a>(elements: &'a [u8], order: &'a [u8]) -> [(ValuePart, &'a [u8]); 2] {
            [(ValuePart::Elements, elements), (ValuePart::Order, order)]
        }
        let judged = |one: &[(ValuePart, &[u8])], two: &[(ValuePart, &[u8])]| {
            judge(&present(reading("x", one)), &present(reading("x", two)))
        };
        assert_eq!(judged(&list(b"ab", b"1"), &list(b"ab", b"2")), Judged::Different(vec![DifferenceKind::Order]));
        assert_eq!(judged(&list(b"ab", b"1"), &list(b"ac", b"2")), Judged::Different(vec![DifferenceKind::Element]));
    }

    #[test]
    fn what_a_side_cannot_know_is_not_compared_but_for_ends_of_fields() {
        let judged = |one: KeyReading, two: KeyReading| judge(&present(one), &present(two));
        let counted = reading("stream", &[(ValuePart::Added, b"7")]);
        assert_eq!(judged(counted, reading("stream", &[])), Judged::Equal);
        let none = || KeyReading { parts: vec![(ValuePart::FieldExpiry, Sum::default())], ..reading("hash", &[]) };
        let some = || reading("hash", &[(ValuePart::FieldExpiry, b"f at 5")]);
        assert_eq!(judged(none(), reading("hash", &[])), Judged::Equal);
        let found = Judged::Different(vec![DifferenceKind::FieldExpiry]);
        assert_eq!(judged(some(), reading("hash", &[])), found);
        assert_eq!(judged(reading("hash", &[]), some()), found);
    }

    #[test]
    fn another_type_says_all_and_what_moved_says_nothing() {
        let moved = SeenKey { at: NOW, what: What::Moved };
        assert_eq!(judge(&moved, &absent()), Judged::Moved);
        let found = judge(&present(reading("set", &[(ValuePart::Members, b"a")])), &present(reading("list", &[])));
        assert_eq!(found, Judged::Different(vec![DifferenceKind::Type]));
    }
}
