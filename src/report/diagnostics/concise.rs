//! Problems one a line, as compilers print them: `file:line:column: error[P101] message (help)`. For terminals that jump to
//! a place, for `grep` and for logs.

use std::fmt::Write as _;

use crate::plan::{Problem, Report};
use crate::report::text::{Clean, file_name};

/// The problems of some files, one a line, and a line that counts behind each file.
#[must_use]
pub fn concise(reports: &[&Report]) -> String {
    let mut out = String::new();
    for report in reports {
        let name = file_name(report.source().name());
        for problem in report.problems() {
            _ = writeln!(out, "{name}{}: {}", place(problem, report), words(problem));
        }
        _ = writeln!(out, "{name}: {}", super::verdict(report));
    }
    out
}

/// `:3:11`, or nothing for what has no place.
fn place(problem: &Problem, report: &Report) -> String {
    let position = problem.span().map(|span| report.source().position(span.start));
    position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column))
}

fn words(problem: &Problem) -> String {
    let help = problem.help.as_ref().map_or(String::new(), |help| format!(" (help: {})", Clean(help)));
    format!("{}[{}] {}{help}", problem.severity(), problem.fault.code, Clean(&problem.message))
}
