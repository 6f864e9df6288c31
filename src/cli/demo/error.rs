//! Why the demo could not be shown.

use std::path::PathBuf;

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DemoError {
    /// Nothing to start.
    #[error(
        "no redis-server was found in {} or in the PATH\n\
         help: `bash tests/demo` of the repository gets two, or install one with your package manager",
        folder.display()
    )]
    NoServer {
        /// Where servers were looked for.
        folder: PathBuf,
    },
    /// A server does not come up.
    #[error("{} did not start: {reason}", program.display())]
    Start {
        /// The server.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// A Unix socket has no room for the path.
    #[error(
        "the socket `{}` cannot be opened: its path is longer than 107 bytes\n\
         help: set `TMPDIR` to a folder with a shorter path, such as `/tmp`",
        .0.display()
    )]
    LongPath(PathBuf),
    /// A server says no.
    #[error("a server of the demo: {0}")]
    Redis(#[from] redis::RedisError),
    /// A file or a process.
    #[error("the demo's files: {0}")]
    Io(#[from] std::io::Error),
    /// The writing client died.
    #[error("the writing client ended early")]
    Traffic,
}
