//! Problems as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.

use std::fmt::Write as _;

use crate::plan::{Problem, Report, Severity};
use crate::report::text::Clean;

/// The problems of some files, one command a line.
#[must_use]
pub fn github(reports: &[&Report]) -> String {
    let mut out = String::new();
    for report in reports {
        for problem in report.problems() {
            _ = writeln!(out, "{}", command(problem, report));
        }
    }
    out
}

fn command(problem: &Problem, report: &Report) -> String {
    let level = match problem.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = format!("file={}", property(report.source().name()));
    if let Some(span) = problem.span() {
        let (start, end) = (report.source().position(span.start), report.source().position(span.end));
        _ = write!(properties, ",line={},endLine={}", start.line, end.line);
        // Columns mean something only within one line.
        if start.line == end.line {
            _ = write!(properties, ",col={},endColumn={}", start.column, end.column);
        }
    }
    let title = property(&format!("{}: {}", problem.fault.code, problem.fault.title));
    let mut text = Clean(&problem.message).to_string();
    if let Some(help) = &problem.help {
        _ = write!(text, "\nhelp: {}", Clean(help));
    }
    _ = write!(text, "\n{}", problem.fault.url());
    format!("::{level} {properties},title={title}::{}", message(&text))
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_property_or_a_command_is_escaped() {
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
        assert_eq!(message("100%: a, b\r\n"), "100%25: a, b%0D%0A");
    }
}
