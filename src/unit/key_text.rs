//! Key names as people may safely read them.

use super::steers;

/// Shows bytes that came from a server: printable text as it is, everything else as `\xNN`, cut after
/// [`KeyText::LIMIT`] bytes. No control byte or terminal escape passes.
#[derive(Clone, Copy)]
pub struct KeyText<'a>(pub &'a [u8]);

impl KeyText<'_> {
    /// Bytes shown of one key.
    pub const LIMIT: usize = 120;
}

impl std::fmt::Display for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.get(..Self::LIMIT).unwrap_or(self.0);
        for chunk in shown.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if steers(c) => write!(f, "{}", c.escape_unicode())?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_never_reach_the_terminal() {
        assert_eq!(KeyText(b"a\x1b[31m\n\xff\\").to_string(), "a\\u{1b}[31m\\u{a}\\xff\\\\");
        assert_eq!(KeyText("köttur".as_bytes()).to_string(), "köttur");
        assert!(KeyText(&[b'k'; 500]).to_string().ends_with("… (500 bytes)"));
    }
}
