//! Programs that a plan names.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

/// The program and its arguments, to be run in `folder`, the plan file's: without a shell or input, in a process group of its
/// own. A name with a slash is a path from `folder`, another is looked for in `PATH`. `None` where nothing is named.
pub fn program(folder: &Path, argv: &[String]) -> Option<Command> {
    let (name, arguments) = argv.split_first()?;
    let mut command = if name.contains('/') { Command::new(folder.join(name)) } else { Command::new(name) };
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).process_group(0);
    Some(command)
}
