//! Files and folders that are ours: they belong to the effective user, and nobody else may write to them.
//!
//! What a state directory says decides what a run does, so nothing in it is believed that another user could have put there.
//! A folder is opened first and its files through it; no symbolic link is followed at either; what was opened is asked what
//! it is, so that nothing can be exchanged between a look and its use. Opening never waits, not for a FIFO's other end either.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write as _},
    os::{fd::AsRawFd, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

/// The folder of all runs that are given no other place.
pub const ROOT: &str = ".plan";

/// The one file whose content nobody reads: only the lock on it counts.
pub(super) const LOCK: &str = "lock";

/// Write permission of a group or of everybody.
const OTHERS_WRITE: u32 = 0o022;

/// What a file is opened for. All but the first make it where it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading.
    Read,
    /// Reading, and writing at its end.
    Append,
    /// Writing over what is there.
    Write,
    /// Writing in place of what is there.
    Replace,
    /// As [`OpenMode::Replace`], and whoever may read other new files may read it.
    Share,
    /// Writing to a file that must not be there yet.
    New,
}

impl OpenMode {
    const fn flags(self) -> OFlags {
        match self {
            Self::Read => OFlags::RDONLY,
            Self::Append => OFlags::RDWR.union(OFlags::APPEND).union(OFlags::CREATE),
            // Cut off only once it is known what it is.
            Self::Write | Self::Replace | Self::Share => OFlags::WRONLY.union(OFlags::CREATE),
            Self::New => OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL),
        }
    }

    /// The mode of a new file.
    fn mode(self) -> Mode {
        match self {
            Self::Share => Mode::from_raw_mode(0o666),
            _ => Mode::RUSR | Mode::WUSR,
        }
    }
}

/// Why a file or folder is not used. It comes inside an [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {fault}", path.display())]
pub struct NotOurs {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub fault: OwnFault,
}

/// What is wrong with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnFault {
    /// It is of another kind than it must be.
    #[error("is {found}, not {wanted}")]
    Kind {
        /// What it is.
        found: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// It is somebody else's.
    #[error("belongs to user {owner}, and `plan` runs as user {own}")]
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others may change it.
    #[error("has mode {0:03o}, so other users may write to it; `chmod go-w` on it makes it yours alone")]
    Mode(u32),
}

impl NotOurs {
    /// Whether this is why an operation failed.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    fn error(path: &Path, fault: OwnFault) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, Self { path: path.to_owned(), fault })
    }
}

/// A folder that is ours, open.
#[derive(Debug)]
pub struct OwnFolder {
    folder: File,
    path: PathBuf,
}

impl OwnFolder {
    /// Opens the folder at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        match in_root(path) {
            Some((root, name)) => Self::open(root)?.folder(name),
            None => Self::take(rustix::fs::openat(rustix::fs::CWD, bare(path), FOLDER, Mode::empty()), path),
        }
    }

    /// Opens the folder at `path`, and makes it, mode 0700, where it is missing.
    pub fn make(path: &Path) -> io::Result<Self> {
        let Some((root, name)) = in_root(path) else {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            return Self::open(path);
        };
        let root = Self::make(root)?;
        match rustix::fs::mkdirat(&root.folder, name, Mode::RWXU) {
            Err(error) if error != rustix::io::Errno::EXIST => Err(error.into()),
            _ => root.folder(name),
        }
    }

    /// Opens a folder in it.
    fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        Self::take(rustix::fs::openat(&self.folder, name, FOLDER, Mode::empty()), &path)
    }

    fn take(opened: rustix::io::Result<std::os::fd::OwnedFd>, path: &Path) -> io::Result<Self> {
        let folder = opened.map_err(|error| unopened(error, path, FileType::Directory))?;
        judge(&rustix::fs::fstat(&folder)?, path, FileType::Directory)?;
        Ok(Self { folder: File::from(folder), path: path.to_owned() })
    }

    /// Opens a file in it.
    pub fn file(&self, name: impl AsRef<OsStr>, access: OpenMode) -> io::Result<File> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let flags = access.flags().union(NO_SURPRISE).union(OFlags::NOFOLLOW);
        let file = rustix::fs::openat(&self.folder, name, flags, access.mode())
            .map_err(|error| unopened(error, &path, FileType::RegularFile))?;
        let found = rustix::fs::fstat(&file)?;
        if name == LOCK {
            judge_owner(&found, &path, FileType::RegularFile)?;
        } else {
            judge(&found, &path, FileType::RegularFile)?;
        }
        emptied(File::from(file), access)
    }

    /// A path to `name` in this very folder, whatever its own path leads to by now. It is good for as long as this is open,
    /// and short enough for a socket's.
    pub fn through(&self, name: impl AsRef<OsStr>) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(name.as_ref())
    }

    /// Makes creations, renames and removals in it durable.
    pub fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }

    /// Sees that everything in it is ours: files, sockets, and folders with what is in them.
    pub fn inspect(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.through(""))? {
            let name = entry?.file_name();
            let path = self.path.join(&name);
            let found = match rustix::fs::statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                // It went meanwhile.
                Err(rustix::io::Errno::NOENT) => continue,
                found => found?,
            };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => self.folder(&name)?.inspect()?,
                FileType::Socket => judge(&found, &path, FileType::Socket)?,
                _ if name == LOCK => judge_owner(&found, &path, FileType::RegularFile)?,
                _ => judge(&found, &path, FileType::RegularFile)?,
            }
        }
        Ok(())
    }
}

/// Opens the file at `path` in a folder that is ours too.
pub fn open(path: &Path, access: OpenMode) -> io::Result<File> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    OwnFolder::open(folder_of(path))?.file(name, access)
}

/// Opens a file that an operator names, wherever it is and whoever it belongs to: it must be a regular one, so that nothing
/// waits, now or later.
pub fn open_regular(path: &Path, access: OpenMode) -> io::Result<File> {
    match std::fs::metadata(path) {
        // Opening a device can do something already.
        Ok(found) if !found.is_file() => {
            let found = FileType::from_raw_mode(std::os::unix::fs::MetadataExt::mode(&found));
            return Err(NotOurs::error(path, other_kind(found, FileType::RegularFile)));
        }
        _ => {}
    }
    let file = rustix::fs::openat(rustix::fs::CWD, path, access.flags().union(NO_SURPRISE), access.mode())
        .map_err(|error| unopened(error, path, FileType::RegularFile))?;
    judge_kind(&rustix::fs::fstat(&file)?, path, FileType::RegularFile)?;
    emptied(File::from(file), access)
}

/// Writes a file that an operator names.
pub fn write_regular(path: &Path, content: &[u8]) -> io::Result<()> {
    open_regular(path, OpenMode::Share)?.write_all(content)
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Neither waits nor becomes the terminal of this process nor stays open in a program.
const NO_SURPRISE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder of all runs and the name of one in it, where `path` is such a one.
fn in_root(path: &Path) -> Option<(&Path, &OsStr)> {
    let (root, name) = (path.parent()?, path.file_name()?);
    (root.file_name() == Some(OsStr::new(ROOT))).then_some((root, name))
}

/// The path without a slash at its end, which would make a link be followed.
fn bare(path: &Path) -> PathBuf {
    let bare: PathBuf = path.components().collect();
    if bare.as_os_str().is_empty() { PathBuf::from(".") } else { bare }
}

fn emptied(file: File, access: OpenMode) -> io::Result<File> {
    if matches!(access, OpenMode::Replace | OpenMode::Share) {
        file.set_len(0)?;
    }
    Ok(file)
}

/// In what words the system's refusal is told: a link, a FIFO or a folder in place of a file is named.
fn unopened(error: rustix::io::Errno, path: &Path, wanted: FileType) -> io::Error {
    use rustix::io::Errno;
    if matches!(error, Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::ISDIR)
        && let Ok(found) = rustix::fs::lstat(bare(path))
        && let Err(error) = judge_kind(&found, path, wanted)
    {
        return error;
    }
    error.into()
}

fn judge(found: &Stat, path: &Path, wanted: FileType) -> io::Result<()> {
    judge_owner(found, path, wanted)?;
    match found.st_mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(NotOurs::error(path, OwnFault::Mode(found.st_mode & 0o7777))),
    }
}

fn judge_owner(found: &Stat, path: &Path, wanted: FileType) -> io::Result<()> {
    judge_kind(found, path, wanted)?;
    let own = rustix::process::geteuid().as_raw();
    match found.st_uid {
        owner if owner == own => Ok(()),
        owner => Err(NotOurs::error(path, OwnFault::Owner { owner, own })),
    }
}

fn judge_kind(found: &Stat, path: &Path, wanted: FileType) -> io::Result<()> {
    match FileType::from_raw_mode(found.st_mode) {
        found if found == wanted => Ok(()),
        found => Err(NotOurs::error(path, other_kind(found, wanted))),
    }
}

const fn other_kind(found: FileType, wanted: FileType) -> OwnFault {
    OwnFault::Kind { found: kind(found), wanted: kind(wanted) }
}

const fn kind(file: FileType) -> &'static str {
    match file {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn fault(error: &io::Error) -> OwnFault {
        NotOurs::of(error).unwrap_or_else(|| panic!("{error}")).fault
    }

    fn fifo(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    #[test]
    fn a_link_a_fifo_and_a_folder_are_no_file_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("target"), "mine").unwrap();
        symlink(at("target"), at("link")).unwrap();
        fifo(&at("fifo"));
        fs::create_dir(at("folder")).unwrap();
        for access in [OpenMode::Read, OpenMode::Append, OpenMode::Write, OpenMode::Replace] {
            for (name, found) in [("link", "a symbolic link"), ("fifo", "a FIFO"), ("folder", "a folder")] {
                let fault = fault(&open(&at(name), access).unwrap_err());
                assert_eq!(fault, OwnFault::Kind { found, wanted: "a regular file" }, "{name} {access:?}");
            }
        }
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "mine");
        assert!(open(&at("missing"), OpenMode::Read).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn what_others_may_write_to_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        open(&path, OpenMode::New).unwrap();
        for (mode, taken) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(&path, OpenMode::Read).is_ok(), taken, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for (mode, taken) in [(0o700, true), (0o755, true), (0o770, false), (0o707, false), (0o1777, false)] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(&path, OpenMode::Read).is_ok(), taken, "{mode:o}");
            assert_eq!(OwnFolder::make(folder.path()).is_ok(), taken, "{mode:o}");
        }
    }

    #[test]
    fn the_folder_of_all_runs_must_be_ours_too_and_no_link_leads_to_a_run() {
        let place = tempfile::tempdir().unwrap();
        let (root, run) = (place.path().join(ROOT), place.path().join(ROOT).join("move"));
        OwnFolder::make(&run).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&root, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(fault(&OwnFolder::open(&run).unwrap_err()), OwnFault::Mode(0o777));
        assert_eq!(fault(&OwnFolder::make(&run).unwrap_err()), OwnFault::Mode(0o777));
        fs::set_permissions(&root, Permissions::from_mode(0o700)).unwrap();
        symlink(&run, root.join("other")).unwrap();
        let link = OwnFault::Kind { found: "a symbolic link", wanted: "a folder" };
        for path in [root.join("other"), root.join("other/")] {
            assert_eq!(fault(&OwnFolder::make(&path).unwrap_err()), link, "{}", path.display());
        }
    }

    #[test]
    fn everything_in_a_folder_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnFolder::make(&folder.path().join("run")).unwrap();
        let at = |name: &str| folder.path().join("run").join(name);
        fs::create_dir(at("spool-1")).unwrap();
        for name in [LOCK, "journal", "spool-1/segment"] {
            fs::write(at(name), "").unwrap();
        }
        own.inspect().unwrap();
        // Made under a wide umask by an earlier version; it says nothing.
        fs::set_permissions(at(LOCK), Permissions::from_mode(0o664)).unwrap();
        own.inspect().unwrap();
        for name in ["journal", "spool-1/segment", "spool-1"] {
            let before = fs::metadata(at(name)).unwrap().permissions();
            fs::set_permissions(at(name), Permissions::from_mode(before.mode() | 0o020)).unwrap();
            assert!(matches!(fault(&own.inspect().unwrap_err()), OwnFault::Mode(_)), "{name}");
            fs::set_permissions(at(name), before).unwrap();
        }
        symlink("/etc/passwd", at("events.jsonl")).unwrap();
        assert!(matches!(fault(&own.inspect().unwrap_err()), OwnFault::Kind { .. }));
    }

    #[test]
    fn a_file_of_an_operator_is_a_regular_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fifo(&at("fifo"));
        fs::write(at("file"), "old").unwrap();
        symlink(at("file"), at("link")).unwrap();
        for access in [OpenMode::Read, OpenMode::Append, OpenMode::Replace] {
            for path in [at("fifo"), folder.path().to_owned(), PathBuf::from("/dev/null")] {
                assert!(NotOurs::of(&open_regular(&path, access).unwrap_err()).is_some(), "{}", path.display());
            }
        }
        open_regular(&at("link"), OpenMode::Append).unwrap();
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "old");
        open_regular(&at("link"), OpenMode::Replace).unwrap();
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "");
    }
}
