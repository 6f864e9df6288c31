//! Everything that is wrong with one plan file.

use std::sync::Arc;

use super::catalogue::Severity;
use super::{Edit, Problem};
use crate::plan::text::SourceText;

/// The most problems that are kept; the rest is counted. Nobody reads more, and a hostile file would fill the memory of
/// whoever renders them.
const MAX_KEPT: usize = 1000;

/// Everything that is wrong with one plan file, in the order of the text.
#[derive(Clone, Debug)]
pub struct Report(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    source: Arc<SourceText>,
    shown: Arc<str>,
    problems: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// A report on `source`. `shown` is its text as it may be shown: byte for byte as long, without secrets and without
    /// characters that a terminal obeys. Problems that say the same thing are kept once.
    #[must_use]
    pub fn new(source: Arc<SourceText>, shown: Arc<str>, mut problems: Vec<Problem>) -> Self {
        for label in problems.iter_mut().flat_map(|problem| &mut problem.labels) {
            label.span = label.span.clamped(&shown);
        }
        // A change over several lines would move what the others point at.
        let fits = |edit: &Edit| edit.span.clamped(&shown) == edit.span && !edit.span.of(&shown).contains('\n');
        for problem in &mut problems {
            problem.edit.take_if(|edit| !fits(edit));
        }
        let order = |problem: &Problem| (problem.span().unwrap_or_default(), problem.fault.code);
        problems.sort_by(|a, b| (order(a), &a.path, &a.message).cmp(&(order(b), &b.path, &b.message)));
        problems.dedup_by(|a, b| {
            (a.fault.code, a.span(), &a.path, &a.message) == (b.fault.code, b.span(), &b.path, &b.message)
        });
        let errors = problems.iter().filter(|problem| problem.severity() == Severity::Error).count();
        let warnings = problems.len() - errors;
        problems.truncate(MAX_KEPT);
        Self(Box::new(Inner { source, shown, problems, errors, warnings }))
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &SourceText {
        &self.0.source
    }

    /// The file's text as it may be shown: spans fit it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// The problems, in the order of the text; of very many the first thousand.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// How many problems make the plan invalid.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.errors
    }

    /// How many problems are risks only.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.0.warnings
    }

    /// How many problems were counted and not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.errors() + self.warnings() - self.0.problems.len()
    }

    /// A report on the same file with other problems, for what is found out later, such as by the precheck.
    #[must_use]
    pub fn with(&self, problems: Vec<Problem>) -> Self {
        Self::new(self.0.source.clone(), self.0.shown.clone(), problems)
    }
}
