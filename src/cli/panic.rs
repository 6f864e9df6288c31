//! What is told when `plan` itself is wrong: where, what, and what to do. The message of a panic may repeat what the program
//! worked on, so every value in it is left out: a password must not be told even by a bug.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;

use super::logging;

/// As much of a message as is told, in characters.
const LONGEST: usize = 500;

/// What stands in the place of a value.
const LEFT_OUT: &str = "…";

/// Panics are told in this way from now on, in whatever thread.
pub(super) fn tell_properly() {
    std::panic::set_hook(Box::new(|info| {
        logging::stop_drawing();
        _ = std::io::stderr().write_all(told(info).as_bytes());
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "a place that is not known".to_owned(), ToString::to_string);
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("{trace}\n") } else { String::new() };
    format!("{}{trace}", text(&place, info.payload_as_str().unwrap_or_default()))
}

/// What is told of a panic at `place`.
fn text(place: &str, message: &str) -> String {
    format!(
        "error: plan went wrong at {place}: {}\n\
         This is a bug in plan, not in your plan file. A run keeps its checkpoint: run the same command again to resume \
         it.\nhelp: report these lines and what `plan --version` says; values are left out of them\n",
        without_values(message)
    )
}

/// A message in one line, without what is quoted in it and without lists of numbers, which may be bytes. Names of
/// functions and variants, which the standard library quotes too, stay.
fn without_values(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(['"', '`', '[']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (kept, behind) = quoted(from);
        out.push_str(kept);
        rest = behind;
    }
    out.push_str(rest);
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    out.chars().map(harmless).take(LONGEST).collect()
}

/// What is told of a text that begins with a quote or a bracket, and what comes behind that.
fn quoted(text: &str) -> (&str, &str) {
    let mut inside = text.chars();
    let close = match inside.next() {
        Some('[') => ']',
        Some(quote) => quote,
        None => return ("", ""),
    };
    let inside = inside.as_str();
    // What is not closed was cut off: all of it is a value.
    let Some(end) = end_of(inside, close) else { return (LEFT_OUT, "") };
    let (value, behind) = inside.split_at(end);
    let behind = behind.strip_prefix(close).unwrap_or(behind);
    let whole = text.strip_suffix(behind).unwrap_or(LEFT_OUT);
    (if close == '`' && is_code(value) { whole } else { LEFT_OUT }, behind)
}

/// Where the closing character is; one behind a backslash is inside.
fn end_of(inside: &str, close: char) -> Option<usize> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, c)| {
        let ends = c == close && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Whether a quoted word is one of those with which the standard library names what has failed.
fn is_code(word: &str) -> bool {
    matches!(word, "Err" | "Ok" | "Some" | "None") || word.ends_with("()")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::unit::Secret;

    const CANARY: &str = "cänary-of-a-password";

    /// The message of a panic, as the hook gets it.
    fn message_of(panics: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = catch_unwind(panics).unwrap_err();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap()
    }

    /// A result that the caller is sure of.
    fn ended<E: std::fmt::Debug>(result: Result<(), E>) {
        result.unwrap();
    }

    #[test]
    fn a_panic_tells_where_what_and_what_to_do_and_no_secret() {
        #[derive(Debug)]
        struct Holds {
            #[expect(dead_code, reason = "it is there to be shown")]
            password: Secret,
            #[expect(dead_code, reason = "it is there to be shown")]
            text: String,
            #[expect(dead_code, reason = "it is there to be shown")]
            bytes: Vec<u8>,
        }
        let holds =
            || Holds { password: Secret::from(CANARY), text: CANARY.to_owned(), bytes: CANARY.as_bytes().to_vec() };
        let word = CANARY.to_owned();
        let messages = [
            message_of(move || ended(Err(holds()))),
            message_of(move || _ = word[..2].len()),
            message_of(move || assert_eq!(CANARY, "another")),
            message_of(move || ended(Err(CANARY))),
        ];
        let bytes = format!("{:?}", CANARY.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        for message in messages {
            assert!(message.contains(CANARY) || message.contains(bytes), "this case proves nothing: {message}");
            let told = text("src/sink/lane/run.rs:12:5", &message);
            for part in [CANARY, bytes, "nary-of", "password\""] {
                assert!(!told.contains(part), "{told}");
            }
            assert!(told.starts_with("error: plan went wrong at src/sink/lane/run.rs:12:5: "), "{told}");
            assert!(told.contains("run the same command again") && told.contains("`plan --version`"), "{told}");
        }
    }

    #[test]
    fn what_failed_is_still_told() {
        for (message, told) in [
            ("called `Result::unwrap()` on an `Err` value: \"x\"", "called `Result::unwrap()` on an `Err` value: …"),
            (
                "index out of bounds: the len is 3 but the index is 5",
                "index out of bounds: the len is 3 but the index is 5",
            ),
            ("attempt to subtract with overflow", "attempt to subtract with overflow"),
            (
                "end byte index 2 is not a char boundary; it is inside 'é' (bytes 1..3) of `hél",
                "end byte index 2 is not a char boundary; it is inside 'é' (bytes 1..3) of …",
            ),
            ("two\nlines \u{1b}[2J", "two lines  …"),
            ("an escaped \"quote \\\" in\" it", "an escaped … it"),
        ] {
            assert_eq!(without_values(message), told);
        }
    }
}
