//! Commands in, commands out.

use super::*;
use crate::{
    resp::{self, CommandReader, RespLimits},
    sink::{Destination, Libraries, RecordKeys, RunRecord},
    step::{DbRule, DbSource, KeyPattern, OnConflict, Selection},
    unit::{Db, Expiry, ServerVersion, UnixMillis},
};

/// When everything is received.
pub(super) const NOW: UnixMillis = UnixMillis(1_000_000);

fn destination(version: ServerVersion) -> Destination {
    Destination { version, rdb_version: 11, modules: Some(vec![]), databases: 4, expiry: Expiry::Exact }
}

/// What is known of the libraries of a destination.
pub(super) fn libraries(ours: &[&str], listed: &[&str], on_conflict: OnConflict) -> Libraries {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let fields = [("run", "r"), ("digest", "d"), ("state", "running"), ("generation", "1"), ("occupied", "")];
    let mut fields: std::collections::BTreeMap<String, String> =
        fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
    fields.insert("libraries".to_owned(), ours.join(","));
    Libraries::new(&RunRecord::read(&fields).unwrap(), owned(listed), on_conflict)
}

pub(super) fn setup(version: ServerVersion, selection: Selection) -> TranslatorSetup {
    TranslatorSetup {
        selection,
        destination: destination(version),
        keys: RecordKeys::of("t"),
        occupied: vec![],
        left_alone: [].into(),
        libraries: libraries(&["ours"], &["ours", "theirs"], OnConflict::Fail),
        known_commands: None,
        scripts: [].into(),
        db: Some(Db(0)),
        source: None,
        deadlines: None,
    }
}

fn rule(from: u32, to: u32, include: &[&str]) -> DbRule {
    let include = include.iter().map(|text| KeyPattern((*text).to_owned())).collect();
    DbRule { from: DbSource::One(Db(from)), to: Some(Db(to)), include, exclude: vec![] }
}

/// Keys that begin with `a` of database 0, all of 1 into 2.
fn some() -> Selection {
    Selection { rules: vec![rule(0, 0, &["a*"]), rule(1, 2, &[])] }
}

fn new_to(setup: TranslatorSetup) -> impl FnMut(&str) -> String {
    let mut translator = Translator::new(setup);
    move |line: &str| {
        let mut out = Outgoing::default();
        for command in line.split(" ; ") {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            let mut bytes = vec![];
            resp::command(&mut bytes, &words);
            let mut reader = CommandReader::starting_at(0, RespLimits::default());
            reader.feed(&bytes);
            match translator.take(&reader.next().unwrap().unwrap(), NOW, &mut out) {
                CommandOutcome::Done => {}
                other => return format!("{other:?}"),
            }
        }
        let mut said = lines(&out.bytes);
        assert_eq!(u32::try_from(said.len()).unwrap(), out.commands, "{line}");
        said.extend(out.left.iter().map(|left| format!("LEFT {}", left.reason)));
        said.extend((out.filtered > 0).then(|| format!("FILTERED {}", out.filtered)));
        said.join(" ; ")
    }
}

pub(super) fn lines(bytes: &[u8]) -> Vec<String> {
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(bytes);
    let mut lines = vec![];
    while let Some(command) = reader.next().unwrap() {
        let words: Vec<_> = command.args().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        lines.push(words.join(" "));
    }
    assert_eq!(reader.pending(), 0);
    lines
}

pub(super) fn check(setup: TranslatorSetup, cases: &[(&str, &str)]) {
    let mut translate = new_to(setup);
    for (line, wanted) in cases {
        assert_eq!(translate(line), *wanted, "{line}");
    }
}

pub(super) fn all(version: ServerVersion) -> TranslatorSetup {
    setup(version, Selection::all())
}

pub(super) const NEW: ServerVersion = ServerVersion::redis(7, 2, 4);

#[test]
fn what_nothing_touches_goes_out_as_it_came_in() {
    check(
        all(NEW),
        &[
            ("sEt k v", "sEt k v"),
            ("MULTI ; INCR a ; INCR b ; EXEC", "INCR a ; INCR b"),
            ("PING ; REPLCONF GETACK *", ""),
            ("SELECT 3 ; LPUSH l 1", "SELECT 3 ; LPUSH l 1"),
            ("LPUSH l 1 ; SELECT 0 ; INCR a", "SELECT 3 ; LPUSH l 1 ; SELECT 0 ; INCR a"),
            ("RENAME a b", "RENAME a b"),
            ("PUBLISH c m", "PUBLISH c m"),
            ("PUBLISH __sentinel__:hello 127.0.0.1,26379", "FILTERED 1"),
            ("SPUBLISH __sentinel__:hello 127.0.0.1,26379", "FILTERED 1"),
            ("PUBLISH __keyevent@0__:expired k ; PUBLISH __keyspace@0__:k del", "FILTERED 2"),
            ("PUBLISH __redis__:invalidate k ; PUBLISH AzureRedisEvents x", "FILTERED 2"),
            ("PUBLISH my__sentinel__:hello m", "PUBLISH my__sentinel__:hello m"),
            ("SET redis-plan:{x}:run v", "FILTERED 1"),
            ("SET k about-redis-plan:{x}", "SET k about-redis-plan:{x}"),
            ("MOVE k 1", "MOVE k 1"),
            ("CLUSTER SYNCSLOTS FINISH", ""),
            ("CLUSTER FLUSHSLOT 7", LEFT_SLOTS),
            ("TRIMSLOTS RANGES 1 7 9", LEFT_SLOTS_8),
            ("COPY a b DB 1 REPLACE", "COPY a b DB 1 REPLACE"),
            ("FUNCTION LOAD code", "LEFT FUNCTION was not applied: the first line of the library does not name it."),
        ],
    );
}

const LEFT_SLOTS: &str = "LEFT CLUSTER was not applied: it deletes the keys of whole cluster slots, which this run does \
                          not follow.";
const LEFT_SLOTS_8: &str = "LEFT TRIMSLOTS was not applied: it deletes the keys of whole cluster slots, which this run does \
                            not follow.";

#[test]
fn expiries_count_from_the_time_of_receipt() {
    check(
        all(NEW),
        &[
            ("EXPIRE k 10", "PEXPIREAT k 1010000"),
            ("PEXPIRE k 10 NX", "PEXPIREAT k 1000010 NX"),
            ("EXPIREAT k 5", "EXPIREAT k 5"),
            ("SETEX k 2 v", "SET k v PXAT 1002000"),
            ("PSETEX k 2 v", "SET k v PXAT 1000002"),
            ("SET k v EX 1 NX GET", "SET k v PXAT 1001000"),
            ("SET k v PXAT 77", "SET k v PXAT 77"),
            ("SET k v KEEPTTL", "SET k v KEEPTTL"),
            ("SET k v XX", "SET k v"),
            ("SET k v IFEQ old", "SET k v"),
            ("GETEX k PX 3", "PEXPIREAT k 1000003"),
            ("GETEX k PERSIST", "PERSIST k"),
            ("MSETEX 2 a 1 b 2 EX 1", "MSET a 1 b 2 ; PEXPIREAT a 1001000 ; PEXPIREAT b 1001000"),
            ("EXPIRE k 9223372036854775807", "LEFT EXPIRE was not applied: its expiry overflows."),
            ("SET k v LATER", "LEFT SET was not applied: its word `LATER` is not known."),
        ],
    );
    check(
        all(ServerVersion::redis(5, 0, 10)),
        &[
            ("SETEX k 2 v", "SET k v ; PEXPIREAT k 1002000"),
            ("PEXPIREAT k 5 GT", "PEXPIREAT k 5"),
            (
                "SET k v KEEPTTL",
                "EVAL local left = redis.call('PTTL', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) if left >= 0 then \
                 redis.call('PEXPIRE', KEYS[1], left) end 1 k v",
            ),
        ],
    );
}

#[test]
fn a_restored_payload_gets_a_version_and_an_absolute_expiry() {
    let mut payload = vec![];
    crate::rdb::append_payload(&mut payload, crate::rdb::Kind::String, b"\xc0\x05", 80);
    let mut translator = Translator::new(all(NEW));
    let mut bytes = vec![];
    resp::command(&mut bytes, &[b"RESTORE-ASKING", b"k", b"500", &payload, b"REPLACE"]);
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(&bytes);
    let mut out = Outgoing::default();
    translator.take(&reader.next().unwrap().unwrap(), NOW, &mut out);
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(&out.bytes);
    let sent = reader.next().unwrap().unwrap();
    assert_eq!((sent.name(), sent.arg(2), sent.len()), (&b"RESTORE"[..], Some(&b"1000500"[..]), 6));
    assert!(crate::rdb::verify(sent.arg(3).unwrap()).unwrap().version <= 11);
    assert_eq!((sent.arg(4), sent.arg(5)), (Some(&b"REPLACE"[..]), Some(&b"ABSTTL"[..])));
}

#[test]
fn nothing_waits_at_the_destination() {
    check(
        all(NEW),
        &[
            ("BRPOPLPUSH a b 0", "RPOPLPUSH a b"),
            ("BLMOVE a b LEFT RIGHT 0", "LMOVE a b LEFT RIGHT"),
            ("BLPOP a 0", "LPOP a"),
            ("BZPOPMAX a 0", "ZPOPMAX a"),
            ("BLMPOP 0 1 a LEFT COUNT 2", "LMPOP 1 a LEFT COUNT 2"),
        ],
    );
}

#[test]
fn what_the_destination_does_not_know_becomes_what_it_knows() {
    check(
        all(ServerVersion::redis(3, 0, 5)),
        &[
            ("UNLINK a b", "DEL a b"),
            ("FLUSHALL ASYNC", "FLUSHDB ; SELECT 1 ; FLUSHDB ; SELECT 2 ; FLUSHDB ; SELECT 3 ; FLUSHDB"),
            ("HSET h a 1 b 2", "HMSET h a 1 b 2"),
            ("LPUSHX l a b", "LPUSHX l a ; LPUSHX l b"),
            ("LPOP l 2", "LPOP l ; LPOP l"),
            ("LMOVE a b RIGHT LEFT", "RPOPLPUSH a b"),
            (
                "LMOVE a b LEFT LEFT",
                "LEFT LMOVE was not applied: the destination moves list elements only from the right to the left.",
            ),
            ("ZPOPMIN z 2", "ZREMRANGEBYRANK z 0 1"),
            ("ZPOPMAX z", "ZREMRANGEBYRANK z -1 -1"),
            ("SPUBLISH c m", "PUBLISH c m"),
            (
                "XADD s 1-1 f v",
                "LEFT XADD was not applied: Redis 3.0.5 does not know `XADD`, or it is renamed or disabled there.",
            ),
            ("FUNCTION FLUSH", "LEFT FUNCTION was not applied: Redis 3.0.5 does not know it."),
        ],
    );
    check(
        all(NEW),
        &[
            ("HSETEX h KEEPTTL FIELDS 1 f 2.5", "HSET h f 2.5"),
            ("HSETEX h PXAT 5 FIELDS 1 f v", "LEFT HSETEX was not applied: Redis 7.2.4 has no expiry of fields."),
            ("XDELEX s KEEPREF IDS 1 1-1", "XDEL s 1-1"),
            ("XACKDEL s g IDS 2 1-1 2-1", "XACK s g 1-1 2-1 ; XDEL s 1-1 2-1"),
            ("DELIFEQ k v", "DEL k"),
            ("XADD s MAXLEN = 3 LIMIT 10 1-1 f v", "XADD s MAXLEN = 3 1-1 f v"),
            ("XADD s KEEPREF NOMKSTREAM MINID 1-1 2-1 MAXLEN 3", "XADD s NOMKSTREAM MINID 1-1 2-1 MAXLEN 3"),
            ("XADD s IDMP p i 1-1 f v", "XADD s 1-1 f v"),
            ("XTRIM s MINID = 3-1 LIMIT 5", "XTRIM s MINID = 3-1"),
            ("XADD s 1-1 LIMIT 5", "XADD s 1-1 LIMIT 5"),
            ("HGETDEL h FIELDS 2 a b", "HDEL h a b"),
            ("BF.ADD k v", "LEFT BF.ADD was not applied: the destination does not know it."),
        ],
    );
    check(
        TranslatorSetup { source: Some(NEW), ..all(ServerVersion::redis(5, 0, 10)) },
        &[
            ("XGROUP CREATECONSUMER s g c", "XREADGROUP GROUP g c COUNT 1 STREAMS s 0"),
            (
                "XCLAIM s g c 0 1-1 2-1 TIME 5 FORCE",
                "XCLAIM s g c 0 1-1 2-1 TIME 5 FORCE ; EVAL for index = 2, #ARGV do if #redis.call('XRANGE', KEYS[1], \
                 ARGV[index], ARGV[index]) == 0 then redis.call('XACK', KEYS[1], ARGV[1], ARGV[index]) end end 1 s g 1-1 2-1",
            ),
        ],
    );
    check(
        all(ServerVersion::redis(7, 4, 1)),
        &[
            ("HSETEX h PX 5 FIELDS 1 f v", "HSET h f v ; HPEXPIREAT h 1000005 FIELDS 1 f"),
            (
                "HSETEX h KEEPTTL FIELDS 1 f v",
                "LEFT HSETEX was not applied: Redis 7.4.1 cannot keep the expiry of a field that is set.",
            ),
        ],
    );
}

#[test]
fn a_command_that_is_renamed_there_is_not_sent() {
    let known = ["set", "select", "bf.add"].map(str::to_owned).into();
    check(
        TranslatorSetup { known_commands: Some(known), ..all(NEW) },
        &[
            ("SET k v", "SET k v"),
            ("BF.ADD k v", "BF.ADD k v"),
            (
                "INCR k",
                "LEFT INCR was not applied: Redis 7.2.4 does not know `INCR`, or it is renamed or disabled there.",
            ),
        ],
    );
}

#[test]
fn keys_go_where_the_rules_say_or_nowhere() {
    check(
        setup(NEW, some()),
        &[
            ("SET a 1 ; SET b 1", "SET a 1 ; FILTERED 1"),
            ("DEL a b ab", "DEL a ab"),
            ("MSET a 1 b 2", "MSET a 1"),
            ("MSETNX b 2 a 1", "MSET a 1"),
            ("RENAME a ab", "RENAME a ab"),
            ("RENAME a b", "DEL a"),
            ("RENAME b c", "FILTERED 1"),
            ("SMOVE a b m", "SREM a m"),
            ("SMOVE b a m", "SADD a m"),
            ("RPOPLPUSH a b", "RPOP a"),
            ("LMOVE a b LEFT LEFT", "LPOP a"),
            ("SUNIONSTORE b a c", "FILTERED 1"),
            ("SUNIONSTORE a ab ac", "SUNIONSTORE a ab ac"),
            (
                "SUNIONSTORE a b",
                "LEFT SUNIONSTORE was not applied: it reads keys that the plan leaves out or sends elsewhere.",
            ),
            ("SORT b STORE c", "FILTERED 1"),
            ("COPY a b", "FILTERED 1"),
            ("MOVE a 1", "MOVE a 2"),
            ("MOVE a 3", "DEL a"),
            ("SELECT 3 ; SET a 1", "FILTERED 1"),
            ("MOVE k 0", "FILTERED 1"),
            ("COPY k k DB 1", LEFT_COPY),
            ("SELECT 1 ; SET x 1", "SELECT 2 ; SET x 1"),
            ("COPY x a DB 0", "SELECT 2 ; COPY x a DB 0"),
        ],
    );
}

const LEFT_COPY: &str = "LEFT COPY was not applied: it brings a value from a key or database that the plan leaves out, and \
                         that value is not known.";

#[test]
fn a_key_that_was_left_as_it_was_stays_so() {
    check(
        TranslatorSetup { left_alone: [b"0:a".to_vec()].into(), ..all(NEW) },
        &[("INCR a", "FILTERED 1"), ("INCR b", "INCR b"), ("DEL a b", "DEL b")],
    );
}

#[test]
fn whole_databases_are_emptied_only_where_they_are_ours() {
    check(all(NEW), &[("SELECT 2 ; FLUSHDB ASYNC", "SELECT 2 ; FLUSHDB ASYNC"), ("SWAPDB 1 2", "SWAPDB 1 2")]);
    let occupied = TranslatorSetup { occupied: vec![Db(2)], ..all(NEW) };
    let mut translate = new_to(occupied);
    assert!(translate("SELECT 2 ; FLUSHDB").starts_with("LEFT FLUSHDB was not applied: database 2"));
    assert!(translate("SWAPDB 1 2").starts_with("LEFT SWAPDB"));
    assert_eq!(translate("SELECT 1 ; FLUSHDB"), "SELECT 1 ; FLUSHDB");
    let mut translate = new_to(setup(NEW, some()));
    assert!(translate("FLUSHDB").starts_with("Erase"));
    assert_eq!(translate("SELECT 1 ; FLUSHDB"), "SELECT 2 ; FLUSHDB");
    assert_eq!(translate("SELECT 3 ; FLUSHDB"), "FILTERED 1");
    assert_eq!(translate("SWAPDB 2 3"), "FILTERED 1");
    assert!(translate("SWAPDB 1 3").starts_with("LEFT SWAPDB"));
}

#[test]
fn an_erasure_takes_what_the_database_brought() {
    let mut translator = Translator::new(setup(NEW, some()));
    let mut bytes = vec![];
    resp::command(&mut bytes, &[b"FLUSHDB"]);
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(&bytes);
    let taken = translator.take(&reader.next().unwrap().unwrap(), NOW, &mut Outgoing::default());
    let CommandOutcome::Erase(erase) = taken else { panic!("{taken:?}") };
    assert!(erase.takes(b"abc") && !erase.takes(b"b") && !erase.takes(b"redis-plan:{t}:run"));
}

#[test]
fn a_wiped_run_record_is_told() {
    let wipes = |line: &str| {
        let mut translator = Translator::new(all(NEW));
        let mut bytes = vec![];
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        resp::command(&mut bytes, &words);
        let mut reader = CommandReader::starting_at(0, RespLimits::default());
        reader.feed(&bytes);
        let mut out = Outgoing::default();
        translator.take(&reader.next().unwrap().unwrap(), NOW, &mut out);
        (out.wipes_record, lines(&out.bytes).join(" ; "))
    };
    assert!(wipes("FLUSHDB").0 && wipes("FLUSHALL").0 && !wipes("SWAPDB 1 2").0);
    let (told, sent) = wipes("SWAPDB 0 2");
    assert!(told && sent.starts_with("SWAPDB 0 2 ; SELECT 2 ; DEL redis-plan:{t}:token"), "{sent}");
}

#[test]
fn scripts_are_kept_and_carry_their_bodies() {
    let sha = "6b1bf486c81ceb7edf3c093f4c48582e38c0e791";
    let mut translate = new_to(all(NEW));
    let first = translate("EVAL return 0");
    assert!(first.starts_with("HSET redis-plan:{t}:scripts ") && first.ends_with(" ; EVAL return 0"), "{first}");
    let digest = first.split(' ').nth(2).unwrap().to_owned();
    assert_eq!(translate("EVAL return 0"), "EVAL return 0");
    assert_eq!(translate(&format!("EVALSHA {digest} 1 k")), "EVAL return 1 k");
    assert_eq!(
        translate(&format!("EVALSHA {sha} 0")),
        "LEFT EVALSHA was not applied: the script of this SHA-1 was never sent to this run."
    );
    assert!(translate("SCRIPT LOAD x").ends_with(" ; SCRIPT LOAD x"));
    assert_eq!(translate("SCRIPT FLUSH"), "");
    let mut translate = new_to(setup(NEW, some()));
    assert!(translate("EVAL s 2 a b").contains("LEFT EVAL was not applied: its keys are not all migrated"));
    assert!(translate("EVAL s 0").ends_with("LEFT EVAL was not applied: its keys are not known."));
}

#[test]
fn a_write_before_any_select_is_no_stream() {
    let mut translate = new_to(TranslatorSetup { db: None, ..all(NEW) });
    assert_eq!(translate("PING"), "");
    assert!(translate("SET a 1").starts_with("Damaged"));
    assert_eq!(translate("SELECT 0 ; SET a 1"), "SET a 1");
}

proptest::proptest! {
    #[test]
    fn nothing_panics_and_what_is_sent_are_whole_commands(
        words in proptest::collection::vec(word(), 1..7),
        old in proptest::bool::ANY,
        whole in proptest::bool::ANY,
    ) {
        let version = if old { ServerVersion::redis(2, 8, 17) } else { NEW };
        let mut translate = new_to(setup(version, if whole { Selection::all() } else { some() }));
        translate(&words.join(" "));
    }
}

/// Words that commands are made of.
fn word() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::Strategy as _;
    let names = [
        "SET",
        "RESTORE",
        "EXPIRE",
        "MSETEX",
        "HSETEX",
        "EVAL",
        "EVALSHA",
        "SORT",
        "STORE",
        "FIELDS",
        "COPY",
        "DB",
        "MOVE",
        "BLMPOP",
        "XGROUP",
        "ENTRIESREAD",
        "XACKDEL",
        "IDS",
        "EX",
        "PX",
        "FLUSHALL",
        "SWAPDB",
        "SELECT",
        "MULTI",
        "EXEC",
        "LPOP",
        "ZPOPMIN",
        "0",
        "1",
        "-1",
        "99999999999",
        "9223372036854775807",
        "a",
        "b",
        "",
    ];
    proptest::sample::select(names.to_vec()).prop_map(str::to_owned)
}
