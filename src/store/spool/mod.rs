//! The spool: what the source sent and the destination has not confirmed, in append-only segments.
//!
//! A spool is a folder of segments named after the position of their first byte. A segment is a [`format`] header and
//! then frames; a frame is a header with length, position and checksum, and its bytes. Frames follow each other without
//! gaps over all segments. A frame that was being written when the process died is short or fails its checksum: only
//! the last frame of the last segment may, and it is cut off when the spool is continued.
//!
//! Writing, reading ahead and reading back are done by blocking threads; [`Level`] tells readers how far the writer is.

mod disk;
mod error;
mod format;
mod level;
mod reader;
mod segments;
mod writer;

pub use disk::Disk;
pub use error::SpoolError;
pub use format::MAX_FRAME;
pub use level::SpoolLevel;
pub use reader::SpoolReader;
pub use segments::{Stored, remove_all, remove_before, stored};
pub use writer::SpoolWriter;
