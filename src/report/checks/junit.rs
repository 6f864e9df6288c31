//! The items as `JUnit` XML, which GitLab, Jenkins and others show as tests: an item is a case. One that warns passes,
//! with what it says on the case's own output; one that could not be found out is skipped.

use std::fmt::Write as _;

use super::problems::span;
use crate::{
    plan::LoadedPlan,
    report::diagnostics::escaped,
    step::{Check, Verdict},
};

/// Every item as a case of one suite.
pub fn check_junit(checks: &[Check], plan: &LoadedPlan) -> String {
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
        checks.len(),
        of(Verdict::Fail),
        of(Verdict::Unknown)
    );
    let file = escaped(plan.warnings.source().name());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plan check\" {counts}>\n  \
         <testsuite name=\"{file}\" {counts}>\n"
    );
    for check in checks {
        case(&mut out, check, plan, &file);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn case(out: &mut String, check: &Check, plan: &LoadedPlan, file: &str) {
    let line = plan.warnings.source().position(span(check, plan).start).line;
    let [item, code, seen, remedy] = [&check.item, &check.code, &check.seen, &check.remedy].map(|text| escaped(text));
    _ = write!(out, "    <testcase classname=\"{file}\" name=\"{code} {item}\" file=\"{file}\" line=\"{line}\">");
    _ = match check.verdict {
        Verdict::Pass => write!(out, "<system-out>{seen}</system-out>"),
        Verdict::Warn => write!(out, "<system-out>warning: {seen}\nhelp: {remedy}</system-out>"),
        Verdict::Fail => write!(
            out,
            "<failure type=\"{code}\" message=\"{seen}\">{file}:{line}: {item}: {seen}\nhelp: {remedy}</failure>"
        ),
        Verdict::Unknown => write!(out, "<skipped message=\"{seen}\"/>"),
    };
    out.push_str("</testcase>\n");
}
