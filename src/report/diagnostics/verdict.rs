//! The line that counts what is wrong with a file.

use crate::plan::Report;

/// `2 errors, 1 warning, 1 of them can be mended by --fix (…)`, or `valid`.
pub(super) fn verdict(report: &Report) -> String {
    let (errors, warnings) = (counted(report.errors(), "error"), counted(report.warnings(), "warning"));
    let Some(first) = report.problems().first() else { return "valid".to_owned() };
    let counts = match (report.errors(), report.warnings()) {
        (0, _) => format!("valid, with {warnings}"),
        (_, 0) => errors,
        _ => format!("{errors}, {warnings}"),
    };
    let mendable = report.problems().iter().filter(|problem| problem.edit.is_some()).count();
    let mendable = match (mendable, report.errors() + report.warnings()) {
        (0, _) => String::new(),
        (1, 1) => ", fixable with `--fix`".to_owned(),
        (some, all) if some == all => ", all fixable with `--fix`".to_owned(),
        (1, _) => ", one fixable with `--fix`".to_owned(),
        (some, _) => format!(", {some} fixable with `--fix`"),
    };
    format!("{counts}{mendable} (`plan explain {}` says more)", first.fault.code)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
