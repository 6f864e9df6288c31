//! Logs, on standard error; above the steps of a run where these are drawn there.

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError, TryLockError};

use tracing_subscriber::EnvFilter;

use super::output::wants_colour;
use crate::report::Above;
use crate::unit::{masked, steers};

/// What is logged, and how.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Log more: what happens (-v), connections and progress (-vv), every question to a server (-vvv)
    ///
    /// The environment variable `RUST_LOG` sets it by module instead.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,

    /// How log lines look
    #[arg(long, value_enum, default_value = "text", global = true, value_name = "FORMAT")]
    log_format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Args {
    /// Whether nothing but warnings is logged, so that a progress bar has the terminal to itself.
    pub(super) fn is_quiet(&self) -> bool {
        self.verbose == 0 && std::env::var_os("RUST_LOG").is_none()
    }
}

/// Where log lines go while something is drawn on the terminal.
static ABOVE: Mutex<Option<Above>> = Mutex::new(None);

/// Log lines are printed there from now on; `None` is standard error.
pub(super) fn print_above(above: Option<Above>) {
    *ABOVE.lock().unwrap_or_else(PoisonError::into_inner) = above;
}

/// Nothing is drawn on the terminal any more. Does not wait for whoever prints there, for it may be what went wrong.
pub(super) fn stop_drawing() {
    let above = match ABOVE.try_lock() {
        Ok(above) => above.clone(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(above) = above {
        above.freeze();
    }
}

/// Takes each log line in one piece.
struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = fit(&String::from_utf8_lossy(line));
        match &mut *ABOVE.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(above) => above.write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        }
        .map(|()| line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// A line as it may be shown: without the secrets of this process and without what steers a terminal. Escapes in it are
/// colours of the formatter, which lets none of a value pass.
fn fit(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in masked(line).chars() {
        if steers(c) && !matches!(c, '\n' | '\t' | '\u{1b}') {
            text.extend(c.escape_unicode());
        } else {
            text.push(c);
        }
    }
    text
}

/// Starts logging. A second call in one process changes nothing.
pub(super) fn start(args: &Args) {
    let level = match args.verbose {
        0 => "warn",
        1 => "redis_plan=info,warn",
        2 => "redis_plan=debug,info",
        _ => "redis_plan=trace,debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = std::io::stderr().is_terminal() && wants_colour();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogLines).with_ansi(ansi);
    _ = match args.log_format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}
