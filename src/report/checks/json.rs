//! The items for programs. The structure is stable: `format` counts up when it changes otherwise than by new keys.

use serde_json::{Value, json};

use super::problems::span;
use crate::{
    plan::{LoadedPlan, fault::catalogue::checks},
    step::{Check, Outcome},
};

/// Every item, with the plan's line it is about (from 1), why it matters and what to do.
pub fn check_json(outcome: Outcome, checks: &[Check], plan: &LoadedPlan) -> Value {
    json!({
        "format": 1,
        "file": plan.warnings.source().name(),
        "outcome": outcome,
        "checks": checks.iter().map(|check| item(check, plan)).collect::<Vec<_>>(),
    })
}

fn item(check: &Check, plan: &LoadedPlan) -> Value {
    let row = checks::of_item(&check.item);
    let at = plan.warnings.source().position(span(check, plan).start);
    json!({
        "item": check.item,
        "code": check.code,
        "verdict": check.verdict,
        "place": check.place,
        "line": at.line,
        "column": at.column,
        "seen": check.seen,
        "why": row.map(|row| row.explanation),
        "remedy": check.remedy,
        "url": row.map(crate::plan::Fault::url),
    })
}
