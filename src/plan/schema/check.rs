//! What is wrong with a value by the schema, in words and places of the plan.

use std::sync::LazyLock;

use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::formats::{self, FORMATS, NUMBERS, TextFormat};
use super::mend::{self, conversion};
use super::suggest::closest;
use super::tree::{self, alternatives};
use super::words::{kind_of, quoted, subject};
use crate::plan::fault::catalogue::{endpoints, shape, steps};
use crate::plan::fault::{Fault, Problem};
use crate::plan::text::{Path, PathSegment, is_reference_key, is_secret_key};
use crate::plan::yaml::{Located, Tree};

/// Problems up to which somebody may read what was probably meant.
const MAX_SUGGESTED: usize = 2000;

/// A problem, and which part of the value makes it.
pub(in crate::plan) struct SchemaFinding {
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

/// Building the validator takes some milliseconds.
static CHECKER: LazyLock<Option<Checker>> = LazyLock::new(Checker::new);

impl Checker {
    /// The validator of this schema; `None` when the schema is not valid itself, which a test excludes.
    pub(in crate::plan) fn get() -> Option<&'static Self> {
        CHECKER.as_ref()
    }

    fn new() -> Option<Self> {
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
    pub(in crate::plan) fn check(&self, value: &Value, places: &Tree) -> Vec<SchemaFinding> {
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
    pub(super) found: Vec<SchemaFinding>,
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
            kind => self.out_of_range(&path, kind, schema),
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
        self.found.push(SchemaFinding { problem, wrong: Wrong::Value(path.clone()) });
    }

    pub(super) fn unknown_key(&mut self, path: &Path, key: &str, schema: &'static Value) {
        let inner = path.key(key);
        let span = self.place(&inner).key_or_value();
        if is_secret(path) && !is_reference_key(key) {
            // The key may be the secret itself.
            let problem =
                Problem::new(&shape::UNKNOWN_KEY, path.clone(), format!("{} has a key that is unknown", subject(path)));
            let problem = problem.label(span, "unknown key").help(SECRET_FORMS);
            self.found.push(SchemaFinding { problem, wrong: Wrong::Value(inner) });
            return;
        }
        let message = if path.0.is_empty() {
            format!("a plan has no key {}", quoted(key))
        } else {
            format!("{} has no key {}", subject(path), quoted(key))
        };
        let problem = Problem::new(&shape::UNKNOWN_KEY, inner.clone(), message).label(span, "unknown key");
        if self.found.len() >= MAX_SUGGESTED {
            let problem = problem.help("`plan schema` lists the keys there are");
            self.found.push(SchemaFinding { problem, wrong: Wrong::Value(inner) });
            return;
        }
        let mut known = tree::keys(schema);
        known.extend(tree::forms(schema).into_iter().filter_map(tree::tag));
        let mut problem = problem.help(key_help(path, key, &known));
        // Beside the key that was meant it would become a second one.
        if let Some(meant) = mend::misspelt(key, &known).filter(|meant| self.places.locate(&path.key(meant)).is_none())
            && self.places.locate(&inner).is_some()
        {
            problem = problem.edit(span, meant);
        }
        self.found.push(SchemaFinding { problem, wrong: Wrong::Value(inner) });
    }

    fn missing_key(&mut self, path: &Path, key: &str, schema: &'static Value) {
        let span = if path.0.is_empty() { self.places.first_key() } else { self.place(path).key_or_value() };
        let message = format!("{} has no `{key}`", subject(path));
        let property = tree::property(schema, key);
        let help = property.and_then(|property| missing_help(key, property));
        let problem =
            Problem::new(&shape::MISSING_KEY, path.clone(), message).label(span, format!("`{key}` is missing here"));
        let problem = problem.maybe_help(help);
        self.found.push(SchemaFinding { problem, wrong: Wrong::Missing(path.clone(), key.to_owned()) });
    }

    fn plan_version(&mut self, path: &Path, value: &Value) {
        let newer = value.as_u64().is_some_and(|version| version > 1);
        let help = if newer { "use a version of this program that reads it" } else { "write `version: 1`" };
        let message = "this program reads plans of version 1 only".to_owned();
        self.value(&shape::PLAN_VERSION, path, message, "not 1", Some(help.to_owned()));
    }

    pub(super) fn wrong_type(&mut self, path: &Path, value: &Value, schema: &'static Value) {
        let schema = tree::resolved(schema);
        let format = schema.get("format").and_then(Value::as_str).and_then(formats::find);
        if let (Value::Number(number), Some(format @ TextFormat { with_unit: Some(_), .. })) = (value, format) {
            return self.missing_unit(path, format, number.as_u64());
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
        let written = self.places.locate(path).and_then(|place| self.places.scalar(place.node));
        let fixed = if is_secret(path) { None } else { conversion(value, written, tree::kind(schema)) };
        let help = match &fixed {
            Some(fixed) => format!("write `{}{}`", key_of(path), quoted(&fixed.text).trim_matches('`')),
            None => format!("write {}", tree::example(schema).unwrap_or(wants)),
        };
        let label = if is_yaml_1_1(value) { "text: only YAML 1.1 takes it for a boolean" } else { kind_of(value) };
        self.value(&shape::WRONG_TYPE, path, message, label, Some(help));
        if let Some(fixed) = fixed.filter(|fixed| fixed.certain) {
            self.mend(path, fixed.text);
        }
    }

    fn missing_unit(&mut self, path: &Path, format: &TextFormat, number: Option<u64>) {
        let fixed = number.zip(format.with_unit).map(|(number, with_unit)| with_unit(number));
        let help = match (&fixed, path.last_key()) {
            (Some(fixed), Some(key)) => format!("write for example `{key}: {fixed}`"),
            _ => format!("write for example {}", format.examples),
        };
        let message = format!("{} is {} and needs a unit", subject(path), format.noun);
        self.value(&shape::MISSING_UNIT, path, message, "no unit", Some(help));
        if let Some(fixed) = fixed.filter(|_| number.is_some_and(format.certain)) {
            self.mend(path, fixed);
        }
    }

    /// Adds to the problem found last that writing `text` for the scalar at `path` mends it.
    pub(super) fn mend(&mut self, path: &Path, text: String) {
        let place = self.places.locate(path).filter(|place| !place.is_block);
        if let (Some(place), Some(last)) = (place, self.found.pop()) {
            let problem = last.problem.edit(place.value, text);
            self.found.push(SchemaFinding { problem, ..last });
        }
    }

    fn wrong_format(&mut self, path: &Path, value: &Value, format: Option<&TextFormat>) {
        let text = value.as_str().unwrap_or_default();
        let (noun, examples) = format.map_or(("well-formed", ""), |format| (format.noun, format.examples));
        let number = text.trim().parse::<u64>().ok();
        if let (Some(number), Some(format)) = (number, format.filter(|format| format.with_unit.is_some())) {
            return self.missing_unit(path, format, Some(number));
        }
        if format.is_some_and(|format| format.name == "window") && never_opens(text) {
            let message = format!("{} ends when it begins, so it never opens", quoted(text));
            let help = "write another end, or `00:00-24:00` for the whole day".to_owned();
            return self.value(&steps::WINDOW_NEVER, path, message, "never open", Some(help));
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
            let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_/".contains(c) { c } else { '-' });
            let kept: String = kept.take(63).collect();
            let kept = Some(kept.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned());
            let help = kept.filter(|kept| !kept.is_empty()).map(|fixed| format!("write for example `{fixed}`"));
            (format!("{} cannot be the name of a label", quoted(name)), help)
        };
        let rule =
            if around == path { "1 to 64 of a-z, 0-9 and `-`" } else { "letters, digits, `.`, `_`, `/` and `-`" };
        let problem = Problem::new(&shape::BAD_NAME, path.clone(), message).label(span, rule).maybe_help(help);
        self.found.push(SchemaFinding { problem, wrong: Wrong::Value(path.clone()) });
    }

    fn out_of_range(&mut self, path: &Path, kind: &ValidationErrorKind, schema: &'static Value) {
        let name = subject(path);
        let (message, label) = match kind {
            ValidationErrorKind::Minimum { limit } => (format!("{name} must be at least {limit}"), "too small"),
            ValidationErrorKind::Maximum { limit } => (format!("{name} must be at most {limit}"), "too large"),
            ValidationErrorKind::MaxItems { limit } => (format!("{name} has more than {limit} items"), "too many"),
            ValidationErrorKind::MinItems { .. } => (format!("{name} is an empty list"), "nothing in it"),
            other => (format!("{name} does not fit the schema (`{}`)", other.keyword()), "does not fit"),
        };
        let help = match kind {
            ValidationErrorKind::Minimum { limit } => format!("write `{}{limit}` or more", key_of(path)),
            ValidationErrorKind::Maximum { limit } => format!("write `{}{limit}` or less", key_of(path)),
            ValidationErrorKind::MaxItems { .. } => "use a pattern or a rule for several of them".to_owned(),
            ValidationErrorKind::MinItems { .. } => match tree::example(schema) {
                Some(example) => format!("write {example}"),
                None => "delete the key, or put something into the list".to_owned(),
            },
            _ => "`plan schema` says what the key takes".to_owned(),
        };
        self.value(&shape::OUT_OF_RANGE, path, message, label, Some(help));
    }

    pub(super) fn literal_secret(&mut self, path: &Path) {
        let message = format!("{} stands in the plan itself, where everybody sees it who sees the plan", subject(path));
        self.value(&endpoints::LITERAL_SECRET, path, message, "a literal secret", Some(SECRET_FORMS.to_owned()));
    }
}

pub(super) const SECRET_FORMS: &str = "write `{ env: NAME }`, `{ file: PATH }` or `{ command: [program, arguments] }`";

/// Whether the value at `path` is, or is part of, a secret.
pub(super) fn is_secret(path: &Path) -> bool {
    path.0.iter().any(|segment| matches!(segment, PathSegment::Key(key) if is_secret_key(key)))
}

/// What to add for a key that is missing, and what it is for.
fn missing_help(key: &str, property: &'static Value) -> Option<String> {
    let purpose = tree::purpose(property)?;
    let words: Vec<&str> = tree::forms(property).into_iter().filter_map(tree::word).collect();
    let shown = match (words.as_slice(), tree::flow_example(property)) {
        ([], Some(example)) => format!("for example `{key}: {example}`"),
        ([], None) => format!("`{key}`"),
        (words, _) => tree::alternatives(&words.iter().map(|word| format!("`{key}: {word}`")).collect::<Vec<_>>()),
    };
    let mut letters = purpose.chars();
    let first = letters.next()?.to_lowercase();
    Some(format!("add {shown} ({first}{})", letters.as_str()))
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

/// `key: ` of the value at `path`; nothing for an item of a list.
fn key_of(path: &Path) -> String {
    path.last_key().map_or(String::new(), |key| format!("{key}: "))
}

/// Whether a text is one that YAML 1.1 took for a boolean.
fn is_yaml_1_1(value: &Value) -> bool {
    let word = value.as_str().map(str::to_lowercase);
    word.is_some_and(|word| matches!(word.as_str(), "y" | "n" | "yes" | "no" | "on" | "off"))
}

/// Whether a window names the same hour twice.
fn never_opens(window: &str) -> bool {
    let hours = window.split_whitespace().last().and_then(|hours| hours.split_once('-'));
    hours.is_some_and(|(from, to)| from == to && from.contains(':'))
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
        LocationSegment::Property(key) => PathSegment::Key(key.into_owned()),
        LocationSegment::Index(index) => PathSegment::Index(index),
    });
    Path(segments.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_builds_a_validator() {
        assert!(Checker::get().is_some());
    }
}
