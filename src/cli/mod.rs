//! The command line: arguments, one file per subcommand, exit codes. The only place that prints, exits, reads the
//! environment or asks whether somebody watches.

mod app;
mod apply;
mod check;
mod completions;
mod demo;
mod evidence;
mod exit;
mod explain;
mod load;
mod logging;
mod man;
mod metrics;
mod output;
mod panic;
mod preview;
mod report;
mod schema;
mod secrets;
mod signals;
mod status;
mod steer;
mod target;
mod validate;
mod verify;
mod version;
mod watch;

pub use app::{command, run};
