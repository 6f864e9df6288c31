//! The text of a plan file and places in it.

mod path;
mod read;
mod shown;
mod source;
mod span;

pub use path::{Path, PathSegment};
pub(super) use read::read;
pub(super) use shown::{is_reference_key, is_secret_key, is_variable_name, shown};
pub use source::{SourceText, TextPosition};
pub use span::Span;
