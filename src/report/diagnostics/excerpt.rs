//! The lines around a label. A plan may be one line of a megabyte: of a long line only a window is shown.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::plan::{Label, Report, Span};

/// A line with more bytes is shown in part.
const LONG: usize = 400;

/// How much of a long line is shown on each side of a label, and the most that is labelled in it, in bytes.
const MARGIN: usize = 80;

/// The text of a report, to be shown in parts.
#[derive(Debug)]
pub(super) struct Excerpt<'a> {
    report: &'a Report,
    name: String,
}

impl<'a> Excerpt<'a> {
    pub(super) fn new(report: &'a Report, name: String) -> Self {
        Self { report, name }
    }

    /// The labels that fit into what is shown: each on one line, and on a long line only the first.
    pub(super) fn fitting(&self, labels: &[Label]) -> Vec<Label> {
        // What is wrong at the end of the file is shown on its last line.
        let last = self.report.shown().trim_end_matches(['\n', '\r']).len();
        let one_line = |label: &Label| {
            let start = label.span.start.min(last);
            let line = self.report.source().line(start);
            let longest = if line.len() > LONG { MARGIN } else { LONG };
            let end = label.span.end.min(line.end).min(start + longest);
            let span = Span::new(start, end).clamped(self.report.shown());
            Label { span, text: label.text.clone() }
        };
        let labels: Vec<Label> = labels.iter().map(one_line).collect();
        let long = |label: &Label| self.report.source().line(label.span.start).len() > LONG;
        let shown = if labels.iter().any(long) { 1 } else { labels.len() };
        labels.into_iter().take(shown).collect()
    }

    /// The bytes to show around `span`.
    fn around(&self, span: Span, before: usize, after: usize) -> Span {
        let source = self.report.source();
        let (mut first, mut last) = (source.line(span.start), source.line(span.end));
        let own = Span::new(first.start, last.end);
        let mut longest = first.len().max(last.len());
        for _ in 0..before {
            if first.start > 0 {
                first = source.line(first.start - 1);
                longest = longest.max(first.len());
            }
        }
        for _ in 0..after {
            if last.end < self.report.shown().len() {
                last = source.line(last.end + 1);
                longest = longest.max(last.len());
            }
        }
        if longest <= LONG {
            // Without lines before it, the text starts with the label: that is how miette asks for its column.
            let start = if before == 0 { span.start } else { first.start };
            return Span::new(start, last.end.max(start)).clamped(self.report.shown());
        }
        let window = Span::new(span.start.saturating_sub(MARGIN), span.end + MARGIN);
        Span::new(window.start.max(own.start), window.end.min(own.end)).clamped(self.report.shown())
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let span = Span::new(span.offset(), span.offset().saturating_add(span.len()));
        let shown = self.around(span, before, after);
        let text = shown.of(self.report.shown());
        let start = self.report.source().position(shown.start);
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            text.as_bytes(),
            (shown.start, shown.len()).into(),
            start.line - 1,
            start.column - 1,
            text.lines().count(),
        )))
    }
}
