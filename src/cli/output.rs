//! Standard output: results only, and a reader that went away is no error.

use std::io::{ErrorKind, IsTerminal as _, Write};

use super::exit::Failure;

/// Where results go.
pub(super) struct Output {
    to: Box<dyn Write>,
    colour: bool,
}

impl Output {
    /// The process's standard output.
    pub(super) fn stdout() -> Self {
        let stdout = std::io::stdout();
        let colour = stdout.is_terminal() && wants_colour();
        Self { to: Box::new(stdout), colour }
    }

    /// Whether results may be coloured.
    pub(super) const fn has_colour(&self) -> bool {
        self.colour
    }

    /// Writes a result. When nobody reads any more (`plan … | head`) the rest is dropped without a word.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
            _ => Ok(()),
        }
    }
}

/// Colour is not refused by the environment (<https://no-color.org>).
pub(super) fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
