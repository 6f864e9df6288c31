//! Rules of phases, conditions, windows, hooks and the end.

use super::{Checking, Rule};
use crate::plan::checked;
use crate::plan::fault::Problem;
use crate::plan::fault::catalogue::{keys, steps};
use crate::plan::raw::{ConditionEntry, MigrationKind};
use crate::plan::text::Path;
use crate::step::{Fence, OnConflict};
use crate::unit::Period;

pub(super) const RULES: &[Rule] = &[
    Rule { reads: &["migration"], check: phases },
    Rule { reads: &["migration"], check: needs_incremental },
    Rule { reads: &["stop.any", "stop.all"], check: stop_form },
    Rule { reads: &["stop.any", "stop.all", "stop.deadline"], check: deadline },
    Rule { reads: &["stop.any", "stop.all"], check: never },
    Rule { reads: &["stop.any", "stop.all"], check: same_condition },
    Rule { reads: &["windows.timezone"], check: timezone },
    Rule { reads: &[], check: zero_times },
    Rule { reads: &[], check: fence },
    Rule { reads: &["limits.spool", "limits.chunk_above"], check: chunks },
    Rule { reads: &["on_conflict"], check: empty_and_conflict },
];

/// The areas of the IANA time zone database.
const AREAS: [&str; 11] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Etc",
    "Europe",
    "Indian",
    "Pacific",
];

fn phases(checking: &mut Checking<'_>) {
    let phases = &checking.raw.migration;
    let position = |phase: MigrationKind| phases.iter().position(|other| *other == phase);
    let (full, incremental) = (position(MigrationKind::Full), position(MigrationKind::Incremental));
    let mut found = vec![];
    if let (None, Some(index)) = (full, incremental) {
        let message = "changes are followed, but nothing is copied first";
        found.push(checking.problem(
            &steps::FULL_MISSING,
            &format!("migration[{index}]"),
            message,
            "without `full` before it",
        ));
    }
    if let (Some(full), Some(incremental)) = (full, incremental)
        && incremental < full
    {
        let message = "changes can be followed only after the copy";
        found.push(checking.problem(
            &steps::PHASE_ORDER,
            &format!("migration[{incremental}]"),
            message,
            "comes before `full`",
        ));
    }
    for (index, phase) in phases.iter().enumerate() {
        if let Some(first) = position(*phase).filter(|first| *first < index) {
            let problem = checking
                .problem(&steps::SAME_PHASE, &format!("migration[{index}]"), "a phase is written twice", "again")
                .label(checking.value(&format!("migration[{first}]")), "first here");
            found.push(problem);
        }
    }
    for problem in found {
        checking.report(problem.help("write `migration: [full]` or `migration: [full, incremental]`"));
    }
}

pub(super) fn follows(checking: &Checking<'_>) -> bool {
    checking.raw.migration.contains(&MigrationKind::Incremental)
}

fn needs_incremental(checking: &mut Checking<'_>) {
    if follows(checking) {
        return;
    }
    let raw = checking.raw;
    let blocks = [
        ("stop", raw.stop.is_some()),
        ("cutover", raw.cutover.is_some()),
        ("windows.cutover", raw.windows.as_ref().is_some_and(|windows| windows.cutover.is_some())),
    ];
    for (path, _) in blocks.into_iter().filter(|(_, present)| *present) {
        let problem = Problem::new(
            &steps::NEEDS_INCREMENTAL,
            Path::parse(path),
            format!("`{path}` has no meaning without `incremental`"),
        )
        .label(checking.key(path), "has no effect")
        .label(checking.key("migration"), "a copy alone")
        .help("write `migration: [full, incremental]`, or delete the block");
        checking.report(problem);
    }
}

fn stop_form(checking: &mut Checking<'_>) {
    let Some(stop) = &checking.raw.stop else { return };
    let problem = match (&stop.any, &stop.all) {
        // A condition that stands at the wrong place is told already.
        (None, None) if checking.unknown.iter().any(|gone| gone.is_within(&Path::parse("stop"))) => return,
        (None, None) => checking
            .problem(&steps::STOP_FORM, "stop", "`stop` has no condition", "neither `any` nor `all`")
            .help("write for example `any: [ { command: cutover } ]`"),
        (Some(_), Some(_)) => Problem::new(&steps::STOP_FORM, Path::parse("stop"), "`stop` has both `any` and `all`")
            .label(checking.key("stop.any"), "one list")
            .label(checking.key("stop.all"), "another")
            .help("keep one, and put the other inside as one of its conditions"),
        _ => return,
    };
    checking.report(problem);
}

fn deadline(checking: &mut Checking<'_>) {
    let Some(stop) = &checking.raw.stop else { return };
    let Some(deadline) = &stop.deadline else { return };
    let mut held = vec![];
    for (name, list) in [("stop.any", &stop.any), ("stop.all", &stop.all)] {
        each_condition(list.as_deref().unwrap_or_default(), name, &mut |path, condition| match condition {
            ConditionEntry::Lag(lag) => held.push((format!("{path}.lag.for"), lag.held_for)),
            ConditionEntry::SourceIdle(idle) => held.push((format!("{path}.source_idle.for"), idle.held_for)),
            ConditionEntry::Duration(period) => held.push((format!("{path}.duration"), *period)),
            _ => {}
        });
    }
    for (path, period) in held.into_iter().filter(|(_, period)| *period > deadline.after) {
        let message = format!("the deadline of {} passes before `{path}: {period}` can be over", deadline.after);
        let problem = checking
            .problem(&steps::DEADLINE_TOO_EARLY, "stop.deadline.after", message, "too early")
            .label(checking.value(&path), "must hold this long")
            .help(format!("write `after: {}` or more, or shorten `{path}`", twice_as_long(period)));
        checking.report(problem);
    }
}

/// A deadline that leaves a condition the time to come true.
fn twice_as_long(period: Period) -> Period {
    Period(period.0.saturating_mul(2))
}

/// Every condition of a list that is not a list itself, and where it stands.
pub(super) fn each_condition<'a>(
    conditions: &'a [ConditionEntry],
    path: &str,
    see: &mut dyn FnMut(String, &'a ConditionEntry),
) {
    for (index, condition) in conditions.iter().enumerate() {
        match condition {
            ConditionEntry::Any(inner) => each_condition(inner, &format!("{path}[{index}].any"), see),
            ConditionEntry::All(inner) => each_condition(inner, &format!("{path}[{index}].all"), see),
            _ => see(format!("{path}[{index}]"), condition),
        }
    }
}

fn never(checking: &mut Checking<'_>) {
    let Some(stop) = &checking.raw.stop else { return };
    let mut found = vec![];
    for (name, list) in [("stop.any", &stop.any), ("stop.all", &stop.all)] {
        each_condition(list.as_deref().unwrap_or_default(), name, &mut |path, condition| {
            if matches!(condition, ConditionEntry::Lag(lag) if lag.below.0.is_zero()) {
                found.push(format!("{path}.lag.below"));
            }
        });
    }
    for path in found {
        let problem = checking
            .problem(&steps::NEVER_BELOW, &path, "no lag is below zero", "never true")
            .help("write for example `below: 1s`");
        checking.report(problem);
    }
}

/// The same condition twice in one list.
fn same_condition(checking: &mut Checking<'_>) {
    let Some(stop) = &checking.raw.stop else { return };
    let mut found = vec![];
    for (name, list) in [("stop.any", &stop.any), ("stop.all", &stop.all)] {
        twice(list.as_deref().unwrap_or_default(), name, &mut found);
    }
    for (first, second) in found {
        let problem = checking
            .problem(&steps::SAME_CONDITION, &second, "the condition is in this list already", "again")
            .label(checking.value(&first), "first here")
            .help("delete one of the two");
        checking.report(problem);
    }
}

fn twice(conditions: &[ConditionEntry], path: &str, found: &mut Vec<(String, String)>) {
    for (index, condition) in conditions.iter().enumerate() {
        match condition {
            ConditionEntry::Any(inner) => twice(inner, &format!("{path}[{index}].any"), found),
            ConditionEntry::All(inner) => twice(inner, &format!("{path}[{index}].all"), found),
            _ => {}
        }
        if let Some(first) = conditions.iter().take(index).position(|other| other == condition) {
            found.push((format!("{path}[{first}]"), format!("{path}[{index}]")));
        }
    }
}

fn timezone(checking: &mut Checking<'_>) {
    let Some(windows) = &checking.raw.windows else { return };
    if is_timezone(&windows.timezone) && crate::step::Windows::knows(&windows.timezone) {
        return;
    }
    let problem = checking
        .problem(&steps::TIMEZONE, "windows.timezone", "this is not the name of a time zone", "not an IANA name")
        .help("write for example `Europe/Berlin` or `UTC`");
    checking.report(problem);
}

/// Whether a name has the form of one in the IANA database, whatever else this machine takes for a time zone.
fn is_timezone(name: &str) -> bool {
    let part = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
        part.starts_with(|c: char| c.is_ascii_uppercase()) && part.bytes().all(allowed)
    };
    match name.split_once('/') {
        None => matches!(name, "UTC" | "GMT"),
        Some((area, rest)) => AREAS.contains(&area) && rest.split('/').count() <= 2 && rest.split('/').all(part),
    }
}

fn zero_times(checking: &mut Checking<'_>) {
    let raw = checking.raw;
    let mut times = vec![
        ("cutover.timeout".to_owned(), raw.cutover.as_ref().and_then(|cutover| cutover.timeout)),
        ("limits.patience".to_owned(), raw.limits.as_ref().and_then(|limits| limits.patience)),
        ("stop.deadline.after".to_owned(), raw.stop.as_ref().and_then(|stop| Some(stop.deadline.as_ref()?.after))),
    ];
    for (name, list) in raw.stop.iter().flat_map(|stop| [("stop.any", &stop.any), ("stop.all", &stop.all)]) {
        each_condition(list.as_deref().unwrap_or_default(), name, &mut |path, condition| {
            if let ConditionEntry::Duration(period) = condition {
                times.push((format!("{path}.duration"), Some(*period)));
            }
        });
    }
    let hooks = raw.hooks.iter().flatten().enumerate();
    times.extend(hooks.map(|(index, hook)| (format!("hooks[{index}].timeout"), hook.timeout)));
    for (path, _) in times.into_iter().filter(|(_, time)| time.is_some_and(|time| time.0.is_zero())) {
        let problem = checking
            .problem(&steps::ZERO_TIME, &path, "nothing can be done in no time", "zero")
            .help("write for example `30s`, or delete the key where it has a default");
        checking.report(problem);
    }
}

fn fence(checking: &mut Checking<'_>) {
    let fence = checking.raw.cutover.as_ref().and_then(|cutover| cutover.fence.clone());
    if fence == Some(Fence::None) {
        let problem = checking
            .problem(
                &steps::NO_FENCE,
                "cutover.fence",
                "nothing blocks writes at the source during the cutover",
                "no fence",
            )
            .help("write `fence: client_pause`, unless every writer is stopped by other means");
        checking.report(problem);
    }
}

fn chunks(checking: &mut Checking<'_>) {
    let limits = checked::limits(checking.raw.limits.as_ref());
    if limits.chunk_above <= limits.spool {
        return;
    }
    let raw = checking.raw.limits.as_ref();
    let (chunk, spool) =
        (raw.is_some_and(|limits| limits.chunk_above.is_some()), raw.is_some_and(|limits| limits.spool.is_some()));
    let default = if chunk { "" } else { ", the default of `chunk_above`," };
    let message =
        format!("values of up to {}{default} do not fit into a spool of {}", limits.chunk_above, limits.spool);
    let path = if spool { "limits.spool" } else { "limits.chunk_above" };
    let mut problem =
        checking.problem(&keys::CHUNK_OVER_SPOOL, path, message, if spool { "too small" } else { "too large" });
    if spool && chunk {
        problem = problem.label(checking.value("limits.chunk_above"), "values up to this in one piece");
    }
    checking.report(problem.help(format!("write `spool: {}` or more, or a smaller `chunk_above`", limits.chunk_above)));
}

fn empty_and_conflict(checking: &mut Checking<'_>) {
    let empty = checking.raw.destination.expect.as_ref().and_then(|expect| expect.empty) == Some(true);
    let acts = matches!(checking.raw.on_conflict, Some(OnConflict::Skip | OnConflict::Replace));
    if empty && acts {
        let message = "`on_conflict` never acts: the destination must be empty to start";
        let problem = checking
            .problem(&steps::EMPTY_AND_CONFLICT, "on_conflict", message, "has no effect")
            .label(checking.value("destination.expect.empty"), "refuses any key")
            .help("delete `on_conflict`, or `empty: true`");
        checking.report(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_have_the_form_of_the_iana_database() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince"] {
            assert!(is_timezone(name), "{name}");
        }
        for name in
            ["CET", "+01:00", "europe/berlin", "Berlin", "Europe/", "Europe", "", "Europa/Berlin", "Europe/A/B/C"]
        {
            assert!(!is_timezone(name), "{name}");
        }
    }
}
