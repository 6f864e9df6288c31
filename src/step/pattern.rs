//! Glob patterns over key names.

use serde::{Deserialize, Serialize};

/// A glob as in `KEYS` and `SCAN MATCH`: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x` (util.c, `stringmatchlen`). It matches
/// bytes, not characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct KeyPattern(pub String);

impl KeyPattern {
    /// Whether `key` matches the whole pattern. Takes time proportional to pattern × key at worst.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        matches(self.0.as_bytes(), key)
    }
}

/// Greedy matching with one backtrack point: the last `*` and how far it has swallowed.
fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut pattern_left, mut key_left) = (pattern, key);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern_left {
            pattern_left = rest;
            retry = Some((rest, key_left));
            continue;
        }
        let step = match (key_left.split_first(), pattern_left.is_empty()) {
            (None, true) => return true,
            (None, false) => return false,
            (Some(_), true) => None,
            (Some((byte, rest)), false) => match_one(pattern_left, *byte).map(|pattern_rest| (pattern_rest, rest)),
        };
        match (step, &mut retry) {
            (Some((pattern_rest, key_rest)), _) => (pattern_left, key_left) = (pattern_rest, key_rest),
            (None, Some((after_star, swallowed))) => {
                let Some((_, rest)) = swallowed.split_first() else { return false };
                *swallowed = rest;
                (pattern_left, key_left) = (after_star, rest);
            }
            (None, None) => return false,
        }
    }
}

/// Matches one byte against the pattern's first element; answers the pattern after it. The pattern is not empty and
/// does not start with `*`.
fn match_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match_class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// Matches after a `[`. An unclosed class ends with the pattern, as in Redis.
fn match_class(class: &[u8], byte: u8) -> Option<&[u8]> {
    let (negated, mut left) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        match left {
            [] => break,
            [b']', rest @ ..] => {
                left = rest;
                break;
            }
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                left = rest;
            }
            [from, b'-', to, rest @ ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                left = rest;
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                left = rest;
            }
        }
    }
    (found != negated).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_redis_does() {
        for (pattern, key, expected) in [
            ("*", "", true),
            ("cart:*", "cart:7", true),
            ("cart:*", "cart", false),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxx", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("", "", true),
            ("", "x", false),
            ("a*", "a", true),
        ] {
            assert_eq!(KeyPattern(pattern.into()).matches(key.as_bytes()), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = KeyPattern("*a".repeat(60));
        assert!(!pattern.matches(&[b'a'; 59]));
        assert!(!pattern.matches("ab".repeat(50_000).as_bytes()));
    }
}
