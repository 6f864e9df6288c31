//! Small files, whole or not at all.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use super::own::{self, OpenMode, OwnFolder};

/// Replaces the file at `path` (mode 0600, in a folder that is ours): written aside, synced, renamed, and the rename synced. After an error or a
/// crash the old content is still there.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = OwnFolder::open(own::folder_of(path))?;
    let mut aside = tempfile::NamedTempFile::new_in(folder.through(""))?;
    aside.write_all(content)?;
    aside.as_file().sync_all()?;
    aside.persist(folder.through(name))?;
    folder.sync()
}

/// Makes creations, renames and removals in `folder` durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    OwnFolder::open(folder)?.sync()
}

/// The content of our file at `path`, refused above `limit` bytes; `None` when there is no such file.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_bounded(path, limit)? else { return Ok(None) };
    let mut content = vec![];
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    // It may have grown meanwhile.
    if content.len() as u64 > limit { Err(too_large(limit)) } else { Ok(Some(content)) }
}

/// Our file at `path`, refused unread above `limit` bytes; `None` when there is no such file.
pub fn open_bounded(path: &Path, limit: u64) -> io::Result<Option<File>> {
    let file = match own::open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > limit { Err(too_large(limit)) } else { Ok(Some(file)) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_bounded(&path, 10).unwrap(), None);
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(read_bounded(&path, 3).unwrap().as_deref(), Some(&b"two"[..]));
        assert!(read_bounded(&path, 2).is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
