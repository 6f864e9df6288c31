//! Text that is no YAML.

use super::builder::plain;
use super::events::SyntaxError;
use crate::plan::fault::{Problem, catalogue};
use crate::plan::text::Span;

/// A syntax error in libyaml's words, with a help of its own for the most frequent one: tabs.
pub(super) fn syntax(error: &SyntaxError, text: &str) -> Problem {
    let at = Span::new(error.at, error.at + 1).clamped(text);
    let line_start = text.get(..at.start).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
    let indentation = text.get(line_start..).unwrap_or_default();
    let indentation = indentation.len() - indentation.trim_start_matches([' ', '\t']).len();
    let indentation = Span::new(line_start, line_start + indentation);
    if let Some(tab) = indentation.of(text).find('\t') {
        let tab = Span::new(indentation.start + tab, indentation.start + tab + 1);
        return plain(&catalogue::text::TAB, "a tab indents this line".to_owned())
            .label(tab, "the tab")
            .help("YAML indents with spaces");
    }
    let context = error.context.as_ref().map_or("", |(context, _)| context.as_str());
    let hint = HINTS.iter().find(|(words, _)| error.problem.contains(words) || context.contains(words));
    let problem = plain(&catalogue::text::SYNTAX, format!("this is not YAML: {}", error.problem))
        .label(at, error.problem.clone())
        .maybe_help(hint.map(|(_, help)| (*help).to_owned()));
    match &error.context {
        Some((context, begun)) if *begun != error.at => problem.label(Span::new(*begun, begun + 1), context.clone()),
        _ => problem,
    }
}

/// What to do about the scanner's messages that come most often.
const HINTS: [(&str, &str); 9] = [
    ("scanning an alias", "a value that starts with `*` is an alias; put a pattern in quotes: \"*:session\""),
    ("scanning an anchor", "a value that starts with `&` is an anchor; put the text in quotes"),
    ("mapping values are not allowed", "check the indentation; a value that holds `: ` needs quotes"),
    ("could not find expected ':'", "write `key: value`, with a space after the colon"),
    ("cannot start any token", "put the value in quotes"),
    ("expected ',' or", "close the bracket, or separate the items by `,`"),
    ("scanning a quoted scalar", "close the quote"),
    ("did not find expected key", "indent the line as its neighbours are"),
    ("expected '-' indicator", "indent the item as its neighbours are, and start it with `- `"),
];
