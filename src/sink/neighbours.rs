//! Runs of other plans that have their records at a server: what they write to is not another run's to write to or to read.

use std::collections::{BTreeMap, BTreeSet};

use redis::cmd;

use super::{
    RecordState, RunRecord,
    record::{PREFIX, RUNS, RecordKeys},
};
use crate::{
    net::{Control, ControlError},
    unit::Db,
};

/// A run of another plan that is under way, or was interrupted and is to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its plan.
    pub plan: String,
    /// The databases that it writes to; `None` where its record, of 0.1, does not say.
    pub databases: Option<Vec<Db>>,
}

impl Neighbour {
    /// Whether it writes, or may write, to a database of which `of` is true.
    #[must_use]
    pub fn writes_to(&self, of: impl Fn(Db) -> bool) -> bool {
        self.databases.as_ref().is_none_or(|own| own.iter().any(|db| of(*db)))
    }
}

/// The other runs under way at this server, as their records say, in the order of their names. A record that cannot be read
/// is taken for one of them: it may be written by a newer version. Runs of version 0.1 are in no list: their records are looked for
/// among all keys of database 0, where the server lets them be read.
pub async fn neighbours(control: &mut Control, own: &RecordKeys) -> Result<Vec<Neighbour>, ControlError> {
    let mut plans: BTreeSet<String> = control.query(cmd("SMEMBERS").arg(RUNS)).await?;
    match recorded(control, own).await {
        Ok(recorded) => plans.extend(recorded),
        Err(error) if error.refusal().is_some() => {}
        Err(error) => return Err(error),
    }
    let mut found = vec![];
    for plan in plans.into_iter().filter(|plan| plan != own.plan()) {
        found.extend(neighbour(control, plan).await?);
    }
    Ok(found)
}

async fn neighbour(control: &mut Control, plan: String) -> Result<Option<Neighbour>, ControlError> {
    let fields: BTreeMap<String, String> = control.query(cmd("HGETALL").arg(RecordKeys::of(&plan).run)).await?;
    if fields.is_empty() {
        return Ok(None);
    }
    let record = RunRecord::read(&fields);
    let is_over = record.as_ref().is_some_and(|record| record.state != RecordState::Running);
    Ok((!is_over).then(|| Neighbour { plan, databases: record.and_then(|record| record.databases) }))
}

/// The plans that have keys of the tool in database 0 of this server, whatever became of their runs. Looks through all keys.
pub async fn recorded(control: &mut Control, own: &RecordKeys) -> Result<BTreeSet<String>, ControlError> {
    let mut plans = BTreeSet::new();
    let mut cursor = 0u64;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{PREFIX}*")).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<String>) = control.query(&scan).await?;
        plans.extend(keys.iter().filter(|key| !own.own(key)).map(|key| RecordKeys::plan_of(key).to_owned()));
        if next == 0 {
            return Ok(plans);
        }
        cursor = next;
    }
}

/// Of the plans `recorded` here, the first whose run may write to one of these databases.
pub(super) async fn sharing(
    control: &mut Control,
    recorded: &BTreeSet<String>,
    databases: &[Db],
) -> Result<Option<String>, ControlError> {
    for plan in recorded {
        let other = neighbour(control, plan.clone()).await?;
        if other.is_some_and(|other| other.writes_to(|db| databases.contains(&db))) {
            return Ok(Some(plan.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_unknown_databases_may_write_to_any() {
        let neighbour = |databases| Neighbour { plan: "other".to_owned(), databases };
        assert!(neighbour(Some(vec![Db(1), Db(3)])).writes_to(|db| db == Db(3)));
        assert!(!neighbour(Some(vec![Db(1)])).writes_to(|db| db == Db(3)));
        assert!(neighbour(None).writes_to(|db| db == Db(3)));
    }
}
