//! What a wrong value or key would be when it were right.

use serde_json::Value;

/// A value as it would be written.
pub(super) struct Suggestion {
    /// The text.
    pub(super) text: String,
    /// Nobody could have meant anything else.
    pub(super) certain: bool,
}

/// How a value of the wrong kind would be written in the right one. `written` is a scalar's own text: the value of `1.10`
/// has lost its zero.
pub(super) fn conversion(value: &Value, written: Option<&str>, kind: Option<&str>) -> Option<Suggestion> {
    let fixed = |text: String| Some(Suggestion { text, certain: true });
    match (value, kind) {
        (Value::String(text), Some("integer")) => {
            let digits = text.trim().replace('_', "");
            digits.parse::<u64>().ok().and_then(|number| fixed(number.to_string()))
        }
        (Value::String(text), Some("boolean")) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => fixed("true".to_owned()),
            "no" | "off" | "n" | "false" => fixed("false".to_owned()),
            _ => None,
        },
        (Value::Number(_) | Value::Bool(_), Some("string")) => {
            fixed(format!("\"{}\"", written.filter(|text| !text.contains(['"', '\\', '\n']))?))
        }
        (Value::String(text), Some("array")) if is_list_of_words(text) => {
            let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            Some(Suggestion { text: format!("[{}]", words.join(", ")), certain: words.len() == 1 })
        }
        (Value::Number(number), Some("array")) => fixed(format!("[{number}]")),
        _ => None,
    }
}

/// Whether a text could be a list whose brackets were left out.
fn is_list_of_words(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | '_' | '-' | '.' | '/');
    !text.trim().is_empty() && text.len() <= 60 && text.chars().all(plain) && !text.starts_with('-')
}

/// The one of `known` that `word` is when its typing errors are taken out: near to it, and to no other.
pub(super) fn misspelt<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase().replace(['-', ' '], "_");
    let allowed = if word.len() < 6 { 1 } else { 2 };
    let mut near = known.iter().filter(|key| strsim::damerau_levenshtein(&word, key) <= allowed);
    match (near.next(), near.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_a_correction() {
        let keys = ["url", "rdb", "username", "password", "from", "for"];
        for (word, meant) in [
            ("user-name", Some("username")),
            ("Password", Some("password")),
            ("urls", Some("url")),
            ("host", None),
            ("fro", None),
        ] {
            assert_eq!(misspelt(word, &keys), meant, "{word}");
        }
    }

    #[test]
    fn a_number_keeps_the_digits_it_was_written_with() {
        let text = |value: Value, written, kind| conversion(&value, Some(written), Some(kind)).map(|fixed| fixed.text);
        assert_eq!(text(1.1.into(), "1.10", "string").as_deref(), Some("\"1.10\""));
        assert_eq!(text(7.into(), "007", "string").as_deref(), Some("\"007\""));
        assert_eq!(text("full".into(), "full", "array").as_deref(), Some("[full]"));
        assert_eq!(text("Yes".into(), "Yes", "boolean").as_deref(), Some("true"));
        assert_eq!(text("maybe".into(), "maybe", "boolean"), None);
    }
}
