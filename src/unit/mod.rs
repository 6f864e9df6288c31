//! Ground floor: the small values everything else is written in. Each is its own type and its `Display` is the only
//! place that formats it. Nothing here does I/O.

mod address;
mod byte_size;
mod clean;
mod db;
mod expiry;
mod key_text;
mod mask;
mod offset;
mod percent;
mod period;
mod rate;
mod repl_id;
mod room;
mod secret;
mod server_version;
mod tls_files;
mod unix_millis;

pub use address::Address;
pub use byte_size::ByteSize;
pub use clean::{Clean, CleanLines, quoted, steers};
pub use db::Db;
pub use expiry::Expiry;
pub use key_text::KeyText;
pub use mask::{mask, masked};
pub use offset::Offset;
pub use percent::Percent;
pub use period::Period;
pub use rate::{ByteRate, CountRate};
pub use repl_id::ReplId;
pub use room::make_room;
pub use secret::{Secret, SecretRef};
pub use server_version::{Dialect, ServerVersion};
pub use tls_files::TlsFiles;
pub use unix_millis::UnixMillis;
