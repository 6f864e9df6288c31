//! Rules while the source is followed: databases renumbered, left out or merged, keys chosen by pattern. A command that
//! the rules cut through is carried out as far as it concerns what moves, or left out as a whole and named.

use std::collections::BTreeSet;

use crate::{
    cmd,
    faults::{await_told, begin, told, tool},
    harness::{Client, Command, Comparer, Comparison, Finished, Plan, Server, Tool},
};

const STOP: &str = "{ all: [ { lag: { below: 1s, for: 1s } }, { source_idle: { for: 1s } } ] }";
const SOURCE: &str = "redis-5.0.10";

/// A line of words as a command.
fn line(line: &str) -> Command {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn say(client: &mut Client, lines: &[&str]) {
    for text in lines {
        client.command(&line(text));
    }
    client.select(0);
}

/// A run under rules, and what it did.
struct Followed {
    source: Server,
    destination: Server,
    tool: Tool,
    run: Finished,
}

/// A source and a destination before a run.
struct Route {
    source: Server,
    destination: Server,
    rules: String,
    unsupported: &'static str,
}

impl Route {
    fn with(rules: &str) -> Self {
        Self::between(SOURCE, Server::start("redis-7.2.4"), rules)
    }

    fn between(source: &str, destination: Server, rules: &str) -> Self {
        Self { source: Server::start(source), destination, rules: rules.to_owned(), unsupported: "report" }
    }

    fn failing(self) -> Self {
        Self { unsupported: "fail", ..self }
    }

    fn before(self, lines: &[&str]) -> Self {
        say(&mut self.source.client(), lines);
        self
    }

    /// Says these lines while the source is followed, and waits for the end of the run.
    fn follow(self, lines: &[&str]) -> Followed {
        let plan = Plan::between(&self.source, &self.destination)
            .following(STOP)
            .line(&format!("databases: {}", self.rules))
            .line(&format!("on_unsupported: {}", self.unsupported))
            .line("on_conflict: skip");
        let tool = tool(&plan);
        let mut run = begin(&tool);
        assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
        say(&mut self.source.client(), lines);
        let Self { source, destination, .. } = self;
        Followed { source, destination, tool, run: run.wait() }
    }
}

impl Followed {
    /// What was named: command and reason.
    fn reported(&self) -> Vec<(String, String)> {
        let text = |event: &serde_json::Value, name: &str| event["failure"][name].as_str().unwrap().to_owned();
        told(&self.tool, "key_failed").iter().map(|event| (text(event, "key"), text(event, "reason"))).collect()
    }

    /// It ended well, and these and no others were named, in this order.
    fn names(self, expected: &[(&str, &str)]) -> Self {
        let run = self.run.to_string();
        assert_eq!(self.run.code(), Some(0), "{run}");
        let reported = self.reported();
        let pairs: Vec<(&str, &str)> = reported.iter().map(|pair| (pair.0.as_str(), pair.1.as_str())).collect();
        assert_eq!(pairs, expected);
        self
    }

    fn compare(&self, pairs: &[(u32, u32)], only: impl Fn(u32, &[u8]) -> bool) -> Comparison {
        Comparer::of(&self.source, &self.destination).databases(pairs).only(only).run()
    }

    /// Everything is equal but these keys, which were named.
    fn differs_in(&self, pairs: &[(u32, u32)], only: impl Fn(u32, &[u8]) -> bool, expected: &[&str]) {
        let compared = self.compare(pairs, only);
        let differ: BTreeSet<&str> =
            compared.differences.iter().map(|found| std::str::from_utf8(&found.key).unwrap()).collect();
        assert_eq!(differ, expected.iter().copied().collect(), "{compared}");
    }
}

const UNKNOWN: &str = "it brings a value from a key or database that the plan leaves out, and that value is not known";
const READS: &str = "it reads keys that the plan leaves out or sends elsewhere";
const PATTERN: &str = "it reads keys by pattern, and some may be left out by the plan or go elsewhere";
const NOT_ALL: &str = "its keys are not all migrated to one database";

fn why(command: &str, reason: &str) -> String {
    format!("{command} was not applied: {reason}.")
}

#[test]
fn renumbered_databases_take_every_command() {
    let route = Route::with("[{ from: 0, to: 5 }, { from: 5, to: 0 }, { from: 3, to: 1 }, 7]");
    let before = ["SET a 0", "RPUSH l 1 2 3", "SELECT 5", "SET a 5", "SELECT 3", "SET a 3", "SELECT 7", "SET a 7"];
    let followed = route.before(&before).follow(&[
        "APPEND a x",
        "SETEX e 100 v",
        "MOVE l 5",
        "SELECT 5",
        "APPEND a y",
        "RPUSH l 4",
        "MULTI",
        "INCR n",
        "SELECT 3",
        "INCR n",
        "SELECT 7",
        "INCR n",
        "SELECT 0",
        "RENAME e f",
        "EXEC",
        "SWAPDB 0 5",
        "SELECT 0",
        "SET after swapped",
        "SELECT 3",
        "FLUSHDB",
        "SET b 3",
        "SELECT 9",
        "SET elsewhere 9",
        "SELECT 7",
        "SWAPDB 3 7",
        "SET c 7",
    ]);
    let followed = followed.names(&[]);
    let compared = followed.compare(&[(0, 5), (5, 0), (3, 1), (7, 7)], |_, _| true).assert_equal();
    assert!(compared.total() >= 9, "{compared}");
}

#[test]
fn a_flush_of_everything_flushes_what_moves_and_no_more() {
    let destination = Server::start("redis-7.2.4");
    let mut there = destination.client();
    there.select(9);
    there.command(&cmd!["SET", "foreign", 1]);
    let route = Route::between(SOURCE, destination, "[{ from: 0, to: 5 }, { from: 5, to: 0 }, 3]");
    let followed = route
        .before(&["SET a 0", "SELECT 5", "SET a 5", "SELECT 3", "SET a 3"])
        .follow(&["FLUSHALL", "SET b 0", "SELECT 5", "SET b 5"])
        .names(&[]);
    let mut there = followed.destination.client();
    there.select(9);
    assert_eq!(there.command(&cmd!["GET", "foreign"]).text(), "1");
    there.command(&cmd!["DEL", "foreign"]);
    assert_eq!(followed.compare(&[(0, 5), (5, 0), (3, 3)], |_, _| true).assert_equal().total(), 2);
}

/// Keys that begin with `a` of database 0.
const BEGIN_WITH_A: &str = "[{ from: 0, keys: { include: [\"a*\"] } }]";

fn is_a(_: u32, key: &[u8]) -> bool {
    key.starts_with(b"a")
}

#[test]
fn what_a_pattern_cuts_through_is_carried_out_as_far_as_it_moves() {
    let before = [
        "MSET a1 1 a2 2 a3 3 b1 1 b2 2",
        "RPUSH al 1 2 3",
        "RPUSH bl 1 2 3",
        "SADD as x y z",
        "SADD bs v w",
        "SETEX ae 100 v",
    ];
    let followed = Route::with(BEGIN_WITH_A).before(&before).follow(&[
        "DEL a1 b1",
        "UNLINK b2 a2",
        "MSET a4 4 b4 4 a5 5",
        "MSETNX b6 6 a6 6",
        "RENAME a3 b3",
        "RENAME ae ae2",
        "RENAME b4 b5",
        "SMOVE as bs x",
        "SMOVE bs as v",
        "RPOPLPUSH al bl",
        "RPOPLPUSH bl bl2",
        "SUNIONSTORE bd as bs",
        "SUNIONSTORE ad as",
        "SORT al STORE bsorted",
        "MOVE a5 3",
        "PFADD bp x",
        "PFADD ap x",
        "PFCOUNT ap bp",
        "MULTI",
        "INCR a9",
        "INCR b9",
        "EXEC",
    ]);
    let followed = followed.names(&[]);
    let compared = followed.compare(&[(0, 0)], is_a).assert_equal();
    assert!(compared.total() >= 8, "{compared}");
}

#[test]
fn what_cannot_be_known_is_left_out_as_a_whole_and_named() {
    let before = [
        "MSET a1 1 a2 2 a3 3 b1 1 b2 2",
        "RPUSH al 1 2 3",
        "RPUSH bl 1 2 3",
        "SADD as x y z",
        "SADD bs v w",
        "SELECT 3",
        "SET a-moved 3",
    ];
    let followed = Route::with(BEGIN_WITH_A).before(&before).follow(&[
        "RENAME b1 a-renamed",
        "RPOPLPUSH bl a-pushed",
        "SUNIONSTORE a-united as bs",
        "BITOP OR a-or a1 b2",
        "SORT al BY w* STORE a-sorted",
        "EVAL return(redis.call('SET',KEYS[1],KEYS[2])) 2 a-scripted b2",
        "SELECT 3",
        "MOVE a-moved 0",
        "SWAPDB 0 4",
        "SWAPDB 0 4",
        "SELECT 0",
        "INCR a1",
    ]);
    let swap = why(
        "SWAPDB",
        "the two databases are not both migrated, whole and each to one of its own, into databases that were empty",
    );
    let followed = followed.names(&[
        ("a-renamed", &why("RENAME", UNKNOWN)),
        ("a-pushed", &why("RPOPLPUSH", UNKNOWN)),
        ("a-united", &why("SUNIONSTORE", READS)),
        ("a-or", &why("BITOP", READS)),
        ("a-sorted", &why("SORT", PATTERN)),
        ("a-moved", &why("MOVE", UNKNOWN)),
        ("SWAPDB", &swap),
        ("SWAPDB", &swap),
    ]);
    // Since 5.0 a source sends what a script did, which moves.
    let left = ["a-renamed", "a-pushed", "a-united", "a-or", "a-sorted", "a-moved"];
    followed.differs_in(&[(0, 0)], is_a, &left);
}

#[test]
fn a_script_of_an_old_source_is_sent_whole_or_not_at_all() {
    let route = Route::between("redis-2.8.17", Server::start("redis-7.2.4"), BEGIN_WITH_A);
    let followed = route.before(&["MSET a1 1 b1 1"]).follow(&[
        "EVAL return(redis.call('SET',KEYS[1],KEYS[2])) 2 a-scripted b1",
        "EVAL return(redis.call('SET',KEYS[1],KEYS[2])) 2 a-both a1",
        "EVAL return(redis.call('INCR',KEYS[1])) 1 b1",
        "EVAL return{redis.call('SELECT',0),redis.call('INCR',KEYS[1])} 1 a-selects",
        "EVAL return(redis.call('SET','a-hidden',1)) 0",
        // The source has sent its body already, in a command that was left out.
        "EVALSHA 6a935716be7afd629d740d55c8ec5faf2298e9d5 1 a1",
    ]);
    let selects = "it may select a database by number, and the plan renumbers databases or leaves some out";
    let followed = followed.names(&[
        ("a-scripted", &why("EVAL", NOT_ALL)),
        ("a-selects", &why("EVAL", selects)),
        ("EVAL", &why("EVAL", "its keys are not known")),
    ]);
    followed.differs_in(&[(0, 0)], is_a, &["a-scripted", "a-selects", "a-hidden"]);
    assert_eq!(followed.destination.client().command(&cmd!["GET", "a1"]).text(), "2");
}

#[test]
fn a_failing_run_ends_at_the_command_and_applies_nothing_behind_it() {
    let before = ["MSET a1 1 b1 1"];
    let lines = ["INCR a1", "RENAME b1 a-renamed", "INCR a-behind"];
    let followed = Route::with(BEGIN_WITH_A).failing().before(&before).follow(&lines);
    assert_eq!(followed.run.code(), Some(3), "{}", followed.run);
    let said = followed.run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let offset =
        said.split("At offset ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{said}"));
    let expected = format!(
        "At offset {offset} of the source's stream: {} Nothing from there on was applied. With `on_unsupported: report` \
         such commands are listed and left out.",
        why("RENAME", UNKNOWN)
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(followed.reported(), [("a-renamed".to_owned(), why("RENAME", UNKNOWN))]);
    assert_eq!(followed.destination.client().command(&cmd!["EXISTS", "a-behind"]).int(), 0);
}

#[test]
fn two_databases_in_one_are_flushed_one_by_one() {
    let rules =
        "[{ from: 1, to: 6, keys: { include: [\"one:*\"] } }, { from: 2, to: 6, keys: { include: [\"two:*\"] } }]";
    let before =
        ["SELECT 1", "MSET one:a 1 one:b 2 other 3", "RPUSH one:l 1 2", "SELECT 2", "MSET two:a 1 two:b 2 one:x 9"];
    let followed = Route::with(rules).before(&before).follow(&[
        "SELECT 1",
        "MOVE one:a 2",
        "SELECT 2",
        "SET two:c 3",
        "SELECT 1",
        "FLUSHDB",
        "SET one:after 1",
        "SELECT 2",
        "INCR two:a",
    ]);
    let followed = followed.names(&[]);
    let only = |db: u32, key: &[u8]| key.starts_with(if db == 1 { b"one:" } else { b"two:" });
    let compared = followed.compare(&[(1, 6), (2, 6)], only).assert_equal();
    assert_eq!(compared.total(), 4, "{compared}");
}

#[test]
fn two_databases_in_one_cannot_be_swapped_or_flushed_within_a_transaction() {
    let rules =
        "[{ from: 1, to: 6, keys: { include: [\"one:*\"] } }, { from: 2, to: 6, keys: { include: [\"two:*\"] } }]";
    let before = ["SELECT 1", "MSET one:a 1 one:b 2", "SELECT 2", "MSET two:a 1"];
    let followed = Route::with(rules).before(&before).follow(&[
        "MULTI",
        "SELECT 1",
        "INCR one:a",
        "FLUSHDB",
        "INCR one:c",
        "EXEC",
    ]);
    let flush = why(
        "FLUSHDB",
        "it empties databases that share one at the destination with others, from within a transaction or several at once",
    );
    let followed = followed.names(&[("FLUSHDB", &flush)]);
    let only = |db: u32, key: &[u8]| key.starts_with(if db == 1 { b"one:" } else { b"two:" });
    followed.differs_in(&[(1, 6), (2, 6)], only, &["one:a", "one:b"]);
}

#[test]
fn a_database_of_others_is_not_flushed() {
    let destination = Server::start("redis-7.2.4");
    destination.client().command(&cmd!["SET", "foreign", 1]);
    let followed =
        Route::between(SOURCE, destination, "all").before(&["SET a 1"]).follow(&["SET b 1", "FLUSHDB", "SET c 1"]);
    let flush = why(
        "FLUSHDB",
        "database 0 of the destination held foreign keys when this run began, and which keys are this run's is not known",
    );
    let followed = followed.names(&[("FLUSHDB", &flush)]);
    followed.differs_in(&(0..16).map(|db| (db, db)).collect::<Vec<_>>(), |_, _| true, &["a", "b", "foreign"]);
}

#[test]
fn a_database_beyond_the_destinations_is_written_nowhere() {
    let destination = Server::of("redis-7.2.4").arg("--databases", "4").start();
    let source = Server::of(SOURCE).start();
    source.client().command(&cmd!["SET", "a", 0]);
    let route = Route { source, destination, rules: "all".to_owned(), unsupported: "report" };
    let followed = route.follow(&[
        "SELECT 3", "SET b 3", "SELECT 7", "SET a 7", "SELECT 3", "INCR b", "SET c 1", "MOVE c 8", "MOVE b 0",
    ]);
    let beyond = "the destination has 4 databases, and keys of the source's database 7 go to one beyond them";
    let moved = "it brings a key to a database that the destination does not have";
    let followed = followed.names(&[("a", &why("SET", beyond)), ("c", &why("MOVE", moved))]);
    let (mut here, mut there) = (followed.source.client(), followed.destination.client());
    for key in ["a", "b"] {
        assert_eq!(here.command(&cmd!["GET", key]), there.command(&cmd!["GET", key]), "{key}");
    }
}
