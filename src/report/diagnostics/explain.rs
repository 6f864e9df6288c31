//! The page of one code, and the list of all.

use std::fmt::Write as _;

use crate::plan::Fault;
use crate::plan::fault::catalogue;

/// The page of a code: what it is about, its title, and the explanation wrapped to `width` columns (at least 40).
#[must_use]
pub fn explain(fault: &Fault, width: usize) -> String {
    let width = width.max(40);
    let mut out = format!("{} ({}): {}\n\n", fault.code, fault.about, fault.title);
    let mut column = 0;
    for word in fault.explanation.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

/// Every code with its title, one a line.
#[must_use]
pub fn list() -> String {
    let width = catalogue::all().map(|fault| fault.about.to_string().len()).max().unwrap_or(0);
    let mut out = String::new();
    for fault in catalogue::all() {
        _ = writeln!(out, "{}  {:width$}  {}", fault.code, fault.about.to_string(), fault.title);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_keeps_to_its_width_and_loses_no_word() {
        for fault in catalogue::all() {
            for width in [40, 80] {
                let page = explain(fault, width);
                let (_, text) = page.split_once("\n\n").unwrap();
                assert!(text.lines().all(|line| line.chars().count() <= width), "{page}");
                assert_eq!(
                    text.split_whitespace().collect::<Vec<_>>(),
                    fault.explanation.split_whitespace().collect::<Vec<_>>()
                );
            }
        }
    }
}
