//! The segments in a spool's folder.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    SpoolError,
    format::{FRAME_HEADER, SEGMENT_HEADER, read_frame_header, read_segment_header},
};
use crate::store::own::{self, OpenMode};

/// The file of the segment whose first byte has this position.
pub(super) fn path_of(folder: &Path, position: u64) -> PathBuf {
    folder.join(format!("{position:020}.seg"))
}

/// The positions at which segments begin, ascending. Files that are no segments are left alone.
pub(super) fn list(folder: &Path) -> Result<Vec<u64>, SpoolError> {
    let mut found = vec![];
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(SpoolError::io(folder, error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| SpoolError::io(folder, error))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".seg")).filter(|digits| digits.len() == 20);
        found.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes the segments that lie wholly before `position`; answers the position at which the spool now begins.
pub fn remove_before(folder: &Path, position: u64) -> Result<u64, SpoolError> {
    let all = list(folder)?;
    let mut begin = all.first().copied().unwrap_or(0);
    for pair in all.windows(2) {
        let [first, next] = *pair else { continue };
        if next > position {
            break;
        }
        let path = path_of(folder, first);
        fs::remove_file(&path).map_err(|error| SpoolError::io(&path, error))?;
        begin = next;
    }
    Ok(begin)
}

/// Removes the spool in `folder`: its segments, and the folder when nothing else is in it.
pub fn remove_all(folder: &Path) -> Result<(), SpoolError> {
    for position in list(folder)? {
        let path = path_of(folder, position);
        fs::remove_file(&path).map_err(|error| SpoolError::io(&path, error))?;
    }
    match fs::remove_dir(folder) {
        Err(error) if !matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::DirectoryNotEmpty) => {
            Err(SpoolError::io(folder, error))
        }
        _ => Ok(()),
    }
}

/// What a spool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The position of its first byte.
    pub begin: u64,
    /// The position behind its last whole, undamaged frame.
    pub end: u64,
}

/// What the spool in `folder` holds; `None` when there is none. Stops at the first frame that is not whole: what was being
/// written when the process died.
pub fn stored(folder: &Path, tag: u64) -> Result<Option<Stored>, SpoolError> {
    let all = list(folder)?;
    let (Some(begin), Some(last)) = (all.first().copied(), all.last().copied()) else { return Ok(None) };
    Ok(Some(Stored { begin, end: whole_end(folder, last, tag)?.0 }))
}

/// Cuts off the last frame if it is not whole, and a segment that holds nothing; answers the position behind what is left.
pub(super) fn cut_off_the_torn(folder: &Path, tag: u64) -> Result<Option<u64>, SpoolError> {
    let Some(last) = list(folder)?.last().copied() else { return Ok(None) };
    let path = path_of(folder, last);
    let (end, bytes) = whole_end(folder, last, tag)?;
    let cut = || -> std::io::Result<()> {
        if end == last {
            return fs::remove_file(&path);
        }
        let file = own::open(&path, OpenMode::Write)?;
        file.set_len(bytes)?;
        file.sync_all()
    };
    cut().map_err(|error| SpoolError::io(&path, error))?;
    Ok(Some(end))
}

/// The position behind the last whole frame of the segment that begins at `last`, and its bytes in the file.
fn whole_end(folder: &Path, last: u64, tag: u64) -> Result<(u64, u64), SpoolError> {
    let path = path_of(folder, last);
    let mut file = own::open(&path, OpenMode::Read).map_err(|error| SpoolError::io(&path, error))?;
    let mut header = [0; SEGMENT_HEADER];
    if file.read_exact(&mut header).is_err() || read_segment_header(&header) != Some((last, tag)) {
        return Ok((last, 0));
    }
    let (mut end, mut length) = (last, SEGMENT_HEADER as u64);
    let mut bytes = vec![];
    loop {
        let mut header = [0; FRAME_HEADER];
        if file.read_exact(&mut header).is_err() {
            return Ok((end, length));
        }
        let frame = read_frame_header(&header).filter(|frame| frame.position == end);
        let Some(frame) = frame else { return Ok((end, length)) };
        bytes.resize(frame.len, 0);
        if file.read_exact(&mut bytes).is_err() || !frame.holds(&bytes) {
            return Ok((end, length));
        }
        end += frame.len as u64;
        length += (FRAME_HEADER + frame.len) as u64;
    }
}
