//! Walking the schema itself: what a place takes, and where a key belongs.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::formats;

static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema_json);

/// How deep the search for a key goes; conditions of `stop` contain conditions.
const MAX_DEPTH: usize = 6;

/// The schema.
pub(super) fn root() -> &'static Value {
    &SCHEMA
}

/// The schema that holds the keyword at `pointer`.
pub(super) fn holder(pointer: &str) -> &'static Value {
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    SCHEMA.pointer(parent).unwrap_or(&SCHEMA)
}

/// A schema behind its `$ref`.
pub(super) fn resolved(schema: &'static Value) -> &'static Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| SCHEMA.pointer(pointer)).unwrap_or(schema)
}

/// The forms of a `oneOf`, behind their `$ref`s.
pub(super) fn forms(schema: &'static Value) -> Vec<&'static Value> {
    let forms = resolved(schema).get("oneOf").and_then(Value::as_array);
    forms.into_iter().flatten().map(resolved).collect()
}

/// The keys of an object schema.
pub(super) fn keys(schema: &'static Value) -> Vec<&'static str> {
    let properties = resolved(schema).get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// The schema of a key.
pub(super) fn property(schema: &'static Value, key: &str) -> Option<&'static Value> {
    resolved(schema).get("properties")?.get(key)
}

/// The first sentence of a schema's description.
pub(super) fn purpose(schema: &'static Value) -> Option<&'static str> {
    let text = schema.get("description").or_else(|| resolved(schema).get("description"))?.as_str()?;
    let end = text.find(". ").unwrap_or(text.len());
    text.get(..end).map(|sentence| sentence.trim_end_matches('.'))
}

/// The word a form consists of.
pub(super) fn word(form: &'static Value) -> Option<&'static str> {
    form.get("const").and_then(Value::as_str)
}

/// The key of a form that is a mapping with one key.
pub(super) fn tag(form: &'static Value) -> Option<&'static str> {
    let keys = keys(form);
    let [only] = keys.as_slice() else { return None };
    let required = form.get("required").and_then(Value::as_array)?;
    (required.len() == 1).then_some(*only)
}

/// The `type` of a schema.
pub(super) fn kind(schema: &'static Value) -> Option<&'static str> {
    resolved(schema).get("type").and_then(Value::as_str)
}

/// What a place takes, in words.
pub(super) fn wants(schema: &'static Value) -> String {
    let schema = resolved(schema);
    let format = schema.get("format").and_then(Value::as_str).and_then(formats::find);
    if let Some(format) = format {
        return format.noun.to_owned();
    }
    if let Some(word) = word(schema) {
        return format!("`{word}`");
    }
    if let Some(tag) = tag(schema) {
        return format!("`{tag}: …`");
    }
    match kind(schema) {
        Some("string") => "text".to_owned(),
        Some("integer") => "a whole number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a mapping".to_owned(),
        _ => alternatives(&forms(schema).into_iter().map(wants).collect::<Vec<_>>()),
    }
}

/// The first example of a schema, as it is written in a plan.
pub(super) fn example(schema: &'static Value) -> Option<String> {
    flow_example(schema).map(|example| format!("for example `{example}`"))
}

/// The same without any words around it.
pub(super) fn flow_example(schema: &'static Value) -> Option<String> {
    let example = schema.get("examples").or_else(|| resolved(schema).get("examples"))?.get(0)?;
    Some(flow(example))
}

/// A value in YAML's flow style.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(['*', '{', '[', ':', ',', '#', '"', '%', '&', '>']) => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// `a, b or c`.
pub(super) fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Where else in a plan `key` is known: the paths of the blocks that have it, lists as `[]`.
pub(super) fn homes(key: &str) -> &'static [String] {
    HOMES.get(key).map_or(&[], Vec::as_slice)
}

static HOMES: LazyLock<HashMap<&'static str, Vec<String>>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    search(root(), "", 0, &mut found);
    found
});

fn search(schema: &'static Value, path: &str, depth: usize, found: &mut HashMap<&'static str, Vec<String>>) {
    let schema = resolved(schema);
    if depth > MAX_DEPTH {
        return;
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let homes = found.entry(name.as_str()).or_default();
        if !homes.iter().any(|home| home == path) {
            homes.push(path.to_owned());
        }
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        search(property, &inner, depth + 1, found);
    }
    if let Some(items) = schema.get("items") {
        search(items, &format!("{path}[]"), depth + 1, found);
    }
    for form in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        search(form, path, depth + 1, found);
    }
}
