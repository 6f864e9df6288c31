//! Reading a spool, behind its writer or back.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    SpoolError, SpoolLevel,
    format::{FRAME_HEADER, SEGMENT_HEADER, read_frame_header, read_segment_header},
    segments::{list, path_of},
};
use crate::{
    store::own::{self, OpenMode},
    unit::UnixMillis,
};

/// Reads a spool from a position on, frame by frame. Blocking: waits for the writer where it has to.
#[derive(Debug)]
pub struct SpoolReader {
    folder: PathBuf,
    tag: u64,
    level: SpoolLevel,
    open: Option<Segment>,
    position: u64,
    /// When the bytes read last were received.
    received_at: UnixMillis,
    /// Bytes of the next frame that lie before the position asked for.
    skip: usize,
    /// The last frame at its beginning.
    frame: Vec<u8>,
    /// Bytes of the last frame.
    len: usize,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    at: u64,
    /// Position of the next frame.
    position: u64,
}

impl SpoolReader {
    /// A reader whose first byte will be that at `position`.
    #[must_use]
    pub fn new(folder: &Path, tag: u64, position: u64, level: SpoolLevel) -> Self {
        Self {
            folder: folder.to_owned(),
            tag,
            level,
            open: None,
            position,
            received_at: UnixMillis(0),
            skip: 0,
            frame: vec![],
            len: 0,
        }
    }

    /// The position of the next byte.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// When the bytes that [`Self::read`] answered last were received.
    #[must_use]
    pub const fn received_at(&self) -> UnixMillis {
        self.received_at
    }

    /// Whether [`Self::read`] would have to wait.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.level.written() <= self.position
    }

    /// The next bytes, checked; `None` at the end, which is reached only after the writer said so. Waits for the
    /// writer when it is behind.
    pub fn read(&mut self) -> Result<Option<&[u8]>, SpoolError> {
        if !self.level.wait_beyond(self.position) {
            return Ok(None);
        }
        if self.open.is_none() {
            self.seek()?;
        }
        while !self.read_frame()? {
            self.open = None;
            self.seek()?;
        }
        let bytes = self.frame.get(self.skip..self.len).unwrap_or_default();
        self.skip = 0;
        self.position += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Opens the segment that holds the position and steps over the frames before it.
    fn seek(&mut self) -> Result<(), SpoolError> {
        let missing = || SpoolError::Missing { path: self.folder.clone(), position: self.position };
        let begin = list(&self.folder)?.into_iter().rfind(|begin| *begin <= self.position).ok_or_else(missing)?;
        let mut segment = Segment::open(&self.folder, begin, self.tag)?;
        loop {
            let Some(header) = segment.header()? else { return Err(missing()) };
            let end = header.position + header.len as u64;
            if end > self.position {
                self.skip = usize::try_from(self.position - header.position).unwrap_or_default();
                segment.back()?;
                self.open = Some(segment);
                return Ok(());
            }
            segment.step_over(header.len)?;
        }
    }

    /// Reads the next frame of the open segment; `false` at the segment's end.
    fn read_frame(&mut self) -> Result<bool, SpoolError> {
        let Some(segment) = &mut self.open else { return Ok(false) };
        let Some(header) = segment.header()? else { return Ok(false) };
        // A buffer that kept its length would be filled with zeros anew.
        self.frame.resize(self.frame.len().max(header.len), 0);
        self.len = header.len;
        let frame = self.frame.get_mut(..header.len).unwrap_or_default();
        segment.bytes(frame)?;
        if !header.holds(frame) {
            return Err(segment.damaged("a frame's checksum does not match its bytes"));
        }
        segment.position = header.position + header.len as u64;
        self.received_at = header.at;
        Ok(true)
    }
}

impl Segment {
    fn open(folder: &Path, begin: u64, tag: u64) -> Result<Self, SpoolError> {
        let path = path_of(folder, begin);
        let file = own::open(&path, OpenMode::Read).map_err(|error| SpoolError::io(&path, error))?;
        let mut segment = Self { file, path, at: 0, position: begin };
        let mut header = [0; SEGMENT_HEADER];
        segment.bytes(&mut header)?;
        match read_segment_header(&header) {
            Some((position, found)) if position == begin && found == tag => Ok(segment),
            Some(_) => Err(segment.damaged("the segment belongs to another run or place")),
            None => Err(segment.damaged("the segment's header does not match its checksum")),
        }
    }

    /// The next frame's header; `None` at the end of the file.
    fn header(&mut self) -> Result<Option<super::format::FrameHeader>, SpoolError> {
        let mut header = [0; FRAME_HEADER];
        match self.file.read_exact(&mut header) {
            Ok(()) => self.at += FRAME_HEADER as u64,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(SpoolError::io(&self.path, error)),
        }
        match read_frame_header(&header) {
            Some(frame) if frame.position == self.position => Ok(Some(frame)),
            _ => Err(self.damaged("a frame header is not where it should be")),
        }
    }

    fn bytes(&mut self, into: &mut [u8]) -> Result<(), SpoolError> {
        match self.file.read_exact(into) {
            Ok(()) => self.at += into.len() as u64,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.damaged("it ends early")),
            Err(error) => return Err(SpoolError::io(&self.path, error)),
        }
        Ok(())
    }

    fn step_over(&mut self, len: usize) -> Result<(), SpoolError> {
        self.at += len as u64;
        self.position += len as u64;
        self.file.seek(SeekFrom::Start(self.at)).map_err(|error| SpoolError::io(&self.path, error))?;
        Ok(())
    }

    /// Back to before the frame header just read.
    fn back(&mut self) -> Result<(), SpoolError> {
        self.at -= FRAME_HEADER as u64;
        self.file.seek(SeekFrom::Start(self.at)).map_err(|error| SpoolError::io(&self.path, error))?;
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> SpoolError {
        SpoolError::Damaged { path: self.path.clone(), at: self.at, what }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{SpoolWriter, Stored, remove_before, stored},
        *,
    };

    fn filled(folder: &Path, frames: usize) -> (Vec<u8>, SpoolLevel) {
        let level = SpoolLevel::default();
        let mut writer = SpoolWriter::create(folder, 7, 0, 1000, level.clone()).unwrap();
        let mut all = vec![];
        for number in 0..frames {
            let frame = vec![u8::try_from(number % 251).unwrap(); 100 + number];
            writer.append(&frame, UnixMillis(0)).unwrap();
            all.extend(frame);
        }
        level.end();
        (all, level)
    }

    fn read_from(folder: &Path, position: u64, level: &SpoolLevel) -> Result<Vec<u8>, SpoolError> {
        let mut reader = SpoolReader::new(folder, 7, position, level.clone());
        let mut all = vec![];
        while let Some(bytes) = reader.read()? {
            all.extend_from_slice(bytes);
        }
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read_from_any_position() {
        let folder = tempfile::tempdir().unwrap();
        let (all, level) = filled(folder.path(), 40);
        for position in (0..=all.len()).step_by(37) {
            assert_eq!(read_from(folder.path(), position as u64, &level).unwrap(), all[position..]);
        }
        assert_eq!(stored(folder.path(), 7).unwrap().unwrap().end, all.len() as u64);
    }

    #[test]
    fn a_reader_waits_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let level = SpoolLevel::default();
        let mut writer = SpoolWriter::create(folder.path(), 7, 0, 1000, level.clone()).unwrap();
        let reader = {
            let (folder, level) = (folder.path().to_owned(), level.clone());
            std::thread::spawn(move || read_from(&folder, 0, &level).unwrap().len())
        };
        for _ in 0..100 {
            writer.append(&[1; 123], UnixMillis(0)).unwrap();
        }
        level.end();
        assert_eq!(reader.join().unwrap(), 12_300);
    }

    #[test]
    fn removed_segments_are_missing_and_the_rest_reads_on() {
        let folder = tempfile::tempdir().unwrap();
        let (all, level) = filled(folder.path(), 40);
        let begin = remove_before(folder.path(), 2500).unwrap();
        assert!(begin > 0 && begin <= 2500);
        assert_eq!(read_from(folder.path(), begin, &level).unwrap(), all[usize::try_from(begin).unwrap()..]);
        assert!(matches!(read_from(folder.path(), 0, &level), Err(SpoolError::Missing { position: 0, .. })));
    }

    #[test]
    fn any_flipped_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (all, level) = filled(folder.path(), 5);
        let path = path_of(folder.path(), 0);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            fs::write(&path, &bad).unwrap();
            // A fault, or (a flipped tail read as an early end) fewer bytes: never other bytes.
            if let Ok(read) = read_from(folder.path(), 0, &level) {
                assert!(read.len() < all.len(), "byte {at}");
            }
            assert!(stored(folder.path(), 7).unwrap().unwrap().end < all.len() as u64);
        }
    }

    #[test]
    fn a_torn_frame_is_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (all, _) = filled(folder.path(), 5);
        let path = path_of(folder.path(), 0);
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert_eq!(stored(folder.path(), 7).unwrap().unwrap().end, all.len() as u64 - 104);
    }

    #[test]
    fn a_spool_goes_on_behind_its_last_whole_frame() {
        let folder = tempfile::tempdir().unwrap();
        let (mut all, _) = filled(folder.path(), 15);
        let last = path_of(folder.path(), *super::super::segments::list(folder.path()).unwrap().last().unwrap());
        let good = fs::read(&last).unwrap();
        fs::write(&last, &good[..good.len() - 1]).unwrap();
        all.truncate(all.len() - 114);
        let whole = Stored { begin: 0, end: all.len() as u64 };
        assert_eq!(stored(folder.path(), 7).unwrap(), Some(whole));
        let level = SpoolLevel::at(whole.end, false);
        let mut writer = SpoolWriter::go_on(folder.path(), 7, 1000, level.clone()).unwrap().unwrap();
        assert_eq!(writer.position(), whole.end);
        writer.append(b"more", UnixMillis(5)).unwrap();
        all.extend(b"more");
        level.end();
        assert_eq!(read_from(folder.path(), 0, &level).unwrap(), all);
        let elsewhere = folder.path().join("other");
        assert!(SpoolWriter::go_on(&elsewhere, 7, 1000, SpoolLevel::default()).unwrap().is_none());
    }
}
