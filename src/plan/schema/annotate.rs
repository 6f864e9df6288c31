//! What editors show of a key beside its description: a title, and an example where the type gives none.

use serde_json::{Map, Value, json};

/// Examples of keys whose types have none of their own.
fn example_of(key: &str) -> Option<Value> {
    Some(match key {
        "labels" => json!({ "team": "checkout", "env": "prod" }),
        "hooks" => json!([{ "at": "full.done", "run": ["./ops/notify.sh"], "timeout": "60s" }]),
        "master" => json!("cart-master"),
        "env" => json!("REDIS_PASSWORD"),
        "file" => json!("/run/secrets/redis"),
        "command" => json!(["pass", "show", "redis/prod"]),
        "to" => json!(0),
        "connections" => json!(4),
        "keys" => json!(10_000),
        "any" => json!([{ "lag": { "below": "1s", "for": "5m" } }, { "command": "cutover" }]),
        "all" => json!([{ "lag": { "below": "1s", "for": "5m" } }, { "source_idle": { "for": "2m" } }]),
        "full" => json!(["Mon-Fri 20:00-06:00"]),
        "cutover" => json!(["Tue-Thu 02:00-05:00"]),
        "accounts" => json!([{ "side": "destination", "user": "migrator" }]),
        "user" => json!("migrator"),
        _ => return None,
    })
}

/// Gives every key of every mapping a title, a description and, unless its words or keys are listed anyway, an example.
pub(super) fn annotate(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(annotate),
        Value::Object(object) => {
            // The one key of a form is described by the form around it.
            let around = object.get("description").cloned();
            if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
                for (key, property) in properties.iter_mut() {
                    if let Some(property) = property.as_object_mut() {
                        describe(key, property, around.as_ref());
                    }
                }
            }
            object.values_mut().for_each(annotate);
        }
        _ => {}
    }
}

fn describe(key: &str, property: &mut Map<String, Value>, around: Option<&Value>) {
    property.entry("title").or_insert_with(|| title(key).into());
    if let Some(around) = around {
        property.entry("description").or_insert_with(|| around.clone());
    }
    let listed =
        key != "to" && ["$ref", "properties", "const", "examples"].iter().any(|word| property.contains_key(*word));
    let example = example_of(key).filter(|_| !listed);
    if let Some(example) = example {
        property.insert("examples".to_owned(), json!([example]));
    }
}

/// `max_lag` as `Max lag`.
fn title(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
