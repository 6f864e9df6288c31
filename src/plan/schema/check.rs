//! What is wrong with a value by the schema, in words and places of the plan.

use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::formats::{self, FORMATS, Format, NUMBERS};
use super::suggest::closest;
use super::tree::{self, alternatives};
use super::words::{kind_of, quoted, subject};
use crate::plan::fault::catalogue::{endpoints, shape};
use crate::plan::fault::{Fault, Problem};
use crate::plan::text::{Path, Segment, is_reference_key, is_secret_key};
use crate::plan::yaml::{Located, Tree};

/// A problem, and which part of the value makes it.
pub(in crate::plan) struct Finding {
    /// The problem.
    pub(in crate::plan) problem: Problem,
    /// The value to take out, so that the rest can be judged.
    pub(in crate::plan) wrong: Wrong,
}

/// Which part of a value is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Wrong {
    /// The value at this path.
    Value(Path),
    /// The mapping at this path lacks a key.
    Missing(Path, String),
}

/// A validator of plans.
pub(in crate::plan) struct Checker(Validator);

impl Checker {
    /// Builds the validator: some milliseconds. `None` when the schema is not valid itself, which a test excludes.
    pub(in crate::plan) fn new() -> Option<Self> {
        let mut options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        for format in &FORMATS {
            options = options.with_format(format.name, format.accepts);
        }
        for name in NUMBERS {
            options = options.with_format(name, |_: &str| true);
        }
        options.should_ignore_unknown_formats(false).build(tree::root()).ok().map(Self)
    }

    /// Everything that is wrong with `value`.
    pub(in crate::plan) fn check(&self, value: &Value, places: &Tree) -> Vec<Finding> {
        let mut faults = Faults { places, found: vec![] };
        for error in self.0.iter_errors(value) {
            faults.translate(&error);
        }
        // What the schema refuses is never taken for valid, whatever became of its errors on the way here.
        if faults.found.is_empty() && !self.0.is_valid(value) {
            let message = "the plan does not fit its schema".to_owned();
            faults.value(&shape::WRONG_TYPE, &Path::default(), message, "somewhere in here", None);
        }
        faults.found
    }
}

/// Translates errors of the validator.
pub(super) struct Faults<'a> {
    pub(super) places: &'a Tree,
    pub(super) found: Vec<Finding>,
}

impl Faults<'_> {
    pub(super) fn translate(&mut self, error: &ValidationError<'_>) {
        let path = path(error.instance_path());
        let schema = tree::holder(error.schema_path().as_str());
        let value: &Value = error.instance();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    self.unknown_key(&path, key, schema);
                }
            }
            ValidationErrorKind::Required { property } => {
                self.missing_key(&path, property.as_str().unwrap_or_default(), schema);
            }
            ValidationErrorKind::Constant { .. } if path.last_key() == Some("version") => {
                // Of another kind than a number, its type is reported already.
                if value.is_number() {
                    self.plan_version(&path, value);
                }
            }
            ValidationErrorKind::OneOfNotValid { context } => self.no_form(&path, value, schema, context),
            ValidationErrorKind::Type { .. } => self.wrong_type(&path, value, schema),
            ValidationErrorKind::Format { format } => self.wrong_format(&path, value, formats::find(format)),
            ValidationErrorKind::Pattern { .. } => self.bad_name(&path, &path, value),
            ValidationErrorKind::PropertyNames { error } => {
                let name: &Value = error.instance();
                self.bad_name(&path, &path.key(name.as_str().unwrap_or_default()), name);
            }
            kind => self.out_of_range(&path, kind),
        }
    }

    pub(super) fn place(&self, path: &Path) -> Located {
        self.places.locate_nearest(path)
    }

    /// Reports that the value at `path` is wrong.
    pub(super) fn value(
        &mut self,
        fault: &'static Fault,
        path: &Path,
        message: String,
        label: &str,
        help: Option<String>,
    ) {
        let place = self.place(path);
        let problem = Problem::new(fault, path.clone(), message).label(place.short(), label).maybe_help(help);
        self.found.push(Finding { problem, wrong: Wrong::Value(path.clone()) });
    }

    pub(super) fn unknown_key(&mut self, path: &Path, key: &str, schema: &'static Value) {
        let inner = path.key(key);
        let span = self.place(&inner).key_or_value();
        if is_secret(path) && !is_reference_key(key) {
            // The key may be the secret itself.
            let problem =
                Problem::new(&shape::UNKNOWN_KEY, path.clone(), format!("{} has a key that is unknown", subject(path)));
            let problem = problem.label(span, "unknown key").help(SECRET_FORMS);
            self.found.push(Finding { problem, wrong: Wrong::Value(inner) });
            return;
        }
        let mut known = tree::keys(schema);
        known.extend(tree::forms(schema).into_iter().filter_map(tree::tag));
        let message = if path.0.is_empty() {
            format!("a plan has no key {}", quoted(key))
        } else {
            format!("{} has no key {}", subject(path), quoted(key))
        };
        let problem = Problem::new(&shape::UNKNOWN_KEY, inner.clone(), message).label(span, "unknown key");
        let problem = problem.help(key_help(path, key, &known));
        self.found.push(Finding { problem, wrong: Wrong::Value(inner) });
    }

    fn missing_key(&mut self, path: &Path, key: &str, schema: &'static Value) {
        let span = if path.0.is_empty() { self.places.first_key() } else { self.place(path).key_or_value() };
        let message = format!("{} has no `{key}`", subject(path));
        let property = tree::property(schema, key);
        let purpose = property.and_then(tree::purpose).map(|purpose| format!("`{key}`: {purpose}"));
        let problem =
            Problem::new(&shape::MISSING_KEY, path.clone(), message).label(span, format!("`{key}` is missing here"));
        let problem = problem.maybe_help(purpose);
        self.found.push(Finding { problem, wrong: Wrong::Missing(path.clone(), key.to_owned()) });
    }

    fn plan_version(&mut self, path: &Path, value: &Value) {
        let newer = value.as_u64().is_some_and(|version| version > 1);
        let help = if newer { "a later version of this program may read it" } else { "write `version: 1`" };
        let message = "this program reads plans of version 1 only".to_owned();
        self.value(&shape::PLAN_VERSION, path, message, "not 1", Some(help.to_owned()));
    }

    pub(super) fn wrong_type(&mut self, path: &Path, value: &Value, schema: &'static Value) {
        let schema = tree::resolved(schema);
        let format = schema.get("format").and_then(Value::as_str).and_then(formats::find);
        if let (Value::Number(number), Some(Format { with_unit: Some(with_unit), noun, examples, .. })) =
            (value, format)
        {
            let fixed = number.as_u64().map(with_unit);
            return self.missing_unit(path, noun, examples, fixed);
        }
        let name = subject(path);
        let wants = tree::wants(schema);
        if value.is_null() {
            let help = format!("delete the key, or give it a value: {wants}");
            return self.value(
                &shape::WRONG_TYPE,
                path,
                format!("{name} has no value"),
                "nothing behind it",
                Some(help),
            );
        }
        let message = format!("{name} takes {wants}, not {}", kind_of(value));
        let help = if is_secret(path) { None } else { conversion(path, value, tree::kind(schema)) };
        self.value(&shape::WRONG_TYPE, path, message, kind_of(value), help);
    }

    fn missing_unit(&mut self, path: &Path, noun: &str, examples: &str, fixed: Option<String>) {
        let help = match (fixed, path.last_key()) {
            (Some(fixed), Some(key)) => format!("write for example `{key}: {fixed}`"),
            _ => format!("write for example {examples}"),
        };
        let message = format!("{} is {noun} and needs a unit", subject(path));
        self.value(&shape::MISSING_UNIT, path, message, "no unit", Some(help));
    }

    fn wrong_format(&mut self, path: &Path, value: &Value, format: Option<&Format>) {
        let text = value.as_str().unwrap_or_default();
        let (noun, examples) = format.map_or(("well-formed", ""), |format| (format.noun, format.examples));
        let number = text.trim().parse::<u64>().ok();
        if let (Some(number), Some(with_unit)) = (number, format.and_then(|format| format.with_unit)) {
            return self.missing_unit(path, noun, examples, Some(with_unit(number)));
        }
        let message = format!("{} is not {noun}", quoted(text));
        self.value(
            &shape::WRONG_FORMAT,
            path,
            message,
            &format!("not {noun}"),
            Some(format!("write for example {examples}")),
        );
    }

    fn bad_name(&mut self, around: &Path, path: &Path, value: &Value) {
        let name = value.as_str().unwrap_or_default();
        let span = if around == path { self.place(path).short() } else { self.place(path).key_or_value() };
        let (message, help) = if around == path {
            let help = plan_name(name).map(|fixed| format!("write for example `{fixed}`"));
            (format!("{} cannot be the name of a plan", quoted(name)), help)
        } else {
            (format!("{} cannot be the name of a label", quoted(name)), None)
        };
        let rule =
            if around == path { "1 to 64 of a-z, 0-9 and `-`" } else { "letters, digits, `.`, `_`, `/` and `-`" };
        let problem = Problem::new(&shape::BAD_NAME, path.clone(), message).label(span, rule).maybe_help(help);
        self.found.push(Finding { problem, wrong: Wrong::Value(path.clone()) });
    }

    fn out_of_range(&mut self, path: &Path, kind: &ValidationErrorKind) {
        let name = subject(path);
        let (message, label) = match kind {
            ValidationErrorKind::Minimum { limit } => (format!("{name} is at least {limit}"), "too small"),
            ValidationErrorKind::Maximum { limit } => (format!("{name} is at most {limit}"), "too large"),
            ValidationErrorKind::MaxItems { limit } => (format!("{name} has more than {limit} items"), "too many"),
            ValidationErrorKind::MinItems { .. } => (format!("{name} is an empty list"), "nothing in it"),
            other => (format!("{name} does not fit the schema (`{}`)", other.keyword()), "does not fit"),
        };
        self.value(&shape::OUT_OF_RANGE, path, message, label, None);
    }

    pub(super) fn literal_secret(&mut self, path: &Path) {
        let message = format!("{} stands in the plan itself", subject(path));
        self.value(&endpoints::LITERAL_SECRET, path, message, "a literal secret", Some(SECRET_FORMS.to_owned()));
    }
}

pub(super) const SECRET_FORMS: &str = "write `{ env: NAME }`, `{ file: PATH }` or `{ command: [program, arguments] }`";

/// Whether the value at `path` is, or is part of, a secret.
pub(super) fn is_secret(path: &Path) -> bool {
    path.0.iter().any(|segment| matches!(segment, Segment::Key(key) if is_secret_key(key)))
}

fn key_help(path: &Path, key: &str, known: &[&str]) -> String {
    let around = path.to_string();
    let homes: Vec<&String> = tree::homes(key).iter().filter(|home| **home != around).collect();
    if let Some(meant) = closest(key, known) {
        return format!("did you mean `{meant}`?");
    }
    if !homes.is_empty() && homes.len() <= 3 {
        let homes: Vec<String> = homes
            .iter()
            .map(|home| if home.is_empty() { "the top level".to_owned() } else { format!("`{home}`") })
            .collect();
        return format!("{} belongs under {}", quoted(key), alternatives(&homes));
    }
    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    format!("known here: {}", known.join(", "))
}

/// How a value of the wrong kind would be written in the right one.
fn conversion(path: &Path, value: &Value, kind: Option<&str>) -> Option<String> {
    let key = path.last_key().map_or(String::new(), |key| format!("{key}: "));
    let fixed = match (value, kind) {
        (Value::String(text), Some("integer")) if text.trim().parse::<u64>().is_ok() => text.trim().to_owned(),
        (Value::String(text), Some("boolean")) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => "true".to_owned(),
            "no" | "off" | "n" => "false".to_owned(),
            _ => return None,
        },
        (Value::Number(_) | Value::Bool(_), Some("string")) => format!("\"{value}\""),
        (Value::String(text), Some("array")) if text.len() <= 60 && !text.contains(['\n', ':', '#']) => {
            format!("[{}]", text.split_whitespace().collect::<Vec<_>>().join(", "))
        }
        _ => return None,
    };
    Some(format!("write `{key}{}`", quoted(&fixed).trim_matches('`')))
}

/// A name made of what can be kept of another.
fn plan_name(name: &str) -> Option<String> {
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let kept = kept.get(..kept.len().min(64))?.trim_matches('-');
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn path(location: &Location) -> Path {
    let segments = location.iter().map(|segment| match segment {
        LocationSegment::Property(key) => Segment::Key(key.into_owned()),
        LocationSegment::Index(index) => Segment::Index(index),
    });
    Path(segments.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_builds_a_validator() {
        assert!(Checker::new().is_some());
    }
}
