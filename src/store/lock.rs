//! One process at a time in a state directory.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use super::own::{LOCK, OpenMode, OwnFolder};

/// Holds a folder for this process; let go of when dropped or when the process dies.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("another process works in this state directory")]
    Held,
    /// The lock file could not be made.
    #[error("the lock file cannot be opened: {0}")]
    Io(#[from] io::Error),
}

impl FolderLock {
    /// Takes the lock file `lock` in `folder` without waiting.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let file = OwnFolder::open(folder)?.file(LOCK, OpenMode::Write)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::take(folder.path()), Err(LockError::Held)));
        drop(first);
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
