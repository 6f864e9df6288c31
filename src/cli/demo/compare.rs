//! Compares every key that was there before the migration: value and time to live, read from both servers.

use std::time::Instant;

use redis::{Connection, Pipeline, Value};

use super::dataset::{Dataset, Key, KeyShape};
use super::error::DemoError;
use super::server::DemoServer;
use super::traffic::PREFIX;

/// Keys in one exchange.
const BATCH: usize = 200;

/// How far the times to live may lie apart beside the time that reading took, milliseconds.
const TOLERANCE: i64 = 1_000;

/// The keys that a run keeps its record in.
const RUN_RECORD: &str = "redis-plan:*";

/// What came out.
#[derive(Default)]
pub(super) struct DemoComparison {
    keys: u64,
    /// Keys of the source that the destination has, equal or not.
    found: u64,
    /// The first keys that differ, and how.
    differences: Vec<String>,
    different: u64,
    /// Keys at the destination that were never at the source.
    foreign: i64,
}

impl DemoComparison {
    /// Whether every key is the same.
    pub(super) const fn is_equal(&self) -> bool {
        self.different == 0 && self.foreign == 0
    }
}

impl std::fmt::Display for DemoComparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_equal() {
            return write!(
                f,
                "verified:  all {} keys are equal: value and expiry, read back from both servers",
                self.keys
            );
        }
        writeln!(
            f,
            "NOT EQUAL: {} of {} keys differ, {} do not belong there",
            self.different, self.keys, self.foreign
        )?;
        self.differences.iter().try_for_each(|difference| writeln!(f, "  {difference}"))
    }
}

/// Compares every key of `dataset`.
pub(super) fn compare(
    dataset: &Dataset,
    source: &DemoServer,
    destination: &DemoServer,
) -> Result<DemoComparison, DemoError> {
    let (mut source, mut destination) = (source.connect()?, destination.connect()?);
    let mut compared = DemoComparison::default();
    let mut keys = dataset.iter().peekable();
    while let Some(first) = keys.next() {
        let db = first.db;
        let mut batch = vec![first];
        while let Some(key) = keys.next_if(|key| key.db == db && batch.len() < BATCH) {
            batch.push(key);
        }
        compare_batch(&batch, &mut source, &mut destination, &mut compared)?;
    }
    compared.foreign = foreign(&mut destination, compared.found)?;
    Ok(compared)
}

fn compare_batch(
    keys: &[Key],
    source: &mut Connection,
    destination: &mut Connection,
    compared: &mut DemoComparison,
) -> Result<(), DemoError> {
    let began = Instant::now();
    let (expected, found) = (read(keys, source)?, read(keys, destination)?);
    let tolerance = TOLERANCE + i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX - TOLERANCE);
    for ((key, expected), found) in keys.iter().zip(expected).zip(found) {
        compared.keys += 1;
        compared.found += u64::from(!is_nothing(&found.0));
        if let Some(difference) = difference(key, &expected, &found, tolerance) {
            compared.different += 1;
            if compared.differences.len() < 10 {
                compared.differences.push(format!("{} in database {}: {difference}", key.name, key.db));
            }
        }
    }
    Ok(())
}

/// Value and time to live of each key.
fn read(keys: &[Key], connection: &mut Connection) -> Result<Vec<(Value, i64)>, DemoError> {
    let mut batch = Pipeline::new();
    if let Some(first) = keys.first() {
        batch.cmd("SELECT").arg(first.db).ignore();
    }
    for key in keys {
        batch.add_command(key.read());
        batch.add_command(key.read_expiry());
    }
    let replies: Vec<Value> = batch.query(connection)?;
    let pairs = replies.chunks_exact(2).map(|pair| match pair {
        [value, Value::Int(expiry)] => (value.clone(), *expiry),
        _ => (Value::Nil, i64::MIN),
    });
    Ok(pairs.collect())
}

fn difference(key: &Key, expected: &(Value, i64), found: &(Value, i64), tolerance: i64) -> Option<String> {
    let ((expected, expected_expiry), (found, found_expiry)) = (expected, found);
    if is_nothing(expected) {
        return Some("the source lost it".to_owned());
    }
    if is_nothing(found) {
        return Some("it is missing".to_owned());
    }
    if in_order(key.shape, expected) != in_order(key.shape, found) {
        return Some("its value is another one".to_owned());
    }
    let expires = [*expected_expiry, *found_expiry].map(|expiry| expiry >= 0);
    let apart = expected_expiry.abs_diff(*found_expiry);
    let is_equal = expires[0] == expires[1] && apart <= tolerance.unsigned_abs();
    (!is_equal).then(|| format!("it expires in {found_expiry} ms, not in {expected_expiry} ms"))
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Nil) || matches!(value, Value::Array(items) if items.is_empty())
}

/// A value in an order that does not depend on the server: sets and hashes have none of their own.
fn in_order(shape: KeyShape, value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let bytes = |value: &Value| match value {
        Value::BulkString(bytes) => bytes.clone(),
        _ => vec![],
    };
    let group = match shape {
        KeyShape::Set => 1,
        KeyShape::Hash => 2,
        _ => return value.clone(),
    };
    let mut groups: Vec<&[Value]> = items.chunks(group).collect();
    groups.sort_by_key(|group| group.first().map(bytes));
    Value::Array(groups.concat())
}

/// How many keys the destination has beside `found` of the dataset, those of the writing client and the run record.
fn foreign(destination: &mut Connection, found: u64) -> Result<i64, DemoError> {
    let mut foreign = -i64::try_from(found).unwrap_or(i64::MAX);
    for db in 0..16 {
        redis::cmd("SELECT").arg(db).exec(destination)?;
        let size: i64 = redis::cmd("DBSIZE").query(destination)?;
        foreign += size - keys(destination, &format!("{PREFIX}*"))? - keys(destination, RUN_RECORD)?;
    }
    Ok(foreign)
}

fn keys(destination: &mut Connection, pattern: &str) -> Result<i64, DemoError> {
    let (mut cursor, mut found) = (0u64, std::collections::HashSet::new());
    loop {
        let page: (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000).query(destination)?;
        found.extend(page.1);
        cursor = page.0;
        if cursor == 0 {
            return Ok(i64::try_from(found.len()).unwrap_or(i64::MAX));
        }
    }
}
