//! Taking wrong parts out of a plan, so that the rest can be judged in the same report.

use serde_json::{Value, json};

use super::check::{Checker, SchemaFinding, Wrong};
use crate::plan::text::{Path, PathSegment};
use crate::plan::yaml::Tree;

/// Rounds of taking out; each takes out at least one value.
const MAX_ROUNDS: usize = 16;

/// The rest of a plan after its wrong parts were taken out, and the paths that say nothing any more. `None` when no
/// plan is left.
pub(in crate::plan) fn prune(
    checker: &Checker,
    value: &Value,
    findings: Vec<SchemaFinding>,
    places: &Tree,
) -> Option<(Value, Vec<Path>)> {
    let mut value = value.clone();
    let mut unknown = vec![];
    let mut findings = findings;
    for _ in 0..MAX_ROUNDS {
        if findings.is_empty() {
            return Some((value, unknown));
        }
        for finding in &findings {
            unknown.push(take_out(&mut value, &finding.wrong)?);
        }
        findings = checker.check(&value, places);
    }
    None
}

/// Takes out what is wrong; answers the path that is gone, or that now holds a stand-in.
fn take_out(value: &mut Value, wrong: &Wrong) -> Option<Path> {
    match wrong {
        Wrong::Missing(path, key) if path.0.is_empty() => {
            value.as_object_mut()?.insert(key.clone(), stand_in(key)?);
            Some(path.key(key))
        }
        Wrong::Missing(path, _) | Wrong::Value(path) => remove(value, path),
    }
}

/// A valid value for a key that every plan has.
fn stand_in(key: &str) -> Option<Value> {
    Some(match key {
        "version" => json!(1),
        "name" => json!("unnamed"),
        "source" => json!({ "url": "redis://source" }),
        "destination" => json!({ "url": "redis://destination" }),
        "migration" => json!(["full"]),
        _ => return None,
    })
}

/// Removes the key that the value at `path` is, or is part of: an item of a list takes the list with it, or the
/// indices of the others would no longer be theirs.
fn remove(value: &mut Value, path: &Path) -> Option<Path> {
    let mut path = path.clone();
    while matches!(path.0.last(), Some(PathSegment::Index(_))) {
        path.0.pop();
    }
    let (last, around) = path.0.split_last()?;
    let mut at = value;
    for segment in around {
        // An earlier finding may have taken this part out already.
        at = match segment {
            PathSegment::Key(key) => match at.get_mut(key) {
                Some(inner) => inner,
                None => return Some(path),
            },
            PathSegment::Index(index) => match at.get_mut(index) {
                Some(inner) => inner,
                None => return Some(path),
            },
        };
    }
    if let (PathSegment::Key(key), Some(object)) = (last, at.as_object_mut()) {
        // The order of the rest means nothing here.
        object.swap_remove(key);
    }
    Some(path)
}
