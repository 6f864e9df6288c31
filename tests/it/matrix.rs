//! Every source against every destination: the full dataset arrives, or what cannot is told key by key. The book's table
//! of what is supported is made from the lists here.

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use crate::{
    cmd,
    harness::{Comparer, Dataset, Flavour, Plan, Server, Size},
    moved::Moved,
};

/// How the source hands its dump out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dump {
    /// It writes it to its disk first.
    Disk,
    /// It streams it.
    Diskless,
}

/// A source, a destination that can hold all it has, and how the dump comes.
type Pair = (&'static str, &'static str, Dump);

macro_rules! pairs {
    ($($name:ident: $source:literal, $destination:literal, $dump:ident;)+) => {
        const PAIRS: &[Pair] = &[$(($source, $destination, Dump::$dump)),+];
        $(
            #[test]
            fn $name() {
                everything_arrives($source, $destination, Dump::$dump);
            }
        )+
    };
}

pairs! {
    from_2_8_17_to_5_0_10: "redis-2.8.17", "redis-5.0.10", Disk;
    from_2_8_17_to_7_0_15: "redis-2.8.17", "redis-7.0.15", Disk;
    from_2_8_17_to_7_2_4: "redis-2.8.17", "redis-7.2.4", Disk;
    from_2_8_17_to_8_2_3: "redis-2.8.17", "redis-8.2.3", Disk;
    from_2_8_17_to_valkey_9_1_2: "redis-2.8.17", "valkey-9.1.2", Disk;
    from_3_0_5_to_5_0_10: "redis-3.0.5", "redis-5.0.10", Disk;
    from_3_0_5_to_7_0_15: "redis-3.0.5", "redis-7.0.15", Diskless;
    from_3_0_5_to_7_2_4: "redis-3.0.5", "redis-7.2.4", Disk;
    from_3_0_5_to_8_2_3: "redis-3.0.5", "redis-8.2.3", Diskless;
    from_3_0_5_to_valkey_9_1_2: "redis-3.0.5", "valkey-9.1.2", Disk;
    from_3_2_9_to_5_0_10: "redis-3.2.9", "redis-5.0.10", Diskless;
    from_3_2_9_to_7_0_15: "redis-3.2.9", "redis-7.0.15", Disk;
    from_3_2_9_to_7_2_4: "redis-3.2.9", "redis-7.2.4", Diskless;
    from_3_2_9_to_8_2_3: "redis-3.2.9", "redis-8.2.3", Disk;
    from_3_2_9_to_valkey_9_1_2: "redis-3.2.9", "valkey-9.1.2", Diskless;
    from_4_0_rc2_to_5_0_10: "redis-4.0-rc2", "redis-5.0.10", Disk;
    from_4_0_rc2_to_7_0_15: "redis-4.0-rc2", "redis-7.0.15", Diskless;
    from_4_0_rc2_to_7_2_4: "redis-4.0-rc2", "redis-7.2.4", Disk;
    from_4_0_rc2_to_8_2_3: "redis-4.0-rc2", "redis-8.2.3", Diskless;
    from_4_0_rc2_to_valkey_9_1_2: "redis-4.0-rc2", "valkey-9.1.2", Disk;
    from_5_0_10_to_5_0_10: "redis-5.0.10", "redis-5.0.10", Diskless;
    from_5_0_10_to_7_0_15: "redis-5.0.10", "redis-7.0.15", Disk;
    from_5_0_10_to_7_2_4: "redis-5.0.10", "redis-7.2.4", Diskless;
    from_5_0_10_to_8_2_3: "redis-5.0.10", "redis-8.2.3", Disk;
    from_5_0_10_to_valkey_9_1_2: "redis-5.0.10", "valkey-9.1.2", Diskless;
    from_6_2_14_to_8_2_3: "redis-6.2.14", "redis-8.2.3", Diskless;
    from_6_2_14_to_valkey_9_1_2: "redis-6.2.14", "valkey-9.1.2", Disk;
    from_7_0_15_to_8_2_3: "redis-7.0.15", "redis-8.2.3", Diskless;
    from_7_0_15_to_valkey_9_1_2: "redis-7.0.15", "valkey-9.1.2", Disk;
    from_7_2_4_to_8_2_3: "redis-7.2.4", "redis-8.2.3", Disk;
    from_7_2_4_to_valkey_9_1_2: "redis-7.2.4", "valkey-9.1.2", Diskless;
    from_7_4_1_to_8_2_3: "redis-7.4.1", "redis-8.2.3", Diskless;
    from_7_4_1_to_valkey_9_1_2: "redis-7.4.1", "valkey-9.1.2", Disk;
    from_8_2_3_to_8_2_3: "redis-8.2.3", "redis-8.2.3", Disk;
    from_8_2_3_to_valkey_9_1_2: "redis-8.2.3", "valkey-9.1.2", Diskless;
    from_valkey_8_1_8_to_8_2_3: "valkey-8.1.8", "redis-8.2.3", Diskless;
    from_valkey_8_1_8_to_valkey_9_1_2: "valkey-8.1.8", "valkey-9.1.2", Disk;
    from_valkey_9_1_2_to_8_2_3: "valkey-9.1.2", "redis-8.2.3", Disk;
    from_valkey_9_1_2_to_valkey_9_1_2: "valkey-9.1.2", "valkey-9.1.2", Diskless;
}

fn source_of(name: &str, dump: Dump) -> Server {
    let builder = Server::of(name);
    let source = match dump {
        _ if !Flavour::of(name).has_diskless_delay() => builder.start(),
        Dump::Disk => builder.arg("--repl-diskless-sync", "no").start(),
        Dump::Diskless => builder.arg("--repl-diskless-sync", "yes").start(),
    };
    Dataset::new(source.flavour, Size::Full, 7).load(&source);
    source
}

fn everything_arrives(source: &str, destination: &str, dump: Dump) {
    let (source, destination) = (source_of(source, dump), Server::start(destination));
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(0);
    assert_eq!(moved.was_diskless(), dump == Dump::Diskless);
    assert!(moved.reported().is_empty(), "{:?}", moved.reported());
    let compared = Comparer::of(&source, &destination).run().assert_equal();
    assert!(compared.total() > 130, "{compared}");
}

/// Source, destination, and what is lost on the way: key, what is said of it.
type Downward = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const FIELD_EXPIRY: &str = "hash fields lose their own expiry";
const DEAD_PENDING: &str = "1 pending entries are left out: their stream entries are deleted";
const NO_FUNCTIONS: &str = "has no functions";
const NO_STREAMS: &str = "has no streams";

const DOWN_TO_5_0: Downward = (
    "redis-7.4.1",
    "redis-5.0.10",
    &[
        ("#!lua name=first", NO_FUNCTIONS),
        ("#!lua name=second", NO_FUNCTIONS),
        ("hash:expiring", FIELD_EXPIRY),
        ("hash:expiring many", FIELD_EXPIRY),
        ("hash:expiring whole", FIELD_EXPIRY),
        ("stream:many nodes", DEAD_PENDING),
    ],
);
const DOWN_TO_7_0: Downward = (
    "valkey-9.1.2",
    "redis-7.0.15",
    &[
        ("hash:expiring", FIELD_EXPIRY),
        ("hash:expiring many", FIELD_EXPIRY),
        ("hash:expiring whole", FIELD_EXPIRY),
        ("stream:many nodes", DEAD_PENDING),
    ],
);
const DOWN_TO_3_2: Downward = (
    "redis-8.2.3",
    "redis-3.2.9",
    &[
        ("#!lua name=first", NO_FUNCTIONS),
        ("#!lua name=second", NO_FUNCTIONS),
        ("hash:expiring", FIELD_EXPIRY),
        ("hash:expiring many", FIELD_EXPIRY),
        ("hash:expiring whole", FIELD_EXPIRY),
        ("stream:ahead", NO_STREAMS),
        ("stream:emptied", NO_STREAMS),
        ("stream:fields", NO_STREAMS),
        ("stream:many nodes", NO_STREAMS),
        ("stream:never filled", NO_STREAMS),
        ("stream:trimmed", NO_STREAMS),
    ],
);
const DOWNWARD: [Downward; 3] = [DOWN_TO_5_0, DOWN_TO_7_0, DOWN_TO_3_2];

/// What only serves statistics: told, but no loss of data.
fn is_statistics(reason: &str) -> bool {
    reason.contains("stream's counters")
}

fn losses_are_named((source, destination, lost): Downward, dump: Dump) {
    let (source, destination) = (source_of(source, dump), Server::start(destination));
    let plan = Plan::between(&source, &destination).line("on_unsupported: report");
    let moved = Moved::by(&plan).expect(0);
    let reported = moved.reported();
    let of_data: Vec<(&str, &str)> = reported
        .iter()
        .flat_map(|((db, key), reasons)| {
            assert_eq!(*db, 0);
            reasons.iter().filter(|reason| !is_statistics(reason)).map(|reason| (key.as_str(), reason.as_str()))
        })
        .collect();
    assert_eq!(
        of_data.iter().map(|pair| pair.0).collect::<Vec<_>>(),
        lost.iter().map(|pair| pair.0).collect::<Vec<_>>()
    );
    for ((key, said), (_, expected)) in of_data.iter().zip(lost) {
        assert!(said.contains(expected), "{key}: {said}");
    }
    // What differs is what was named, and what was named differs.
    let compared = Comparer::of(&source, &destination).run();
    let differ: BTreeSet<(u32, String)> = compared
        .differences
        .iter()
        .map(|difference| (difference.db, String::from_utf8_lossy(&difference.key).into_owned()))
        .collect();
    let keys = lost.iter().map(|pair| pair.0).filter(|key| !key.starts_with("#!lua"));
    assert_eq!(differ, keys.map(|key| (0, key.to_owned())).collect(), "{compared}");
    assert!(compared.total() > 130, "{compared}");
}

fn a_loss_fails((source, destination, lost): Downward) {
    let (source, destination) = (source_of(source, Dump::Disk), Server::start(destination));
    // Libraries come first in a dump; without them it is a key that is named.
    source.client().command(&cmd!["FUNCTION", "FLUSH"]);
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(3);
    let said = moved.run.to_string();
    let named = lost.iter().find(|(key, _)| said.contains(&format!("`{key}`"))).unwrap_or_else(|| panic!("{said}"));
    assert!(said.contains(named.1) && said.contains("on_unsupported: fail"), "{said}");
}

#[test]
fn down_from_7_4_1_to_5_0_10_is_reported() {
    losses_are_named(DOWN_TO_5_0, Dump::Disk);
}

#[test]
fn down_from_valkey_9_1_2_to_7_0_15_is_reported() {
    losses_are_named(DOWN_TO_7_0, Dump::Diskless);
}

#[test]
fn down_from_8_2_3_to_3_2_9_is_reported() {
    losses_are_named(DOWN_TO_3_2, Dump::Diskless);
}

#[test]
fn down_from_7_4_1_to_5_0_10_fails_unless_asked_to_report() {
    a_loss_fails(DOWN_TO_5_0);
}

#[test]
fn down_from_valkey_9_1_2_to_7_0_15_fails_unless_asked_to_report() {
    a_loss_fails(DOWN_TO_7_0);
}

#[test]
fn down_from_8_2_3_to_3_2_9_fails_unless_asked_to_report() {
    a_loss_fails(DOWN_TO_3_2);
}

#[test]
fn a_library_that_cannot_be_held_fails_too() {
    let (source, destination) = (Server::start("redis-7.4.1"), Server::start("redis-5.0.10"));
    let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    source.client().command(&cmd!["FUNCTION", "LOAD", code]);
    // The precheck sees it before anything is written.
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(1);
    moved.run.says("functions: ").says("on_unsupported");
}

/// `Redis 7.0.15` for `redis-7.0.15`.
pub fn title(name: &str) -> String {
    let (family, version) = name.split_once('-').unwrap();
    let family = if family == "valkey" { "Valkey" } else { "Redis" };
    format!("{family} {version}")
}

/// Each name once, in the order of [`crate::harness::ALL`].
fn in_order(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let names: BTreeSet<&str> = names.collect();
    crate::harness::ALL.into_iter().filter(|name| names.contains(name)).collect()
}

fn page() -> String {
    let down = || DOWNWARD.iter().map(|(source, destination, _)| (*source, *destination));
    let both = || PAIRS.iter().map(|(source, destination, _)| (*source, *destination)).chain(down());
    let (sources, destinations) = (in_order(both().map(|pair| pair.0)), in_order(both().map(|pair| pair.1)));
    let mut page = String::from(
        "# Sources and destinations\n\n<!-- generated: UPDATE_DOCS=1 cargo test --test it support -->\n\nA full migration \
         between these servers is made by the tests with keys of every type and encoding, in all 16 databases, with binary \
         names and with expiries, from dumps on disk and diskless ones, and proved equal key by key. *equal*: everything \
         arrives. A number: everything arrives but what is listed under it, which the run names key by key with \
         `on_unsupported: report` and refuses to leave out otherwise. Other pairs are expected to work in the same way; no \
         test has tried them. Between which servers following was tried, command by command, is listed under [Operations while \
         the source is followed](operations.md).\n\nDumps are read up to RDB version 13 (Redis 8.6) and up to 80 under the name \
         VALKEY (Valkey 9.1). A newer version is refused before anything is written, a type that is not known with its place and \
         its key.\n\n| from \\ to |",
    );
    for name in &destinations {
        write!(page, " {} |", title(name)).unwrap();
    }
    write!(page, "\n| --- |{}\n", " --- |".repeat(destinations.len())).unwrap();
    for source in sources {
        write!(page, "| {} |", title(source)).unwrap();
        for destination in &destinations {
            let number = down().position(|pair| pair == (source, *destination)).map(|index| (index + 1).to_string());
            let equal = PAIRS.iter().any(|pair| (pair.0, pair.1) == (source, *destination));
            let cell = number.or(equal.then(|| "equal".to_owned())).unwrap_or_default();
            write!(page, " {cell} |").unwrap();
        }
        page.push('\n');
    }
    page.push_str("\nWhat the older or foreign server cannot hold:\n\n");
    for (index, (source, destination, lost)) in DOWNWARD.iter().enumerate() {
        let said: BTreeSet<&str> = lost.iter().map(|(_, said)| *said).collect();
        let words: Vec<&str> = LOSSES.iter().filter(|(said_as, _)| said.contains(said_as)).map(|pair| pair.1).collect();
        assert_eq!(words.len(), said.len(), "each loss has its words");
        let (source, destination) = (title(source), title(destination));
        writeln!(page, "{}. {source} to {destination}: {}.", index + 1, words.join("; ")).unwrap();
    }
    page
}

/// How the book calls what is lost.
const LOSSES: [(&str, &str); 4] = [
    (NO_FUNCTIONS, "function libraries"),
    (NO_STREAMS, "streams"),
    (FIELD_EXPIRY, "the own expiry of hash fields, which then live as long as their hash"),
    (
        DEAD_PENDING,
        "pending entries of consumer groups whose stream entries are deleted, when the stream goes as commands",
    ),
];

#[test]
fn the_support_table_is_what_is_tested() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/reference/support.md");
    let expected = page();
    if fs::read_to_string(&file).unwrap_or_default() != expected {
        assert!(
            env::var_os("UPDATE_DOCS").is_some() && env::var_os("CI").is_none(),
            "book/src/reference/support.md is stale: UPDATE_DOCS=1 cargo test --test it support"
        );
        fs::write(&file, expected).unwrap();
    }
}

#[test]
fn the_pairs_are_those_that_must_work() {
    let old = ["redis-2.8.17", "redis-3.0.5", "redis-3.2.9", "redis-4.0-rc2", "redis-5.0.10"];
    let new = ["redis-5.0.10", "redis-7.0.15", "redis-7.2.4", "redis-8.2.3", "valkey-9.1.2"];
    let newer =
        ["redis-6.2.14", "redis-7.0.15", "redis-7.2.4", "redis-7.4.1", "redis-8.2.3", "valkey-8.1.8", "valkey-9.1.2"];
    let mut wanted: BTreeSet<(&str, &str)> = old.iter().flat_map(|from| new.map(|to| (*from, to))).collect();
    wanted.extend(newer.iter().flat_map(|from| ["redis-8.2.3", "valkey-9.1.2"].map(|to| (*from, to))));
    let tested: BTreeSet<(&str, &str)> = PAIRS.iter().map(|pair| (pair.0, pair.1)).collect();
    assert_eq!((tested.len(), &tested), (PAIRS.len(), &wanted));
}
