//! A list of keys on disk: appended to, then read from its beginning. It may be longer than memory, and name a key twice.
//!
//! It begins with its tag (8 bytes) and the boot id of the host (36 bytes, zero where the host has none). Each record is the database (4 bytes), whether fields of the key are meant too (1 byte), the key's length (4 bytes), all
//! little-endian, and the key. It is not synced: after a restart of the host nobody knows how much of it is there.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    BlockKey, KeyBlock,
    own::{OpenMode, open},
};
use crate::unit::Db;

/// Keys that are remembered so as not to be written twice, and bytes of them.
const RECENT: (usize, usize) = (1 << 16, 8 << 20);
/// Bytes of keys after which a block that is read ends.
const BLOCK: usize = 1 << 20;
/// The longest key (Redis `proto-max-bulk-len`).
const LONGEST: u32 = 512 << 20;
/// Bytes of a record before its key.
const HEAD: usize = 9;

/// Bytes of a boot id (Linux `random(4)`, `/proc/sys/kernel/random/boot_id`).
const BOOT_ID: usize = 36;

/// A key of the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoggedKey {
    /// Its database.
    pub db: Db,
    /// Whether fields of it are meant too.
    pub fields: bool,
    /// The key.
    pub key: Vec<u8>,
}

/// The list.
#[derive(Debug)]
pub struct KeyLog {
    path: PathBuf,
    file: BufWriter<File>,
    recent: HashSet<LoggedKey>,
    /// Bytes of the keys among them.
    recent_bytes: usize,
    count: u64,
}

impl KeyLog {
    /// An empty list in the file at `path`, in place of what is there. `tag` says what it is of.
    pub fn create(path: &Path, tag: i64) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(64 << 10, open(path, OpenMode::Replace)?);
        file.write_all(&tag.to_le_bytes())?;
        file.write_all(&boot_id().unwrap_or([0; BOOT_ID]))?;
        Ok(Self { path: path.to_owned(), file, recent: HashSet::new(), recent_bytes: 0, count: 0 })
    }

    /// Adds a key, unless it was added a short while ago.
    pub fn add(&mut self, key: LoggedKey) -> io::Result<()> {
        if self.recent.contains(&key) {
            return Ok(());
        }
        self.append(BlockKey { db: key.db, fields: key.fields, key: &key.key })?;
        let size = key.key.len();
        if self.recent.len() >= RECENT.0 || self.recent_bytes.saturating_add(size) > RECENT.1 {
            self.recent.clear();
            self.recent_bytes = 0;
        }
        if size <= RECENT.1 {
            self.recent_bytes += size;
            self.recent.insert(key);
        }
        Ok(())
    }

    /// Adds a key, whether or not it is there already.
    pub fn append(&mut self, key: BlockKey<'_>) -> io::Result<()> {
        let length = u32::try_from(key.key.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut head = [0; HEAD];
        let (db, rest) = head.split_at_mut(4);
        db.copy_from_slice(&key.db.0.to_le_bytes());
        if let Some((fields, size)) = rest.split_first_mut() {
            *fields = u8::from(key.fields);
            size.copy_from_slice(&length.to_le_bytes());
        }
        self.file.write_all(&head)?;
        self.file.write_all(key.key)?;
        self.count += 1;
        Ok(())
    }

    /// How many keys were added.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The tag of the list at `path`, where everything that was added to it is there: `None` without a list, and for one
    /// of before a restart of this host.
    #[must_use]
    pub fn tag_of_whole(path: &Path) -> Option<i64> {
        let KeyLogReader { tag, boot, .. } = KeyLogReader::open(path).ok()?;
        (boot_id() == Some(boot)).then_some(tag)
    }

    /// Removes the list at `path`, if there is one.
    pub fn remove(path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Hands what was added over to the system, where it outlives this process.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// The keys added so far.
    pub fn read(&mut self) -> io::Result<KeyLogReader> {
        self.flush()?;
        KeyLogReader::open(&self.path)
    }
}

/// Reads a list from its beginning.
#[derive(Debug)]
pub struct KeyLogReader {
    file: BufReader<File>,
    tag: i64,
    boot: [u8; BOOT_ID],
}

impl KeyLogReader {
    /// The list in the file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(64 << 10, open(path, OpenMode::Read)?);
        let (mut tag, mut boot) = ([0; 8], [0; BOOT_ID]);
        file.read_exact(&mut tag)?;
        file.read_exact(&mut boot)?;
        Ok(Self { file, tag: i64::from_le_bytes(tag), boot })
    }

    /// The next keys, `most` at most, fewer where they are long; none at the end, or where a record is cut off.
    pub fn next(&mut self, most: usize) -> io::Result<KeyBlock> {
        let mut keys = KeyBlock::default();
        while keys.len() < most && keys.size() < BLOCK && self.one(&mut keys)? {}
        Ok(keys)
    }

    fn one(&mut self, keys: &mut KeyBlock) -> io::Result<bool> {
        let mut head = [0; HEAD];
        if !whole(self.file.read_exact(&mut head))? {
            return Ok(false);
        }
        let (db, rest) = head.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let (fields, length) = rest.split_first().unwrap_or((&0, &[]));
        let length = u32::from_le_bytes(*length.first_chunk::<4>().unwrap_or(&[0; 4]));
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a key longer than any server holds"));
        }
        let read = (&mut self.file).take(u64::from(length)).read_to_end(keys.room())?;
        let is_whole = read as u64 == u64::from(length);
        if is_whole {
            keys.end_key(Db(u32::from_le_bytes(*db)), *fields != 0);
        }
        Ok(is_whole)
    }
}

/// What tells this start of the host from any other.
fn boot_id() -> Option<[u8; BOOT_ID]> {
    std::fs::read("/proc/sys/kernel/random/boot_id").ok()?.first_chunk().copied()
}

/// Whether everything was there.
fn whole(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(db: u32, fields: bool, key: &[u8]) -> LoggedKey {
        LoggedKey { db: Db(db), fields, key: key.to_vec() }
    }

    fn logged(block: &KeyBlock) -> Vec<LoggedKey> {
        block.iter().map(BlockKey::to_logged).collect()
    }

    #[test]
    fn what_a_list_holds_in_memory_is_bounded_and_the_rest_is_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut log = KeyLog::create(&path, 7).unwrap();
        let mut most = (0, 0);
        let mut see = |log: &KeyLog| {
            assert_eq!(log.recent_bytes, log.recent.iter().map(|key| key.key.len()).sum::<usize>());
            most = (most.0.max(log.recent.len()), most.1.max(log.recent_bytes));
        };
        for number in 0..200_000u32 {
            log.add(key(0, false, &number.to_le_bytes())).unwrap();
            if number % 5000 == 0 {
                see(&log);
            }
        }
        for number in 0..40u8 {
            log.add(key(0, true, &vec![number; 1 << 20])).unwrap();
            see(&log);
        }
        log.add(key(1, true, &vec![1; RECENT.1 + 1])).unwrap();
        see(&log);
        assert!(most.0 > 1000 && most.0 <= RECENT.0 && most.1 > 1 << 20 && most.1 <= RECENT.1, "{most:?}");
        let (mut reader, mut keys, mut largest) = (log.read().unwrap(), 0, 0);
        loop {
            let block = reader.next(2000).unwrap();
            if block.is_empty() {
                break;
            }
            keys += block.len();
            // A block ends behind the key with which it is full.
            largest = largest.max(block.size() - block.iter().last().unwrap().key.len());
        }
        assert_eq!((keys as u64, keys), (log.count(), 200_041));
        assert!(largest < BLOCK, "{largest}");
    }

    #[test]
    fn keys_read_back_in_their_order_and_a_cut_record_ends_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut log = KeyLog::create(&path, 7).unwrap();
        let keys = [key(0, false, b"a"), key(7, true, b"\0\r\n"), key(7, false, b"")];
        for key in keys.iter().chain(&keys) {
            log.add(key.clone()).unwrap();
        }
        assert_eq!(log.count(), 3, "a key that was just added is not added again");
        let mut reader = log.read().unwrap();
        assert_eq!(logged(&reader.next(2).unwrap()), keys[..2]);
        assert_eq!(logged(&reader.next(2).unwrap()), keys[2..]);
        assert!(reader.next(2).unwrap().is_empty());
        let whole = std::fs::read(&path).unwrap();
        assert!((0..8 + BOOT_ID).all(|cut| {
            std::fs::write(&path, &whole[..cut]).unwrap();
            KeyLogReader::open(&path).is_err()
        }));
        for cut in 8 + BOOT_ID..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let read = logged(&KeyLogReader::open(&path).unwrap().next(9).unwrap());
            assert!(read.len() < 3 && keys.starts_with(&read), "{cut}");
        }
    }

    #[test]
    fn a_list_of_before_a_restart_of_the_host_is_not_known_to_be_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert_eq!(KeyLog::tag_of_whole(&path), None);
        KeyLog::create(&path, -7).unwrap().flush().unwrap();
        assert_eq!(KeyLog::tag_of_whole(&path), Some(-7));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(KeyLog::tag_of_whole(&path), None);
    }

    #[test]
    fn a_length_that_no_key_has_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, [0xff; 80]).unwrap();
        assert!(KeyLogReader::open(&path).unwrap().next(1).is_err());
    }
}
