//! When keys end at sources that send lives instead of deadlines.

use super::{
    Name, SourceDeadlines, TranslatorSetup,
    tests::{NEW, NOW, all, check},
};
use crate::unit::{Db, Offset, ServerVersion, UnixMillis};

/// A source where every key of database 0 ends at the same moment.
struct Ends(i64);

impl SourceDeadlines for Ends {
    fn at_source(&mut self, db: Db, _: &[u8], (_, received): (Offset, UnixMillis)) -> Option<UnixMillis> {
        assert_eq!(received, NOW);
        (db == Db(0)).then_some(UnixMillis(self.0))
    }

    fn under_new_name(&mut self, from: Name<'_>, _: Name<'_>, receipt: (Offset, UnixMillis)) -> Option<UnixMillis> {
        self.at_source(from.0, from.1, receipt)
    }
}

#[test]
fn what_the_source_says_of_a_keys_end_is_better_than_the_receipt_and_never_later() {
    check(
        TranslatorSetup { deadlines: Some(Box::new(Ends(1_005_000))), ..all(NEW) },
        &[
            ("EXPIRE k 10", "PEXPIREAT k 1005000"),
            ("SETEX k 10 v", "SET k v PXAT 1005000"),
            ("SET k v EX 10", "SET k v PXAT 1005000"),
            ("SET k v EX 2", "SET k v PXAT 1002000"),
            ("SET k v PXAT 1999999", "SET k v PXAT 1999999"),
            ("RENAME k l", "RENAME k l ; PEXPIREAT l 1005000"),
            ("COPY k l DB 2 REPLACE", "COPY k l DB 2 REPLACE ; SELECT 2 ; PEXPIREAT l 1005000"),
            ("MOVE k 2", "MOVE k 2 ; SELECT 2 ; PEXPIREAT k 1005000"),
            ("SMOVE s t m", "SMOVE s t m"),
            ("SELECT 1 ; EXPIRE k 10", "SELECT 1 ; PEXPIREAT k 1010000"),
        ],
    );
}

#[test]
fn a_source_that_sends_deadlines_is_not_asked_for_them() {
    let source =
        |source| TranslatorSetup { source: Some(source), deadlines: Some(Box::new(Ends(1_005_000))), ..all(NEW) };
    check(source(ServerVersion::redis(7, 0, 15)), &[("RENAME k l", "RENAME k l"), ("MOVE k 2", "MOVE k 2")]);
    check(source(ServerVersion::redis(6, 2, 14)), &[("RENAME k l", "RENAME k l ; PEXPIREAT l 1005000")]);
}

#[test]
fn a_move_of_a_source_that_loses_expiries_loses_them_too() {
    let from = |source| TranslatorSetup { source: Some(source), ..all(NEW) };
    check(from(ServerVersion::redis(2, 8, 17)), &[("MOVE k 2", "MOVE k 2 ; SELECT 2 ; PERSIST k")]);
    check(from(ServerVersion::redis(3, 0, 4)), &[("MOVE k 2", "MOVE k 2 ; SELECT 2 ; PERSIST k")]);
    check(from(ServerVersion::redis(2, 8, 23)), &[("MOVE k 2", "MOVE k 2")]);
    check(from(ServerVersion::redis(3, 0, 5)), &[("MOVE k 2", "MOVE k 2")]);
}
