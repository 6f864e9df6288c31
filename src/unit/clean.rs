//! Text from elsewhere as a terminal and a page may have it.

use std::fmt::{Display, Formatter, Result, Write as _};

use super::mask::masked;

/// Text from a plan, a server or a program with every control character and every character that changes how a line is
/// shown escaped: one line in, one line out, and no terminal escape passes.
#[derive(Clone, Copy, Debug)]
pub struct Clean<'a>(pub &'a str);

/// Text of several lines, cleaned line by line.
#[derive(Clone, Copy, Debug)]
pub struct CleanLines<'a>(pub &'a str);

impl Display for Clean<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for c in self.0.chars() {
            if steers(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

impl Display for CleanLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for line in self.0.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => writeln!(f, "{}", Clean(line))?,
                None => Clean(line).fmt(f)?,
            }
        }
        Ok(())
    }
}

/// Whether a character makes a terminal or a viewer do something else than show it: controls, bidirectional marks,
/// what has no width, line separators, tags.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// What a server or a program said, fit to be repeated in a message: the run's own secrets masked, nothing that steers, and
/// then not more than `most` characters of it.
pub fn quoted(said: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(said);
    let clean = Clean(&masked(&text)).to_string();
    match clean.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", clean.get(..end).unwrap_or_default()),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_server_steers_the_terminal() {
        assert_eq!(Clean("a\x1b[2J\nb\u{202e}\\x00").to_string(), "a\\u{1b}[2J\\u{a}b\\u{202e}\\x00");
        assert_eq!(Clean("\u{61c}\u{e0041}é").to_string(), "\\u{61c}\\u{e0041}é");
        assert_eq!(CleanLines("a\x07\nb\r\nc").to_string(), "a\\u{7}\nb\\u{d}\nc");
    }

    #[test]
    fn what_is_repeated_is_short_and_clean() {
        assert_eq!(quoted(b"a\xff\x00b", 10), "a\u{fffd}\\u{0}b");
        assert_eq!(quoted("é".repeat(20).as_bytes(), 3), "ééé…");
    }
}
