//! Every fault a plan can have, one row each. Codes are stable: one that is no longer found is not given to another.
//!
//! `P0..` the text, `P1..` the shape, `P2..` servers and secrets, `P3..` databases and keys, `P4..` the steps,
//! `P9..` what the schema accepts and this version does not execute.

pub mod endpoints;
pub mod keys;
pub mod later;
pub mod shape;
pub mod steps;
pub mod text;

/// A row of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stable code, such as `P101`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The fault in a few words.
    pub title: &'static str,
    /// Why it matters and what to do, a paragraph.
    pub explanation: &'static str,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan cannot run.
    Error,
    /// The plan can run, with a risk.
    Warning,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Every row, in the order of the codes.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    let parts = [text::ROWS, shape::ROWS, endpoints::ROWS, keys::ROWS, steps::ROWS, later::ROWS];
    parts.into_iter().flatten().copied()
}

/// The row of a code, in any case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.code.eq_ignore_ascii_case(code.trim()))
}

/// Rows of the catalogue: a constant each, and the list of them.
macro_rules! rows {
    ($($name:ident = $code:literal, $severity:ident, $title:literal, $explanation:literal;)+) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            pub static $name: super::Fault = super::Fault {
                code: $code,
                severity: super::Severity::$severity,
                title: $title,
                explanation: $explanation,
            };
        )+
        pub(super) static ROWS: &[&super::Fault] = &[$(&$name),+];
    };
}
use rows;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_no_two_are_the_same() {
        let codes: Vec<_> = all().map(|fault| fault.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }

    #[test]
    fn every_row_says_why_and_what_to_do() {
        for fault in all() {
            assert!(fault.explanation.len() > 120, "{}: too short to help", fault.code);
            assert!(fault.explanation.ends_with('.') && !fault.title.ends_with('.'), "{}", fault.code);
        }
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!(find(" p101 ").map(|fault| fault.code), Some("P101"));
        assert!(find("P000").is_none());
    }
}
