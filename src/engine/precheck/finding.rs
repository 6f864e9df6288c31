//! What an item came to.

use crate::{
    plan::fault::catalogue::checks,
    step::{Check, Verdict},
};

/// A verdict with what was seen and what to do.
pub(super) struct Finding {
    verdict: Verdict,
    seen: String,
    remedy: String,
    place: String,
}

impl Finding {
    pub(super) fn pass(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, seen: seen.into(), remedy: String::new(), place: String::new() }
    }

    pub(super) fn warn(seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, remedy: remedy.into(), ..Self::pass(seen) }
    }

    pub(super) fn fail(seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, remedy: remedy.into(), ..Self::pass(seen) }
    }

    pub(super) fn unknown(seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, remedy: remedy.into(), ..Self::pass(seen) }
    }

    /// The plan's key it is about, where that is not the server's url.
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// The check of the item `item`, which is about `place` unless the finding says otherwise.
    pub(super) fn check(self, item: &str, place: &str) -> Check {
        let Self { verdict, seen, remedy, place: own } = self;
        let place = if own.is_empty() { place.to_owned() } else { own };
        Check { item: item.to_owned(), code: code(item), place, verdict, seen, remedy }
    }
}

/// The code of an item's page.
fn code(item: &str) -> String {
    checks::of_item(item).map_or_else(String::new, |row| row.code.to_owned())
}
