//! Rules of `databases` and the key patterns in it.

use std::collections::HashMap;

use super::{Checking, Rule};
use crate::plan::checked::selection;
use crate::plan::fault::catalogue::keys;
use crate::plan::raw::Topology;
use crate::step::{DbRule, DbSource, KeyPattern};
use crate::unit::Db;

pub(super) const RULES: &[Rule] = &[
    Rule { reads: &["databases"], check: pairs },
    Rule { reads: &["databases"], check: merged },
    Rule { reads: &["databases"], check: patterns },
    Rule { reads: &["databases"], check: same_patterns },
    Rule { reads: &["databases", "source.topology"], check: cluster_source },
    Rule { reads: &["databases", "destination.topology"], check: cluster_destination },
];

fn item(index: usize) -> String {
    format!("databases[{index}]")
}

fn pairs(checking: &mut Checking<'_>) {
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (later, rule) in rules.iter().enumerate() {
        // One message a rule: the first earlier rule that it clashes with.
        for (earlier, other) in rules.iter().enumerate().take(later) {
            if let Some((fault, message, label, help)) = clash(other, rule) {
                let problem = checking
                    .problem(fault, &item(later), message, label)
                    .label(checking.value(&item(earlier)), "the earlier one")
                    .help(help);
                checking.report(problem);
                break;
            }
        }
    }
}

/// Fault, message, label and help.
type RuleConflict = (&'static crate::plan::fault::Fault, &'static str, &'static str, &'static str);

fn clash(earlier: &DbRule, later: &DbRule) -> Option<RuleConflict> {
    if earlier == later {
        let help = "delete one of the two, or correct its number";
        return Some((&keys::SAME_RULE, "this item says the same as an earlier one", "again", help));
    }
    let same_keys = (&earlier.include, &earlier.exclude) == (&later.include, &later.exclude);
    let takes_all = unfiltered(earlier) || (same_keys && earlier.from == later.from);
    if takes_all && (earlier.from == DbSource::All || earlier.from == later.from) {
        let help = "put the narrower item first, or delete it";
        return Some((&keys::UNREACHABLE_RULE, "an earlier item takes every key of this one", "never reached", help));
    }
    if !meet(earlier, later) {
        return None;
    }
    if earlier.include.is_empty() && later.include.is_empty() {
        return Some((
            &keys::COLLISION,
            "two databases go into one, and their keys may have the same names",
            "into the same database",
            "give one of them another `to`, or limit both with `keys: { include: [\"…\"] }`",
        ));
    }
    let help = "make sure that the patterns never take the same name; where they do, `on_conflict` decides";
    Some((&keys::POSSIBLE_COLLISION, "two databases go into one", "into the same database", help))
}

fn unfiltered(rule: &DbRule) -> bool {
    rule.include.is_empty() && rule.exclude.is_empty()
}

/// Whether keys of different source databases go to the same destination database by the two rules.
fn meet(one: &DbRule, other: &DbRule) -> bool {
    match (one.from, other.from) {
        (DbSource::One(a), DbSource::One(b)) => a != b && one.to.unwrap_or(a) == other.to.unwrap_or(b),
        (DbSource::One(db), DbSource::All) => meets_all(db, one.to, other.to),
        (DbSource::All, DbSource::One(db)) => meets_all(db, other.to, one.to),
        (DbSource::All, DbSource::All) => one.to.is_some() || other.to.is_some(),
    }
}

/// Whether database `db`, sent to `to`, meets a rule for all databases that sends them to `all_to`.
fn meets_all(db: Db, to: Option<Db>, all_to: Option<Db>) -> bool {
    let target = to.unwrap_or(db);
    all_to.map_or(target != db, |all_to| all_to == target)
}

/// One rule that sends all databases into one.
fn merged(checking: &mut Checking<'_>) {
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (index, rule) in rules.iter().enumerate() {
        if rule.from == DbSource::All && rule.to.is_some() {
            let problem = checking
                .problem(
                    &keys::POSSIBLE_COLLISION,
                    &format!("{}.to", item(index)),
                    "all databases go into one",
                    "into one database",
                )
                .help("fine when only one of them holds keys; otherwise name each database with a `to` of its own");
            checking.report(problem);
        }
    }
}

fn patterns(checking: &mut Checking<'_>) {
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (index, rule) in rules.iter().enumerate() {
        let keys_path = format!("{}.keys", item(index));
        selects_nothing(checking, rule, &keys_path);
        for (list, patterns) in [("include", &rule.include), ("exclude", &rule.exclude)] {
            for (position, _) in patterns.iter().enumerate().filter(|(_, pattern)| open_class(pattern)) {
                let path = format!("{keys_path}.{list}[{position}]");
                let problem = checking
                    .problem(&keys::OPEN_CLASS, &path, "the pattern has a `[` that is never closed", "open bracket")
                    .help("close it with `]`, or write `\\[` for the character itself");
                checking.report(problem);
            }
        }
    }
}

fn selects_nothing(checking: &mut Checking<'_>, rule: &DbRule, keys_path: &str) {
    let everything = |pattern: &KeyPattern| !pattern.0.is_empty() && pattern.0.bytes().all(|byte| byte == b'*');
    let all = rule.exclude.iter().position(everything);
    let excluded = |pattern: &KeyPattern| rule.exclude.iter().any(|exclude| covers(exclude, pattern));
    let each = !rule.include.is_empty() && rule.include.iter().all(excluded);
    let path = match (all, each) {
        (Some(position), _) => format!("{keys_path}.exclude[{position}]"),
        (None, true) => format!("{keys_path}.exclude"),
        (None, false) => return,
    };
    let mut problem = checking
        .problem(
            &keys::SELECTS_NOTHING,
            &path,
            "the rule selects no key: everything is excluded",
            "excludes all that is included",
        )
        .help("delete the pattern, or the rule");
    if !rule.include.is_empty() {
        problem = problem.label(checking.key(&format!("{keys_path}.include")), "nothing is left of these");
    }
    checking.report(problem);
}

/// Whether every name that `narrow` matches is matched by `wide` for certain: both are the same, or `wide` is some text and a
/// `*`, and `narrow` begins with that text.
fn covers(wide: &KeyPattern, narrow: &KeyPattern) -> bool {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\');
    let prefix = wide.0.strip_suffix('*').filter(|prefix| !prefix.contains(special));
    wide == narrow || prefix.is_some_and(|prefix| narrow.0.starts_with(prefix))
}

fn same_patterns(checking: &mut Checking<'_>) {
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (index, rule) in rules.iter().enumerate() {
        for (list, patterns) in [("include", &rule.include), ("exclude", &rule.exclude)] {
            let mut seen: HashMap<&KeyPattern, usize> = HashMap::new();
            for (position, pattern) in patterns.iter().enumerate() {
                let first = *seen.entry(pattern).or_insert(position);
                if first < position {
                    let path = |at: usize| format!("{}.keys.{list}[{at}]", item(index));
                    let problem = checking
                        .problem(&keys::SAME_PATTERN, &path(position), "the pattern is in this list already", "again")
                        .label(checking.value(&path(first)), "first here")
                        .help("correct or delete one of the two");
                    checking.report(problem);
                }
            }
        }
    }
}

/// Whether a pattern ends inside a `[`.
fn open_class(pattern: &KeyPattern) -> bool {
    let mut open = false;
    let mut bytes = pattern.0.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'[' => open = true,
            b']' => open = false,
            _ => {}
        }
    }
    open
}

fn cluster_source(checking: &mut Checking<'_>) {
    if checking.raw.source.topology != Some(Topology::Cluster) {
        return;
    }
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (index, rule) in rules.iter().enumerate() {
        if matches!(rule.from, DbSource::One(db) if db != Db(0)) {
            cluster(checking, index, "source", "the source is a cluster and has only database 0");
        }
    }
}

fn cluster_destination(checking: &mut Checking<'_>) {
    if checking.raw.destination.topology != Some(Topology::Cluster) {
        return;
    }
    let rules = selection(checking.raw.databases.as_ref()).rules;
    for (index, rule) in rules.iter().enumerate() {
        let kept = match rule.from {
            DbSource::All => Db(0),
            DbSource::One(db) => db,
        };
        if rule.to.unwrap_or(kept) != Db(0) {
            cluster(checking, index, "destination", "the destination is a cluster and has only database 0");
        }
    }
}

fn cluster(checking: &mut Checking<'_>, index: usize, side: &str, message: &str) {
    let problem = checking
        .problem(&keys::CLUSTER_DATABASES, &item(index), message, "another database than 0")
        .label(checking.value(&format!("{side}.topology")), "a cluster")
        .help(if side == "source" { "delete the item" } else { "add `to: 0`, or delete the item" });
    checking.report(problem);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_covers_another_is_known_when_it_is_certain() {
        for (wide, narrow, covered) in [
            ("cart:*", "cart:tmp:*", true),
            ("cart:*", "cart:?", true),
            ("cart:*", "c*", false),
            ("c?rt:*", "cart:*", false),
            ("*", "a", true),
            ("a", "a", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(covers(&KeyPattern(wide.into()), &KeyPattern(narrow.into())), covered, "{wide} {narrow}");
        }
    }

    #[test]
    fn an_open_bracket_is_found() {
        for (pattern, open) in [("a[bc", true), ("a[bc]", false), ("a\\[bc", false), ("[a][b", true), ("[\\]", true)] {
            assert_eq!(open_class(&KeyPattern(pattern.into())), open, "{pattern}");
        }
    }
}
