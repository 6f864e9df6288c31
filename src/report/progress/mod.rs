//! A run as it happens, from its events.

mod board;
mod lines;
mod screen;

use std::io::Write;

use lines::Lines;
pub(super) use lines::change;
use screen::Screen;

use crate::step::{Graph, Stamped};
use crate::unit::UnixMillis;

/// How to show a run as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStyle {
    /// The steps and their states, drawn over themselves on a terminal.
    Tty,
    /// A line for each change, and at most one every ten seconds for the figures.
    Plain,
    /// Every event as one JSON object a line.
    Json,
    /// Nothing.
    None,
}

/// Shows the events of a run as they come.
pub struct Progress(Shown);

enum Shown {
    Screen(Screen),
    Plain(Lines, Box<dyn Write + Send>),
    Json(Box<dyn Write + Send>),
    Nothing,
}

impl Progress {
    /// A renderer that writes to `out`, which is so many characters wide whenever it is asked.
    pub fn new(style: ProgressStyle, out: Box<dyn Write + Send>, width: fn() -> usize) -> Self {
        Self(match style {
            ProgressStyle::Tty => Shown::Screen(Screen::new(out, width)),
            ProgressStyle::Plain => Shown::Plain(Lines::default(), out),
            ProgressStyle::Json => Shown::Json(out),
            ProgressStyle::None => Shown::Nothing,
        })
    }

    /// The same for a run of `graph`: its steps are known before they begin.
    #[must_use]
    pub fn expecting(self, graph: &Graph) -> Self {
        if let Shown::Screen(screen) = &self.0 {
            screen.expect(graph.steps.iter().map(|step| step.id));
        }
        self
    }

    /// Where others print whole lines without being drawn over; `None` where nothing is drawn over.
    pub fn above(&self) -> Option<Above> {
        match &self.0 {
            Shown::Screen(screen) => Some(Above(screen.clone())),
            _ => None,
        }
    }

    /// Shows one event. A failure to write is not an error of the run: the event log is the evidence, this is not.
    pub fn show(&mut self, event: &Stamped) {
        match &mut self.0 {
            Shown::Screen(screen) => screen.show(event),
            Shown::Plain(lines, out) => {
                if let Some(line) = lines.line(event) {
                    _ = writeln!(out, "{line}");
                }
            }
            Shown::Json(out) => {
                if let Ok(line) = serde_json::to_string(event) {
                    _ = writeln!(out, "{line}");
                }
            }
            Shown::Nothing => {}
        }
    }
}

/// Prints whole lines above what is drawn.
#[derive(Clone)]
pub struct Above(Screen);

impl Above {
    /// Draws what time has changed; to be called about once a second while it answers `true`.
    #[must_use]
    pub fn tick(&self) -> bool {
        self.0.tick(UnixMillis::now())
    }

    /// Draws nothing from now on: what others print, such as the message of a panic, stays.
    pub fn freeze(&self) {
        self.0.freeze();
    }
}

impl Write for Above {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        self.0.above(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
