//! The name of a graph.
//!
//! The digest is the SHA-256 of the graph's canonical JSON: UTF-8, no whitespace outside strings, the keys of every
//! object sorted by their bytes, absent options written as `null` (an endpoint's `tls`, its `crl` and `plaintext` are left out instead, for they came later and
//! approvals of older plans stay valid), numbers in decimal, strings with the shortest JSON
//! escapes. The graph holds what decides what a run does, defaults filled in, and nothing of the plan file's comments
//! or layout: two plans that mean the same have the same digest, and any change that matters gives another one.

use serde_json::Value;
use sha2::Digest as _;

use crate::step::Graph;

/// The SHA-256 of a graph's canonical JSON. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits: copy the whole one from `plan preview`")]
pub struct DigestError;

/// The digest of `graph`.
pub fn digest(graph: &Graph) -> Digest {
    Digest(sha2::Sha256::digest(canonical_json(graph)).into())
}

impl Digest {
    /// The first 12 digits, for people. Not enough to approve a plan by.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs.iter().map(|pair| hex_byte(*pair)).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(DigestError)
    }
}

fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn canonical_json(graph: &Graph) -> String {
    let value = serde_json::to_value(graph).expect("a graph comes from UTF-8 text and holds only text keys");
    let mut out = String::new();
    write_canonical(&value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_bytes());
            write_list(out, ['{', '}'], entries, |(name, value), out| {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            });
        }
        Value::Array(items) => write_list(out, ['[', ']'], items, write_canonical),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        write_canonical(&serde_json::from_str(text).unwrap(), &mut out);
        out
    }

    #[test]
    fn canonical_json_has_sorted_keys_and_no_spaces() {
        let text = r#"{ "b": [1, {"z": null, "ä": true, "a": "x \" \u001b"}], "a": {}, "B": [] }"#;
        assert_eq!(canonical(text), r#"{"B":[],"a":{},"b":[1,{"a":"x \" \u001b","z":null,"ä":true}]}"#);
    }

    #[test]
    fn a_digest_reads_what_it_shows_and_nothing_shorter() {
        let digest = Digest(std::array::from_fn(|index| u8::try_from(index * 7).unwrap()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        for wrong in [&digest.short(), "", &digest.to_string()[1..], &format!("{digest}0"), &"g".repeat(64)] {
            assert_eq!(wrong.parse::<Digest>(), Err(DigestError), "{wrong}");
        }
    }
}
