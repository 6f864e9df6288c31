//! Items that failed or warn, as problems at the plan's own lines.

use crate::{
    plan::{LoadedPlan, Path, Problem, Report, Span, fault::catalogue::checks},
    step::{Check, Verdict},
};

/// What failed and what warns, each where the plan says what it is about.
pub fn check_problems(checks: &[Check], plan: &LoadedPlan) -> Report {
    plan.warnings.with(checks.iter().filter_map(|check| problem(check, plan)).collect())
}

fn problem(check: &Check, plan: &LoadedPlan) -> Option<Problem> {
    let row = checks::of_item(&check.item)?;
    let problem = Problem::new(row, Path::parse(&check.place), format!("{}: {}", check.item, check.seen))
        .label(span(check, plan), format!("wanted: {}", row.title))
        .help(check.remedy.clone());
    match check.verdict {
        Verdict::Fail => Some(problem),
        Verdict::Warn => Some(problem.as_warning()),
        Verdict::Pass | Verdict::Unknown => None,
    }
}

/// Where the plan says what the item is about. A default has no place of its own: then it is the server's url.
pub(super) fn span(check: &Check, plan: &LoadedPlan) -> Span {
    let found = plan.locate(&Path::parse(&check.place));
    if found == plan.locate(&Path::default()) {
        let side = if check.item.starts_with("source") { "source" } else { "destination" };
        return plan.locate(&Path::parse(&format!("{side}.url")));
    }
    found
}
