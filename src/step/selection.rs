//! Which keys move, and to which database.

use serde::{Deserialize, Serialize};

use super::KeyPattern;
use crate::unit::Db;

/// The rules that say which keys move. A key moves by the first rule that takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// In the plan's order.
    pub rules: Vec<DbRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbRule {
    /// The databases at the source that the rule reads.
    pub from: DbSource,
    /// The database at the destination; `None` keeps the number.
    pub to: Option<Db>,
    /// The key must match one of these, unless there are none.
    pub include: Vec<KeyPattern>,
    /// The key must match none of these.
    pub exclude: Vec<KeyPattern>,
}

/// Which databases a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DbSource {
    /// Every database.
    All,
    /// One database.
    One(Db),
}

impl Selection {
    /// Everything, numbers kept.
    #[must_use]
    pub fn all() -> Self {
        Self { rules: vec![DbRule { from: DbSource::All, to: None, include: vec![], exclude: vec![] }] }
    }

    /// Where a key of database `db` goes; `None` when no rule takes it.
    #[must_use]
    pub fn target(&self, db: Db, key: &[u8]) -> Option<Db> {
        self.rules.iter().find(|rule| rule.takes(db, key)).map(|rule| rule.to.unwrap_or(db))
    }

    /// The database that all keys of `db` go to, where the first rule that reads it takes them all.
    #[must_use]
    pub fn whole(&self, db: Db) -> Option<Db> {
        let rule = self.rules.iter().find(|rule| rule.from.covers(db))?;
        (rule.include.is_empty() && rule.exclude.is_empty()).then(|| rule.to.unwrap_or(db))
    }

    /// The source's databases that rules name one by one.
    #[must_use]
    pub fn named(&self) -> Vec<Db> {
        let one = |rule: &DbRule| match rule.from {
            DbSource::One(db) => Some(db),
            DbSource::All => None,
        };
        self.rules.iter().filter_map(one).collect()
    }

    /// Whether some rule may take keys of `db`.
    #[must_use]
    pub fn reads(&self, db: Db) -> bool {
        self.rules.iter().any(|rule| rule.from.covers(db))
    }

    /// The databases at the destination that keys of the source databases `dbs` may go to, sorted, each once.
    #[must_use]
    pub fn targets(&self, dbs: &[Db]) -> Vec<Db> {
        let reads = |rule: &DbRule, db: &Db| rule.from.covers(*db).then(|| rule.to.unwrap_or(*db));
        let all = self.rules.iter().flat_map(|rule| dbs.iter().filter_map(move |db| reads(rule, db)));
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}

impl DbRule {
    fn takes(&self, db: Db, key: &[u8]) -> bool {
        let any = |patterns: &[KeyPattern]| patterns.iter().any(|pattern| pattern.matches(key));
        self.from.covers(db) && (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl DbSource {
    fn covers(self, db: Db) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == db,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_takes_a_key_decides() {
        let cart = |pattern: &str| vec![KeyPattern(pattern.into())];
        let selection = Selection {
            rules: vec![
                DbRule { from: DbSource::One(Db(0)), to: None, include: vec![], exclude: vec![] },
                DbRule {
                    from: DbSource::One(Db(3)),
                    to: Some(Db(1)),
                    include: cart("cart:*"),
                    exclude: cart("cart:tmp:*"),
                },
            ],
        };
        assert_eq!(selection.target(Db(0), b"x"), Some(Db(0)));
        assert_eq!(selection.target(Db(3), b"cart:1"), Some(Db(1)));
        assert_eq!(selection.target(Db(3), b"cart:tmp:1"), None);
        assert_eq!(selection.target(Db(3), b"x"), None);
        assert_eq!(selection.target(Db(5), b"x"), None);
        assert_eq!(selection.targets(&[Db(0), Db(3), Db(5)]), vec![Db(0), Db(1)]);
    }
}
