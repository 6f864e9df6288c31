//! The run's own secrets in what leaves the process.
//!
//! A peer may say a password back: in a refusal, as the echo of a request, in a program's output. What leaves is therefore
//! searched for the secrets that this process has read, in every form that its own formatters give them, before it is
//! shortened. The secrets are the same for the whole process, and text leaves from every thread, also that of a panic.

use std::{
    borrow::Cow,
    sync::{PoisonError, RwLock},
};

use secrecy::ExposeSecret;

use super::{Secret, clean::steers};

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Shorter secrets are not searched for: they would be found in everything, and hide nothing.
const SHORTEST: usize = 4;

static HELD: RwLock<Vec<Secret>> = RwLock::new(vec![]);

/// From now on this secret is masked.
pub fn mask(secret: &Secret) {
    let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
    let is_new = held.iter().all(|other| other.expose_secret() != secret.expose_secret());
    if secret.expose_secret().len() >= SHORTEST && is_new {
        held.push(secret.clone());
    }
}

/// The text with every secret of this process masked.
pub fn masked(text: &str) -> Cow<'_, str> {
    masked_of(&HELD.read().unwrap_or_else(PoisonError::into_inner), text)
}

fn masked_of<'a>(held: &[Secret], text: &'a str) -> Cow<'a, str> {
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty() && !held.is_empty()) {
        if let Some(length) = held.iter().filter_map(|secret| found(rest, secret.expose_secret())).max() {
            out.push_str(text.get(kept..at).unwrap_or_default());
            out.push_str(MASK);
            at += length;
            kept = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// How much of the text's beginning is the secret, in one form or another.
fn found(text: &str, secret: &str) -> Option<usize> {
    let forms = [
        begins(text, secret.chars()),
        begins(text, secret.chars().flat_map(clean)),
        begins(text, secret.chars().flat_map(key)),
        begins(text, secret.chars().flat_map(quotable)),
        begins(text, secret.chars().flat_map(char::escape_debug)),
        begins(text, secret.chars().flat_map(markup)),
        begins(text, bytes(secret)),
    ];
    forms.into_iter().flatten().max()
}

fn begins(text: &str, mut wanted: impl Iterator<Item = char>) -> Option<usize> {
    let mut rest = text.chars();
    loop {
        match wanted.next() {
            None => return Some(text.len() - rest.as_str().len()),
            Some(wanted) if rest.next() == Some(wanted) => {}
            Some(_) => return None,
        }
    }
}

/// As [`super::Clean`] writes it.
fn clean(c: char) -> impl Iterator<Item = char> {
    let escape = steers(c).then(|| c.escape_unicode());
    escape.into_iter().flatten().chain((!steers(c)).then_some(c))
}

/// As [`super::KeyText`] writes it.
fn key(c: char) -> impl Iterator<Item = char> {
    (c == '\\').then_some('\\').into_iter().chain(clean(c))
}

/// As JSON has it.
fn quotable(c: char) -> impl Iterator<Item = char> {
    let short = match c {
        '"' | '\\' => Some(c),
        '\u{8}' => Some('b'),
        '\t' => Some('t'),
        '\n' => Some('n'),
        '\u{c}' => Some('f'),
        '\r' => Some('r'),
        _ => None,
    };
    let code = u32::from(c);
    let long =
        (short.is_none() && code < 0x20).then(|| [code >> 4, code & 0xf].map(|digit| char::from_digit(digit, 16)));
    let is_plain = short.is_none() && long.is_none();
    let short = short.into_iter().flat_map(|letter| ['\\', letter]);
    let long =
        long.into_iter().flat_map(|[high, low]| [Some('\\'), Some('u'), Some('0'), Some('0'), high, low]).flatten();
    short.chain(long).chain(is_plain.then_some(c))
}

/// As HTML has it.
fn markup(c: char) -> impl Iterator<Item = char> {
    let entity = match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => "",
    };
    entity.chars().chain(entity.is_empty().then_some(c))
}

/// As a list of bytes is written.
fn bytes(secret: &str) -> impl Iterator<Item = char> {
    secret.bytes().enumerate().flat_map(|(index, byte)| {
        let separator = if index > 0 { ", " } else { "" };
        let digits = [byte / 100, byte / 10 % 10, byte % 10];
        let skipped = digits.iter().take(2).take_while(|digit| **digit == 0).count();
        separator.chars().chain(digits.into_iter().skip(skipped).map(|digit| char::from(b'0' + digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Clean, KeyText};

    #[test]
    fn a_secret_is_found_in_every_form_that_it_is_written_in() {
        for secret in ["hunter2!", "a\"b\\c<d>&'e", "pä\u{202e}ss\tword", "9 1\u{7f}0"] {
            let held = [Secret::from("another"), Secret::from(secret)];
            let json = serde_json::to_string(secret).unwrap();
            for form in [
                secret.to_owned(),
                format!("{secret:?}"),
                format!("{:?}", secret.as_bytes()),
                Clean(secret).to_string(),
                KeyText(secret.as_bytes()).to_string(),
                json,
            ] {
                let text = format!("before {form} between {form}{form} after");
                let masked = masked_of(&held, &text).into_owned();
                assert_eq!(masked.matches(MASK).count(), 3, "{form} in {masked}");
                assert!(masked.starts_with("before ") && masked.ends_with(" after"), "{masked}");
            }
        }
    }

    #[test]
    fn nothing_else_is_masked() {
        let held = [Secret::from("hunter2!")];
        for text in ["", "hunter", "hunter2", "unter2!", "é hunter 2!"] {
            assert_eq!(masked_of(&held, text), Cow::Borrowed(text));
        }
        assert_eq!(masked_of(&[], "hunter2!"), Cow::Borrowed("hunter2!"));
    }
}
