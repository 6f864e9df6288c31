//! The schema, generated from the raw types.

use serde_json::{Map, Value};

use super::annotate::annotate;
use crate::plan::raw::PlanFile;

/// The JSON schema (draft 2020-12) of the plan file, version 1.
#[must_use]
pub fn schema_json() -> Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.contract = schemars::generate::Contract::Deserialize;
    let mut schema = settings.into_generator().into_root_schema_for::<PlanFile>().into();
    tidy(&mut schema);
    annotate(&mut schema);
    schema
}

/// The schema as the text of `schemas/plan.v1.json`.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema_json())
}

/// An optional key may be absent, but not empty: `limits:` with nothing behind it is a mistake, so `null` is taken out
/// of what schemars allows for an `Option`. Line ends inside descriptions are those of our source, not the reader's.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(object) => {
            without_null(object);
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn without_null(object: &mut Map<String, Value>) {
    if object.get("default") == Some(&Value::Null) {
        object.shift_remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(forms)) = object.get_mut("anyOf") else { return };
    forms.retain(|form| form.get("type") != Some(&Value::from("null")));
    if let [Value::Object(only)] = forms.as_slice() {
        let only = only.clone();
        object.shift_remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every object of the schema, depth first.
    fn objects<'a>(schema: &'a Value, found: &mut Vec<&'a Map<String, Value>>) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| objects(item, found)),
            Value::Object(object) => {
                found.push(object);
                object.values().for_each(|value| objects(value, found));
            }
            _ => {}
        }
    }

    /// Behind its `$ref`.
    fn resolved<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
        let pointer = node.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(node)
    }

    #[test]
    fn an_editor_can_explain_every_key_and_every_word() {
        let schema = schema_json();
        let mut found = vec![];
        objects(&schema, &mut found);
        let mut wrong = vec![];
        for (name, key) in found.iter().filter_map(|object| object.get("properties")?.as_object()).flatten() {
            let behind = resolved(&schema, key);
            let has = |word: &str| key.get(word).or_else(|| behind.get(word)).is_some();
            let speaks = ["enum", "const", "properties", "oneOf"].into_iter().any(has);
            let boolean = behind.get("type") == Some(&Value::from("boolean"));
            if !has("title") || !has("description") || !(has("examples") || speaks || boolean) {
                wrong.push(name);
            }
        }
        let words = found.iter().filter(|object| object.contains_key("const") && !object.contains_key("title"));
        wrong.extend(
            words.filter(|object| !object.contains_key("description")).filter_map(|object| object.keys().next()),
        );
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn every_example_is_right() {
        let schema = schema_json();
        let mut found = vec![];
        objects(&schema, &mut found);
        let mut seen = 0;
        for object in found.iter().filter(|object| object.get("examples").is_some_and(Value::is_array)) {
            let mut alone = (*object).clone();
            alone.insert("$defs".to_owned(), schema["$defs"].clone());
            let mut options = jsonschema::options().should_validate_formats(true);
            for format in &super::super::formats::FORMATS {
                options = options.with_format(format.name, format.accepts);
            }
            let validator = options.build(&Value::Object(alone)).unwrap();
            for example in object["examples"].as_array().unwrap() {
                assert!(validator.is_valid(example), "{example} in {object:?}");
                seen += 1;
            }
        }
        assert!(seen > 40, "only {seen} examples");
    }

    #[test]
    fn no_key_and_no_word_is_a_boolean_to_yaml_1_1() {
        let traps = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ""];
        let schema = schema_json();
        let mut found = vec![];
        objects(&schema, &mut found);
        for object in found {
            let keys = object.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
            let words = object.get("const").and_then(Value::as_str).map(str::to_owned);
            for word in keys.cloned().chain(words) {
                assert!(!traps.contains(&word.to_lowercase().as_str()), "{word}");
                let sexagesimal = word.split(':').all(|part| part.parse::<f64>().is_ok());
                assert!(!sexagesimal, "{word}");
            }
        }
    }

    #[test]
    fn nothing_may_be_null() {
        assert!(!schema_text().contains("null"));
        assert!(!schema_text().contains("anyOf"));
    }
}
