//! The items of a precheck.

use std::fmt::Write as _;

use crate::report::text::Clean;
use crate::step::{Check, Verdict};

/// The items as aligned lines for a terminal, the count last. What to do about one that fails or warns is said at the
/// plan's own line; about one that could not be found out it is said here.
pub fn check_list(checks: &[Check], colour: bool) -> String {
    let width = checks.iter().map(|check| check.item.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let verdict = painted(check.verdict, colour);
        _ = writeln!(out, "{verdict} {:<width$}  {}", Clean(&check.item).to_string(), Clean(&check.seen));
        if check.verdict == Verdict::Unknown && !check.remedy.is_empty() {
            _ = writeln!(out, "        {:<width$}  → {}", "", Clean(&check.remedy));
        }
    }
    _ = writeln!(out, "{}", count(checks));
    out
}

/// The items as a Markdown table.
pub fn check_table(checks: &[Check]) -> String {
    let mut out = "| verdict | item | seen | what to do |\n| --- | --- | --- | --- |\n".to_owned();
    for check in checks {
        let cells = [word(check.verdict), &check.item, &check.seen, &check.remedy].map(crate::report::run::cell);
        _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn count(checks: &[Check]) -> String {
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let mut parts = vec![format!("{} passed", of(Verdict::Pass))];
    for (verdict, name) in
        [(Verdict::Warn, "with a warning"), (Verdict::Fail, "failed"), (Verdict::Unknown, "could not be found out")]
    {
        if of(verdict) > 0 {
            parts.push(format!("{} {name}", of(verdict)));
        }
    }
    parts.join(", ")
}

pub(in crate::report) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "unknown",
    }
}

fn painted(verdict: Verdict, colour: bool) -> String {
    let code = match verdict {
        Verdict::Pass => "32",
        Verdict::Warn | Verdict::Unknown => "33",
        Verdict::Fail => "31;1",
    };
    let padded = format!("{:<7}", word(verdict));
    if colour { format!("\x1b[{code}m{padded}\x1b[0m") } else { padded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        [
            ("source-version", Verdict::Pass, "Redis 5.0.10", ""),
            ("eviction", Verdict::Warn, "allkeys-lru", "set `maxmemory-policy noeviction`"),
            ("clocks", Verdict::Unknown, "TIME is not answered", "synchronise the clocks"),
            ("destination-empty", Verdict::Fail, "db0 has 12\nkeys | more", "empty it, or say `on_conflict: replace`"),
        ]
        .map(|(item, verdict, seen, remedy)| Check {
            item: item.to_owned(),
            code: String::new(),
            place: String::new(),
            verdict,
            seen: seen.to_owned(),
            remedy: remedy.to_owned(),
        })
        .to_vec()
    }

    #[test]
    fn a_list_for_the_terminal_and_a_table_for_the_report() {
        insta::assert_snapshot!("list", check_list(&checks(), false));
        insta::assert_snapshot!("table", check_table(&checks()));
        assert!(check_list(&checks(), true).contains("\x1b[31;1mFAIL   \x1b[0m destination-empty"));
    }
}
