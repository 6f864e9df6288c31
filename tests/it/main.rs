//! Integration tests against real servers, which `tests/servers/install` fetches.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]
#![expect(clippy::print_stdout, reason = "what a test prints is shown when it fails")]

mod comparer_finds;
mod harness;
mod harness_works;
