//! Every operation of every source, said while the source is followed, ends equal at the destination.

mod case;
mod coverage;
mod known;
mod lives;
mod page;
mod scripts;
mod table;
mod trial;

use std::collections::BTreeSet;

use known::Known;
use trial::trial;

use crate::harness::Flavour;

macro_rules! pairs {
    ($($name:ident: $source:literal, $destination:literal;)+) => {
        /// A source, and a destination that has all it has.
        const PAIRS: &[(&str, &str)] = &[$(($source, $destination)),+];
        $(
            #[test]
            fn $name() {
                every_operation_ends_equal($source, $destination);
            }
        )+
    };
}

pairs! {
    of_2_8_17_at_7_2_4: "redis-2.8.17", "redis-7.2.4";
    of_2_8_17_at_8_2_3: "redis-2.8.17", "redis-8.2.3";
    of_3_0_5_at_7_2_4: "redis-3.0.5", "redis-7.2.4";
    of_3_0_5_at_valkey_9_1_2: "redis-3.0.5", "valkey-9.1.2";
    of_3_2_9_at_7_2_4: "redis-3.2.9", "redis-7.2.4";
    of_3_2_9_at_8_2_3: "redis-3.2.9", "redis-8.2.3";
    of_4_0_rc2_at_7_2_4: "redis-4.0-rc2", "redis-7.2.4";
    of_4_0_rc2_at_valkey_9_1_2: "redis-4.0-rc2", "valkey-9.1.2";
    of_5_0_10_at_7_2_4: "redis-5.0.10", "redis-7.2.4";
    of_5_0_10_at_8_2_3: "redis-5.0.10", "redis-8.2.3";
    of_6_2_14_at_7_2_4: "redis-6.2.14", "redis-7.2.4";
    of_6_2_14_at_valkey_9_1_2: "redis-6.2.14", "valkey-9.1.2";
    of_7_2_4_at_7_2_4: "redis-7.2.4", "redis-7.2.4";
    of_7_2_4_at_8_2_3: "redis-7.2.4", "redis-8.2.3";
    of_7_2_4_at_valkey_9_1_2: "redis-7.2.4", "valkey-9.1.2";
    of_8_2_3_at_8_2_3: "redis-8.2.3", "redis-8.2.3";
    of_valkey_9_1_2_at_valkey_9_1_2: "valkey-9.1.2", "valkey-9.1.2";
}

fn every_operation_ends_equal(source: &str, destination: &str) {
    let version = Flavour::of(source).version;
    let (cases, mut faults) = trial(source, destination);
    for case in &cases {
        let found = faults.remove(&case.id()).unwrap_or_default();
        match (case.untold.filter(|untold| untold.is_of(version)), case.reported) {
            (Some(untold), _) => {
                assert!(!found.is_empty(), "{}: it is said to differ and does not", case.id());
                let only = found.iter().all(|line| untold.is_all_of(line));
                assert!(only, "{}: {found:#?}", case.id());
            }
            (None, Some((before, said))) if !version.has(before, (0, 0)) => {
                assert!(found.len() == 1 && found.iter().all(|line| line.contains(said)), "{}: {found:#?}", case.id());
            }
            _ if found.is_empty() => {}
            _ => drop(faults.insert(case.id(), found)),
        }
    }
    println!("{} forms tried", cases.len());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A newer source, an older destination, and the forms that end different there. The run names each of them.
type Downward = (&'static str, &'static str, &'static [&'static str]);

const DOWNWARD: [Downward; 3] = [
    (
        "redis-8.2.3",
        "redis-7.0.15",
        &[
            "BITOP.DIFF",
            "HEXPIRE",
            "HEXPIREAT",
            "HGETDEL",
            "HGETEX",
            "HINCRBYFLOAT.expiring",
            "HPERSIST",
            "HPEXPIRE",
            "HPEXPIREAT",
            "HSETEX",
            "RESTORE.expiring-fields",
            "RESTORE.vectors",
            "VADD",
            "VREM",
            "VSETATTR",
            "XACKDEL",
            "XADD.DELREF",
            "XDELEX",
        ],
    ),
    (
        "redis-7.2.4",
        "redis-5.0.10",
        &[
            "BLMOVE",
            "BLMOVE.blocked",
            "COPY",
            "FUNCTION_DELETE",
            "FUNCTION_FLUSH",
            "FUNCTION_LOAD",
            "FUNCTION_RESTORE",
            "GEOSEARCHSTORE",
            "LMOVE",
            "XADD.NOMKSTREAM",
            "XTRIM.MINID",
            "ZADD.GT",
            "ZDIFFSTORE",
            "ZRANGESTORE",
        ],
    ),
    (
        "redis-7.2.4",
        "redis-3.2.9",
        &[
            "BLMOVE",
            "BLMOVE.blocked",
            "COPY",
            "FUNCTION_DELETE",
            "FUNCTION_FLUSH",
            "FUNCTION_LOAD",
            "FUNCTION_RESTORE",
            "GEOSEARCHSTORE",
            "LMOVE",
            "RESTORE.ABSTTL",
            "SWAPDB",
            "SWAPDB.record",
            "XACK",
            "XADD",
            "XADD.NOMKSTREAM",
            "XAUTOCLAIM",
            "XAUTOCLAIM.deleted",
            "XCLAIM",
            "XDEL",
            "XGROUP_CREATE",
            "XGROUP_CREATE.ENTRIESREAD",
            "XGROUP_CREATECONSUMER",
            "XGROUP_DELCONSUMER",
            "XGROUP_DESTROY",
            "XGROUP_SETID",
            "XGROUP_SETID.ENTRIESREAD",
            "XREADGROUP",
            "XREADGROUP.NOACK",
            "XREADGROUP.blocked",
            "XSETID",
            "XSETID.counters",
            "XTRIM",
            "XTRIM.MINID",
            "ZADD.GT",
            "ZDIFFSTORE",
            "ZRANGESTORE",
        ],
    ),
];

/// What serves statistics alone is reported, and is no loss of data.
fn is_statistics(line: &str) -> bool {
    line.contains("stream's counters")
}

fn what_ends_different_is_named((source, destination, lost): Downward) {
    let version = Flavour::of(source).version;
    let (cases, faults) = trial(source, destination);
    let mut found = vec![];
    for case in &cases {
        let none = BTreeSet::new();
        let id = case.id();
        let own = faults.get(&id).unwrap_or(&none);
        if case.untold.is_some_and(|untold| untold.is_of(version) && own.iter().all(|line| untold.is_all_of(line))) {
            continue;
        }
        // What no key is known of is reported under the command's name.
        let general = faults.get(case.operation.split(' ').next().unwrap()).unwrap_or(&none);
        let reported = |line: &&String| line.starts_with("reported") && !is_statistics(line);
        let named = own.iter().find(reported).or(general.iter().find(reported));
        let differs = own.iter().any(|line| line.starts_with("differs"));
        assert!(!differs || named.is_some(), "{id} ends different and nothing is said of it: {own:#?}");
        found.extend((differs || named.is_some()).then_some(id));
    }
    found.sort();
    assert_eq!(found, lost, "{faults:#?}");
}

#[test]
fn down_from_8_2_3_to_7_0_15() {
    what_ends_different_is_named(DOWNWARD[0]);
}

#[test]
fn down_from_7_2_4_to_5_0_10() {
    what_ends_different_is_named(DOWNWARD[1]);
}

#[test]
fn down_from_7_2_4_to_3_2_9() {
    what_ends_different_is_named(DOWNWARD[2]);
}
