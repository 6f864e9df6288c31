//! What a comparison found.

use std::{collections::BTreeMap, fmt};

/// One thing that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The source's database.
    pub db: u32,
    pub key: Vec<u8>,
    pub what: String,
}

/// Two servers compared.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Keys compared, by type.
    pub keys: BTreeMap<String, usize>,
    /// Keys that reached their end while they were looked at.
    pub expired: usize,
    pub differences: Vec<Difference>,
}

impl Comparison {
    pub fn total(&self) -> usize {
        self.keys.values().sum()
    }

    /// Nothing may differ; prints what was compared.
    pub fn assert_equal(self) -> Self {
        assert!(self.differences.is_empty(), "{self}");
        println!("{self}");
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "db {} \"{}\": {}", self.db, self.key.escape_ascii(), self.what)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.keys.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let (total, expired, found) = (self.total(), self.expired, self.differences.len());
        write!(
            formatter,
            "{total} keys compared ({}), {expired} expired meanwhile, {found} differences",
            kinds.join(", ")
        )?;
        self.differences.iter().try_for_each(|difference| write!(formatter, "\n  {difference}"))
    }
}
