//! Problems as `JUnit` XML, which GitLab, Jenkins and others show as tests: a file is a suite, a problem a failed case.
//! Warnings pass, with what they say on the case's own output.

use std::fmt::Write as _;

use crate::plan::{Problem, Report, Severity};

/// The problems of some files.
#[must_use]
pub fn junit(reports: &[&Report]) -> String {
    let cases = |report: &Report| (report.problems().len() + report.omitted()).max(1);
    let (tests, failures): (usize, usize) =
        (reports.iter().map(|report| cases(report)).sum(), reports.iter().map(|report| report.errors()).sum());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"plan validate\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n"
    );
    for report in reports {
        let name = escaped(report.source().name());
        _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
            cases(report),
            report.errors()
        );
        if report.problems().is_empty() {
            _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"valid\"/>");
        }
        report.problems().iter().for_each(|problem| case(&mut out, problem, report, &name));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, problem: &Problem, report: &Report, file: &str) {
    let at = problem.span().map(|span| report.source().position(span.start));
    let line = at.map_or(String::new(), |at| format!(" line=\"{}\"", at.line));
    let place = at.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    let name = escaped(&format!("{} {}{place}", problem.fault.code, problem.fault.title));
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
    let text = escaped(&format!("{help}\n{}", problem.fault.url()));
    let message = escaped(&problem.message);
    _ = writeln!(out, "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\"{line}>");
    _ = match problem.severity() {
        Severity::Error => writeln!(
            out,
            "      <failure type=\"{}\" message=\"{message}\">{file}{place}: {message}{text}</failure>",
            problem.fault.code
        ),
        Severity::Warning => {
            writeln!(out, "      <system-out>warning: {file}{place}: {message}{text}</system-out>")
        }
    };
    out.push_str("    </testcase>\n");
}

/// Text for XML: its five characters as entities, and what XML 1.0 cannot hold as `?`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_the_document() {
        assert_eq!(
            escaped("<a href=\"x\">&'\u{1b}\u{ffff}</a>"),
            "&lt;a href=&quot;x&quot;&gt;&amp;&apos;??&lt;/a&gt;"
        );
    }
}
