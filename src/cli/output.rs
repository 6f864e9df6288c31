//! Both output streams: a reader that went away is no error, and colour is for those who look.

use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use super::exit::Failure;
use crate::report::diagnostics::Style;

/// Columns where nobody knows better.
const WIDTH: usize = 100;

/// Standard output or standard error. When nobody reads any more (`plan … | head`) the rest is dropped without a word.
pub(super) struct Output {
    to: Box<dyn Write>,
    style: Style,
}

impl Output {
    /// Where results go.
    pub(super) fn stdout() -> Self {
        let stdout = std::io::stdout();
        Self { style: style(&stdout), to: Box::new(stdout) }
    }

    /// Where everything else goes.
    pub(super) fn stderr() -> Self {
        let stderr = std::io::stderr();
        Self { style: style(&stderr), to: Box::new(stderr) }
    }

    /// How to write for whoever reads it.
    pub(super) const fn style(&self) -> Style {
        self.style
    }

    /// Writes a result.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.write_all(text.as_bytes()).and_then(|()| self.flush()).map_err(Failure::Output)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.to.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.to.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

fn style(stream: &(impl IsTerminal + AsFd)) -> Style {
    let colour = stream.is_terminal() && wants_colour();
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let window = || rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    Style { width: asked.or_else(window).filter(|width| *width > 0).unwrap_or(WIDTH), colour }
}

/// Colour is not refused by the environment (<https://no-color.org>).
pub(super) fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
