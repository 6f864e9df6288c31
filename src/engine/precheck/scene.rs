//! What the items are judged by.

use std::path::PathBuf;

use super::{
    probe::{Permission, ProbeResult, RefusedCommand},
    rate::WriteRate,
    sample::KeyspaceSample,
    server::CheckedServer,
};
use crate::{
    sink::{Neighbour, RecordKeys},
    step::{Fence, Graph, PrecheckWork, StepId, Work},
    unit::Db,
};

/// What the verdicts depend on beside the servers.
pub(super) struct CheckContext {
    /// Where the spool will be.
    pub(super) state_dir: PathBuf,
    /// Whether the source is still needed.
    pub(super) source_needed: bool,
    /// Whether this run has written to the destination before, as far as it is known here.
    pub(super) begun: Begun,
}

/// Whether a run has written to the destination before.
pub(super) enum Begun {
    Yes,
    No,
    /// Its record at the destination says so: it may have been written from another state directory.
    Ask(RecordKeys),
}

/// Everything that is known when the items are judged.
pub(super) struct CheckInput<'a> {
    pub(super) graph: &'a Graph,
    pub(super) work: &'a PrecheckWork,
    pub(super) place: &'a CheckContext,
    /// Whether this run has written to the destination before.
    pub(super) begun: bool,
    pub(super) source: Option<CheckedServer>,
    pub(super) destination: Option<CheckedServer>,
    /// What was tried at the source.
    pub(super) from: SourceProbes,
    /// What was tried at the destination.
    pub(super) to: DestinationProbes,
}

/// What was tried at the source.
#[derive(Default)]
pub(super) struct SourceProbes {
    pub(super) replication: Option<Permission>,
    /// Why the fence would be refused, where it would be.
    pub(super) fence: Option<RefusedCommand>,
    pub(super) rate: WriteRate,
    pub(super) sample: Option<KeyspaceSample>,
    /// How many Sentinels watch it; `None` where it does not tell.
    pub(super) sentinels: Option<u64>,
    /// Runs that write to it; `None` where it does not show its keys.
    pub(super) neighbours: Option<Vec<Neighbour>>,
}

/// What was tried at the destination.
#[derive(Default)]
pub(super) struct DestinationProbes {
    pub(super) taken: ProbeResult,
    /// How many databases it has, or why that is not known.
    pub(super) databases: Option<Result<u32, String>>,
    /// Keys of others in the databases that keys go to, or why that is not known.
    pub(super) held: Option<Result<Vec<(Db, u64)>, String>>,
    /// Other runs that write to it; `None` where that is not known.
    pub(super) neighbours: Option<Vec<Neighbour>>,
}

impl CheckInput<'_> {
    /// Whether the source is followed after the copy.
    pub(super) fn follows(&self) -> bool {
        follows(self.graph)
    }

    /// Whether the run raises the source's output-buffer limit.
    pub(super) fn raises_buffer(&self) -> bool {
        self.graph.steps.iter().any(|step| matches!(&step.work, Work::Buffer(work) if work.unlimited))
    }

    /// Databases at the destination that the source's keys go to, ascending.
    pub(super) fn targets(&self) -> Vec<Db> {
        targets(self.source.as_ref(), self.work)
    }

    /// How long the source's dump may take, in seconds: as long as its last one, or as long as its memory takes at this
    /// rate or at the plan's bandwidth; at least one.
    pub(super) fn dump_seconds(&self) -> Option<u64> {
        let source = self.source.as_ref()?;
        let used = source.info.used_memory()?.0;
        let rate = self.work.limits.bandwidth.map_or(DUMPED, |limit| limit.0.min(DUMPED)).max(1);
        let last = source.info.last_save_seconds().unwrap_or(0);
        Some((used / rate).max(last).max(1))
    }
}

/// Bytes of memory that a source turns into a dump and sends in a second, cautiously.
const DUMPED: u64 = 40 << 20;

/// Whether the graph follows the source after the copy.
pub(super) fn follows(graph: &Graph) -> bool {
    graph.steps.iter().any(|step| step.id == StepId::Incremental)
}

/// What keeps the writers off when they are moved over; `None` where they are not.
pub(super) fn fence(graph: &Graph) -> Option<&Fence> {
    graph.steps.iter().find_map(|step| match &step.work {
        Work::Cutover(work) => Some(&work.fence),
        _ => None,
    })
}

/// Databases at the destination that keys of this source go to, ascending.
pub(super) fn targets(source: Option<&CheckedServer>, work: &PrecheckWork) -> Vec<Db> {
    let held: Vec<Db> = source.map(|source| source.info.keyspace().into_keys().collect()).unwrap_or_default();
    work.selection.targets(&held)
}
