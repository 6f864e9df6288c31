//! A look at some of the source's keys, for values that are too large to move or of a module.

use std::collections::BTreeMap;

use redis::{Value, cmd, pipe};

use super::server::heard;
use crate::{
    net::{Control, ControlError},
    step::Selection,
    unit::{ByteSize, Db, KeyText},
};

/// Keys that are looked at in all.
const LOOKED_AT: usize = 2_000;
/// Keys asked for at once.
const AT_ONCE: u32 = 200;

/// What the look found.
pub(super) struct KeyspaceSample {
    /// Keys looked at.
    pub(super) keys: usize,
    /// Whether these were all.
    pub(super) all: bool,
    /// The largest string or value found.
    pub(super) largest: Option<Large>,
    /// Types of modules that were met, and how many keys are of each.
    pub(super) of_modules: BTreeMap<String, usize>,
}

/// Types that need no module.
const PLAIN: [&str; 7] = ["string", "list", "set", "zset", "hash", "stream", "none"];

/// A large value.
pub(super) struct Large {
    pub(super) db: Db,
    pub(super) key: String,
    pub(super) size: ByteSize,
}

/// Looks at some keys of these databases: the length of a string (other values go in pieces), and the type.
/// Keys that no rule takes are passed over.
pub(super) async fn look(
    control: &mut Control,
    dbs: &[Db],
    selection: &Selection,
) -> Result<Option<KeyspaceSample>, ControlError> {
    let mut seen = 0;
    let mut sample = KeyspaceSample { keys: 0, all: true, largest: None, of_modules: BTreeMap::new() };
    for db in dbs {
        if heard(control.command(cmd("SELECT").arg(db.0)).await)?.is_none() {
            return Ok(None);
        }
        let mut cursor = 0u64;
        loop {
            let scan = cmd("SCAN").arg(cursor).arg("COUNT").arg(AT_ONCE).clone();
            let Some((next, mut keys)) = heard(control.query::<(u64, Vec<Vec<u8>>)>(&scan).await)? else {
                return Ok(None);
            };
            seen += keys.len();
            keys.retain(|key| selection.target(*db, key).is_some());
            ask(control, *db, &keys, &mut sample).await?;
            cursor = next;
            if cursor == 0 {
                break;
            }
            if seen >= LOOKED_AT {
                sample.all = false;
                return Ok(Some(sample));
            }
        }
    }
    Ok(Some(sample))
}

async fn ask(control: &mut Control, db: Db, keys: &[Vec<u8>], sample: &mut KeyspaceSample) -> Result<(), ControlError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut questions = pipe();
    for key in keys {
        questions.cmd("STRLEN").arg(key.as_slice()).cmd("TYPE").arg(key.as_slice());
    }
    let answers = control.pipeline(&questions).await?;
    for (key, answers) in keys.iter().zip(answers.chunks(2)) {
        sample.keys += 1;
        if let Some(Value::SimpleString(kind)) = answers.get(1)
            && !PLAIN.contains(&kind.as_str())
        {
            *sample.of_modules.entry(kind.clone()).or_default() += 1;
        }
        let Some(Value::Int(length)) = answers.first().cloned() else { continue };
        let size = ByteSize(u64::try_from(length).unwrap_or(0));
        if sample.largest.as_ref().is_none_or(|largest| largest.size < size) {
            sample.largest = Some(Large { db, key: KeyText(key).to_string(), size });
        }
    }
    Ok(())
}
