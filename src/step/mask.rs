//! The run's own secrets in what is told of it.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::unit::masked;

/// Fields by which things are known again: a plan, a run and a graph are named in public, so what they are called is no secret.
const NAMES: [&str; 4] = ["plan", "run", "digest", "code"];

/// What is told, with the secrets of this process masked in its texts. Words that its type needs stay as they are.
pub fn without_secrets<T: Serialize + DeserializeOwned>(told: T) -> T {
    let is_clean = |text: &String| matches!(masked(text), Cow::Borrowed(_));
    if serde_json::to_string(&told).as_ref().is_ok_and(is_clean) {
        return told;
    }
    let Ok(mut value) = serde_json::to_value(&told) else { return told };
    let mut found = vec![];
    texts(&value, String::new(), &mut found);
    for place in found {
        let Some(Value::String(text)) = value.pointer_mut(&place) else { continue };
        let Cow::Owned(clean) = masked(text) else { continue };
        let was = std::mem::replace(text, clean);
        if T::deserialize(&value).is_err()
            && let Some(word) = value.pointer_mut(&place)
        {
            *word = Value::String(was);
        }
    }
    T::deserialize(&value).unwrap_or(told)
}

/// Where the texts of a value are.
fn texts(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(place),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, format!("{place}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(name, _)| !NAMES.contains(&name.as_str())) {
                texts(field, format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        step::{Event, Outcome},
        unit::{Secret, mask},
    };

    #[test]
    fn texts_are_masked_and_what_a_type_needs_is_not() {
        // As unlucky as passwords can be: words of the format itself.
        for secret in ["failed", "run_finished", "outcome", "s3c\"ret"] {
            mask(&Secret::from(secret));
        }
        let event = |summary: &str| Event::RunFinished {
            outcome: Outcome::Failed,
            code: "R003".to_owned(),
            summary: summary.to_owned(),
            seconds: 0.1,
        };
        let told = without_secrets(event("it failed: -WRONGPASS s3c\"ret [115, 51, 99, 34, 114, 101, 116]"));
        assert_eq!(told, event("it ***: -WRONGPASS *** [***]"));
        assert_eq!(without_secrets(event("nothing in it")), event("nothing in it"));
    }
}
