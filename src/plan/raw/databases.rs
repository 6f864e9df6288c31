//! `databases`: which databases and keys move.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::step::KeyPattern;
use crate::unit::Db;

/// Items of `databases`; the rules about them compare each with each.
const MAX_ITEMS: u32 = 1024;

/// Which databases and keys move.
#[derive(Clone, Debug)]
pub enum Databases {
    /// The word `all`: every database, numbers kept.
    All,
    /// A list of numbers and rules.
    List(Vec<DatabaseEntry>),
}

/// One item of the list.
#[derive(Clone, Debug)]
pub enum DatabaseEntry {
    /// A database number: all its keys, number kept.
    Number(Db),
    /// A rule.
    Rule(DatabaseRule),
}

/// Which keys of which database go where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DatabaseRule")]
pub struct DatabaseRule {
    /// The database at the source, or `all`.
    pub from: From,
    /// The database at the destination; the same number by default.
    pub to: Option<Db>,
    /// Which keys; all by default.
    pub keys: Option<KeyPatterns>,
}

/// The databases a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The word `all`.
    All,
    /// One database.
    One(Db),
}

/// Glob patterns over key names, as in `SCAN MATCH`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "KeyFilter")]
pub struct KeyPatterns {
    /// A key must match one of these.
    #[schemars(length(min = 1, max = 1024), example = ["cart:*"])]
    pub include: Option<Vec<KeyPattern>>,
    /// A key must match none of these.
    #[schemars(length(min = 1, max = 1024), example = ["cart:tmp:*"])]
    pub exclude: Option<Vec<KeyPattern>>,
}

fn number<E: Error>(number: u64) -> Result<Db, E> {
    let wrong = |_| E::invalid_value(Unexpected::Unsigned(number), &"a database number");
    u32::try_from(number).map(Db).map_err(wrong)
}

impl<'de> Deserialize<'de> for Databases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Databases;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`all` or a list of database numbers and rules")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Databases, E> {
                match word {
                    "all" => Ok(Databases::All),
                    _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Databases, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = items.next_element()? {
                    entries.push(entry);
                }
                Ok(Databases::List(entries))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for DatabaseEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = DatabaseEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a database number or a rule")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<DatabaseEntry, E> {
                number(value).map(DatabaseEntry::Number)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DatabaseEntry, A::Error> {
                DatabaseRule::deserialize(MapAccessDeserializer::new(map)).map(DatabaseEntry::Rule)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for From {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = From;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a database number or `all`")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<From, E> {
                number(value).map(From::One)
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<From, E> {
                match word {
                    "all" => Ok(From::All),
                    _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Databases {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Databases".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (number, rule) = (generator.subschema_for::<Db>(), generator.subschema_for::<DatabaseRule>());
        json_schema!({
            "description": "`all`, or a list of database numbers and rules.",
            "oneOf": [
                { "type": "string", "const": "all", "description": "Every database, numbers kept." },
                {
                    "type": "array",
                    "description": "Database numbers and rules; a key moves by the first that takes it.",
                    "minItems": 1,
                    "maxItems": MAX_ITEMS,
                    "items": { "oneOf": [number, rule] },
                },
            ],
            "examples": ["all", [0, 3], [{ "from": 3, "to": 1, "keys": { "include": ["cart:*"] } }]],
        })
    }
}

impl JsonSchema for From {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DatabaseFrom".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<Db>();
        json_schema!({
            "description": "A database number, or `all`.",
            "oneOf": [number, { "type": "string", "const": "all", "description": "Every database." }],
        })
    }
}
