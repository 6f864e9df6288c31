//! Appending to a spool.

use std::{
    fs::File,
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use super::{
    SpoolError, SpoolLevel,
    format::{MAX_FRAME, frame_header, segment_header},
    segments::path_of,
};
use crate::{
    store::{
        own::{self, OpenMode, OwnFolder},
        sync_folder,
    },
    unit::UnixMillis,
};

/// Appends to a new spool. Blocking: runs on a thread that may wait for the disk.
#[derive(Debug)]
pub struct SpoolWriter {
    folder: PathBuf,
    tag: u64,
    segment_bytes: u64,
    file: File,
    path: PathBuf,
    segment_begin: u64,
    position: u64,
    level: SpoolLevel,
    /// The last full segment, while the disk takes it.
    settling: Option<JoinHandle<Result<(), SpoolError>>>,
}

impl SpoolWriter {
    /// Begins an empty spool in `folder`, which is made, mode 0700, when it is not there; segments that are there are
    /// removed. Its first byte will be that at `position`. A segment is closed once it has `segment_bytes`. `tag` names
    /// the generation.
    pub fn create(
        folder: &Path,
        tag: u64,
        position: u64,
        segment_bytes: u64,
        level: SpoolLevel,
    ) -> Result<Self, SpoolError> {
        super::remove_all(folder)?;
        OwnFolder::make(folder).map_err(|error| SpoolError::io(folder, error))?;
        Self::at(folder, tag, position, segment_bytes, level)
    }

    /// Goes on with the spool in `folder` behind its last whole frame; what was being written when the process died is
    /// cut off. `None` when there is none.
    pub fn go_on(folder: &Path, tag: u64, segment_bytes: u64, level: SpoolLevel) -> Result<Option<Self>, SpoolError> {
        let Some(end) = super::segments::cut_off_the_torn(folder, tag)? else { return Ok(None) };
        Self::at(folder, tag, end, segment_bytes, level).map(Some)
    }

    fn at(folder: &Path, tag: u64, position: u64, segment_bytes: u64, level: SpoolLevel) -> Result<Self, SpoolError> {
        let (file, path) = begin_segment(folder, position, tag)?;
        sync_folder(folder).map_err(|error| SpoolError::io(folder, error))?;
        let folder = folder.to_owned();
        Ok(Self { folder, tag, segment_bytes, file, path, segment_begin: position, position, level, settling: None })
    }

    /// The position behind everything appended.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Appends `bytes`, received `at`, as one frame, or as several when they are more than [`MAX_FRAME`], and lets readers
    /// have them.
    pub fn append(&mut self, bytes: &[u8], at: UnixMillis) -> Result<(), SpoolError> {
        for frame in bytes.chunks(MAX_FRAME) {
            if self.position - self.segment_begin >= self.segment_bytes {
                self.roll()?;
            }
            let header = frame_header(self.position, at, frame);
            write_both(&mut self.file, &header, frame).map_err(|error| SpoolError::io(&self.path, error))?;
            self.position += frame.len() as u64;
        }
        self.level.fill(self.position);
        Ok(())
    }

    /// Makes everything appended so far survive a power loss.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        self.settle()?;
        self.file.sync_data().map_err(|error| SpoolError::io(&self.path, error))
    }

    /// Begins the next segment. The disk has until the end of that one to take the one before: a source would have to hold
    /// what comes in the meantime.
    fn roll(&mut self) -> Result<(), SpoolError> {
        self.settle()?;
        let (file, path) = begin_segment(&self.folder, self.position, self.tag)?;
        let (full, its) = (std::mem::replace(&mut self.file, file), std::mem::replace(&mut self.path, path));
        self.segment_begin = self.position;
        let folder = self.folder.clone();
        self.settling = Some(std::thread::spawn(move || {
            full.sync_data().and_then(|()| sync_folder(&folder)).map_err(|error| SpoolError::io(&its, error))
        }));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SpoolError> {
        let Some(settling) = self.settling.take() else { return Ok(()) };
        settling.join().unwrap_or_else(|_| Err(SpoolError::io(&self.path, io::Error::other("the disk's thread died"))))
    }
}

fn begin_segment(folder: &Path, position: u64, tag: u64) -> Result<(File, PathBuf), SpoolError> {
    let path = path_of(folder, position);
    let begin = || -> std::io::Result<File> {
        let mut file = own::open(&path, OpenMode::New)?;
        file.write_all(&segment_header(position, tag))?;
        Ok(file)
    };
    begin().map(|file| (file, path.clone())).map_err(|error| SpoolError::io(&path, error))
}

fn write_both(file: &mut File, header: &[u8], bytes: &[u8]) -> std::io::Result<()> {
    let written = file.write_vectored(&[IoSlice::new(header), IoSlice::new(bytes)])?;
    if let Some(part) = written.checked_sub(header.len()) {
        return file.write_all(bytes.get(part..).unwrap_or_default());
    }
    file.write_all(header.get(written..).unwrap_or_default())?;
    file.write_all(bytes)
}
