//! The value that `serde_yaml` reads, as JSON.

use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::tree::{NodeKind, Tree};
use crate::plan::fault::{Problem, catalogue};
use crate::plan::text::{Path, Span};
use crate::unit::KeyText;

/// The document as JSON, merges applied, or everything in it that JSON cannot hold.
pub(in crate::plan) fn value(text: &str, tree: &Tree) -> Result<Json, Vec<Problem>> {
    let mut yaml: Yaml = serde_yaml::from_str(text).map_err(|error| vec![refused(&error, tree)])?;
    let mut problems = vec![];
    judge(&yaml, tree, tree.root(), &Path::default(), &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    yaml.apply_merge().map_err(|_| vec![merge(tree)])?;
    Ok(json(yaml))
}

/// `serde_yaml` refuses little that the tree accepts: numbers that no type holds, and aliases that it counts otherwise.
fn refused(error: &serde_yaml::Error, tree: &Tree) -> Problem {
    let at = error.location().map_or(tree.first_key(), |location| Span::new(location.index(), location.index() + 1));
    let words = error.to_string();
    let (fault, message) = if words.contains("128") {
        (&catalogue::text::NUMBER, "a number is too large".to_owned())
    } else if words.contains("repetition limit") {
        (&catalogue::text::ALIAS_BOMB, "the aliases repeat too much".to_owned())
    } else {
        (&catalogue::text::SYNTAX, format!("this is not YAML that a plan can hold: {}", KeyText(words.as_bytes())))
    };
    Problem::new(fault, Path::default(), message)
        .label(at, "here")
        .help("write the value out; quote what is meant as text")
}

/// Compares value and tree, which have the same shape here: aliases are expanded in the one and followed in the other.
fn judge(yaml: &Yaml, tree: &Tree, node: usize, path: &Path, problems: &mut Vec<Problem>) {
    let Some(place) = tree.node(node) else { return };
    match (yaml, &place.kind) {
        (Yaml::Sequence(items), NodeKind::Sequence(nodes)) => {
            for (index, (item, node)) in items.iter().zip(nodes).enumerate() {
                judge(item, tree, *node, &path.index(index), problems);
            }
        }
        (Yaml::Mapping(entries), NodeKind::Mapping(nodes)) => {
            for ((key, item), (key_node, node)) in entries.iter().zip(&nodes.pairs) {
                match key {
                    Yaml::String(key) => judge(item, tree, *node, &path.key(key), problems),
                    _ => problems.push(key_is_no_text(tree, *key_node, path)),
                }
            }
        }
        (Yaml::Number(number), _) if number.as_f64().is_none_or(|number| !number.is_finite()) => {
            let problem =
                Problem::new(&catalogue::text::NUMBER, path.clone(), "this is not a number that a plan can hold");
            problems.push(
                problem.label(place.span, "infinite, or no number").help("write a finite number, or text in quotes"),
            );
        }
        _ => {}
    }
}

fn key_is_no_text(tree: &Tree, key: usize, path: &Path) -> Problem {
    let span = tree.node(key).map_or(Span::default(), |node| node.span);
    Problem::new(&catalogue::text::KEY_NOT_TEXT, path.clone(), "this key is not text")
        .label(span, "a number, a list or nothing at all")
        .help("write the key as a word; quote it when it is one that YAML takes for something else")
}

fn merge(tree: &Tree) -> Problem {
    Problem::new(&catalogue::text::MERGE, Path::default(), "`<<` merges something that is not a mapping")
        .label(merge_key(tree).unwrap_or_else(|| tree.first_key()), "this merge")
        .help("`<<` takes an alias of a mapping, or a list of them")
}

/// The first `<<` whose value is not made of mappings.
fn merge_key(tree: &Tree) -> Option<Span> {
    let is_mapping = |node: usize| matches!(tree.node(node).map(|node| &node.kind), Some(NodeKind::Mapping(_)));
    let fits = |node: usize| match tree.node(node).map(|node| &node.kind) {
        Some(NodeKind::Sequence(items)) => items.iter().all(|item| is_mapping(*item)),
        _ => is_mapping(node),
    };
    let (key, _) = tree.entries().find(|(key, value)| tree.scalar(*key) == Some("<<") && !fits(*value))?;
    tree.node(key).map(|node| node.span)
}

/// Everything that JSON cannot hold was refused before.
fn json(yaml: Yaml) -> Json {
    match yaml {
        Yaml::Null | Yaml::Tagged(_) => Json::Null,
        Yaml::Bool(value) => Json::Bool(value),
        Yaml::String(text) => Json::String(text),
        Yaml::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Json::from(number),
            (None, Some(number)) => Json::from(number),
            (None, None) => Json::from(number.as_f64()),
        },
        Yaml::Sequence(items) => Json::Array(items.into_iter().map(json).collect()),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (Yaml, Yaml)| Some((key.as_str()?.to_owned(), json(value)));
            Json::Object(entries.into_iter().filter_map(entry).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, proptest};

    use super::*;
    use crate::plan::yaml::build;

    /// Whether both have the same shape and the same text in every scalar that is text.
    fn agree(yaml: &Yaml, tree: &Tree, node: usize) -> bool {
        let Some(place) = tree.node(node) else { return false };
        match (yaml, &place.kind) {
            (Yaml::Sequence(items), NodeKind::Sequence(nodes)) => {
                items.len() == nodes.len() && items.iter().zip(nodes).all(|(item, node)| agree(item, tree, *node))
            }
            (Yaml::Mapping(entries), NodeKind::Mapping(nodes)) => {
                let pairs = entries.iter().zip(&nodes.pairs);
                entries.len() == nodes.pairs.len()
                    && pairs.into_iter().all(|((key, value), (key_node, node))| {
                        agree(key, tree, *key_node) && agree(value, tree, *node)
                    })
            }
            (Yaml::String(text), NodeKind::Scalar { text: read, .. }) => text == read,
            (Yaml::Null | Yaml::Bool(_) | Yaml::Number(_), NodeKind::Scalar { .. }) => true,
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 2000, failure_persistence: None, ..Default::default() })]

        /// Messages point into the tree and judge the value: both must say the same of every text.
        #[test]
        fn tree_and_value_agree(pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b: ", "c: d", "- ", "\n", "  ", "\n  ", "\n- ", "{", "}", "[", "]", ", ", ": ", "'x'", "\"y\"", "|\n", ">-\n", "é",
            "&k ", "*k ", "# z", "1", "~", "true", "<<: ", "? ", "\r\n", "%", "...\n", "0x1f", "1e3",
        ]), 0..24)) {
            let text = pieces.concat();
            if let Ok(tree) = build(&text) {
                match serde_yaml::from_str::<Yaml>(&text) {
                    Ok(yaml) => prop_assert!(agree(&yaml, &tree, tree.root()), "{text:?}"),
                    // Keys that are different texts may be the same value to serde_yaml: `1` and `0x1`, `~` and nothing.
                    Err(error) => prop_assert!(error.to_string().contains("duplicate entry"), "{text:?}: {error}"),
                }
            }
        }
    }
}
