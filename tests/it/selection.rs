//! Which keys move, and where to.

use std::collections::BTreeSet;

use crate::{
    cmd,
    harness::{Client, Comparer, Dataset, Plan, Server, Size},
    moved::Moved,
};

const SOURCE: &str = "redis-5.0.10";
const DESTINATION: &str = "redis-7.2.4";

/// A source with something in each of its 16 databases, and an empty destination.
fn servers() -> (Server, Server) {
    let (source, destination) = (Server::start(SOURCE), Server::start(DESTINATION));
    Dataset::new(source.flavour, Size::Small, 3).load(&source);
    (source, destination)
}

fn with_rules(source: &Server, destination: &Server, rules: &[&str]) -> Plan {
    let plan = Plan::between(source, destination).line("databases:");
    rules.iter().fold(plan, |plan, rule| plan.line(&format!("  - {rule}")))
}

fn keys_matching(client: &mut Client, pattern: &str) -> BTreeSet<Vec<u8>> {
    client.command(&cmd!["KEYS", pattern]).items().iter().map(|key| key.bytes().to_vec()).collect()
}

#[test]
fn the_named_databases_move_and_no_other() {
    let (source, destination) = servers();
    let moved = Moved::by(&Plan::between(&source, &destination).line("databases: [0, 3]")).expect(0);
    let compared = Comparer::of(&source, &destination).databases(&[(0, 0), (3, 3)]).run().assert_equal();
    assert!(compared.total() > 60);
    assert_eq!(moved.figure("filtered"), 14 * 4, "four keys in each of the other databases");
}

#[test]
fn databases_are_renumbered_and_swapped() {
    let (source, destination) = servers();
    let rules = ["{ from: 0, to: 5 }", "{ from: 5, to: 0 }", "{ from: 15, to: 3 }", "7"];
    Moved::by(&with_rules(&source, &destination, &rules)).expect(0);
    let pairs = [(0, 5), (5, 0), (15, 3), (7, 7)];
    Comparer::of(&source, &destination).databases(&pairs).run().assert_equal();
}

#[test]
fn patterns_choose_what_a_scan_would_match() {
    let (source, destination) = servers();
    let mut client = source.client();
    let odd = ["a*b", "a\\b", "[x]", "café", "h?llo", "hello", "hallo", "UPPER", "key-1", "key^2"];
    odd.iter().for_each(|key| drop(client.command(&cmd!["SET", key, "odd"])));
    let include = ["string:*", "h[ae]llo", "h\\\\?llo", "a\\\\*b", "key[^1-9]2", "*ends*", "[a-c]*", "\\\\[x]"];
    let exclude = ["string:length:?", "*:century:h*", "bit*"];
    let quoted = |patterns: &[&str]| patterns.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ");
    let rule = format!("{{ from: 0, keys: {{ include: [{}], exclude: [{}] }} }}", quoted(&include), quoted(&exclude));
    Moved::by(&with_rules(&source, &destination, &[&rule])).expect(0);

    // The server's own matching is the measure.
    let all = |client: &mut Client, patterns: &[&str]| -> BTreeSet<Vec<u8>> {
        patterns.iter().flat_map(|text| keys_matching(client, &text.replace("\\\\", "\\"))).collect()
    };
    let wanted: BTreeSet<Vec<u8>> =
        all(&mut client, &include).difference(&all(&mut client, &exclude)).cloned().collect();
    for key in ["a*b", "h?llo", "hello", "hallo", "[x]", "string:length:19", "string:every byte"] {
        assert!(wanted.contains(key.as_bytes()), "{key}");
    }
    assert!(!wanted.contains(&b"string:length:1"[..]) && !wanted.contains(&b"key-1"[..]));
    let only = |db: u32, key: &[u8]| db == 0 && wanted.contains(key);
    let compared = Comparer::of(&source, &destination).only(only).run().assert_equal();
    assert_eq!(compared.total(), wanted.len());
}

#[test]
fn the_first_rule_that_takes_a_key_decides() {
    let (source, destination) = servers();
    let rules = ["{ from: 0, to: 9, keys: { include: [\"list:*\"] } }", "{ from: 0, to: 2 }"];
    Moved::by(&with_rules(&source, &destination, &rules)).expect(0);
    let lists = |key: &[u8]| key.starts_with(b"list:");
    for (to, is_list) in [(9, true), (2, false)] {
        let mut client = destination.client();
        client.select(to);
        let found = keys_matching(&mut client, "*");
        assert!(found.len() > 4 && found.iter().all(|key| lists(key) == is_list), "database {to}");
    }
    let count = |server: &Server| {
        let mut client = server.client();
        (0..16).map(|db| (client.select(db), client.command(&cmd!["DBSIZE"]).int()).1).collect::<Vec<_>>()
    };
    let (here, there) = (count(&source), count(&destination));
    // The run record is in database 0.
    assert_eq!(there[2] + there[9], here[0], "{there:?}");
    assert!(there[0] <= 3 && there.iter().sum::<i64>() == here[0] + there[0], "{there:?}");
}

#[test]
fn patterns_of_all_databases_keep_the_numbers() {
    let (source, destination) = servers();
    let rule = "{ from: all, keys: { include: [\"shared*\", \"geo\"], exclude: [\"*:zset\"] } }";
    Moved::by(&with_rules(&source, &destination, &[rule])).expect(0);
    let only = |_: u32, key: &[u8]| key == b"geo" || key.starts_with(b"shared") && !key.ends_with(b":zset");
    let compared = Comparer::of(&source, &destination).only(only).run().assert_equal();
    assert_eq!(compared.total(), 1 + 15 * 3);
}

#[test]
fn databases_are_merged_where_no_name_meets_another() {
    let (source, destination) = servers();
    let rules = [
        "{ from: 1, to: 6, keys: { include: [\"shared\"] } }",
        "{ from: 2, to: 6, keys: { include: [\"shared:list\", \"shared:ends\"] } }",
        "{ from: 6, keys: { include: [\"shared:zset\"] } }",
    ];
    Moved::by(&with_rules(&source, &destination, &rules)).expect(0);
    let only = |db: u32, key: &[u8]| match db {
        1 => key == b"shared",
        2 => key == b"shared:list" || key == b"shared:ends",
        _ => key == b"shared:zset",
    };
    let pairs = [(1, 6), (2, 6), (6, 6)];
    let compared = Comparer::of(&source, &destination).databases(&pairs).only(only).run().assert_equal();
    assert_eq!(compared.total(), 4);
}

#[test]
fn a_name_that_two_databases_bring_fails_and_is_named() {
    let (source, destination) = servers();
    let rules = ["{ from: 1, to: 6, keys: { include: [\"shared\"] } }", "{ from: 2, to: 6 }"];
    let moved = Moved::by(&with_rules(&source, &destination, &rules)).expect(3);
    moved.run.says("`shared`");
}

#[test]
fn a_database_that_the_destination_has_not_is_refused_before_anything_is_written() {
    let source = Server::start(SOURCE);
    Dataset::new(source.flavour, Size::Small, 3).load(&source);
    let destination = Server::of(DESTINATION).arg("--databases", "4").start();
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(1);
    moved.run.says("it has 4 databases, and keys go to database 15").says("databases");
    let mut client = destination.client();
    for db in 0..4 {
        client.select(db);
        assert_eq!(client.command(&cmd!["DBSIZE"]).int(), 0);
    }

    let rules = ["{ from: 0 }", "{ from: 15, to: 3 }"];
    Moved::by(&with_rules(&source, &destination, &rules)).expect(0);
    let other = Server::start(DESTINATION);
    Moved::by(&with_rules(&source, &other, &rules)).expect(0);
    Comparer::of(&source, &other).databases(&[(0, 0), (15, 3)]).run().assert_equal();
    for db in 0..4 {
        let mut clients = [destination.client(), other.client()];
        let [here, there] = clients.each_mut().map(|client| {
            client.select(db);
            keys_matching(client, "*")
        });
        assert_eq!(here, there);
    }
}

#[test]
fn nothing_chosen_is_a_run_of_no_keys() {
    let (source, destination) = servers();
    let rule = "{ from: 0, keys: { include: [\"no such name\"] } }";
    let moved = Moved::by(&with_rules(&source, &destination, &[rule])).expect(0);
    Comparer::of(&source, &destination).only(|_, _| false).run().assert_equal();
    assert_eq!(moved.figure("keys"), 0);
}
