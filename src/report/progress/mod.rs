//! A run as it happens, from its events.

mod bar;
mod lines;

use std::io::Write;

use bar::Bar;
use lines::Lines;
pub(super) use lines::change;

use crate::step::Stamped;

/// How to show a run as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A bar on standard error, redrawn in place.
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
    Bar(Box<Bar>),
    Plain(Lines, Box<dyn Write + Send>),
    Json(Box<dyn Write + Send>),
    Nothing,
}

impl Progress {
    /// A renderer that writes to `out`; the bar draws on standard error whatever `out` is.
    pub fn new(style: ProgressStyle, out: Box<dyn Write + Send>) -> Self {
        Self(match style {
            ProgressStyle::Tty => Shown::Bar(Box::default()),
            ProgressStyle::Plain => Shown::Plain(Lines::default(), out),
            ProgressStyle::Json => Shown::Json(out),
            ProgressStyle::None => Shown::Nothing,
        })
    }

    /// Shows one event. A failure to write is not an error of the run: the event log is the evidence, this is not.
    pub fn show(&mut self, event: &Stamped) {
        match &mut self.0 {
            Shown::Bar(bar) => bar.show(event),
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
