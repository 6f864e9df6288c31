//! A plan file's text and where its lines start.

use super::Span;

/// The text of a plan file, without a byte order mark.
#[derive(Clone, Debug)]
pub struct SourceText {
    name: String,
    text: String,
    /// Bytes of the byte order mark that was in front of the text.
    skipped: usize,
    line_starts: Vec<usize>,
}

/// A place as editors count: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl SourceText {
    pub(super) fn new(name: &str, text: String, skipped: usize) -> Self {
        let line_starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1));
        let line_starts = line_starts.collect();
        Self { name: name.to_owned(), text, skipped, line_starts }
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text; spans count its bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte.
    #[must_use]
    pub fn position(&self, byte: usize) -> TextPosition {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.line_starts.partition_point(|start| *start <= byte).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        // Counting what no continuation byte is, is what the compiler makes fast: a line may have a megabyte.
        let before = Span::new(start, byte).of(&self.text);
        let column = before.bytes().map(|byte| usize::from(byte & 0xc0 != 0x80)).sum::<usize>() + 1;
        TextPosition { line, column }
    }

    /// The span of the whole line that `byte` is on, without its end.
    #[must_use]
    pub fn line(&self, byte: usize) -> Span {
        let byte = byte.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= byte).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        Span::new(start, end)
    }

    /// Bytes of the file before the text: those of a byte order mark.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// The same bytes counted in the file, where a byte order mark counts too.
    #[must_use]
    pub fn in_file(&self, span: Span) -> Span {
        Span::new(span.start + self.skipped, span.end + self.skipped)
    }
}
