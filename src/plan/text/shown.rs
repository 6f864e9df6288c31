//! A plan's text as it may be shown: what looks like a literal secret is masked, and no character that a terminal
//! obeys is left. The result is byte for byte as long as the text, so spans fit both.
//!
//! Masked are the values of keys that look like `password` and user and password inside urls. A text that has no tree,
//! because it is no YAML, is masked line by line and rather too much than too little.

use super::{SourceText, Span};
use crate::plan::yaml::{NodeKind, Tree};
use crate::unit::steers;

/// The keys under a secret that say where it is, and so are no secret.
const REFERENCES: [&str; 3] = ["env", "file", "command"];

/// Parts of a key's name that make its value a secret.
const SECRET_WORDS: [&str; 7] = ["pass", "secret", "token", "pwd", "credential", "auth", "psw"];

/// The text as it may be shown.
pub(in crate::plan) fn shown(source: &SourceText, tree: Option<&Tree>) -> String {
    let mut masks = vec![];
    for (start, line) in lines(source.text()) {
        urls(start, line, &mut masks);
    }
    match tree {
        Some(tree) => secrets_of_tree(source.text(), tree, &mut masks),
        None => secrets_of_lines(source.text(), &mut masks),
    }
    masks.sort();
    neutral(&masked(source.text(), &masks))
}

/// Whether a key's value is to be kept secret.
pub(in crate::plan) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) || strsim::damerau_levenshtein(&key, "password") <= 2
}

/// Whether `key`, under a secret, says where the secret is; also when misspelt.
pub(in crate::plan) fn is_reference_key(key: &str) -> bool {
    REFERENCES.iter().any(|known| *known == key || (key.len() > 2 && strsim::damerau_levenshtein(key, known) == 1))
}

/// Whether a text can be the name of an environment variable; anything else may be the secret itself.
pub(in crate::plan) fn is_variable_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn secrets_of_tree(text: &str, tree: &Tree, masks: &mut Vec<Span>) {
    for (key, value) in tree.entries() {
        let name = tree.scalar(key);
        if name.is_some_and(is_secret_key) {
            secret_node(tree, value, masks);
        }
    }
    for node in tree.nodes() {
        if let NodeKind::Scalar { text: value, .. } = &node.kind
            && let Some((_, rest)) = value.split_once("://")
            && rest.contains('@')
        {
            masks.push(user_info(node.span, text));
        }
        // An escape hides where it is.
        if let NodeKind::Scalar { text: value, .. } = &node.kind
            && node.span.of(text).contains('\\')
            && !queries(value).is_empty()
        {
            masks.push(node.span);
        }
    }
}

fn secret_node(tree: &Tree, number: usize, masks: &mut Vec<Span>) {
    let Some(node) = tree.node(number) else { return };
    match &node.kind {
        NodeKind::Scalar { .. } => masks.push(node.span),
        NodeKind::Sequence(items) => items.iter().for_each(|item| secret_node(tree, *item, masks)),
        NodeKind::Mapping(entries) => {
            for (key, value) in &entries.pairs {
                match tree.scalar(*key) {
                    Some("env") if !tree.scalar(*value).is_some_and(is_variable_name) => {
                        secret_node(tree, *value, masks);
                    }
                    Some(name) if is_reference_key(name) => {}
                    _ => {
                        masks.extend(tree.node(*key).map(|node| node.span));
                        secret_node(tree, *value, masks);
                    }
                }
            }
        }
        NodeKind::Alias(_) => {}
    }
}

/// User and password of the url in a scalar; the whole scalar when escapes hide where they are.
fn user_info(scalar: Span, text: &str) -> Span {
    let raw = scalar.of(text);
    match (raw.find("://"), raw.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => Span::new(scalar.start + scheme + 3, scalar.start + at),
        _ => scalar,
    }
}

/// User and password of urls in a line, up to the last `@` of it, and what their queries say of passwords.
fn urls(start: usize, line: &str, masks: &mut Vec<Span>) {
    let Some(scheme) = line.find("://") else { return };
    if let Some(at) = line.rfind('@').filter(|at| *at >= scheme + 3) {
        masks.push(Span::new(start + scheme + 3, start + at));
    }
    masks.extend(queries(line).into_iter().map(|span| Span::new(start + span.start, start + span.end)));
}

/// What the query of a url in a text says of passwords.
fn queries(text: &str) -> Vec<Span> {
    let mark = text.find("://").and_then(|scheme| Some(scheme + text.get(scheme..)?.find('?')?));
    let Some(mut at) = mark.map(|mark| mark + 1) else { return vec![] };
    let mut found = vec![];
    for parameter in text.get(at..).unwrap_or_default().split(['&', ';']) {
        if let Some((name, _)) = parameter.split_once('=').filter(|(name, _)| is_secret_key(name)) {
            found.push(Span::new(at + name.len() + 1, at + parameter.len()));
        }
        at += parameter.len() + 1;
    }
    found
}

/// The values of keys that look secret, line by line, in a text that may be no YAML.
fn secrets_of_lines(text: &str, masks: &mut Vec<Span>) {
    let lines: Vec<(usize, &str)> = lines(text).collect();
    let mut number = 0;
    while let Some((start, line)) = lines.get(number) {
        number += 1;
        let Some(after) = after_secret_key(line) else { continue };
        let following = lines.get(number..).unwrap_or_default();
        if refers(line.get(after..).unwrap_or_default(), following.first().map_or("", |(_, next)| next)) {
            continue;
        }
        let blank = line.get(after..).map_or(0, |value| value.len() - value.trim_start().len());
        masks.push(Span::new(start + after + blank, start + line.len()));
        let inside = following.iter().take_while(|(_, next)| next.trim().is_empty() || indent(next) > indent(line));
        for (start, next) in inside {
            masks.push(Span::new(*start, start + next.len()));
            number += 1;
        }
    }
}

/// Whether a value, or the block that starts with the line `next`, says where the secret is.
fn refers(value: &str, next: &str) -> bool {
    let value = value.trim();
    let opening = if value.is_empty() { next.trim_start() } else { value.strip_prefix('{').unwrap_or_default() };
    let opening = opening.trim_start_matches([' ', '"', '\'']);
    REFERENCES.iter().any(|known| opening.starts_with(known))
}

/// The byte after the `:` of the first key of a line that looks secret.
fn after_secret_key(line: &str) -> Option<usize> {
    line.match_indices(':').map(|(colon, _)| colon).find_map(|colon| {
        let before = line.get(..colon)?.trim_end_matches(['"', '\'', ' ']);
        let word_start =
            before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).map_or(0, |at| at + 1);
        let word = before.get(word_start..).unwrap_or(before);
        (word.len() > 2 && is_secret_key(word)).then_some(colon + 1)
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Lines without their ends, and where they start.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line.trim_end_matches(['\n', '\r'])))
    })
}

/// The text with every byte of the masks, line ends aside, as `*`. The masks are sorted.
fn masked(text: &str, masks: &[Span]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut masks = masks.iter().peekable();
    let mut until = 0;
    for (at, c) in text.char_indices() {
        while let Some(mask) = masks.next_if(|mask| mask.start <= at) {
            until = until.max(mask.end);
        }
        if at < until && !matches!(c, '\n' | '\r') {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// The text with stand-ins of the same length for characters that move the cursor or reorder what is shown.
fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let line_end = c == '\n' || (c == '\r' && rest.peek() == Some(&'\n'));
        out.push(match (steers(c) && !line_end && c != '\t', c.len_utf8()) {
            (false, _) => c,
            (true, 1) => '?',
            (true, 2) => '¿',
            (true, 3) => '\u{fffd}',
            (true, _) => '\u{1f6ab}',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::text::read;
    use crate::plan::yaml::build;

    fn show(text: &str) -> String {
        let (source, _) = read("plan.yaml", text.as_bytes());
        let shown = shown(&source, build(text).ok().as_ref());
        assert_eq!(shown.len(), text.len());
        shown
    }

    #[test]
    fn what_the_query_of_a_url_says_of_a_password_is_masked() {
        for (text, expected) in [
            ("url: redis://h/0?password=hunter2", "url: redis://h/0?password=*******"),
            ("url: 'redis://h?db=1&Passwd=a b&x=1'", "url: 'redis://h?db=1&Passwd=***&x=1'"),
            ("# see redis://u:p@h?auth=x", "# see redis://***@h?auth=*"),
            ("url: redis://h?db=1", "url: redis://h?db=1"),
            ("url: \"redis://h?p\\x61ssword=x\"", "url: *************************"),
        ] {
            assert_eq!(show(text), expected);
        }
    }

    #[test]
    fn secrets_are_masked_and_references_are_not() {
        for (text, expected) in [
            ("password: hunter2\nname: a", "password: *******\nname: a"),
            ("password: { env: NAME }", "password: { env: NAME }"),
            ("password: { env: hunter-2 }", "password: { env: ******** }"),
            ("password: { file: /run/s }", "password: { file: /run/s }"),
            ("password:\n  command: [pass, show]", "password:\n  command: [pass, show]"),
            ("password: { hunter2: x }", "password: { *******: * }"),
            ("a: &p hunter2\npassword: *p", "a: **********\npassword: *p"),
            ("url: redis://u:p@h:1", "url: redis://***@h:1"),
            ("url: \"redis://u:p\\x40h\"", "url: ******************"),
            ("- { Token: [x1, x2] }", "- { Token: [**, **] }"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_yaml_is_masked_line_by_line() {
        for (text, expected) in [
            ("[ password: hunter2", "[ password: *******"),
            ("[\n\"password\" : |\n  hunter2\n\n  x\nname: a", "[\n\"password\" : *\n*********\n\n***\nname: a"),
            ("[ password: { file: /run/s }", "[ password: { file: /run/s }"),
            ("[\npassword:\n  env: NAME", "[\npassword:\n  env: NAME"),
            ("[ url: redis://u:a b/@c@h", "[ url: redis://********@h"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(show("a\u{1b}[2J\u{202e}b\rc\u{9b}d\r\n"), "a?[2J\u{fffd}b?c¿d\r\n");
    }
}
