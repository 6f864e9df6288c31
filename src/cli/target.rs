//! `--output FORMAT=FILE`: a result that goes to a file as well.

use std::path::PathBuf;
use std::str::FromStr;

use crate::report::diagnostics::Style;

/// A file to write, and how.
#[derive(Clone, Debug)]
pub(super) struct Target<F> {
    pub(super) format: F,
    pub(super) file: PathBuf,
}

impl<F: clap::ValueEnum> FromStr for Target<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or("write FORMAT=FILE")?;
        Ok(Self { format: clap::ValueEnum::from_str(format, false)?, file: file.into() })
    }
}

/// How to write for a file: without colour, and as wide as a log may be.
pub(super) fn plain(style: Style) -> Style {
    Style { width: style.width.max(100), colour: false }
}
