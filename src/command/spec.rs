//! What is known of a command: where its keys are, what the stream needs of it, and since when it exists.

/// Where a command's keys are among its arguments; the name is argument 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpec {
    /// It has none.
    None,
    /// From `first` to `last` (negative counts from the end), every `step`th.
    Range {
        /// The first key.
        first: usize,
        /// The last key; −1 is the last argument.
        last: isize,
        /// From one key to the next.
        step: usize,
    },
    /// One key at this place, and a number of keys at `count`, followed by the keys: `ZUNIONSTORE`.
    Counted {
        /// The key that is written, if it stands apart.
        first: Option<usize>,
        /// The argument that says how many keys follow it.
        count: usize,
        /// From one key to the next.
        step: usize,
    },
    /// One key, and others behind each of these words: `SORT … STORE`, `GEORADIUS … STORE`.
    Stored {
        /// The key that is read.
        first: usize,
    },
    /// Keys behind the word STREAMS.
    Streams,
}

/// What the stream needs of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Writes the one key it names.
    Write,
    /// Writes every key it names, each for itself: DEL.
    Each,
    /// Writes pairs of key and value: MSET.
    Pairs,
    /// Writes its first key from what the others hold: SUNIONSTORE.
    Store,
    /// Moves what one key holds, or a part, to another: its own rule.
    Cross(Cross),
    /// Brings an expiry that counts from now.
    Expiry,
    /// Waits for an element; what arrives in a stream did not have to.
    Blocking,
    /// Runs a script with the keys it names.
    Script,
    /// SELECT.
    Select,
    /// MULTI.
    Multi,
    /// EXEC.
    Exec,
    /// FLUSHDB and FLUSHALL.
    Flush,
    /// SWAPDB.
    Swap,
    /// Keeps the connection or the servers' book-keeping going; changes no data.
    Housekeeping,
    /// For subscribers.
    Publish,
    /// SCRIPT LOAD, FLUSH.
    ScriptCache,
    /// FUNCTION.
    Function,
    /// Deletes all keys of slots.
    Slots,
}

/// Commands with two keys, of which each may be migrated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cross {
    /// RENAME, RENAMENX.
    Rename,
    /// COPY.
    Copy,
    /// MOVE.
    Move,
    /// SMOVE.
    SetMember,
    /// RPOPLPUSH.
    PopPush,
    /// LMOVE.
    ListMove,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name, upper case.
    pub name: &'static str,
    /// Where its keys are.
    pub keys: KeySpec,
    /// What the stream needs of it.
    pub class: Class,
    /// The first Redis that has it, as major and minor; `None` where none has.
    pub redis: Option<(u16, u16)>,
    /// The first Valkey that has it; `None` where none has.
    pub valkey: Option<(u16, u16)>,
    /// Its place in the table.
    pub(super) place: usize,
}

impl Spec {
    /// Whether a server of this version has it.
    pub fn in_version(&self, version: crate::unit::ServerVersion) -> bool {
        let never = (u16::MAX, 0);
        version.has(self.redis.unwrap_or(never), self.valkey.unwrap_or(never))
    }

    /// The indexes of the key arguments of a command, in order, at most those that are there. The word at `index` is
    /// asked of `arg`.
    pub fn key_indexes<'a>(&self, len: usize, arg: &dyn Fn(usize) -> Option<&'a [u8]>, found: &mut Vec<usize>) {
        found.clear();
        match self.keys {
            KeySpec::None => {}
            KeySpec::Range { first, last, step } => {
                let last = if last < 0 { len.saturating_sub(last.unsigned_abs()) } else { last.unsigned_abs() };
                found.extend((first..=last.min(len.saturating_sub(1))).step_by(step.max(1)));
            }
            KeySpec::Counted { first, count, step } => {
                found.extend(first.filter(|first| *first < len));
                let number = arg(count).and_then(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok());
                let begin = count.saturating_add(1);
                let keys = (begin..len).step_by(step.max(1)).take(number.unwrap_or(0));
                found.extend(keys);
            }
            KeySpec::Stored { first } => {
                found.extend(Some(first).filter(|first| *first < len));
                let is_store =
                    |word: &[u8]| word.eq_ignore_ascii_case(b"STORE") || word.eq_ignore_ascii_case(b"STOREDIST");
                let words = first.saturating_add(1)..len.saturating_sub(1);
                // The last one counts (sort.c, `sortCommandGeneric`).
                let store = words.rev().find(|index| arg(*index).is_some_and(is_store));
                found.extend(store.map(|index| index.saturating_add(1)));
            }
            KeySpec::Streams => {
                let word = (1..len).find(|index| arg(*index).is_some_and(|word| word.eq_ignore_ascii_case(b"STREAMS")));
                let begin = word.map_or(len, |index| index.saturating_add(1));
                let keys = len.saturating_sub(begin) / 2;
                found.extend(begin..begin.saturating_add(keys));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::find;

    fn keys(line: &str) -> Vec<&str> {
        let args: Vec<&str> = line.split(' ').collect();
        let mut found = vec![];
        let arg = |index: usize| args.get(index).map(|word| word.as_bytes());
        find(args[0].as_bytes()).unwrap().key_indexes(args.len(), &arg, &mut found);
        found.into_iter().map(|index| args[index]).collect()
    }

    #[test]
    fn keys_are_where_the_servers_say() {
        let cases = [
            ("set k v", vec!["k"]),
            ("DEL a b c", vec!["a", "b", "c"]),
            ("MSET a 1 b 2", vec!["a", "b"]),
            ("BITOP AND d a b", vec!["d", "a", "b"]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", vec!["d", "a", "b"]),
            ("EVAL body 2 a b x", vec!["a", "b"]),
            ("EVAL body x a b", vec![]),
            ("SORT a STORE b STORE c", vec!["a", "c"]),
            ("SORT a", vec!["a"]),
            ("GEORADIUS k 1 2 3 km STOREDIST d", vec!["k", "d"]),
            ("XGROUP CREATE k g 0", vec!["k"]),
            ("XREADGROUP GROUP g c STREAMS a b > >", vec!["a", "b"]),
            ("MSETEX 2 a 1 b 2 PX 5", vec!["a", "b"]),
            ("LMPOP 2 a b LEFT", vec!["a", "b"]),
            ("BLPOP a b 0", vec!["a", "b"]),
            ("RENAME a b", vec!["a", "b"]),
            ("RENAME a", vec!["a"]),
            ("FLUSHALL", vec![]),
            ("EVAL", vec![]),
            ("ZUNIONSTORE d 99999999999 a", vec!["d", "a"]),
        ];
        for (line, wanted) in cases {
            assert_eq!(keys(line), wanted, "{line}");
        }
    }
}
