//! Keys in one piece of memory.

use super::LoggedKey;
use crate::unit::Db;

/// Keys one behind the other: one piece of memory however many they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBlock {
    bytes: Vec<u8>,
    keys: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    db: Db,
    fields: bool,
    /// The end of the key in the block's bytes.
    end: usize,
}

/// A key of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockKey<'a> {
    /// Its database.
    pub db: Db,
    /// Whether fields of it are meant too.
    pub fields: bool,
    /// The key.
    pub key: &'a [u8],
}

impl BlockKey<'_> {
    /// The same in memory of its own.
    #[must_use]
    pub fn to_logged(self) -> LoggedKey {
        LoggedKey { db: self.db, fields: self.fields, key: self.key.to_vec() }
    }
}

impl KeyBlock {
    /// Adds a key.
    pub fn push(&mut self, key: BlockKey<'_>) {
        self.bytes.extend_from_slice(key.key);
        self.end_key(key.db, key.fields);
    }

    /// Where the bytes of the next key go; [`Self::end_key`] makes a key of them.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was written to [`Self::room`] since the last key is a key.
    pub fn end_key(&mut self, db: Db, fields: bool) {
        self.keys.push(Entry { db, fields, end: self.bytes.len() });
    }

    /// Keeps the keys that `keeps` takes.
    pub fn retain(&mut self, keeps: impl Fn(BlockKey<'_>) -> bool) {
        if self.iter().all(&keeps) {
            return;
        }
        let mut kept = Self::default();
        self.iter().filter(|key| keeps(*key)).for_each(|key| kept.push(key));
        *self = kept;
    }

    /// The keys, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = BlockKey<'_>> {
        let mut start = 0;
        self.keys.iter().map(move |entry| {
            let key = self.bytes.get(start..entry.end).unwrap_or_default();
            start = entry.end;
            BlockKey { db: entry.db, fields: entry.fields, key }
        })
    }

    /// How many keys it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many bytes its keys have.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were_added_and_those_that_are_not_kept_are_gone() {
        let mut block = KeyBlock::default();
        let keys: [&[u8]; 4] = [b"one", b"", b"\0two\r\n", b"three"];
        for (db, key) in (0..).zip(keys) {
            block.push(BlockKey { db: Db(db), fields: db == 2, key });
        }
        assert_eq!(block.iter().map(|key| key.key).collect::<Vec<_>>(), keys);
        assert_eq!((block.len(), block.size(), block.is_empty()), (4, 14, false));
        block.retain(|key| key.db.0 != 1);
        let left: Vec<_> = block.iter().map(|key| (key.db.0, key.fields, key.key)).collect();
        assert_eq!(left, [(0, false, keys[0]), (2, true, keys[2]), (3, false, keys[3])]);
    }
}
