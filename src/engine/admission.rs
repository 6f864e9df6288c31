//! Whether a new run may begin beside the runs of other plans, as their records at both servers say.

use super::{ending::Ending, run::Run, servers};
use crate::{
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::{Neighbour, RecordKeys, neighbours},
    step::Selection,
    unit::Db,
};

/// What stands between a new run and one that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunConflict {
    /// Both write to a database of the destination: each would delete what the other brings.
    Overlap(Neighbour),
    /// The other writes to a database that this one reads: what one writes the other may bring back.
    Loop(Neighbour),
}

impl RunConflict {
    /// The clash of a run that writes to `targets` with the runs at its destination.
    pub(super) fn at_destination(neighbours: &[Neighbour], targets: &[Db]) -> Option<Self> {
        let overlaps = |other: &&Neighbour| other.writes_to(|db| targets.contains(&db));
        neighbours.iter().find(overlaps).cloned().map(Self::Overlap)
    }

    /// The clash of a run that reads this selection with the runs that write to its source.
    pub(super) fn at_source(neighbours: &[Neighbour], selection: &Selection) -> Option<Self> {
        let loops = |other: &&Neighbour| other.writes_to(|db| selection.reads(db));
        neighbours.iter().find(loops).cloned().map(Self::Loop)
    }

    /// What it is, in a clause.
    pub(super) fn seen(&self) -> String {
        match self {
            Self::Overlap(other) => {
                format!("the run `{}` is under way here too and writes to {}", other.plan, databases(other))
            }
            Self::Loop(other) => {
                format!("the run `{}` is under way and writes to {} here", other.plan, databases(other))
            }
        }
    }
}

/// The databases that a run writes to, for people.
fn databases(other: &Neighbour) -> String {
    match other.databases.as_deref() {
        None => "databases that its record does not name".to_owned(),
        Some([one]) => format!("database {one}"),
        Some(dbs) => format!("databases {}", dbs.iter().map(Db::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl From<RunConflict> for Ending {
    fn from(clash: RunConflict) -> Self {
        let (cause, side, why, plan) = match &clash {
            RunConflict::Overlap(other) => {
                (&runs::OVERLAP, "destination", "to which this plan writes as well", &other.plan)
            }
            RunConflict::Loop(other) => (&runs::LOOP, "source", "which this plan reads", &other.plan),
        };
        let seen = clash.seen();
        let summary = format!(
            "At the {side} {seen}, {why}. Nothing was written. Finish or abort that run, then run the same command again. If \
             it is to be forgotten, delete its keys `redis-plan:{{{plan}}}:*` there."
        );
        Self::of(cause, summary)
    }
}

/// Refuses a run that has not begun to write where another run is under way; one that has begun continues. A source that
/// does not answer, or does not let its keys be read, is the precheck's to report.
pub(super) async fn admit(run: &Run, destination: &mut Control) -> Result<(), Ending> {
    if crate::sink::has_begun(destination, &run.keys).await? {
        return Ok(());
    }
    overlap(run, destination).await?;
    let Ok(mut source) = run.request.servers.source.control().await else { return Ok(()) };
    let others = shown(neighbours(&mut source, &RecordKeys::of("")).await)?;
    match run.selection().and_then(|selection| RunConflict::at_source(&others, selection)) {
        Some(clash) => Err(clash.into()),
        None => Ok(()),
    }
}

/// Refuses a run whose databases another one at the destination writes to.
pub(super) async fn overlap(run: &Run, destination: &mut Control) -> Result<(), Ending> {
    let others = shown(neighbours(destination, &run.keys).await)?;
    if others.is_empty() {
        return Ok(());
    }
    let targets = run.targets(servers::databases(destination).await?);
    RunConflict::at_destination(&others, &targets).map_or(Ok(()), |clash| Err(clash.into()))
}

/// The runs that a server shows; none where it refuses to.
fn shown(asked: Result<Vec<Neighbour>, ControlError>) -> Result<Vec<Neighbour>, ControlError> {
    match asked {
        Err(error) if error.refusal().is_some() => Ok(vec![]),
        asked => asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(dbs: &[u32]) -> Neighbour {
        Neighbour { plan: "other".to_owned(), databases: Some(dbs.iter().copied().map(Db).collect()) }
    }

    #[test]
    fn two_runs_may_write_to_one_server_but_not_to_one_database() {
        let others = [neighbour(&[1]), neighbour(&[2, 3])];
        assert_eq!(RunConflict::at_destination(&others, &[Db(0), Db(4)]), None);
        assert_eq!(
            RunConflict::at_destination(&others, &[Db(0), Db(3)]),
            Some(RunConflict::Overlap(neighbour(&[2, 3])))
        );
    }

    #[test]
    fn what_another_run_writes_is_not_read() {
        assert_eq!(RunConflict::at_source(&[], &Selection::all()), None);
        assert_eq!(
            RunConflict::at_source(&[neighbour(&[5])], &Selection::all()),
            Some(RunConflict::Loop(neighbour(&[5])))
        );
        let ending = Ending::from(RunConflict::Loop(neighbour(&[5])));
        assert!(ending.summary.contains("database 5 here, which this plan reads"), "{}", ending.summary);
    }
}
