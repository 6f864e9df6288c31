//! How far the source's stream is applied.

use crate::unit::{Db, Offset, ReplId};

/// Everything of the stream up to `offset` is at the destination. It commits in the same transaction as what it stands
/// for, as the field `stream` of the run record: `<offset> <replid> <db>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last byte applied: the end of a command, outside transactions.
    pub offset: Offset,
    /// The history that the offset counts in.
    pub replid: ReplId,
    /// The database selected there, which a source does not say again; `None` while it still has to say it.
    pub db: Option<Db>,
}

impl Checkpoint {
    /// Whether another one is of the same byte of the same history.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        (self.offset, self.replid) == (other.offset, other.replid)
    }
}

impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ", self.offset, self.replid)?;
        match self.db {
            Some(db) => write!(f, "{db}"),
            None => f.write_str("-"),
        }
    }
}

impl std::str::FromStr for Checkpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let (Some(offset), Some(replid), Some(db), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(());
        };
        let db = if db == "-" { None } else { Some(Db(db.parse().map_err(drop)?)) };
        let replid = ReplId::parse(replid.as_bytes()).ok_or(())?;
        Ok(Self { offset: Offset(offset.parse().map_err(drop)?), replid, db })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_nothing_else_is_one() {
        let id = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
        for text in [format!("0 {id} -"), format!("18446744073709551615 {id} 15")] {
            assert_eq!(text.parse::<Checkpoint>().map(|checkpoint| checkpoint.to_string()), Ok(text));
        }
        for text in ["", "5", &format!("5 {id}"), &format!("x {id} 1"), &format!("5 {id} 1 2"), "5 short 1"] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text}");
        }
    }
}
