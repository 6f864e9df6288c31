//! Real inputs to begin with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use redis_plan::rdb::{Body, Decoder, DumpLimits, Item};

/// Entries of one kind that are taken from a dump.
const OF_A_KIND: usize = 6;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder that was opened").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

/// The sample plans, and those with a mistake.
pub(crate) fn plans() -> Vec<Vec<u8>> {
    [files("plans", "yaml"), files("tests/data/plans/invalid", "yaml")].concat()
}

/// Short dumps: the header of each server's dump with a few of its records, the end mark, and no checksum.
pub(crate) fn dumps() -> Vec<Vec<u8>> {
    files("tests/data/rdb", "rdb").iter().flat_map(|dump| cut(dump)).collect()
}

fn cut(dump: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(DumpLimits::default());
    decoder.feed(dump);
    let mut records = vec![];
    let mut begun = 0;
    while let Ok(Some(item)) = decoder.next() {
        let kind = kind_of(&item);
        let end = usize::try_from(decoder.at()).expect("an offset in memory");
        if records.iter().filter(|(known, _)| *known == kind).count() < OF_A_KIND {
            records.push((kind, dump[begun..end].to_vec()));
        }
        begun = end;
    }
    let header = records.first().map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let few = records.chunks(4).map(|records| {
        let mut short = header.clone();
        for (_, bytes) in records {
            short.extend_from_slice(bytes);
        }
        short.push(0xff);
        short.extend_from_slice(&[0; 8]);
        short
    });
    few.collect()
}

fn kind_of(item: &Item<'_>) -> String {
    match item {
        Item::Entry(entry) => format!("{:?}", entry.value.kind),
        other => format!("{other:?}").chars().take(8).collect(),
    }
}

/// Values of every server: the number of the type, and what stands behind the key.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let mut values = vec![];
    for dump in files("tests/data/rdb", "rdb") {
        let mut decoder = Decoder::new(DumpLimits::default());
        decoder.feed(&dump);
        let mut kinds = vec![];
        while let Ok(Some(item)) = decoder.next() {
            let Item::Entry(entry) = item else { continue };
            let Body::Inline(body) = entry.value.body else { continue };
            if kinds.iter().filter(|kind| **kind == entry.value.kind).count() < OF_A_KIND {
                kinds.push(entry.value.kind);
                values.push([&[entry.value.kind.number()], body].concat());
            }
        }
    }
    values
}
