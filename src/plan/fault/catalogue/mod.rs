//! Every code there is, one row each: what can be wrong with a plan (`P`), what the precheck judges (`C`) and how a run
//! can end (`R`). Codes are stable: one that is no longer found is not given to another.
//!
//! `P0..` the text, `P1..` the shape, `P2..` servers and secrets, `P3..` databases and keys, `P4..` the steps (from P430 on what others on the network learn),
//! `P9..` what the schema accepts and this version does not execute. `C1..` the source, `C2..` the destination, `C3..`
//! both together, `C4..` this host. `R0NN` every run that ends with exit code NN, `R1..` to `R6..` the causes.
//!
//! A row is the one source of `plan explain CODE`, of the code's page in the book and of the page behind [`Fault::url`].

pub mod checks;
pub mod endpoints;
pub mod exposure;
pub mod keys;
pub mod later;
pub mod runs;
pub mod shape;
pub mod steps;
pub mod text;

use crate::step::Outcome;

/// Where the pages of the codes can be read: a code is found there by its name.
const PAGES: &str = "https://docs.rs/redis-plan/latest/redis_plan/?search=";

/// A row of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stable code, such as `P101`.
    pub code: &'static str,
    /// What it is a code of.
    pub about: About,
    /// The fault in a few words.
    pub title: &'static str,
    /// Why it matters and what to do, a paragraph.
    pub explanation: &'static str,
}

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A fault of a plan file (`P`).
    Plan(Severity),
    /// An item of the precheck (`C`), by its name, such as `destination-writable`.
    Item(&'static str),
    /// A way a run ends (`R`).
    Ending(Outcome),
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan cannot run.
    Error,
    /// The plan can run, with a risk.
    Warning,
}

impl Fault {
    /// How bad it is at its worst: an item of the precheck may also end in a warning.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.about {
            About::Plan(severity) => severity,
            About::Item(_) | About::Ending(_) => Severity::Error,
        }
    }

    /// Where its page can be read.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{PAGES}{}", self.code)
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plan(severity) => severity.fmt(f),
            Self::Item(item) => write!(f, "check {item}"),
            Self::Ending(outcome) => write!(f, "exit code {}", outcome.exit_code()),
        }
    }
}

/// Every row, in the order of the families and their codes.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    plan().chain(checks::ROWS.iter().copied()).chain(runs::ROWS.iter().copied())
}

/// The rows of faults of a plan, in the order of the codes.
pub fn plan() -> impl Iterator<Item = &'static Fault> {
    let parts = [text::ROWS, shape::ROWS, endpoints::ROWS, keys::ROWS, steps::ROWS, exposure::ROWS, later::ROWS];
    parts.into_iter().flatten().copied()
}

/// The row of a code, in any case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.code.eq_ignore_ascii_case(code.trim()))
}

/// Rows of the catalogue: a constant each, and the list of them. What stands behind the code says what it is about: a
/// severity, `Item("name")` or `Ending(Outcome)`.
macro_rules! rows {
    ($($name:ident = $code:literal, $about:ident $(($of:tt))?, $title:literal, $explanation:literal;)+) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            #[doc = ""]
            #[doc = $explanation]
            #[doc(alias = $code)]
            pub static $name: super::Fault = super::Fault {
                code: $code,
                about: super::about!($about $($of)?),
                title: $title,
                explanation: $explanation,
            };
        )+
        pub(super) static ROWS: &[&super::Fault] = &[$(&$name),+];
    };
}
use rows;

/// What a row is about, from its short form.
macro_rules! about {
    (Error) => {
        super::About::Plan(super::Severity::Error)
    };
    (Warning) => {
        super::About::Plan(super::Severity::Warning)
    };
    (Item $item:literal) => {
        super::About::Item($item)
    };
    (Ending $outcome:ident) => {
        super::About::Ending(crate::step::Outcome::$outcome)
    };
}
use about;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_no_two_are_the_same() {
        for family in [plan().collect::<Vec<_>>(), checks::ROWS.to_vec(), runs::ROWS.to_vec()] {
            let codes: Vec<_> = family.iter().map(|fault| fault.code).collect();
            assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        }
    }

    #[test]
    fn every_row_says_why_and_what_to_do() {
        for fault in all() {
            assert!(fault.explanation.len() > 120, "{}: too short to help", fault.code);
            assert!(fault.explanation.ends_with('.') && !fault.title.ends_with('.'), "{}", fault.code);
        }
    }

    #[test]
    fn the_letter_of_a_code_is_its_family() {
        for fault in all() {
            let letter = match fault.about {
                About::Plan(_) => 'P',
                About::Item(_) => 'C',
                About::Ending(_) => 'R',
            };
            let digits = fault.code.strip_prefix(letter).unwrap_or_else(|| panic!("{} is no {letter}", fault.code));
            assert!(digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", fault.code);
        }
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!(find(" p101 ").map(|fault| fault.code), Some("P101"));
        assert!(find("P000").is_none());
    }
}
