//! Dumps that real servers wrote, one of each version, against what those servers said they hold (`tests/data/rdb`).

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis_plan::rdb::{Checksum, Decoder, DumpLimits, Item, RdbError, RdbFault, SafePoint};
use serde::{Deserialize, Serialize};

use crate::{
    cmd,
    harness::{ALL, Dataset, Flavour, Random, Server, Size},
};

/// A key as its server told it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    db: u32,
    /// In hexadecimal.
    #[serde(rename = "key")]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    /// Bytes, elements, members, fields or entries.
    length: i64,
    /// Unix milliseconds.
    expires_at: Option<i64>,
    /// Had expired when the dump was written, and is in it all the same.
    expired: bool,
}

/// The value types, by number, that each server's dump must hold, so that no encoding goes untested unseen.
fn kinds(name: &str) -> &'static [u8] {
    match name {
        "redis-2.8.17" | "redis-3.0.5" => &[0, 1, 2, 3, 4, 10, 11, 12, 13],
        "redis-3.2.9" => &[0, 2, 3, 4, 11, 12, 13, 14],
        "redis-4.0-rc2" => &[0, 2, 4, 5, 11, 12, 13, 14],
        "redis-5.0.10" | "redis-6.2.14" => &[0, 2, 4, 5, 11, 12, 13, 14, 15],
        "redis-7.0.15" => &[0, 2, 4, 5, 11, 16, 17, 18, 19],
        "redis-7.2.4" | "valkey-8.1.8" => &[0, 2, 4, 5, 11, 16, 17, 18, 20, 21],
        "redis-7.4.1" | "redis-8.2.3" => &[0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 24, 25],
        "valkey-9.1.2" => &[0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 22],
        other => panic!("no value types are written down for {other}"),
    }
}

/// Policies that make a server note with each key how long ago or how often it was used.
fn policy(name: &str) -> &'static str {
    match name {
        "redis-5.0.10" => "allkeys-lru",
        "redis-6.2.14" => "allkeys-lfu",
        _ => "noeviction",
    }
}

fn path(name: &str, ending: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/rdb/{name}.{ending}"))
}

fn dump(name: &str) -> Vec<u8> {
    fs::read(path(name, "rdb")).unwrap()
}

fn manifest(name: &str) -> Vec<Key> {
    serde_json::from_slice(&fs::read(path(name, "json")).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Every key the server has. A deadline is what the server says it is, within what its clock and ours are apart; where
/// `known` has one as near as that, it is that one, because servers before 7.0 tell none to the millisecond.
fn ask(server: &Server, known: &dyn Fn(u32, &str) -> Option<i64>) -> Vec<Key> {
    let (mut client, mut keys) = (server.client(), vec![]);
    for db in 0..16 {
        client.select(db);
        for key in client.command(&cmd!["KEYS", "*"]).items() {
            let kind = client.command(&cmd!["TYPE", key.bytes()]).text().to_owned();
            let counter = match kind.as_str() {
                "string" => "STRLEN",
                "list" => "LLEN",
                "set" => "SCARD",
                "hash" => "HLEN",
                "zset" => "ZCARD",
                "stream" => "XLEN",
                other => panic!("a {other} in a sample"),
            };
            let length = client.command(&cmd![counter, key.bytes()]).int();
            let left = client.command(&cmd!["PTTL", key.bytes()]).int();
            let told = (left >= 0).then(|| now() + left);
            let key = hex(key.bytes());
            let expires_at = match (told, known(db, &key)) {
                (Some(told), Some(known)) if (told - known).abs() < 500 => Some(known),
                (None, None) => None,
                (told, known) => panic!("{key} in db {db} ends {told:?}, not {known:?}"),
            };
            keys.push(Key { db, name: key, kind, length, expires_at, expired: false });
        }
    }
    keys.sort();
    keys
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Makes the sample and its manifest anew.
fn write(name: &str) {
    let server = Server::of(name).arg("--maxmemory-policy", policy(name)).start();
    let data = Dataset::new(server.flavour, Size::Small, 20_261_122);
    data.load(&server);
    let mut keys = ask(&server, &|db, key| {
        let same = |known: &&(u32, Vec<u8>)| known.0 == db && hex(&known.1) == key;
        data.known_deadlines().iter().find(|(known, _)| same(known)).map(|(_, deadline)| *deadline)
    });
    let mut client = server.client();
    let deadline = now() + 200;
    for command in [
        cmd!["DEBUG", "SET-ACTIVE-EXPIRE", 0],
        cmd!["SET", "ends:past", "expired"],
        cmd!["PEXPIREAT", "ends:past", deadline],
    ] {
        client.command(&command);
    }
    thread::sleep(Duration::from_millis(250));
    client.command(&cmd!["SAVE"]);
    if server.flavour.dumps_expired_keys() {
        let (name, kind) = (hex(b"ends:past"), "string".to_owned());
        keys.push(Key { db: 0, name, kind, length: 7, expires_at: Some(deadline), expired: true });
        keys.sort();
    }
    let lines: Vec<String> = keys.iter().map(|key| serde_json::to_string(key).unwrap()).collect();
    fs::write(path(name, "json"), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    fs::copy(server.folder().join("dump.rdb"), path(name, "rdb")).unwrap();
}

/// With `REDIS_PLAN_WRITE_SAMPLES` set the samples are made first.
#[test]
fn a_server_that_loads_its_sample_says_what_the_manifest_says() {
    for name in ALL {
        if env::var_os("REDIS_PLAN_WRITE_SAMPLES").is_some() {
            write(name);
        }
        let mut server = Server::start(name);
        fs::copy(path(name, "rdb"), server.folder().join("dump.rdb")).unwrap();
        server.restart();
        let expected: Vec<Key> = manifest(name).into_iter().filter(|key| !key.expired).collect();
        let known = |db, key: &str| expected.iter().find(|one| one.db == db && one.name == key).unwrap().expires_at;
        assert_eq!(ask(&server, &known), expected, "{name}");
    }
}

/// An item without its borrows, complete enough to be compared.
fn owned(item: &Item<'_>) -> String {
    format!("{item:?}")
}

/// Feeds a dump in pieces that end at `ends`, from a safe point on; gives every item, each with the safe point after it.
fn decode(
    dump: &[u8],
    from: &SafePoint,
    ends: impl Iterator<Item = usize>,
) -> Result<Vec<(String, SafePoint)>, RdbError> {
    let mut decoder = Decoder::resume(from, DumpLimits::default());
    let (mut items, mut fed) = (vec![], usize::try_from(from.at).unwrap());
    for end in ends.chain([dump.len()]) {
        decoder.feed(&dump[fed..end]);
        fed = end;
        while let Some(item) = decoder.next()? {
            let item = owned(&item);
            items.push((item, decoder.safe_point()));
        }
    }
    decoder.finish()?;
    Ok(items)
}

fn whole(dump: &[u8]) -> Result<Vec<(String, SafePoint)>, RdbError> {
    decode(dump, &SafePoint::START, [].into_iter())
}

/// The items alone.
fn items(decoded: Vec<(String, SafePoint)>) -> Vec<String> {
    decoded.into_iter().map(|(item, _)| item).collect()
}

#[test]
fn keys_types_and_deadlines_are_those_of_the_manifest() {
    for name in ALL {
        let dump = dump(name);
        let mut decoder = Decoder::new(DumpLimits::default());
        decoder.feed(&dump);
        let (mut found, mut numbers, mut noted, mut end) = (vec![], BTreeSet::new(), 0, None);
        while let Some(item) = decoder.next().unwrap() {
            match item {
                Item::Entry(entry) => {
                    numbers.insert(entry.value.kind.number());
                    noted += usize::from(entry.access.is_some());
                    let expires_at = entry.expires_at.map(|deadline| deadline.0);
                    found.push((entry.db.0, hex(&entry.key), entry.value.kind.type_name(), expires_at));
                }
                Item::End { checksum, length } => end = Some((checksum, length)),
                _ => {}
            }
        }
        found.sort();
        let expected = manifest(name);
        let expected: Vec<_> =
            expected.iter().map(|key| (key.db, key.name.clone(), key.kind.as_str(), key.expires_at)).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), kinds(name), "{name}");
        assert_eq!(noted, if policy(name) == "noeviction" { 0 } else { found.len() }, "{name}");
        let checksum = u64::from_le_bytes(*dump.last_chunk().unwrap());
        assert_eq!(end, Some((Checksum::Verified(checksum), dump.len() as u64)), "{name}");
    }
}

#[test]
fn functions_are_found_in_the_dumps_of_servers_that_have_them() {
    for name in ALL {
        let functions =
            items(whole(&dump(name)).unwrap()).into_iter().filter(|item| item.starts_with("Function")).count();
        assert_eq!(functions, if Flavour::of(name).has_functions() { 2 } else { 0 }, "{name}");
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same_items_and_every_cut_is_an_early_end() {
    for name in ALL {
        let dump = dump(name);
        let mut decoder = Decoder::new(DumpLimits::default());
        let mut found = vec![];
        for (index, byte) in dump.iter().enumerate() {
            let early = decoder.finish().unwrap_err();
            assert_eq!((early.at, early.fault), (index as u64, RdbFault::Truncated), "{name} cut at {index}");
            decoder.feed(&[*byte]);
            while let Some(item) = decoder.next().unwrap() {
                found.push(owned(&item));
            }
        }
        decoder.finish().unwrap();
        assert!(decoder.is_done() && decoder.leftover().is_empty());
        assert_eq!(found, items(whole(&dump).unwrap()), "{name}");
    }
}

#[test]
fn a_dump_cut_anywhere_and_fed_at_once_is_an_early_end() {
    let mut random = Random::fresh();
    for name in ALL {
        let dump = dump(name);
        for _ in 0..40 {
            let cut = usize::try_from(random.between(0, dump.len() as u64)).unwrap();
            let early = whole(&dump[..cut]).unwrap_err();
            assert_eq!((early.at, early.fault), (cut as u64, RdbFault::Truncated), "{name} cut at {cut}");
        }
    }
}

#[test]
fn random_pieces_give_the_same_items() {
    let mut random = Random::fresh();
    for name in ALL {
        let dump = dump(name);
        let expected = items(whole(&dump).unwrap());
        for longest in [2, 5, 50, 500, 5000, 20_000] {
            let mut ends = vec![];
            let mut end = 0;
            loop {
                end += usize::try_from(random.between(0, longest)).unwrap();
                if end >= dump.len() {
                    break;
                }
                ends.push(end);
            }
            let found = items(decode(&dump, &SafePoint::START, ends.into_iter()).unwrap());
            assert!(found == expected, "{name} in pieces below {longest}");
        }
    }
}

#[test]
fn decoding_goes_on_at_every_safe_point() {
    for name in ALL {
        let dump = dump(name);
        let all = whole(&dump).unwrap();
        let mut offsets = BTreeSet::new();
        for (index, (_, point)) in all.iter().enumerate() {
            // As it comes back from a file.
            let point: SafePoint = serde_json::from_str(&serde_json::to_string(point).unwrap()).unwrap();
            offsets.insert(point.at);
            let rest = items(decode(&dump, &point, [].into_iter()).unwrap());
            let expected = all[index + 1..].iter().map(|(item, _)| item);
            assert!(rest.iter().eq(expected), "{name} from byte {}", point.at);
        }
        assert!(offsets.len() > manifest(name).len(), "{name}: each key has its own safe point");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_an_error() {
    let mut random = Random::fresh();
    for name in ALL {
        let dump = dump(name);
        let mut sums = 0;
        for _ in 0..60 {
            let place = usize::try_from(random.between(0, dump.len() as u64)).unwrap();
            let mut damaged = dump.clone();
            damaged[place] ^= 1 << random.between(0, 8);
            let error = whole(&damaged).expect_err(&format!("{name} with byte {place} changed"));
            sums += usize::from(matches!(error.fault, RdbFault::Checksum { .. }));
        }
        assert!(sums > 20, "{name}: {sums} of 60 were found by the checksum");
    }
}

#[test]
fn a_flipped_bit_within_a_text_is_a_wrong_checksum_with_its_place() {
    for name in ALL {
        let mut dump = dump(name);
        let place = dump.windows(19).position(|window| window == b"under a random name").unwrap();
        dump[place] ^= 0x20;
        let error = whole(&dump).unwrap_err();
        assert!(matches!(error.fault, RdbFault::Checksum { .. }), "{name}: {error}");
        assert_eq!(error.at, dump.len() as u64 - 8, "{name}: {error}");
    }
}
