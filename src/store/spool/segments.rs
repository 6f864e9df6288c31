//! The segments in a spool's folder.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    SpoolError,
    format::{FRAME_HEADER, SEGMENT_HEADER, read_frame_header, read_segment_header},
};

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

/// The position up to which the spool in `folder` holds whole, undamaged frames. Stops at the first that is not: what
/// was being written when the process died.
pub fn stored_end(folder: &Path, tag: u64) -> Result<u64, SpoolError> {
    let Some(last) = list(folder)?.last().copied() else { return Ok(0) };
    let path = path_of(folder, last);
    let mut file = File::open(&path).map_err(|error| SpoolError::io(&path, error))?;
    let mut header = [0; SEGMENT_HEADER];
    if file.read_exact(&mut header).is_err() || read_segment_header(&header) != Some((last, tag)) {
        return Ok(last);
    }
    let mut end = last;
    let mut bytes = vec![];
    loop {
        let mut header = [0; FRAME_HEADER];
        if file.read_exact(&mut header).is_err() {
            return Ok(end);
        }
        let Some(frame) = read_frame_header(&header).filter(|frame| frame.position == end) else { return Ok(end) };
        bytes.resize(frame.len, 0);
        if file.read_exact(&mut bytes).is_err() || !frame.holds(&bytes) {
            return Ok(end);
        }
        end += frame.len as u64;
    }
}
