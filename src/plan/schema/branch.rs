//! A value that is none of several forms: which form was meant, and what is wrong with it.

use jsonschema::error::ValidationError;
use serde_json::Value;

use super::check::{Faults, is_secret};
use super::suggest::closest;
use super::tree::{self, alternatives};
use super::words::{quoted, subject};
use crate::plan::fault::Problem;
use crate::plan::fault::catalogue::shape;
use crate::plan::schema::check::{SchemaFinding, Wrong};
use crate::plan::text::Path;

impl Faults<'_> {
    /// Reports why `value` is none of the forms of `schema`; `errors` holds what is wrong by each form.
    pub(super) fn no_form(
        &mut self,
        path: &Path,
        value: &Value,
        schema: &'static Value,
        errors: &[Vec<ValidationError<'static>>],
    ) {
        let forms = tree::forms(schema);
        match value {
            Value::Object(entries) => {
                self.no_mapping(path, &entries.keys().map(String::as_str).collect::<Vec<_>>(), schema, errors);
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) if is_secret(path) => self.literal_secret(path),
            Value::String(word) if forms.iter().any(|form| tree::word(form).is_some()) => {
                self.no_word(path, word, &forms);
            }
            _ => {
                let meant = forms.iter().position(|form| tree::kind(form) == Some(json_kind(value)));
                match meant.and_then(|form| errors.get(form)) {
                    Some(errors) => errors.iter().for_each(|error| self.translate(error)),
                    None => self.wrong_type(path, value, schema),
                }
            }
        }
    }

    fn no_mapping(
        &mut self,
        path: &Path,
        keys: &[&str],
        schema: &'static Value,
        errors: &[Vec<ValidationError<'static>>],
    ) {
        let forms = tree::forms(schema);
        let tags: Vec<Option<&str>> = forms.iter().map(|form| tree::tag(form)).collect();
        let meant: Vec<usize> = (0..forms.len())
            .filter(|form| tags.get(*form).is_some_and(|tag| tag.is_some_and(|tag| keys.contains(&tag))))
            .collect();
        let untagged = forms.iter().position(|form| tree::kind(form) == Some("object") && tree::tag(form).is_none());
        match (meant.as_slice(), untagged) {
            ([], Some(form)) => self.as_form(form, errors),
            ([], None) if tags.iter().all(Option::is_none) => {
                self.wrong_type(path, &Value::Object(serde_json::Map::new()), schema);
            }
            ([], None) => match keys {
                [] => self.value(
                    &shape::ONE_FORM,
                    path,
                    format!("{} is an empty mapping", subject(path)),
                    "nothing in it",
                    Some(one_of(&tags)),
                ),
                keys => keys.iter().for_each(|key| self.unknown_key(path, key, schema)),
            },
            ([form], _) => self.as_form(*form, errors),
            (several, _) => self.several_forms(path, several, &tags),
        }
    }

    /// Reports what is wrong with the value as the form that was meant.
    fn as_form(&mut self, form: usize, errors: &[Vec<ValidationError<'static>>]) {
        errors.get(form).into_iter().flatten().for_each(|error| self.translate(error));
    }

    fn several_forms(&mut self, path: &Path, several: &[usize], tags: &[Option<&str>]) {
        let names: Vec<&str> = several.iter().filter_map(|form| tags.get(*form).copied().flatten()).collect();
        let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("{} mixes {}; it takes exactly one", subject(path), shown.join(" and "));
        let mut problem = Problem::new(&shape::ONE_FORM, path.clone(), message);
        for (position, name) in names.iter().enumerate() {
            let text = if position == 0 { "one form" } else { "another" };
            problem = problem.label(self.place(&path.key(name)).key_or_value(), text);
        }
        let conditions = names.iter().any(|name| matches!(*name, "lag" | "source_idle"));
        let help = if conditions {
            "make each an item of its own list: `all: [ … ]` or `any: [ … ]`"
        } else {
            "keep one of them"
        };
        self.found.push(SchemaFinding { problem: problem.help(help), wrong: Wrong::Value(path.clone()) });
    }

    fn no_word(&mut self, path: &Path, word: &str, forms: &[&'static Value]) {
        let words: Vec<&str> = forms.iter().filter_map(|form| tree::word(form)).collect();
        let tags: Vec<&str> = forms.iter().filter_map(|form| tree::tag(form)).collect();
        let shown: Vec<String> = forms.iter().map(|form| tree::wants(form)).collect();
        let help = if let Some(tag) = closest(word, &tags).filter(|_| closest(word, &words).is_none()) {
            format!("`{tag}` needs its settings: `{}: {{ {tag}: {{ … }} }}`", path.last_key().unwrap_or_default())
        } else if let Some(meant) = closest(word, &words) {
            format!("did you mean `{meant}`? allowed: {}", alternatives(&shown))
        } else {
            format!("allowed: {}", alternatives(&shown))
        };
        let message = format!("{} is not a word that {} takes", quoted(word), subject(path));
        self.value(&shape::UNKNOWN_WORD, path, message, "unknown word", Some(help));
    }
}

fn one_of(tags: &[Option<&str>]) -> String {
    let tags: Vec<String> = tags.iter().flatten().map(|tag| format!("`{tag}`")).collect();
    format!("it takes exactly one of {}", tags.join(", "))
}

/// The schema's name for a value's kind.
fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
