//! Files that outlive the process: small ones replaced whole, the lock of a state directory, and the spool. Programs that
//! a plan names are found here too.

mod durable;
mod key_block;
mod key_log;
mod lock;
pub mod own;
mod program;
pub mod spool;

pub use durable::{open_bounded, read_bounded, sync_folder, write_whole};
pub use key_block::{BlockKey, KeyBlock};
pub use key_log::{KeyLog, KeyLogReader, LoggedKey};
pub use lock::{FolderLock, LockError};
pub use program::program;
