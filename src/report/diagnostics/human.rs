//! Problems for people: each with its lines, its labels and the way out.

use std::fmt::{Display, Write as _};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::excerpt::Excerpt;
use super::verdict;
use crate::plan::{Label, Problem, Report, Severity};
use crate::report::text::file_name;

/// The most problems that are shown; the rest is counted.
const MAX_SHOWN: usize = 50;

/// How to show problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; fewer than 40 are taken for 40.
    pub width: usize,
    /// With colours.
    pub colour: bool,
}

/// Everything that is wrong with one plan, or that nothing is; ends with a line that counts.
#[must_use]
pub fn human(report: &Report, style: Style) -> String {
    let theme = if style.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(style.width.max(40)).with_links(false);
    let name = file_name(report.source().name());
    let mut out = String::new();
    for problem in report.problems().iter().take(MAX_SHOWN) {
        let shown = ShownProblem::new(problem, report, &name);
        // Writing into a string fails only when the renderer does; the message itself is then better than nothing.
        if handler.render_report(&mut out, &shown).is_err() {
            out.push_str(&problem.message);
        }
        out.push('\n');
    }
    if let Some(hidden) = (report.errors() + report.warnings()).checked_sub(MAX_SHOWN).filter(|hidden| *hidden > 0) {
        _ = writeln!(out, "… and {hidden} more\n");
    }
    _ = writeln!(out, "{name}: {}", verdict(report));
    out
}

/// A problem as miette sees it.
#[derive(Debug)]
struct ShownProblem<'a> {
    problem: &'a Problem,
    excerpt: Excerpt<'a>,
    labels: Vec<Label>,
}

impl<'a> ShownProblem<'a> {
    fn new(problem: &'a Problem, report: &'a Report, name: &str) -> Self {
        let excerpt = Excerpt::new(report, name.to_owned());
        let labels = excerpt.fitting(&problem.labels);
        Self { problem, excerpt, labels }
    }
}

impl Display for ShownProblem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for ShownProblem<'_> {}

impl Diagnostic for ShownProblem<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.problem.fault.code))
    }

    fn url<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.problem.fault.url()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.problem.help.as_ref()?))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |(position, label): (usize, &Label)| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let span = (label.span.start, label.span.len());
            if position == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            }
        };
        Some(Box::new(self.labels.iter().enumerate().map(label)))
    }
}
