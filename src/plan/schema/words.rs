//! How values and places are named in messages.

use serde_json::Value;

use crate::plan::text::{Path, PathSegment};
use crate::unit::KeyText;

/// The longest value that a message repeats, in characters.
const LONGEST: usize = 60;

/// A value's kind, with its article.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// What a message calls the value at `path`.
pub(super) fn subject(path: &Path) -> String {
    match path.0.last() {
        None => "the plan".to_owned(),
        Some(PathSegment::Key(key)) => quoted(key),
        Some(PathSegment::Index(index)) => {
            let list = path.parent().map(|parent| subject(&parent)).unwrap_or_default();
            format!("item {} of {list}", index + 1)
        }
    }
}

/// A user's word between backticks: no control character, cut when long.
pub(super) fn quoted(word: &str) -> String {
    match word.char_indices().nth(LONGEST) {
        None => format!("`{}`", KeyText(word.as_bytes())),
        Some((end, _)) => format!("`{}…`", KeyText(word.get(..end).unwrap_or_default().as_bytes())),
    }
}
