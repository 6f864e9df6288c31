//! One thing that is wrong with a plan.

use super::catalogue::{Fault, Severity};
use crate::plan::text::{Path, Span};

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row of the catalogue.
    pub fault: &'static Fault,
    /// The value it is about; the whole plan when empty.
    pub path: Path,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// Where; the first is the place of the fault, the others explain it. Empty when the text cannot be shown.
    pub labels: Vec<Label>,
    /// The way out.
    pub help: Option<String>,
    /// A change of the text that is certain to say what was meant.
    pub edit: Option<Box<Edit>>,
    severity: Severity,
}

/// A range of the text and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The range.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

/// A range of the text and what is to stand there instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The range.
    pub span: Span,
    /// The new text.
    pub text: String,
}

impl Problem {
    /// A problem without a place.
    #[must_use]
    pub fn new(fault: &'static Fault, path: Path, message: impl Into<String>) -> Self {
        Self {
            fault,
            path,
            message: message.into(),
            labels: vec![],
            help: None,
            edit: None,
            severity: fault.severity(),
        }
    }

    /// Adds a place; the first is the place of the fault.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says the way out, when there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Offers a change that mends it. Only one that nobody would have to think about.
    #[must_use]
    pub fn edit(mut self, span: Span, text: impl Into<String>) -> Self {
        self.edit = Some(Box::new(Edit { span, text: text.into() }));
        self
    }

    /// Takes it for a risk only, whatever the fault is at its worst: an item of the precheck may only warn.
    #[must_use]
    pub const fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The place of the fault.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}
