//! The table of items: what is judged, in the order in which it is told.

use super::{
    destination, disk,
    finding::Finding,
    link, memory, pair, runs,
    scene::{CheckInput, fence, follows},
    server::CheckedServer,
    source, stream,
};
use crate::step::{Graph, Side};

/// One item.
pub(super) struct CheckItem {
    /// Its stable name.
    pub(super) name: &'static str,
    /// Which runs need it.
    when: When,
    /// What it looks at, and how.
    pub(super) judge: Judge,
}

/// Which runs need an item.
#[derive(Clone, Copy)]
enum When {
    /// Every run.
    Always,
    /// One that follows its source.
    Following,
    /// One that moves the writers over.
    CuttingOver,
}

/// A plain function from what is known to a finding.
#[derive(Clone, Copy)]
pub(super) enum Judge {
    /// Whether the side answers is found out by asking it.
    Reached(Side),
    /// Of the source.
    Source(fn(&CheckedServer, &CheckInput<'_>) -> Finding),
    /// Of the destination.
    Destination(fn(&CheckedServer, &CheckInput<'_>) -> Finding),
    /// Of both, the source first.
    Both(fn(&CheckedServer, &CheckedServer, &CheckInput<'_>) -> Finding),
    /// Of this host.
    Here(fn(&CheckInput<'_>) -> Finding),
}

const fn always(name: &'static str, judge: Judge) -> CheckItem {
    CheckItem { name, when: When::Always, judge }
}

const fn following(name: &'static str, judge: Judge) -> CheckItem {
    CheckItem { name, when: When::Following, judge }
}

const fn cutting_over(name: &'static str, judge: Judge) -> CheckItem {
    CheckItem { name, when: When::CuttingOver, judge }
}

/// Every item.
pub(super) static ITEMS: [CheckItem; 43] = [
    always("source-reachable", Judge::Reached(Side::Source)),
    always("source-version", Judge::Source(source::version)),
    always("source-role", Judge::Source(source::role)),
    always("source-identity", Judge::Source(source::identity)),
    always("source-mode", Judge::Source(source::mode)),
    always("source-chain", Judge::Source(source::chain)),
    always("source-replication", Judge::Source(source::replication)),
    always("source-commands", Judge::Source(source::commands)),
    always("source-timeout", Judge::Source(stream::timeout)),
    always("source-output-buffer", Judge::Source(stream::output_buffer)),
    always("source-dump", Judge::Source(source::dump)),
    always("source-diskless", Judge::Source(source::diskless)),
    always("source-fork", Judge::Source(memory::fork)),
    always("source-sentinels", Judge::Source(runs::sentinels)),
    always("source-runs", Judge::Source(runs::at_source)),
    following("source-backlog", Judge::Source(stream::backlog)),
    following("source-scripts", Judge::Source(stream::scripts)),
    cutting_over("source-fence", Judge::Source(source::fence)),
    always("source-latency", Judge::Source(link::latency)),
    always("source-address", Judge::Source(link::address)),
    always("destination-reachable", Judge::Reached(Side::Destination)),
    always("destination-version", Judge::Destination(destination::version)),
    always("destination-role", Judge::Destination(destination::role)),
    always("destination-mode", Judge::Destination(destination::mode)),
    always("destination-writable", Judge::Destination(destination::writable)),
    always("destination-commands", Judge::Destination(destination::commands)),
    always("destination-memory", Judge::Destination(memory::room)),
    always("destination-eviction", Judge::Destination(memory::eviction)),
    always("destination-databases", Judge::Destination(destination::databases)),
    always("destination-empty", Judge::Destination(destination::emptiness)),
    always("destination-runs", Judge::Destination(runs::at_destination)),
    following("destination-expiry", Judge::Destination(stream::expiry)),
    always("destination-persistence", Judge::Destination(destination::persistence)),
    always("destination-limits", Judge::Destination(destination::limits)),
    always("destination-latency", Judge::Destination(link::latency)),
    always("destination-address", Judge::Destination(link::address)),
    always("distinct-servers", Judge::Both(pair::distinct)),
    always("clocks", Judge::Both(pair::clocks)),
    always("modules", Judge::Both(pair::modules)),
    always("functions", Judge::Both(pair::functions)),
    following("stream-commands", Judge::Both(pair::commands)),
    always("large-values", Judge::Both(pair::large_values)),
    always("spool-disk", Judge::Here(disk::room)),
];

/// The names of all items, in order.
pub fn check_items() -> Vec<&'static str> {
    ITEMS.iter().map(|item| item.name).collect()
}

impl CheckItem {
    /// Whether the run of this graph needs it.
    pub(super) fn is_of(&self, graph: &Graph) -> bool {
        match self.when {
            When::Always => true,
            When::Following => follows(graph),
            When::CuttingOver => fence(graph).is_some(),
        }
    }

    /// The sides it looks at.
    pub(super) fn needs(&self, side: Side) -> bool {
        match self.judge {
            Judge::Reached(own) => own == side,
            // What the source holds decides what the destination must take.
            Judge::Destination(_) | Judge::Both(_) => true,
            // The spool must hold what the source has.
            Judge::Source(_) | Judge::Here(_) => side == Side::Source,
        }
    }

    /// The finding; `None` when a side that it looks at is not there.
    pub(super) fn judge(&self, scene: &CheckInput<'_>) -> Option<Finding> {
        match self.judge {
            Judge::Reached(_) => None,
            Judge::Source(judge) => Some(judge(scene.source.as_ref()?, scene)),
            Judge::Destination(judge) => Some(judge(scene.destination.as_ref()?, scene)),
            Judge::Both(judge) => Some(judge(scene.source.as_ref()?, scene.destination.as_ref()?, scene)),
            Judge::Here(judge) => scene.place.source_needed.then(|| judge(scene)),
        }
    }

    /// The plan's key it is about when the finding does not say.
    pub(super) fn place(&self) -> &'static str {
        match self.judge {
            Judge::Reached(Side::Source) | Judge::Source(_) => "source.url",
            Judge::Reached(Side::Destination) | Judge::Destination(_) | Judge::Both(_) => "destination.url",
            Judge::Here(_) => "limits.spool",
        }
    }
}
