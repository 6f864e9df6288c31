//! Logs, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::output::wants_colour;

/// What is logged, and how.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Log more: -v what happens, -vv why, -vvv every exchange
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
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    _ = match args.log_format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}
