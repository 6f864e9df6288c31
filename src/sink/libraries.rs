//! Function libraries belong to a server as a whole. Those that came from the source are the run's; all others are left
//! alone, whatever the source does with its own.

use std::{borrow::Cow, collections::BTreeSet};

use super::{
    RecordKeys, RunRecord,
    record::{LIBRARIES, libraries_text},
};
use crate::step::OnConflict;

/// The function libraries of a destination, by whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libraries {
    /// Those that came from the source; `None` where the record, of 0.1, does not say.
    ours: Option<BTreeSet<String>>,
    /// Those that were there besides.
    others: BTreeSet<String>,
    /// Whether the plan lets what others have be replaced.
    replaces: bool,
}

/// Whose a library of some name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It came from the source.
    Run,
    /// Somebody else's, and to be left alone.
    Other,
    /// Nobody's, or somebody else's that may be replaced.
    Nobody,
}

impl Libraries {
    /// What is at a destination that lists these libraries.
    #[must_use]
    pub fn new(record: &RunRecord, listed: Vec<String>, on_conflict: OnConflict) -> Self {
        let ours = record.libraries.clone();
        let is_ours = |name: &String| ours.as_ref().is_none_or(|ours| ours.contains(name));
        let others = listed.into_iter().filter(|name| !is_ours(name)).collect();
        Self { ours, others, replaces: on_conflict == OnConflict::Replace }
    }

    /// Whose it is.
    pub(super) fn owner(&self, name: &str) -> Owner {
        match &self.ours {
            Some(ours) if ours.contains(name) => Owner::Run,
            _ if self.others.contains(name) && !self.replaces => Owner::Other,
            _ => Owner::Nobody,
        }
    }

    /// Whether somebody else has it.
    pub(super) fn is_of_others(&self, name: &str) -> bool {
        self.others.contains(name)
    }

    /// Those that came from the source; `None` where that is not known.
    pub(super) fn ours(&self) -> Option<&BTreeSet<String>> {
        self.ours.as_ref()
    }

    /// Notes that a library came from the source.
    pub(super) fn add(&mut self, name: String) {
        self.others.remove(&name);
        if let Some(ours) = &mut self.ours {
            ours.insert(name);
        }
    }

    /// Notes that a library is gone.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(ours) = &mut self.ours {
            ours.remove(name);
        }
    }

    /// The words that note in the run record which libraries came from the source; none in one of 0.1.
    pub(super) fn note(&self, keys: &RecordKeys) -> Option<[Cow<'static, [u8]>; 4]> {
        let ours = self.ours.as_ref()?;
        let words = [b"HSET".to_vec(), keys.run.clone().into_bytes(), LIBRARIES.into(), libraries_text(ours).into()];
        Some(words.map(Cow::Owned))
    }
}

/// The name of the library of this code, in its first line: `#!lua name=NAME`.
pub(super) fn library_name(code: &[u8]) -> Option<String> {
    let line = code.split(|byte| *byte == b'\n').next()?;
    let name = line.split(u8::is_ascii_whitespace).find_map(|word| {
        let (key, name) = word.split_at_checked(5)?;
        key.eq_ignore_ascii_case(b"name=").then_some(name)
    })?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let name = name.trim_ascii();
    (!name.is_empty() && name.iter().all(is_plain)).then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_has_the_name_of_its_first_line() {
        let name = |code: &str| library_name(code.as_bytes());
        assert_eq!(name("#!lua name=one\nredis.x()"), Some("one".to_owned()));
        assert_eq!(name("#!LUA NAME=two_2\r\n"), Some("two_2".to_owned()));
        assert_eq!(name("#!lua  name=three"), Some("three".to_owned()));
        for code in ["", "#!lua", "#!lua name=", "#!lua name=a,b\n", "redis.x()\n#!lua name=late"] {
            assert_eq!(name(code), None, "{code:?}");
        }
    }
}
