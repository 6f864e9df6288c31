//! The text of a plan file and places in it.

mod path;
mod read;
mod shown;
mod source;
mod span;

pub use path::{Path, Segment};
pub(super) use read::read;
pub(super) use shown::{is_reference_key, is_secret_key, is_variable_name, shown};
pub use source::{Position, Source};
pub use span::Span;
