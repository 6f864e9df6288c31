//! Rules of blocks that contradict each other: each is right alone, and together they can never be fulfilled or do nothing.

use super::steps::each_condition;
use super::{Checking, Rule};
use crate::plan::fault::Problem;
use crate::plan::fault::catalogue::{endpoints, steps};
use crate::plan::raw::ConditionEntry;
use crate::plan::text::Path;
use crate::step::{CutoverMode, Fence, OnConflict, Role};

pub(super) const RULES: &[Rule] = &[
    Rule { reads: &["source.expect"], check: source_too_old },
    Rule { reads: &["source.username", "source.expect", "source.url"], check: |one| user_before_acl(one, "source") },
    Rule {
        reads: &["destination.username", "destination.expect"],
        check: |checking| user_before_acl(checking, "destination"),
    },
    Rule { reads: &["on_conflict", "destination.expect"], check: keys_that_must_and_must_not_be },
    Rule { reads: &["cutover", "source.expect"], check: fence_of_old_source },
    Rule { reads: &["cutover", "source.expect"], check: fence_of_replica },
    Rule { reads: &["windows.full", "windows.cutover"], check: windows_without_window },
    Rule { reads: &["cutover", "stop"], check: auto_that_waits },
];

fn source_too_old(checking: &mut Checking<'_>) {
    if checking.expects_only_before("source", [2, 8, 0]) {
        let problem = checking
            .problem(
                &endpoints::SOURCE_TOO_OLD,
                "source.expect.version",
                "a source of these versions cannot be copied",
                "all before 2.8",
            )
            .help("write `>=2.8`, or upgrade the source first");
        checking.report(problem);
    }
}

fn user_before_acl(checking: &mut Checking<'_>, side: &str) {
    let user = match side {
        "source" => checking.raw.source.username.as_ref(),
        _ => checking.raw.destination.username.as_ref(),
    };
    if user.is_none() || !checking.expects_only_before(side, [6, 0, 0]) {
        return;
    }
    let message = format!("the {side} knows no users: it is expected to be older than Redis 6");
    let problem = checking
        .problem(&endpoints::USER_BEFORE_ACL, &format!("{side}.username"), message, "cannot sign in")
        .label(checking.value(&format!("{side}.expect.version")), "no users before Redis 6")
        .help("delete `username`: before Redis 6 the password alone signs in");
    checking.report(problem);
}

fn keys_that_must_and_must_not_be(checking: &mut Checking<'_>) {
    let empty = checking.raw.destination.expect.as_ref().and_then(|expect| expect.empty);
    let conflict = checking.raw.on_conflict.unwrap_or(OnConflict::Fail);
    if empty != Some(false) || conflict != OnConflict::Fail {
        return;
    }
    let message = "the destination must hold keys, and must hold none";
    let mut problem = checking
        .problem(&steps::ALWAYS_REFUSED, "destination.expect.empty", message, "keys must be there")
        .help("add `on_conflict: skip` or `replace`, or expect `empty: true`");
    if checking.raw.on_conflict.is_some() {
        problem = problem.label(checking.value("on_conflict"), "no key may be there");
    } else {
        problem.message.push_str(", because `on_conflict` is `fail` where the plan does not say");
    }
    checking.report(problem);
}

fn fence_of_old_source(checking: &mut Checking<'_>) {
    let Some(cutover) = &checking.raw.cutover else { return };
    let fence = cutover.fence.clone().unwrap_or(Fence::ClientPause);
    if fence != Fence::ClientPause || !checking.expects_only_before("source", [3, 0, 0]) {
        return;
    }
    let path = if cutover.fence.is_some() { "cutover.fence" } else { "cutover.mode" };
    let problem = checking
        .problem(&steps::FENCE_UNKNOWN, path, "the source has no `CLIENT PAUSE` to be fenced with", "needs it")
        .label(checking.value("source.expect.version"), "`CLIENT PAUSE` came with 3.0")
        .help("write `fence: min_replicas`, or stop the writers yourself and write `fence: none`");
    checking.report(problem);
}

fn fence_of_replica(checking: &mut Checking<'_>) {
    let Some(cutover) = &checking.raw.cutover else { return };
    let role = checking.raw.source.expect.as_ref().and_then(|expect| expect.role);
    // A hook of the user's own may well reach the master.
    let elsewhere = matches!(cutover.fence, Some(Fence::None | Fence::Hook(_)));
    if role != Some(Role::Replica) || elsewhere {
        return;
    }
    let path = if cutover.fence.is_some() { "cutover.fence" } else { "cutover.mode" };
    let problem = checking
        .problem(
            &steps::FENCE_OF_REPLICA,
            path,
            "a fence on a replica holds no writer: they write to its master",
            "no effect",
        )
        .label(checking.value("source.expect.role"), "not where clients write")
        .help("name the master in `source.url`, or stop the writers yourself and write `fence: none`");
    checking.report(problem);
}

fn windows_without_window(checking: &mut Checking<'_>) {
    let Some(windows) = &checking.raw.windows else { return };
    if windows.full.is_none() && windows.cutover.is_none() {
        let problem =
            Problem::new(&steps::WINDOW_NEVER, Path::parse("windows"), "`windows` has a time zone and no window")
                .label(checking.key("windows"), "neither `full` nor `cutover`")
                .help("write for example `full: [\"Mon-Fri 20:00-06:00\"]`, or delete the block");
        checking.report(problem);
    }
}

/// A cutover that starts by itself, behind a stop condition that only an operator fulfils.
fn auto_that_waits(checking: &mut Checking<'_>) {
    if !checking.raw.cutover.as_ref().is_some_and(|cutover| cutover.mode == CutoverMode::Auto) {
        return;
    }
    let mut alone = true;
    for list in checking.raw.stop.iter().flat_map(|stop| [&stop.any, &stop.all]) {
        each_condition(list.as_deref().unwrap_or_default(), "", &mut |_, condition| {
            alone &= matches!(condition, ConditionEntry::Command(_));
        });
    }
    if !alone {
        return;
    }
    let message = "nothing but an operator ends the following, so the cutover never starts by itself";
    let mut problem = checking
        .problem(&steps::AUTO_WAITS, "cutover.mode", message, "waits for `plan cutover`")
        .help("add a condition to `stop`, such as `lag: { below: 1s, for: 5m }`, or write `mode: manual`");
    if checking.raw.stop.is_some() {
        problem = problem.label(checking.key("stop"), "only an operator's command");
    }
    checking.report(problem);
}

#[cfg(test)]
mod tests {
    use crate::plan::judge;

    #[test]
    fn only_a_fence_of_ours_needs_the_master() {
        let plan = |fence: &str| {
            format!(
                "version: 1\nname: a\nsource: {{ url: redis://a, expect: {{ role: replica }} }}\ndestination: {{ url: \
                 redis://b }}\nmigration: [full, incremental]\ncutover: {{ mode: manual, fence: {fence} }}\n"
            )
        };
        for (fence, told) in [
            ("client_pause", true),
            ("min_replicas", true),
            ("none", false),
            ("{ hook: { run: [./stop.sh], undo: [./start.sh] } }", false),
        ] {
            let report = judge("plan.yaml", plan(fence).as_bytes(), None);
            assert_eq!(report.errors(), 0, "{fence}: {:?}", report.problems());
            assert_eq!(report.problems().iter().any(|one| one.fault.code == "P418"), told, "{fence}");
        }
    }
}
