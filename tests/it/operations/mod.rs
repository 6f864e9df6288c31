//! Every operation of every source, said while the source is followed, ends equal at the destination.

mod case;
mod known;
mod table;
mod trial;

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
                let only = found.iter().all(|line| line.starts_with("differs") && line.contains(untold.differs));
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
