//! From a file's bytes to text that can be parsed and shown.

use super::{Path, SourceText, Span};
use crate::plan::fault::{Problem, catalogue};

/// The largest plan file that is read.
const MAX_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads the bytes of a plan file. On failure the source holds what can be shown of it.
pub(in crate::plan) fn read(name: &str, bytes: &[u8]) -> (SourceText, Result<(), Problem>) {
    if bytes.len() > MAX_BYTES {
        return (SourceText::new(name, String::new(), 0), Err(too_large(bytes.len())));
    }
    let (skipped, bytes) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (BYTE_ORDER_MARK.len(), rest),
        None => (0, bytes),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let source = SourceText::new(name, text.to_owned(), skipped);
            let checked = no_control_characters(source.text());
            (source, checked)
        }
        Err(error) => {
            let source = SourceText::new(name, stand_in(bytes), skipped);
            let problem = not_utf8(bytes, error.valid_up_to(), source.position(error.valid_up_to()).line);
            (source, Err(problem))
        }
    }
}

fn too_large(bytes: usize) -> Problem {
    let message = format!("the file has {bytes} bytes; a plan has at most {MAX_BYTES}");
    Problem::new(&catalogue::text::TOO_LARGE, Path::default(), message).help("is this the plan, or the data it moves?")
}

/// Text of the same length in bytes, for messages: bytes that are no UTF-8 become `?`.
fn stand_in(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

fn not_utf8(bytes: &[u8], at: usize, line: usize) -> Problem {
    let byte = bytes.get(at).copied().unwrap_or_default();
    let utf16 = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let guess = if utf16 { "; it looks like UTF-16" } else { "" };
    let message = format!("byte {at} (0x{byte:02x}, line {line}) is not UTF-8{guess}");
    Problem::new(&catalogue::text::NOT_UTF8, Path::default(), message)
        .label(Span::new(at, at + 1), "this byte")
        .help("save the file as UTF-8")
}

fn no_control_characters(text: &str) -> Result<(), Problem> {
    let refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let Some((at, found)) = text.char_indices().find(|(_, c)| refused(*c)) else { return Ok(()) };
    let message = format!("the control character U+{:04X} cannot stand in a plan", u32::from(found));
    let problem = Problem::new(&catalogue::text::CONTROL_CHARACTER, Path::default(), message)
        .label(Span::new(at, at + found.len_utf8()), "this character")
        .help("delete it; inside double quotes it may be written as an escape such as `\\u001b`");
    Err(problem)
}
